"""The sensor of arriving files: a delivery that has arrived whole, and is new, starts the run that reads it.

A file is taken when its size and time have stayed the same from one look to the next; its fingerprint says whether
it is new. What has been seen is the sensor's cursor; the run key makes that nothing is started twice, whenever the
daemon stops.

Here: looking and deciding. Not here: which files a source takes (sources), reading them (graph).
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import dagster as dg

from chu_platform.automation.jobs import CARE_DATABASE, READING, REPORTS, read_from, reading_job_name
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.assets import key_of, partition_range_tags
from chu_platform.ingest.care_tables import CARE_DATABASE_NAME
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.ingest.files import fingerprint
from chu_platform.ingest.pack_contents import delivered_files, tables_for_file
from chu_platform.reports.delivery import delivery
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.settings import Settings, load_settings
from chu_platform.storage.lake import Lake
from chu_platform.tables.partitions import PartitionScheme
from chu_platform.tables.table import Table

INTERVAL_SECONDS: Final = 10
# A file that was written to less than this long ago may still be arriving.
QUIET_SECONDS: Final = 5.0
MAX_LISTED_PROBLEMS: Final = 10


@dataclass
class Seen:
    """A file as it was at the last look: its fingerprint once it lay still."""

    size: int
    modified: float
    sha256: str | None = None


@dataclass
class State:
    """What the sensor knows: the files, the last content asked for by unit, how often, and what was told of it."""

    files: dict[str, Seen] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @staticmethod
    def of(cursor: str | None) -> "State":
        """The state that a cursor holds."""
        said = json.loads(cursor) if cursor else {}
        files = {path: Seen(**seen) for path, seen in said.get("files", {}).items()}
        return State(files, said.get("asked", {}), said.get("times", {}), said.get("told", []))

    def cursor(self) -> str:
        """The state as a cursor."""
        return json.dumps(asdict(self))

    def run_key(self, name: str) -> str:
        """The key of the next run for what has been asked for by this name.

        It counts: content that comes back after another one is read again. A look that is made twice, because the
        daemon stopped before it kept the cursor, gives the same key twice.
        """
        self.times[name] = self.times.get(name, 0) + 1
        return f"{name}:{self.asked[name]}:{self.times[name]}"


@dataclass(frozen=True)
class Unit:
    """Source tables that one run of a job reads together, because the same files bring them."""

    name: str
    job: str
    tables: Sequence[Table]

    @property
    def partition_scheme(self) -> PartitionScheme | None:
        """The partition scheme of those of its tables that have one."""
        return next((t.partition_scheme for t in self.tables if t.partition_scheme), None)

    def files(self, pack: Path) -> Sequence[Path]:
        """The files it takes. Raises ChuError when there are none yet, or not all, or several that differ."""
        return delivered_rows(self.tables[0]).reader.files(pack)


def units(settings: Settings) -> Sequence[Unit]:
    """A unit for each source of files, and one for the dump, if the care database is restored from it."""
    files = [Unit(t.name, reading_job_name(t.partition_scheme), [t]) for t in read_from(None)]
    care = (
        [Unit(CARE_DATABASE.name, CARE_DATABASE.name, read_from(CARE_DATABASE_NAME))]
        if settings.postgres_url is None
        else []
    )
    return [*files, *care]


def look(settings: Settings, state: State, now: float) -> tuple[list[dg.RunRequest], list[str]]:
    """What to start, and what to tell; `state` is brought up to date. `now` is the time in seconds since 1970."""
    pack = settings.sources_folder
    tables = catalogue()
    files = {f.relative_to(pack).as_posix(): f for f in delivered_files(pack)} if pack.is_dir() else {}
    arriving = _look_at_files(files, state, now)
    told = [f"still arriving: {path}" for path in sorted(arriving)]
    requests = []
    for unit in units(settings):
        paths = [p for p, f in files.items() if any(tables_for_file(f.name, [t]) for t in unit.tables)]
        if not paths or arriving & set(paths):
            continue
        try:
            taken = [state.files.get(f.relative_to(pack).as_posix()) for f in unit.files(pack)]
        except ChuError as error:
            told.append(str(error))
            continue
        contents = [seen.sha256 for seen in taken if seen and seen.sha256]
        if len(contents) < len(taken):  # one of them has come since the listing
            continue
        # A new slice (a new year) is filled from what has been delivered already.
        wanted = _key(sorted(contents), unit.partition_scheme)
        before = state.asked.get(unit.name) or _loaded(settings, unit)
        state.asked[unit.name] = wanted
        if before != wanted:
            requests.append(_request(unit, state.run_key(unit.name)))
    told += [
        f"nobody knows this file: {p}"
        for p, f in files.items()
        if p not in arriving and not tables_for_file(f.name, tables)
    ]
    listing = _key(sorted(f"{p} {s.sha256}" for p, s in state.files.items() if s.sha256), None)
    if state.asked.get(delivery.name) != listing and not arriving:
        state.asked[delivery.name] = listing
        run_key = state.run_key(delivery.name)
        keys = [key_of(t) for t in (delivery_reading, delivery)]
        requests.append(dg.RunRequest(run_key, job_name=REPORTS.name, asset_selection=keys))
    return requests, told


def _look_at_files(files: Mapping[str, Path], state: State, now: float) -> set[str]:
    """Bring the state of the files up to date; those that are still arriving."""
    arriving = set()
    for path, file in files.items():
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        old = state.files.get(path)
        still = old is not None and (old.size, old.modified) == (status.st_size, status.st_mtime)
        seen = old if old and still else Seen(status.st_size, status.st_mtime)
        state.files[path] = seen
        if seen.sha256 is None:
            if still and now - status.st_mtime > QUIET_SECONDS:
                seen.sha256 = fingerprint(file)
            else:
                arriving.add(path)
    for gone in state.files.keys() - files.keys():
        del state.files[gone]
    return arriving


def _key(contents: Sequence[str], partition_scheme: PartitionScheme | None) -> str:
    words = [*dict.fromkeys(contents), *([partition_scheme.keys[-1]] if partition_scheme else [])]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _loaded(settings: Settings, unit: Unit) -> str | None:
    """The key of what the lake holds of a unit already: what `chu materialize` has read is not read again."""
    said = [Lake(settings.lake_folder).provenance(t).get("files") for t in unit.tables]
    if not all(said):
        return None
    return _key(sorted({f["sha256"] for files in said for f in files or ()}), unit.partition_scheme)


def _request(unit: Unit, run_key: str) -> dg.RunRequest:
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
    description="Reads a delivered file once it has arrived whole and is new; tells of files that nobody knows.",
)
def arriving_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Look into the delivered folder."""
    state = State.of(context.cursor)
    requests, told = look(load_settings(), state, time.time())
    for line in told:
        if line not in state.told:
            context.log.warning(line)
    state.told = told
    more = (
        f"; and {len(told) - MAX_LISTED_PROBLEMS} more, see reports/delivery" if len(told) > MAX_LISTED_PROBLEMS else ""
    )
    reason = ("; ".join(told[:MAX_LISTED_PROBLEMS]) + more) or "nothing new in the delivered folder"
    return dg.SensorResult(
        run_requests=requests, skip_reason=None if requests else dg.SkipReason(reason), cursor=state.cursor()
    )
