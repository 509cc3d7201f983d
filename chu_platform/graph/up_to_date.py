"""Recognise tables that are up to date: made from the same code and inputs as a new run would use, and intact.

After each successful step, the inputs of the table and the result of the step are written to `<zone>/.made/` in the
lake. A later step with the same inputs reads nothing and returns that result. If only tables that it reads have other
rows, the record also says in which of their partitions, and so which partitions to make (`touched_partitions`).
A step of a report is never up to date, because its inputs are the runs themselves; a main job leaves reports out if
nothing else has changed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step_result import DeliverySummary, StepResult
from chu_platform.ingest.delivered import Reader, delivered_rows, is_delivered
from chu_platform.ingest.files import every_file
from chu_platform.ingest.fingerprints import fingerprint
from chu_platform.storage.changed_partitions import changed_partitions, identities
from chu_platform.storage.commit import CommitResult
from chu_platform.storage.lake import DamagedLog, Lake, active_files, are_present
from chu_platform.storage.run_checks import CheckResult
from chu_platform.storage.store import LakePath, write_text
from chu_platform.tables.checks import Check
from chu_platform.tables.partitions import PartitionRange, TouchedPartitions
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform.version import PACKAGE_VERSION

FOLDER: Final = ".made"
# Key of a record whose check results are those of the whole table. Earlier versions recorded those of the range.
OF_TABLE: Final = "checks_of_table"
# Key of a record that says whether the whole table is made of the recorded inputs. Without it, it is.
WHOLE: Final = "whole"
# Share of the partitions of an input above which the whole table is made: one query over everything is then cheaper.
MAX_SHARE: Final = 0.5
ONLY_THIS_USER: Final = 0o700


def inputs_of(
    resources: RunResources, table: Table, partition_range: PartitionRange | None, versions: Mapping[Table, int]
) -> Mapping[str, Any] | None:
    """What the rows and checks of a table depend on, as JSON; None if a new run may always give other rows.

    Raises ChuError if a delivery is missing, or the key of the pseudonyms.
    """
    if not (table.rows.repeatable or table.rows.reads_needs):
        return None
    return {
        "package": PACKAGE_VERSION,
        "code": table.code_version,
        "checks": _digest([_check_text(c) for made in table.outputs for c in made.all_checks]),
        "partitions": _text(partition_range) if partition_range else None,
        "read": {t.folder: version for t, version in sorted(versions.items(), key=lambda item: item[0].folder)},
        "delivered": _delivered(resources, table) if is_delivered(table) else None,
        "lists": _lists(resources, table) if is_delivered(table) else None,
        "key": resources.key.fingerprint if table.rows.uses_key else None,
        **({"needs": _added(resources.settings.needs_file)} if table.rows.reads_needs else {}),
        **({"oppositions": resources.oppositions.digest} if table.rows.reads_oppositions else {}),
    }


def _text(partition_range: PartitionRange) -> str:
    return f"{partition_range.first}...{partition_range.last}"


def _delivered(resources: RunResources, table: Table) -> Sequence[Sequence[str]]:
    """Name and fingerprint of each delivered file, or of the snapshot of the care database."""
    reader = delivered_rows(table).reader
    if reader.database is not None:
        return [[reader.database, resources.care_database.current_fingerprint()]]
    return _files(resources, reader)


def _lists(resources: RunResources, table: Table) -> Sequence[Sequence[str]]:
    """Name and fingerprint of each delivered list of withdrawn rows."""
    withdrawals = delivered_rows(table).withdrawals
    return _files(resources, withdrawals.reader) if withdrawals else []


def _files(resources: RunResources, reader: Reader) -> Sequence[Sequence[str]]:
    pack = resources.settings.sources_folder
    return [[file.relative_to(pack).as_posix(), _fingerprint(file, reader.apart)] for file in reader.files(pack)]


def delivered_now(resources: RunResources, table: Table) -> Mapping[str, str]:
    """Fingerprints of what is delivered for a table, by name, with the lists of withdrawn rows.

    Raises ChuError if a delivery is missing.
    """
    return {file[0]: file[1] for file in [*_delivered(resources, table), *_lists(resources, table)]}


def _fingerprint(file: Path, apart: bool) -> str:
    """The fingerprint of a file; empty if it is unreadable and read `apart`, so that it stops no other file."""
    try:
        return fingerprint(file)
    except ChuError:
        if not apart:
            raise
        return ""


def _fingerprints(inputs: Mapping[str, Any], name: str) -> set[str]:
    return {hash_ for _, hash_ in inputs[name]}


def _added(file: Path) -> str:
    """Hash of the needs that readers have added; that of no text without any."""
    return _digest([file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""])


def _check_text(check: Check) -> str:
    """What a check does, as text: its condition and bounds, and the texts and numbers of its query."""
    cells = [cell.cell_contents for cell in check.query.__closure__ or ()]
    given = [str(value) for value in cells if isinstance(value, str | int | float)]
    return "\x1f".join([check.name, str(check.breaks), f"{check.minimum} {check.maximum} {check.blocking}", *given])


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\x1e".join(texts).encode()).hexdigest()[:16]


def recorded_step(lake: Lake, table: Table) -> Mapping[str, Any] | None:
    """The record of the last step of the table: its inputs, the rows that it read, its commits. None without one."""
    file = _file(lake, table)
    try:
        return _recorded(file, file.stat().st_mtime)
    except (OSError, ValueError, KeyError):
        return None


@lru_cache(maxsize=256)
def _recorded(file: LakePath, _written: float) -> Mapping[str, Any]:
    """See `recorded_step`. A record is replaced as a whole, and then has another time of writing."""
    made: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if not {"inputs", "commits", "checks", "delivery"} <= made.keys():
        raise KeyError(str(file))
    return made


def _last_step(lake: Lake, table: Table) -> Mapping[str, Any] | None:
    """The record of the last step of the table; None if there is none, or if its tables are not as it left them."""
    made = recorded_step(lake, table)
    if made is None:
        return None
    return made if all(_intact(lake, t, made["commits"].get(t.folder)) for t in table.outputs) else None


def last_result(lake: Lake, table: Table) -> StepResult | None:
    """The result of the last step of the table, without changes; None if its tables are not as it left them."""
    made = _last_step(lake, table)
    return _result(table, made) if made else None


def _result(table: Table, made: Mapping[str, Any]) -> StepResult:
    """The result of the recorded step, without changes."""
    measured = made["checks"]
    return StepResult(
        {t: CommitResult(**{**made["commits"][t.folder], "changed": []}) for t in table.outputs},
        {t: [CheckResult(c, measured[t.folder][c.name]) for c in t.all_checks] for t in table.outputs},
        seconds=0.0,
        delivery=DeliverySummary(**made["delivery"]) if made["delivery"] else None,
        up_to_date=True,
    )


@dataclass(frozen=True)
class Touched:
    """The partitions to make, because tables that the last step read have other rows; its result; its measured checks.

    If there are no `partitions`, the table is up to date. `recorded`: the last step had exactly the same inputs.
    """

    partitions: TouchedPartitions
    last: StepResult
    recorded: bool = False

    @property
    def measured(self) -> Mapping[str, float | None]:
        """What each check of the table measured, by its name."""
        (results, *_) = self.last.check_results.values()
        return {r.check.name: r.measured for r in results}


def touched_partitions(
    lake: Lake, table: Table, partition_range: PartitionRange | None, inputs: Mapping[str, Any] | None
) -> Touched | None:
    """The partitions of the table that can have other rows than after its last step. None: all may have.

    All other inputs are the same as at the last step, its tables are as it left them, and the identities of the rows
    that it read and of the rows to read are recorded.
    """
    made = _last_step(lake, table)
    if made is None or inputs is None:
        return None
    if made["inputs"] == inputs:
        return Touched(TouchedPartitions.of([]), _result(table, made), recorded=True)
    if table.rows.follows_editions or (partition_range is not None and not partition_range.whole):
        return None
    if {**made["inputs"], "read": None} != {**inputs, "read": None}:
        return None
    last = _result(table, made)
    if identities(lake, table, last.commits[table].version) is None:
        return None
    touched = TouchedPartitions.of([])
    for read in table.needs:
        version = inputs["read"][read.folder]
        if made["inputs"]["read"].get(read.folder) == version:
            continue
        before, after = made.get("rows_read", {}).get(read.folder), identities(lake, read, version)
        if before is None or after is None:
            return None
        if changed := changed_partitions(before, after):
            partitions = table.touched_by(read, changed)
            if partitions is None or len(changed) > MAX_SHARE * len(after):
                return None
            if table.rows.depends_on_periods and before.keys() != after.keys():
                # Which periods there are, and which is the last, depends on all events.
                return None
            touched |= partitions
    return Touched(touched, last)


def measured_outside(lake: Lake, table: Table, inputs: Mapping[str, Any] | None) -> Mapping[str, float | None]:
    """What checks of the table measured in all its rows at its last step, as far as it still holds.

    It holds for the partitions that are not made again if the table is as that step left it, its checks are the same,
    and, for checks that compare with other tables, those are the same.
    """
    made = _last_step(lake, table)
    if made is None or inputs is None or not made.get(OF_TABLE) or made["inputs"]["checks"] != inputs["checks"]:
        return {}
    same_inputs = made["inputs"]["read"] == inputs["read"]
    measured = made["checks"][table.folder]
    return {c.name: measured[c.name] for c in table.all_checks if same_inputs or c.breaks is not None}


def inputs_after(
    lake: Lake, table: Table, partition_range: PartitionRange | None, inputs: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """The inputs to record after a step: of the whole table, if all else is made of the same inputs.

    So a backfill of some partitions leaves a table up to date that was, or whose other partitions are. Call it before
    the step commits.
    """
    if inputs is None or partition_range is None or partition_range.whole:
        return inputs
    every = partition_range.partition_scheme.every()
    of_table = {**inputs, "partitions": _text(every)}
    touched = touched_partitions(lake, table, every, of_table)
    column = partition_range.partition_scheme.column
    if touched is None or not all(
        column in dict(values) and partition_range.holds(dict(values)[column]) for values in touched.partitions.values
    ):
        return inputs
    return of_table


def measured_last(lake: Lake, table: Table) -> Mapping[str, float | None]:
    """What each check of the table measured at its last step, by name; empty if the table is not as it left it."""
    made = _last_step(lake, table)
    found: Mapping[str, float | None] = made["checks"][table.folder] if made else {}
    return found


def remember(lake: Lake, table: Table, inputs: Mapping[str, Any] | None, result: StepResult) -> None:
    """Record the inputs and the result of a successful step, unless a delivery was replaced before it was read."""
    if inputs is None:
        return
    if (delivery := result.delivery) and (
        _fingerprints(inputs, "delivered") != {d["sha256"] for d in delivery.deliveries}
        or _fingerprints(inputs, "lists") != {*delivery.lists}
    ):
        return
    made = {
        "inputs": inputs,
        "rows_read": {t.folder: identities(lake, t, inputs["read"][t.folder]) for t in table.needs},
        "commits": {t.folder: asdict(commit) for t, commit in result.commits.items()},
        "checks": {
            t.folder: {r.check.name: r.measured for r in results} for t, results in result.check_results.items()
        },
        "delivery": asdict(result.delivery) if result.delivery else None,
        OF_TABLE: True,
        WHOLE: table.partition_scheme is None or inputs["partitions"] == _text(table.partition_scheme.every()),
    }
    write_text(_file(lake, table), json.dumps(made, ensure_ascii=False), ONLY_THIS_USER)


def _intact(lake: Lake, table: Table, commit: Mapping[str, Any] | None) -> bool:
    """Whether the table has the version, rows and bytes of this commit, and all its files have their sizes."""
    try:
        delta = lake.open(table)
    except DamagedLog:
        # The step sets the log aside.
        return False
    if delta is None or commit is None or delta.version() != commit["version"]:
        return False
    if delta.metadata().partition_columns != list(table.partition_by):
        return False
    root, files = lake.place_of(table), active_files(delta)
    if (len(files), sum(f["size_bytes"] for f in files)) != (commit["table_files"], commit["table_size"]):
        return False
    return are_present(root, files)


def _file(lake: Lake, table: Table) -> LakePath:
    return lake.place / table.zone / FOLDER / f"{table.layer}.{table.name}.json"


def tables_to_make(
    resources: RunResources, tables: Sequence[Table], ranges: Mapping[Any, PartitionRange]
) -> Sequence[Table]:
    """The tables, sorted by dependency, that are not up to date or depend on such a table."""
    chosen: list[Table] = []
    for table in tables:
        if any(t in chosen for t in table.needs) or not _is_up_to_date(resources, table, ranges):
            chosen.append(table)
    return chosen


def _is_up_to_date(resources: RunResources, table: Table, ranges: Mapping[Any, PartitionRange]) -> bool:
    try:
        versions = {t: resources.lake.version(t) for t in table.needs}
        partition_range = ranges.get(table.partition_scheme) if table.partition_scheme else None
        inputs = inputs_of(resources, table, partition_range, versions)
    except ChuError:
        return False  # its step reports what is missing
    touched = touched_partitions(resources.lake, table, partition_range, inputs)
    return touched is not None and not touched.partitions


def reports_are_current(resources: RunResources, reports: Sequence[Table]) -> bool:
    """Whether the lake and the pack are as they were when a main job made all reports."""
    if any(resources.lake.open(t) is None for t in reports):
        return False
    try:
        recorded = json.loads(_reports_file(resources.lake).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(recorded == _state_of_all(resources))


def remember_reports(resources: RunResources) -> None:
    """Record the state of the lake and of the pack after a main job that made all reports without failure."""
    write_text(_reports_file(resources.lake), json.dumps(_state_of_all(resources)), ONLY_THIS_USER)


def _state_of_all(resources: RunResources) -> Mapping[str, Any]:
    """Version of every table but the reports, and name, size and time of every file of the pack."""
    lake, pack = resources.lake, resources.settings.sources_folder
    described = [t for t in catalogue() if t.layer is not Layer.REPORTS]
    tables = {t.folder: delta.version() for t in described if (delta := lake.open(t)) is not None}
    files = every_file(pack) if pack.is_dir() else []
    states = {f.relative_to(pack).as_posix(): [f.stat().st_size, f.stat().st_mtime_ns] for f in files}
    return {"package": PACKAGE_VERSION, "tables": tables, "pack": states}


def _reports_file(lake: Lake) -> LakePath:
    return lake.place / Zone.RESTRICTED / FOLDER / "reports.json"
