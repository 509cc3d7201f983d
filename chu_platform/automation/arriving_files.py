"""The sensor of arriving files: starts a run for each new, complete delivery.

An evaluation lists the folder. A file is complete if its state (size, times, inode) is unchanged since the previous
evaluation, and for longer than the longest pause of its upload until then; its modification time does not matter, it
may be in the future. If a checksum file lies beside it, it is complete when it has that checksum; if `NAME.done` does,
it is complete at once. A file is new if its fingerprint is new. The fingerprint of an unchanged file is known. An
evaluation has little time, so it computes those of small files only; for the others it starts a run of the job
`fingerprints`. The cursor of the sensor stores what was requested, and the files that have arrived lately. Run keys
ensure that no run starts twice if the daemon stops before it stores the cursor.
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import dagster as dg

from chu_platform.automation.fingerprints_job import FINGERPRINTS, config_for
from chu_platform.automation.follow_upstream import is_idle
from chu_platform.automation.following import FOLLOWING, REPORTS_LAST, first_run
from chu_platform.automation.jobs import CARE_DATABASE, READING, REPORTS, reading_job_name, tables_read_from
from chu_platform.automation.waits import MAX_ATTEMPTS, WAITS
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import partition_range_tags
from chu_platform.graph.dagster_instance import FINISHED
from chu_platform.graph.outdated import LakeState, outdated
from chu_platform.graph.run_launcher import starts_runs_elsewhere
from chu_platform.ingest.care_tables import CARE_DATABASE_NAME
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.ingest.files import MAX_SKEW_SECONDS, PackScan, scan_pack
from chu_platform.ingest.fingerprints import (
    SHA256,
    FileState,
    checksum,
    is_ahead,
    known_checksums,
    unreadable,
)
from chu_platform.ingest.markers import DONE, checksum_file, is_marked_done, needed_algorithms, require_checksum
from chu_platform.ingest.pack_contents import delivered_files, tables_for_file
from chu_platform.pseudonymisation.lake_key import require_key
from chu_platform.reports.delivery import delivery as delivery_report
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.settings import Settings, load_settings
from chu_platform.storage.held_deliveries import Acceptance, HeldDeliveries
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform.tables.partitions import PartitionScheme
from chu_platform.tables.table import Table

INTERVAL_SECONDS: Final = 10
# A file whose state is the same for less than this time may be incomplete.
QUIET_SECONDS: Final = 5.0
# A file that grows after a longer pause than this is a new upload.
MAX_PAUSE_SECONDS: Final = 3600.0
# Number of bytes that one evaluation reads at most. Larger files are read by the job of fingerprints.
MAX_BYTES: Final = 32 * 2**20
# To open a file and to store its checksum counts like so many bytes: an evaluation hashes 256 files at most.
BYTES_OF_OPENING: Final = 2**17
# Number of files for one run of the job of fingerprints.
MAX_FILES: Final = 1000
# After the end of a run, `follow_upstream` makes the reports, of which the register is one, within this time.
REPORTS_FOLLOW_SECONDS: Final = 60.0
MAX_LISTED_MESSAGES: Final = 10
MAX_LOGGED_MESSAGES: Final = 100


@dataclass
class ArrivingFile:
    """State of a file that has arrived lately: size in bytes, modification time, change time in nanoseconds, inode.

    `seen_at` is when this state was first seen, and `longest_pause` the longest time until the file grew, in seconds.
    """

    size: int
    modified: float
    changed: int = 0
    inode: int = 0
    seen_at: float = 0.0
    longest_pause: float = 0.0

    @property
    def state(self) -> tuple[int, float, int, int]:
        """What changes when the file is written or replaced."""
        return self.size, self.modified, self.changed, self.inode

    @property
    def wait(self) -> float:
        """For how long the state must be the same until the file counts as complete, in seconds."""
        return max(QUIET_SECONDS, self.longest_pause)

    def pause_until(self, later: "ArrivingFile") -> float:
        """The longest pause of the upload until a later, changed state; 0 if that is another upload."""
        pause = later.seen_at - self.seen_at
        if later.inode != self.inode or later.size <= self.size or pause > MAX_PAUSE_SECONDS:
            return 0.0
        return max(self.longest_pause, pause)


@dataclass
class Hashing:
    """The last request of a run of the job of fingerprints: key of its files, number of attempts, time of the last."""

    key: str
    attempts: int
    at: float


@dataclass
class SensorState:
    """State of the sensor between evaluations.

    `files`: files that have arrived lately, by path. `requested`: key of the content last requested, by reading unit.
    `request_counts`: number of requests by reading unit. `messages`: digests of the messages of the last evaluation,
    which are logged only once. `listing`: key of the files at the last evaluation, by their fingerprints as far as they
    are known. `seen`: their key by size, times and inode. `listed_at`: since when this is the same. `hashing`: see
    `Hashing`.

    Dagster stores the cursor with each evaluation, so it holds no files whose fingerprint is known for long.
    """

    files: dict[str, ArrivingFile] = field(default_factory=dict)
    requested: dict[str, str] = field(default_factory=dict)
    request_counts: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    listing: str = ""
    listed_at: float = 0.0
    hashing: Hashing | None = None
    seen: str = ""

    @staticmethod
    def from_cursor(cursor: str | None) -> "SensorState":
        """The state stored in a cursor; an empty state for None."""
        stored = json.loads(cursor) if cursor else {}
        # Files in cursors of earlier versions have further fields.
        names = ArrivingFile.__dataclass_fields__
        files = {
            path: ArrivingFile(**{name: value for name, value in file.items() if name in names})
            for path, file in stored.get("files", {}).items()
        }
        hashing = stored.get("hashing")
        return SensorState(
            files,
            stored.get("asked", {}),
            stored.get("times", {}),
            stored.get("told", []),
            stored.get("listing", ""),
            stored.get("listed_at", 0.0),
            Hashing(**hashing) if hashing else None,
            stored.get("seen", ""),
        )

    def cursor(self) -> str:
        """The state as a cursor. Its keys do not change: Dagster's storage holds cursors of earlier versions."""
        stored = {
            "files": {path: asdict(file) for path, file in self.files.items()},
            "asked": self.requested,
            "times": self.request_counts,
            "told": self.messages,
            "listing": self.listing,
            "listed_at": self.listed_at,
            "hashing": asdict(self.hashing) if self.hashing else None,
            "seen": self.seen,
        }
        return json.dumps(stored, separators=(",", ":"))

    def run_key(self, name: str) -> str:
        """The run key for the requested content of a reading unit.

        It contains the number of requests, so that earlier content that is delivered again is read again. An evaluation
        that is repeated, because the daemon stopped before it stored the cursor, returns the same key.
        """
        self.request_counts[name] = self.request_counts.get(name, 0) + 1
        return f"{name}:{self.requested[name]}:{self.request_counts[name]}"


@dataclass(frozen=True)
class ReadingUnit:
    """Source tables that one run of a job reads together, because they have the same source files."""

    name: str
    job: str
    tables: Sequence[Table]

    @property
    def partition_scheme(self) -> PartitionScheme | None:
        """The partition scheme of its tables; None if they have none."""
        return next((t.partition_scheme for t in self.tables if t.partition_scheme), None)

    def takes(self, name: str) -> bool:
        """Whether files with this name are source files of the unit."""
        return bool(tables_for_file(name, self.tables))

    def needs(self, name: str) -> bool:
        """Whether files with this name are source files, or lists of rows that are withdrawn from them."""
        withdrawals = delivered_rows(self.tables[0]).withdrawals
        return bool(tables_for_file(name, [*self.tables, *([withdrawals.listed] if withdrawals else [])]))

    def files(self, scan: PackScan, fingerprint_of: Callable[[Path], str]) -> Sequence[Path]:
        """Its source files, and the lists of rows that are withdrawn from them.

        Raises ChuError if files are missing, or if several candidates have different content.
        """
        rows = delivered_rows(self.tables[0])
        lists = rows.withdrawals.reader.files(scan, fingerprint_of) if rows.withdrawals else ()
        return [*rows.reader.files(scan, fingerprint_of), *lists]


def reading_units(settings: Settings) -> Sequence[ReadingUnit]:
    """A reading unit for each source table that is read from files, and one for the dump of the care database.

    The dump is not expected if CHU_POSTGRES_URL is set.
    """
    files = [ReadingUnit(t.name, reading_job_name(t.partition_scheme), [t]) for t in tables_read_from(None)]
    care = (
        [ReadingUnit(CARE_DATABASE.name, CARE_DATABASE.name, tables_read_from(CARE_DATABASE_NAME))]
        if settings.postgres_url is None
        else []
    )
    return [*files, *care]


class _NotHashedError(ChuError):
    """The fingerprint of a file is not known: it arrived after the folder was listed."""


@dataclass
class _Arrivals:
    """The source files of the folder: fingerprints of the complete ones, and the others, with the cause if known.

    `to_hash` are the complete files whose fingerprints a run has to compute. `left` is the number of bytes that this
    evaluation may still read.
    """

    fingerprints: dict[Path, str] = field(default_factory=dict)
    arriving: dict[str, str] = field(default_factory=dict)
    to_hash: dict[str, FileState] = field(default_factory=dict)
    left: int = 0

    def fingerprint_of(self, file: Path) -> str:
        """The fingerprint of a complete file. Raises ChuError if it is not known."""
        if file not in self.fingerprints:
            raise _NotHashedError(f"the fingerprint of {file} is not known yet")
        return self.fingerprints[file]


def evaluate(
    settings: Settings,
    state: SensorState,
    now: float,
    is_hashing: Callable[[], bool],
    registered_since: Callable[[float], bool | None] = lambda _moment: False,
    has_key: bool = True,
) -> tuple[list[dg.RunRequest], list[str]]:
    """Run requests and messages for the current files; updates `state`.

    `now` is in seconds since 1970. `is_hashing` tells whether a run of the job of fingerprints is in progress,
    `registered_since` whether the register of deliveries was made by a run that began later; None if a run may make it
    that is in progress, or follows one that has just ended. Nothing is requested while the key of the lake is missing,
    or is another one. `has_key` is false where the key is with the runs, and not here.
    """
    lake = Lake(lake_root(settings))
    try:
        if has_key:
            require_key(lake, settings.secrets_folder)
    except ChuError as error:
        # The deliveries are requested when the key is back.
        return [], [str(error)]
    pack = settings.sources_folder
    scan = scan_pack(pack) if pack.is_dir() else None
    files = {f.relative_to(pack).as_posix(): f for f in delivered_files(scan)} if scan else {}
    units = reading_units(settings)
    known = {p: f for p, f in files.items() if tables_for_file(f.name, catalogue())}
    read = {p: f for p, f in known.items() if any(u.needs(f.name) for u in units)}
    found = _look_at(read, state, now)
    waiting = {*found.arriving, *found.to_hash}
    messages = [
        cause or f"still arriving: {path} ({_wait(path, state.files[path], now)})"
        for path, cause in sorted(found.arriving.items())
    ]
    requests = _request_fingerprints(found.to_hash, state, now, is_hashing, messages)
    held_back = HeldDeliveries(lake)
    acceptances, waiting_sources = held_back.acceptances(), {h.source for h in held_back.held()}
    for unit in units:
        takes_none = not any(unit.takes(f.name) for f in read.values())
        if scan is None or takes_none or any(unit.needs(read[p].name) for p in waiting):
            continue
        try:
            contents = [found.fingerprint_of(f) for f in unit.files(scan, found.fingerprint_of)]
        except _NotHashedError:
            continue
        except ChuError as error:
            messages.append(str(error))
            continue
        # The key contains the last partition key. When a new year begins, the key changes and the files are read
        # again, so that the new partition is made. It also changes when somebody accepts a delivery of the unit.
        given = _accepted(unit, acceptances)
        key = _key([*sorted(contents), *given], unit.partition_scheme)
        if any(t.name in waiting_sources for t in unit.tables) and key == _loaded(settings, unit, given):
            for table in unit.tables:
                held_back.release(table.name, {f["name"]: f["sha256"] for f in _files(lake.provenance(table))})
        previous = state.requested.get(unit.name) or _loaded(settings, unit, given)
        state.requested[unit.name] = key
        if previous != key:
            requests.append(_request(unit, state.run_key(unit.name)))
    if scan:
        messages += [f"{path.relative_to(pack)} {why}" for path, why in [*scan.folders.items(), *scan.links.items()]]
    messages += [f"no source table reads this file: {p}" for p in sorted(files.keys() - known.keys())]
    states = {p: s for p, f in files.items() if (s := _state(f))}
    messages += [
        f"{p} has a modification time in the future, {_date(s)}: it is read as usual; check the clock of its sender"
        for p, s in sorted(states.items())
        if s.modified_ns > (now + MAX_SKEW_SECONDS) * 1e9
    ]
    listing = _key([f"{p} {found.fingerprints.get(files[p]) or s}" for p, s in sorted(states.items())], None)
    # Not while a file still grows: the register would hold each of its sizes.
    at_rest = listing == state.listing
    seen = _key([f"{p} {s}" for p, s in sorted(states.items())], None)
    # A fingerprint that becomes known changes the listing, but no file.
    if seen != state.seen:
        # The first evaluation does not see a change, but the files as they are.
        last_change = max((s.changed_ns for s in states.values()), default=0) / 1e9
        state.seen, state.listed_at = seen, now if state.listing else last_change
    state.listing = listing
    report = delivery_report.name
    is_due = at_rest and not found.to_hash and "" not in found.arriving.values()
    # The reports are made after each run that reads something.
    if is_due and state.requested.get(report) != listing and not requests:
        registered = registered_since(state.listed_at)
        if registered is not None:
            state.requested[report] = listing
        if registered is False:
            keys = [key_of(t) for t in (delivery_reading, delivery_report)]
            requests.append(dg.RunRequest(state.run_key(report), job_name=REPORTS.name, asset_selection=keys))
    return requests, messages


def _look_at(files: Mapping[str, Path], state: SensorState, now: float) -> _Arrivals:
    """Look at the source files, and update the files in `state`."""
    known: dict[str, dict[str, tuple[FileState, str]]] = defaultdict(dict)
    for (name, algorithm), stored in known_checksums().items():
        known[name][algorithm] = stored
    found = _Arrivals(left=MAX_BYTES)
    for path, file in files.items():
        current = _state(file)
        if current is None:
            continue
        checksums = {a: c for a, (s, c) in known[str(file)].items() if s == current}
        is_old = now - current.changed_ns / 1e9 > MAX_PAUSE_SECONDS and SHA256 in checksums
        old = state.files.get(path)
        seen = ArrivingFile(current.size, current.modified_ns / 1e9, current.changed_ns, current.inode, now)
        unchanged = old is not None and old.state == seen.state
        if old and unchanged:
            seen = old
        elif old:
            seen.longest_pause = old.pause_until(seen)
        # The clock may have been put back.
        seen.seen_at = min(seen.seen_at, now)
        if is_old and (old is None or now - seen.seen_at > MAX_PAUSE_SECONDS):
            state.files.pop(path, None)
        else:
            state.files[path] = seen
        try:
            if not (is_old or _has_ended(file, seen, unchanged, now)):
                found.arriving[path] = ""
            elif (missing := [a for a in needed_algorithms(file) if a not in checksums]) and not _is_small(
                current, missing, found
            ):
                _require_readable(file)
                found.to_hash[path] = current
            else:
                checksums |= {algorithm: checksum(file, algorithm) for algorithm in missing}
                require_checksum(file, partial(_one_of, checksums))
                found.fingerprints[file] = checksums[SHA256]
        except ChuError as error:
            found.arriving[path] = str(error)
    for deleted in state.files.keys() - files.keys():
        del state.files[deleted]
    return found


def _has_ended(file: Path, seen: ArrivingFile, unchanged: bool, now: float) -> bool:
    """Whether the upload of a file seems to have ended. If a checksum file lies beside it, the checksum will tell."""
    if is_marked_done(file):
        return True
    if seen.size <= MAX_BYTES and checksum_file(file):
        return unchanged
    return unchanged and now - seen.seen_at > seen.wait


def _wait(path: str, file: ArrivingFile, now: float) -> str:
    """How long a file still has to rest, and what makes it complete at once.

    The text is the same in each evaluation while the file rests, so that it is logged once.
    """
    name = Path(path).name
    end = f", at {datetime.fromtimestamp(file.seen_at + file.wait, UTC):%H:%M:%S} UTC" if file.seen_at < now else ""
    return (
        f"complete when unchanged for {file.wait:.0f} s{end}; an empty {name}{DONE} or a checksum file such as "
        f"{name}.{SHA256} beside it makes it complete at once"
    )


def _one_of(checksums: Mapping[str, str], _file: Path, algorithm: str) -> str:
    """One of the known checksums of a file. It differs from any listed one if it is not known."""
    return checksums.get(algorithm, "")


def _is_small(current: FileState, algorithms: Sequence[str], found: _Arrivals) -> bool:
    """Whether this evaluation may compute these checksums of a file, which then count as read."""
    cost = (current.size + BYTES_OF_OPENING) * len(algorithms)
    if cost > found.left or is_ahead(current):
        return False
    found.left -= cost
    return True


def _require_readable(file: Path) -> None:
    """Raise ChuError if a file cannot be read."""
    try:
        with file.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise unreadable(file, error) from None


def _request_fingerprints(
    to_hash: Mapping[str, FileState],
    state: SensorState,
    now: float,
    is_hashing: Callable[[], bool],
    messages: list[str],
) -> list[dg.RunRequest]:
    """A request of a run that computes the fingerprints of these files, unless such a run is in progress.

    Files whose fingerprint was not found are tried again after a growing wait, for a limited number of times.
    """
    if not to_hash:
        state.hashing = None
        return []
    messages += [f"computing the fingerprint of {path}, in a run of the job {FINGERPRINTS.name}" for path in to_hash]
    if is_hashing():
        return []
    first = sorted(to_hash.items())[:MAX_FILES]
    key = _key([f"{path} {file_state}" for path, file_state in first], None)
    last = state.hashing if state.hashing and state.hashing.key == key else Hashing(key, 0, 0.0)
    if last.attempts == MAX_ATTEMPTS or (last.attempts and now - last.at < WAITS[last.attempts - 1]):
        return []
    state.hashing = Hashing(key, last.attempts + 1, now)
    state.requested[FINGERPRINTS.name] = key
    run_key = state.run_key(FINGERPRINTS.name)
    return [dg.RunRequest(run_key, job_name=FINGERPRINTS.name, run_config=config_for([path for path, _ in first]))]


def _state(file: Path) -> FileState | None:
    """State of a file; None if it has just been removed."""
    try:
        return FileState.of(file.stat())
    except OSError:
        return None


def _date(state: FileState) -> str:
    return f"{datetime.fromtimestamp(state.modified_ns // 10**9, UTC):%Y-%m-%d %H:%M} UTC"


def _key(contents: Sequence[str], partition_scheme: PartitionScheme | None) -> str:
    parts = [*dict.fromkeys(contents), *([partition_scheme.keys[-1]] if partition_scheme else [])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _accepted(unit: ReadingUnit, acceptances: Sequence[Acceptance]) -> Sequence[str]:
    """The times when deliveries of the unit were accepted that had been held back."""
    return [a.at for a in acceptances if a.source in {t.name for t in unit.tables}]


def _loaded(settings: Settings, unit: ReadingUnit, given: Sequence[str]) -> str | None:
    """Key of the content that the lake already holds, so that files read by `chu materialize` are not read again."""
    lake = Lake(lake_root(settings))
    commits = [lake.provenance(t) for t in unit.tables]
    if not all(commit.get("files") for commit in commits):
        return None
    files = [f for commit in commits for f in _files(commit)]
    return _key([*sorted({f["sha256"] for f in files}), *given], unit.partition_scheme)


def _files(commit: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The files that a commit of a table read, with the lists of withdrawn rows."""
    return [*commit.get("files", ()), *commit.get("lists", ())]


def _request(unit: ReadingUnit, run_key: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key,
        job_name=unit.job,
        asset_selection=[key_of(made) for t in unit.tables for made in t.outputs],
        tags=partition_range_tags(unit.partition_scheme.every() if unit.partition_scheme else None),
    )


def _registered_since(instance: dg.DagsterInstance, settings: Settings, moment: float) -> bool | None:
    """See `evaluate`."""
    event = instance.get_latest_materialization_event(key_of(delivery_report))
    run = instance.get_run_record_by_id(event.run_id) if event else None
    if run and (run.start_time or 0.0) > moment:
        return True
    if not is_idle(instance, settings):
        return None
    (last,) = instance.get_run_records(limit=1, order_by="update_timestamp") or (None,)
    return None if last and time.time() - last.update_timestamp.timestamp() < REPORTS_FOLLOW_SECONDS else False


def with_what_follows(
    request: dg.RunRequest, settings: Settings, instance: dg.DagsterInstance, units: Sequence[ReadingUnit]
) -> dg.RunRequest:
    """The request of a run that reads a unit and makes what follows from it, instead of the reading alone.

    The same request while other runs may write, or if its tables cannot be part of one run with what follows.
    """
    unit = next((u for u in units if request.run_key and request.run_key.startswith(f"{u.name}:")), None)
    if unit is None or not is_idle(instance, settings):
        return request
    found = outdated(LakeState(Lake(lake_root(settings))), unit.tables)
    tables = [*unit.tables, *found.tables]
    run = first_run(tables)
    if not {*unit.tables} <= {*run.tables}:
        return request
    more = REPORTS_LAST if len(run.tables) == len(tables) else ()
    return run.request(request.run_key, more, settings.marts)


@dg.sensor(
    name="arriving_files",
    jobs=[CARE_DATABASE, *READING, *FOLLOWING, REPORTS, FINGERPRINTS],
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads each new, complete delivered file; warns of files that no source table reads.",
)
def arriving_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Evaluate the sensor on the folder of deliveries."""
    state = SensorState.from_cursor(context.cursor)

    def is_hashing() -> bool:
        unfinished = [s for s in dg.DagsterRunStatus if s not in FINISHED]
        of_job = dg.RunsFilter(job_name=FINGERPRINTS.name, statuses=unfinished)
        return bool(context.instance.get_runs(of_job, limit=1))

    settings = load_settings()

    def registered_since(moment: float) -> bool | None:
        return _registered_since(context.instance, settings, moment)

    # Runs in pods of their own have the key; the code location does not.
    has_key = not starts_runs_elsewhere(context.instance)
    requests, messages = evaluate(settings, state, time.time(), is_hashing, registered_since, has_key)
    if len(requests) == 1:
        requests = [with_what_follows(requests[0], settings, context.instance, reading_units(settings))]
    digests = [_key([message], None) for message in messages[:MAX_LOGGED_MESSAGES]]
    for message, digest in zip(messages, digests, strict=False):
        if digest not in state.messages:
            context.log.warning(message)
    state.messages = digests
    hidden = len(messages) - MAX_LISTED_MESSAGES
    more = f"; and {hidden} more, see reports/delivery" if hidden > 0 else ""
    reason = ("; ".join(messages[:MAX_LISTED_MESSAGES]) + more) or "nothing new in the delivered folder"
    return dg.SensorResult(
        run_requests=requests, skip_reason=None if requests else dg.SkipReason(reason), cursor=state.cursor()
    )
