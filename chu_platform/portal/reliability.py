"""How far an indicator can be trusted: what is masked, how fresh it is, how its checks went.

Here: measuring it, from what is published. Not here: how a page says it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from chu_platform.graph.catalogue import catalogue
from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot, Version, upstream
from chu_platform.sources.delivered import made_with
from chu_platform.tables.cadence import Cadence
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.rules import Kind

LABELS: Final = {
    Kind.NOT_NULL.value: "valeur toujours renseignée",
    Kind.UNIQUE.value: "pas de doublon",
    Kind.FOREIGN_KEY.value: "référence connue",
    Kind.DOMAIN.value: "valeur permise",
    Kind.RANGE.value: "valeur dans les bornes",
    Kind.CONSISTENCY.value: "cohérence entre colonnes",
    Kind.RECONCILIATION.value: "totaux qui se retrouvent",
    Kind.ROW_COUNT.value: "nombre de lignes stable",
    Kind.FRESHNESS.value: "fraîcheur des données",
}


class State(StrEnum):
    """How much attention an indicator needs."""

    GOOD = "good"
    REMARK = "remark"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """A check that did not pass: of which table, about what, and what was measured."""

    table: str
    about: str
    column: str | None
    blocking: bool
    run: bool
    measured: float | None
    threshold: str


@dataclass(frozen=True)
class Late:
    """A table made `days` ago, which is longer than expected; `stale`: longer than its cadence bears at all."""

    days: int
    stale: bool

    @property
    def words(self) -> str:
        """For readers."""
        return (
            f"{'périmé' if self.stale else 'en retard'} : calculé il y a {self.days} jour{'s' if self.days > 1 else ''}"
        )


@dataclass(frozen=True)
class Reliability:
    """What stands behind an indicator.

    `masked` and `cells` count all its published rows; `visible` is the share of the events that lie in visible ones, at
    the level and grain looked at, None when it is not known. `until` is the last day covered; `made` when the table was
    last made and checked, `version` what is served. `late` says how late the table itself is.
    """

    cells: int
    masked: int
    visible: float | None
    until: date | None
    made: datetime | None
    version: Version | None
    late: Late | None
    checks: int
    passed: int
    problems: Sequence[Check]

    @property
    def masked_share(self) -> float:
        """Share of the published rows that are masked, 0 to 1."""
        return self.masked / self.cells if self.cells else 0.0

    @property
    def failed(self) -> Sequence[Check]:
        """Blocking checks that failed."""
        return [c for c in self.problems if c.run and c.blocking]

    @property
    def remarks(self) -> Sequence[Check]:
        """Checks that failed and do not block."""
        return [c for c in self.problems if c.run and not c.blocking]

    @property
    def state(self) -> State:
        """How much attention it needs."""
        if self.failed or (self.late and self.late.stale):
            return State.FAILED
        return State.REMARK if self.problems or self.late else State.GOOD


def reliability(snapshot: Snapshot, question: Question, level: str | None = None, grain: str = "year") -> Reliability:
    """The reliability of an indicator; `visible` at a level (None: the coarsest published) and grain."""
    known = snapshot.once(("reliability", question.slug), lambda: _measured(snapshot, question))
    shares = snapshot.once(("coverage", question.slug), lambda: _shares(snapshot, question))
    # Without a level: that of the fewest cells, which is the coarsest.
    visible = next((v for (at, of), v in shares.items() if at == grain and level in (None, of)), None)
    return Reliability(visible=visible, late=_late(known["made"], question.table.cadence), **known)


def _shares(snapshot: Snapshot, question: Question) -> Mapping[tuple[str, str], float | None]:
    """Share of the events that are visible, by grain and level, the coarsest level first."""
    rows = snapshot.rows(
        "SELECT grain, level, visible_share FROM publication_coverage WHERE indicator = $indicator ORDER BY cells",
        {"indicator": question.table.name},
    )
    return {(r["grain"], r["level"]): r["visible_share"] for r in rows}


def problems_of(snapshot: Snapshot) -> Sequence[Check]:
    """Every check that did not pass, of any table."""
    rows = snapshot.rows("SELECT * FROM check_result WHERE status <> 'passed' ORDER BY status, layer, \"table\"")
    labels = {(made.layer.value, made.name): made.label for t in catalogue() for made in made_with(t)}
    return [_check(labels, row) for row in rows]


def _measured(snapshot: Snapshot, question: Question) -> Mapping[str, Any]:
    table = question.table
    counts = snapshot.rows(
        "SELECT count(*) AS cells, count(*) FILTER (is_masked) AS masked, "
        "coalesce(max(period_end) FILTER (period_grain = 'all'), max(period_end)) AS until "
        f"FROM {sql_name(table.name)}"
    )[0]
    tables = {(made.layer.value, made.name): made.label for t in upstream(table) for made in made_with(t)}
    rows = [r for r in snapshot.rows("SELECT * FROM check_result") if (r["layer"], r["table"]) in tables]
    made = [
        datetime.fromisoformat(r["evaluated_at"])
        for r in rows
        if (r["layer"], r["table"]) == (table.layer.value, table.name) and r["evaluated_at"]
    ]
    return {
        "cells": counts["cells"],
        "masked": counts["masked"],
        "until": counts["until"] - timedelta(days=1) if counts["until"] else None,
        "made": max(made) if made else None,
        "version": snapshot.versions.get(table.name),
        "checks": len(rows),
        "passed": sum(r["status"] == "passed" for r in rows),
        "problems": [_check(tables, r) for r in rows if r["status"] != "passed"],
    }


def _check(labels: Mapping[tuple[str, str], str], row: Mapping[str, Any]) -> Check:
    return Check(
        labels.get((row["layer"], row["table"]), row["table"]),
        LABELS.get(row["type"], row["type"]),
        row["column"],
        row["blocking"],
        row["status"] != "not run",
        row["measured"],
        row["threshold"],
    )


def _late(made: datetime | None, cadence: Cadence) -> Late | None:
    """How late a table is that was made at a moment; None when it is not, or when nothing tells."""
    if made is None:
        return None
    age = datetime.now(UTC) - made
    return Late(age.days, age > cadence.fail) if age > cadence.warn else None
