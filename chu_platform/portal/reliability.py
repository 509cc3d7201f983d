"""The reliability of an indicator: the share of masked cells, its age, and its check results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from chu_platform.description.described_tables import DescribedTable
from chu_platform.portal.questions import Question
from chu_platform.portal.readable_periods import Period
from chu_platform.portal.reader import Snapshot, Version
from chu_platform.tables.checks import CheckType
from chu_platform.tables.columns import DATE
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.partitions import CAMPAIGNS

LABELS: Final = {
    CheckType.NOT_NULL.value: "valeur toujours renseignée",
    CheckType.UNIQUE.value: "pas de doublon",
    CheckType.FOREIGN_KEY.value: "référence connue",
    CheckType.DOMAIN.value: "valeur permise",
    CheckType.RANGE.value: "valeur dans les bornes",
    CheckType.CONSISTENCY.value: "cohérence entre colonnes",
    CheckType.RECONCILIATION.value: "totaux qui se retrouvent",
    CheckType.ROW_COUNT.value: "nombre de lignes stable",
    CheckType.FRESHNESS.value: "fraîcheur des données",
    CheckType.DRIFT.value: "colonnes prévues",
}
# Labels of single checks, where the label of their type is too general.
LABELS_BY_NAME: Final = {"not_before_birth": "événements datés d’avant la naissance du patient, comptés sans âge"}


class State(StrEnum):
    """The most important warning about an indicator, if any.

    Data that ends earlier than expected is not a state: it is not an error of the computation. The page of each figure
    shows until when the data reaches.
    """

    GOOD = "good"
    REMARK = "remark"
    UNCHECKED = "unchecked"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True)
class MeasuredCheck:
    """A check that failed or was not run: labels of its table, subject and columns, the measured value, the bounds.

    The bounds are None if neither the report nor the catalogue has them. `is_age`: the check is a warning about the age
    of the last event.
    """

    table: str
    about: str
    columns: Sequence[str]
    blocking: bool
    run: bool
    measured: float | None
    minimum: float | None
    maximum: float | None
    is_age: bool


@dataclass(frozen=True)
class Late:
    """A table that was made `days` ago, later than expected. `stale`: its age is above `Freshness.fail`."""

    days: int
    stale: bool

    @property
    def message(self) -> str:
        """French text for readers."""
        return (
            f"{'périmé' if self.stale else 'en retard'} : calculé il y a {self.days} jour{'s' if self.days > 1 else ''}"
        )


@dataclass(frozen=True)
class Reliability:
    """The reliability of an indicator.

    Attributes:
        cells: The number of published rows.
        masked: The number of masked rows among them.
        visible: The share of the events that are in visible rows, at the requested level and grain; None if unknown.
        until: The day of the last event; None if no check measured it, or if events have only a year.
        latest: The last published year, and whether it is partial.
        campaigns: Whether its years are survey campaigns.
        made: When the table was last made and checked.
        version: The version that is served.
        late: How late the table is; None if it is not late.
        checks: The number of checks of the table and of the tables upstream of it.
        passed: The number of passed checks among them.
        failed_at: When the last calculation of one of these tables failed; None if none did.
        problems: The checks that failed or were not run.
        finest: Level, grain and visible share where the indicator has the most cells.
        readable: Whether the published table can be read.
    """

    cells: int
    masked: int
    visible: float | None
    until: date | None
    latest: tuple[Period, bool] | None
    campaigns: bool
    made: datetime | None
    version: Version | None
    late: Late | None
    checks: int
    passed: int
    problems: Sequence[MeasuredCheck]
    failed_at: datetime | None = None
    finest: tuple[str, str, float] | None = None
    readable: bool = True

    @property
    def masked_share(self) -> float:
        """Share of the published rows that are masked, 0 to 1."""
        return self.masked / self.cells if self.cells else 0.0

    @property
    def failed(self) -> Sequence[MeasuredCheck]:
        """Blocking checks that failed."""
        return [c for c in self.problems if c.run and c.blocking]

    @property
    def remarks(self) -> Sequence[MeasuredCheck]:
        """Failed checks that do not block, without those on the age of the data."""
        return [c for c in self.problems if c.run and not c.blocking and not c.is_age]

    @property
    def old(self) -> Sequence[MeasuredCheck]:
        """Failed checks on the age of the data: the last event is older than expected."""
        return [c for c in self.problems if c.is_age]

    @property
    def waiting(self) -> Sequence[MeasuredCheck]:
        """Checks that were not evaluated yet."""
        return [c for c in self.problems if not c.run]

    @property
    def state(self) -> State:
        """The state of the indicator. An indicator without checks is unchecked."""
        if self.failed or self.failed_at or not self.readable:
            return State.FAILED
        if self.late:
            return State.LATE
        if self.waiting or not self.checks:
            return State.UNCHECKED
        return State.REMARK if self.remarks else State.GOOD


def reliability(snapshot: Snapshot, question: Question, level: str | None = None, grain: str = "year") -> Reliability:
    """The reliability of an indicator. `visible` is for `level` (None: the coarsest published level) and `grain`."""
    known = snapshot.once(("reliability", question.slug), lambda: _measured(snapshot, question))
    shares = snapshot.once(("coverage", question.slug), lambda: _shares(snapshot, question))
    # Without a level, take the first one: it has the fewest cells, so it is the coarsest.
    visible = next((v for (at, of), v in shares.items() if at == grain and level in (None, of)), None)
    labels = snapshot.level_labels
    finest = next(
        ((labels.get(of, of), at, v) for (at, of), v in reversed(list(shares.items())) if v is not None), None
    )
    return Reliability(visible=visible, finest=finest, late=_late(known["made"], question.table.expected), **known)


def _shares(snapshot: Snapshot, question: Question) -> Mapping[tuple[str, str], float | None]:
    """Share of the events that are visible, by grain and level, the coarsest level first."""
    rows = snapshot.rows(
        "SELECT grain, level, visible_share FROM publication_coverage WHERE indicator = $indicator ORDER BY cells",
        {"indicator": question.table.name},
    )
    return {(r["grain"], r["level"]): r["visible_share"] for r in rows}


@dataclass(frozen=True)
class CheckCounts:
    """All checks of the warehouse by result; together they are all of them."""

    passed: int
    remarks: int
    failed: int
    waiting: int

    @property
    def all(self) -> int:
        """Their number."""
        return self.passed + self.remarks + self.failed + self.waiting


def check_counts(snapshot: Snapshot) -> CheckCounts:
    """How many checks passed, left a remark, failed and block, and were not run."""
    (row,) = snapshot.rows(
        "SELECT count(*) FILTER (status = 'passed') AS passed, "
        "count(*) FILTER (status = 'failed' AND NOT blocking) AS remarks, "
        "count(*) FILTER (status = 'failed' AND blocking) AS failed, "
        "count(*) FILTER (status NOT IN ('passed', 'failed')) AS waiting FROM check_result"
    )
    return CheckCounts(**row)


def problems_of(snapshot: Snapshot) -> Sequence[MeasuredCheck]:
    """All checks, of any table, that failed or were not run."""
    rows = snapshot.rows("SELECT * FROM check_result WHERE status <> 'passed' ORDER BY status, layer, \"table\"")
    tables = {(t.layer.value, t.name): t for t in snapshot.catalogue.tables}
    return [_check(tables, row) for row in rows]


def _measured(snapshot: Snapshot, question: Question) -> Mapping[str, Any]:
    table = question.table
    counts = snapshot.rows(
        f"SELECT count(*) AS cells, count(*) FILTER (is_masked) AS masked FROM {sql_name(table.name)}"
    )[0]
    catalogue = snapshot.catalogue
    made = [catalogue.table(i) for t in catalogue.upstream(table) for i in t.outputs]
    tables = {(t.layer.value, t.name): t for t in made}
    rows = [r for r in snapshot.rows("SELECT * FROM check_result") if (r["layer"], r["table"]) in tables]
    evaluated = [
        datetime.fromisoformat(r["evaluated_at"])
        for r in rows
        if (r["layer"], r["table"]) == (table.layer.value, table.name) and r["evaluated_at"]
    ]
    # A report that older code made has no such column.
    failures = [datetime.fromisoformat(at) for r in rows if (at := r.get("last_failure_at"))]
    return {
        "cells": counts["cells"],
        "masked": counts["masked"],
        "until": _last_event(question, rows),
        "latest": _latest(snapshot, question),
        "campaigns": CAMPAIGNS.column in question.fact.partition_by,
        "made": max(evaluated) if evaluated else None,
        "failed_at": max(failures) if failures else None,
        "version": snapshot.versions.get(table.name),
        "readable": table.name not in snapshot.unreadable,
        "checks": len(rows),
        "passed": sum(r["status"] == "passed" for r in rows),
        "problems": [_check(tables, r) for r in rows if r["status"] != "passed"],
    }


def _last_event(question: Question, checks: Sequence[Mapping[str, Any]]) -> date | None:
    """The day of the last event, computed from the check that measures its age in days; None if it was not measured."""
    days = {c.name for c in question.fact.columns if c.type == DATE}
    for row in checks:
        is_age = row["type"] == CheckType.FRESHNESS and row["table"] == question.fact.name and row["column"] in days
        if is_age and row["measured"] is not None and row["evaluated_at"]:
            return datetime.fromisoformat(row["evaluated_at"]).date() - timedelta(days=int(row["measured"]))
    return None


def _latest(snapshot: Snapshot, question: Question) -> tuple[Period, bool] | None:
    rows = snapshot.rows(
        "SELECT period_grain, period_start, period_end, bool_or(is_partial) AS is_partial "
        f"FROM {sql_name(question.table.name)} WHERE period_grain = 'year' "
        "GROUP BY ALL ORDER BY period_start DESC LIMIT 1"
    )
    return next(((Period(r["period_grain"], r["period_start"], r["period_end"]), r["is_partial"]) for r in rows), None)


def _check(tables: Mapping[tuple[str, str], DescribedTable], row: Mapping[str, Any]) -> MeasuredCheck:
    table = tables.get((row["layer"], row["table"]))
    labels = {c.name: c.label for c in table.columns} if table else {}
    names = row["column"].split(", ") if row["column"] else []
    is_run = row["status"] != "not run"
    minimum, maximum = row["minimum"], row["maximum"]
    if minimum is None and table:
        # A report that older code made has no bounds: use those of the declaration.
        declared = [(c.minimum, c.maximum) for c in table.checks if c.name == row["check"]]
        minimum, maximum = declared[0] if declared else (None, None)
    return MeasuredCheck(
        table.label if table else row["table"],
        LABELS_BY_NAME.get(row["check"]) or LABELS.get(row["type"], row["type"]),
        [labels.get(name, name) for name in names],
        row["blocking"],
        is_run,
        row["measured"],
        minimum,
        maximum,
        row["type"] == CheckType.FRESHNESS and is_run and not row["blocking"],
    )


def _late(made: datetime | None, freshness: Freshness) -> Late | None:
    """How late a table is that was made at the time `made`; None if it is not late or `made` is unknown."""
    if made is None:
        return None
    age = datetime.now(UTC) - made
    return Late(age.days, age > freshness.fail) if age > freshness.warn else None
