"""The sensor of arriving files: starts a run for each new, complete delivery.

A file is complete if its state (size, times, inode) is unchanged since the previous evaluation, and for longer than the
longest pause of its upload until then. If a checksum file lies beside it, it is complete when it has that checksum; if
`NAME.done` does, it is complete at once. A file is new if its fingerprint is new. The cursor of the sensor stores the
known files. Run keys ensure that no run starts twice if the daemon stops before it stores the cursor.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import dagster as dg

from chu_platform.automation.jobs import CARE_DATABASE, READING, REPORTS, reading_job_name, tables_read_from
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import partition_range_tags
from chu_platform.ingest.care_tables import CARE_DATABASE_NAME
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.ingest.files import scan_pack
from chu_platform.ingest.fingerprints import fingerprint
from chu_platform.ingest.markers import checksum_file, is_marked_done, require_checksum
from chu_platform.ingest.pack_contents import delivered_files, tables_for_file
from chu_platform.reports.delivery import delivery as delivery_report
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.settings import Settings, load_settings
from chu_platform.storage.held_deliveries import Acceptance, HeldDeliveries
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform.tables.partitions import PartitionScheme
from chu_platform.tables.table import Table

INTERVAL_SECONDS: Final = 10
# A file modified less than this time ago may be incomplete.
QUIET_SECONDS: Final = 5.0
# A file that grows after a longer pause than this is a new upload.
MAX_PAUSE_SECONDS: Final = 3600.0
MAX_LISTED_MESSAGES: Final = 10


@dataclass
class KnownFile:
    """Size in bytes, modification time and, once the file is complete, fingerprint at the last evaluation.

    `changed` is the change time in nanoseconds, `inode` the number of the file. `seen_at` is when this state was first
    seen, and `longest_pause` the longest time until the file grew, in seconds. `refuted_by` is the modification time of
    the checksum file whose checksum the file did not have. Cursors of earlier versions lack these.
    """

    size: int
    modified: float
    sha256: str | None = None
    changed: int = 0
    inode: int = 0
    seen_at: float = 0.0
    longest_pause: float = 0.0
    refuted_by: float | None = None

    @property
    def state(self) -> tuple[int, float, int, int]:
        """What changes when the file is written or replaced."""
        return self.size, self.modified, self.changed, self.inode

    def pause_until(self, later: "KnownFile") -> float:
        """The longest pause of the upload until a later, changed state; 0 if that is another upload."""
        pause = later.seen_at - self.seen_at
        if later.inode != self.inode or later.size <= self.size or pause > MAX_PAUSE_SECONDS:
            return 0.0
        return max(self.longest_pause, pause)


@dataclass
class SensorState:
    """State of the sensor between evaluations.

    `files`: known files by path. `requested`: key of the content last requested, by reading unit. `request_counts`:
    number of requests by reading unit. `messages`: messages of the last evaluation, which are logged only once.
    """

    files: dict[str, KnownFile] = field(default_factory=dict)
    requested: dict[str, str] = field(default_factory=dict)
    request_counts: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @staticmethod
    def from_cursor(cursor: str | None) -> "SensorState":
        """The state stored in a cursor; an empty state for None."""
        stored = json.loads(cursor) if cursor else {}
        files = {path: KnownFile(**file) for path, file in stored.get("files", {}).items()}
        return SensorState(files, stored.get("asked", {}), stored.get("times", {}), stored.get("told", []))

    def cursor(self) -> str:
        """The state as a cursor. Its keys do not change: Dagster's storage holds cursors of earlier versions."""
        files = {path: asdict(file) for path, file in self.files.items()}
        stored = {"files": files, "asked": self.requested, "times": self.request_counts, "told": self.messages}
        return json.dumps(stored)

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

    def files(self, pack: Path) -> Sequence[Path]:
        """Its source files, and the lists of rows that are withdrawn from them.

        Raises ChuError if files are missing, or if several candidates have different content.
        """
        rows = delivered_rows(self.tables[0])
        return [*rows.reader.files(pack), *(rows.withdrawals.reader.files(pack) if rows.withdrawals else ())]


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


def evaluate(settings: Settings, state: SensorState, now: float) -> tuple[list[dg.RunRequest], list[str]]:
    """Run requests and messages for the current files; updates `state`. `now` is in seconds since 1970."""
    pack = settings.sources_folder
    tables = catalogue()
    scan = scan_pack(pack) if pack.is_dir() else None
    files = {f.relative_to(pack).as_posix(): f for f in delivered_files(scan)} if scan else {}
    arriving = _update_known_files(files, state, now)
    messages = [cause or f"still arriving: {path}" for path, cause in sorted(arriving.items())]
    acceptances = HeldDeliveries(Lake(lake_root(settings))).acceptances()
    requests = []
    for unit in reading_units(settings):
        paths = [p for p, f in files.items() if any(tables_for_file(f.name, [t]) for t in unit.tables)]
        if not paths or arriving.keys() & set(paths):
            continue
        try:
            known = [state.files.get(f.relative_to(pack).as_posix()) for f in unit.files(pack)]
        except ChuError as error:
            messages.append(str(error))
            continue
        contents = [file.sha256 for file in known if file and file.sha256]
        if len(contents) < len(known):  # a file arrived after the folder was listed
            continue
        # The key contains the last partition key. When a new year begins, the key changes and the files are read
        # again, so that the new partition is made. It also changes when somebody accepts a delivery of the unit.
        given = _accepted(unit, acceptances)
        key = _key([*sorted(contents), *given], unit.partition_scheme)
        previous = state.requested.get(unit.name) or _loaded(settings, unit, given)
        state.requested[unit.name] = key
        if previous != key:
            requests.append(_request(unit, state.run_key(unit.name)))
    if scan:
        messages += [f"{path.relative_to(pack)} {why}" for path, why in [*scan.folders.items(), *scan.links.items()]]
    messages += [
        f"no source table reads this file: {p}"
        for p, f in files.items()
        if p not in arriving and not tables_for_file(f.name, tables)
    ]
    listing = _key(sorted(f"{p} {s.sha256}" for p, s in state.files.items() if s.sha256), None)
    report = delivery_report.name
    if state.requested.get(report) != listing and "" not in arriving.values():
        state.requested[report] = listing
        run_key = state.run_key(report)
        keys = [key_of(t) for t in (delivery_reading, delivery_report)]
        requests.append(dg.RunRequest(run_key, job_name=REPORTS.name, asset_selection=keys))
    return requests, messages


def _update_known_files(files: Mapping[str, Path], state: SensorState, now: float) -> Mapping[str, str]:
    """Update the known files in `state`; returns the incomplete and unreadable files: the cause, if known, by path."""
    arriving = {}
    for path, file in files.items():
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        old = state.files.get(path)
        current = KnownFile(status.st_size, status.st_mtime, None, status.st_ctime_ns, status.st_ino, now)
        unchanged = old is not None and old.state == current.state
        if old and not unchanged:
            current.longest_pause = old.pause_until(current)
        known = state.files[path] = old if old and unchanged else current
        if known.sha256 is None:
            try:
                if _is_complete(file, known, unchanged, now):
                    known.sha256 = fingerprint(file)
                else:
                    arriving[path] = ""
            except ChuError as error:
                arriving[path] = str(error)
    for deleted in state.files.keys() - files.keys():
        del state.files[deleted]
    return arriving


def _is_complete(file: Path, known: KnownFile, unchanged: bool, now: float) -> bool:
    """Whether the upload of a file has ended. Raises ChuError if it does not have the checksum in its checksum file."""
    if is_marked_done(file):
        return True
    checksum = checksum_file(file)
    if checksum is None:
        return unchanged and now - known.modified > QUIET_SECONDS and now - known.seen_at > known.longest_pause
    written = checksum.stat().st_mtime
    if not unchanged or known.refuted_by == written:
        return False
    known.refuted_by = written
    require_checksum(file)
    return True


def _key(contents: Sequence[str], partition_scheme: PartitionScheme | None) -> str:
    parts = [*dict.fromkeys(contents), *([partition_scheme.keys[-1]] if partition_scheme else [])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _accepted(unit: ReadingUnit, acceptances: Sequence[Acceptance]) -> Sequence[str]:
    """The times when deliveries of the unit were accepted that had been held back."""
    return [a.at for a in acceptances if a.source in {t.name for t in unit.tables}]


def _loaded(settings: Settings, unit: ReadingUnit, given: Sequence[str]) -> str | None:
    """Key of the content that the lake already holds, so that files read by `chu materialize` are not read again."""
    commits = [Lake(lake_root(settings)).provenance(t) for t in unit.tables]
    if not all(commit.get("files") for commit in commits):
        return None
    files = [f for commit in commits for f in (*commit["files"], *commit.get("lists", ()))]
    return _key([*sorted({f["sha256"] for f in files}), *given], unit.partition_scheme)


def _request(unit: ReadingUnit, run_key: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key,
        job_name=unit.job,
        asset_selection=[key_of(made) for t in unit.tables for made in t.outputs],
        tags=partition_range_tags(unit.partition_scheme.every() if unit.partition_scheme else None),
    )


@dg.sensor(
    name="arriving_files",
    jobs=[CARE_DATABASE, *READING, REPORTS],
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads each new, complete delivered file; warns of files that no source table reads.",
)
def arriving_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Evaluate the sensor on the folder of deliveries."""
    state = SensorState.from_cursor(context.cursor)
    requests, messages = evaluate(load_settings(), state, time.time())
    for message in messages:
        if message not in state.messages:
            context.log.warning(message)
    state.messages = messages
    hidden = len(messages) - MAX_LISTED_MESSAGES
    more = f"; and {hidden} more, see reports/delivery" if hidden > 0 else ""
    reason = ("; ".join(messages[:MAX_LISTED_MESSAGES]) + more) or "nothing new in the delivered folder"
    return dg.SensorResult(
        run_requests=requests, skip_reason=None if requests else dg.SkipReason(reason), cursor=state.cursor()
    )
