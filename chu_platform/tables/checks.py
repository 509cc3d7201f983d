"""Checks: what must be true of a table's rows before they become visible.

A check is data: its type, and a query that measures something (most often the number of rows that break it) with the
bounds of what is right. The queries are DuckDB SQL over the relations that `CheckInputs` names; `storage.run_checks`
runs them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chu_platform.tables.table import Table

# Shares of the rows of before by which a table may shrink or grow without a remark.
SHRINKS_BY: Final = 0.1
GROWS_BY: Final = 1.0


class CheckCategory(StrEnum):
    """What of the data a check is about, in the terms of Kahn et al. (2016) that OHDSI's DataQualityDashboard uses.

    Completeness: values are there. Conformance: they have the declared form, keys and columns. Plausibility: they, and
    their number, are believable, alone or beside other values and tables.
    """

    COMPLETENESS = "completeness"
    CONFORMANCE = "conformance"
    PLAUSIBILITY = "plausibility"


class CheckType(StrEnum):
    """What a check compares."""

    NOT_NULL = "not null"
    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    DOMAIN = "domain"
    RANGE = "range"
    CONSISTENCY = "consistency"
    RECONCILIATION = "reconciliation"
    ROW_COUNT = "row count"
    FRESHNESS = "freshness"
    DRIFT = "schema drift"

    @property
    def category(self) -> CheckCategory:
        """The category of checks of this type."""
        return _CATEGORIES[self]


_CATEGORIES: Final[Mapping[CheckType, CheckCategory]] = {
    CheckType.NOT_NULL: CheckCategory.COMPLETENESS,
    # OHDSI: relational conformance (keys), value conformance (domains), the columns of the tables.
    CheckType.UNIQUE: CheckCategory.CONFORMANCE,
    CheckType.FOREIGN_KEY: CheckCategory.CONFORMANCE,
    CheckType.DOMAIN: CheckCategory.CONFORMANCE,
    CheckType.DRIFT: CheckCategory.CONFORMANCE,
    # OHDSI: atemporal plausibility (ranges, relations of values, counts beside those of another table), temporal
    # plausibility (counts and dates of events over time).
    CheckType.RANGE: CheckCategory.PLAUSIBILITY,
    CheckType.CONSISTENCY: CheckCategory.PLAUSIBILITY,
    CheckType.RECONCILIATION: CheckCategory.PLAUSIBILITY,
    CheckType.ROW_COUNT: CheckCategory.PLAUSIBILITY,
    CheckType.FRESHNESS: CheckCategory.PLAUSIBILITY,
}


@dataclass(frozen=True)
class DeliveryCounts:
    """Rows of a delivery, in all partitions, and its columns that are not declared; all 0 for tables not delivered."""

    delivered: int = 0
    kept: int = 0
    rejected: int = 0
    undeclared: int = 0


@dataclass(frozen=True)
class CheckInputs:
    """What a check can look at: DuckDB relations, and two counts.

    `staged` are the rows to be committed; `after` is the whole table as it would then be; `current` gives the current
    version of another table, `same_partitions` the partitions of it that are being made: None where it has another
    partition scheme. `rows_before` is the number of rows of these partitions now, None when they were never made;
    `counts` are of the delivery.
    """

    staged: str
    after: str
    current: "Callable[[Table], str]"
    same_partitions: "Callable[[Table], str | None]"
    rows_before: int | None
    counts: "DeliveryCounts"


@dataclass(frozen=True)
class Check:
    """One check; `name` is unique within its table. `description` is French, for readers: what must be true.

    What `query` measures must lie between `minimum` and `maximum`, both included; nothing measured (null) breaks no
    check. Rows that break a `blocking` check are not committed; others are a warning.
    """

    name: str
    kind: CheckType
    description: str
    query: Callable[[CheckInputs], str]
    column: str | None = None
    minimum: float = 0
    maximum: float = 0
    blocking: bool = True
    refers_to: "Table | None" = None

    @property
    def threshold(self) -> str:
        """The bounds, as a French reader sees them in a table."""
        text = f"= {self.maximum:g}" if self.minimum == self.maximum else f"{self.minimum:g} à {self.maximum:g}"
        return text.replace(".", ",")

    def allows(self, measured: float | None) -> bool:
        """Whether the check holds for what was measured."""
        return measured is None or self.minimum <= measured <= self.maximum


def not_null(column: str) -> Check:
    """No row has a null in `column`."""
    return Check(
        f"not_null_{column}",
        CheckType.NOT_NULL,
        f"{column} est toujours renseigné",
        lambda s: f'SELECT count(*) FILTER ("{column}" IS NULL) FROM {s.staged}',
        column,
    )


def unique(*columns: str) -> Check:
    """No two rows of the whole table agree on all of `columns`."""
    names = ", ".join(f'"{c}"' for c in columns)
    return Check(
        f"unique_{columns[0]}",
        CheckType.UNIQUE,
        f"({', '.join(columns)}) est unique",
        lambda s: f"SELECT sum(n - 1)::BIGINT FROM (SELECT count(*) n FROM {s.after} GROUP BY {names} HAVING n > 1)",
        ", ".join(columns),
    )


def foreign_key(column: str, table: "Table", referred: str | None = None) -> Check:
    """Every value of `column` that is not null exists in `table`, as its key (or its column `referred`)."""
    target = referred or column
    return Check(
        f"foreign_key_{column}",
        CheckType.FOREIGN_KEY,
        f"toute valeur de {column} existe dans {table.name}.{target}",
        lambda s: (
            f'SELECT sum(n)::BIGINT FROM (SELECT "{column}" v, count(*) n FROM {s.staged} GROUP BY 1) WHERE v IS NOT '
            f'NULL AND v NOT IN (SELECT "{target}" FROM {s.current(table)} WHERE "{target}" IS NOT NULL)'
        ),
        column,
        refers_to=table,
    )


def one_of(column: str, values: Sequence[str]) -> Check:
    """Every value of `column` that is not null is one of `values`."""
    listed = ", ".join("'" + v.replace("'", "''") + "'" for v in values)
    return Check(
        f"domain_{column}",
        CheckType.DOMAIN,
        f"{column} prend l’une des valeurs {', '.join(values)}",
        lambda s: f'SELECT count(*) FILTER ("{column}" NOT IN ({listed})) FROM {s.staged}',
        column,
    )


def between(column: str, low: float, high: float) -> Check:
    """Every value of `column` that is not null lies between `low` and `high`, both included."""
    return Check(
        f"range_{column}",
        CheckType.RANGE,
        f"{column} est compris entre {low:g} et {high:g}",
        lambda s: f'SELECT count(*) FILTER ("{column}" NOT BETWEEN {low} AND {high}) FROM {s.staged}',
        column,
    )


def holds(name: str, condition: str, description: str) -> Check:
    """`condition` is not false on any row (null counts as true, as in a SQL CHECK)."""
    return Check(
        name,
        CheckType.CONSISTENCY,
        description,
        lambda s: f"SELECT count(*) FILTER (NOT ({condition})) FROM {s.staged}",
    )


def none_in(
    name: str, query: str, description: str, refers_to: "Table | None" = None, *, blocking: bool = True
) -> Check:
    """`query`, a count of broken rows over `{this}` (and `{other}`, the table referred to), gives 0."""
    return Check(
        name,
        CheckType.CONSISTENCY,
        description,
        lambda s: query.format(this=s.staged, other=s.current(refers_to) if refers_to else ""),
        blocking=blocking,
        refers_to=refers_to,
    )


def as_many_as(table: "Table") -> Check:
    """There are as many rows as in the same partitions of `table`: none was lost on the way, none multiplied."""
    return Check(
        f"as_many_as_{table.name}",
        CheckType.RECONCILIATION,
        f"autant de lignes que dans {table.layer}/{table.name}",
        lambda s: (
            f"SELECT abs((SELECT count(*) FROM {s.staged}) - (SELECT count(*) FROM {other}))::BIGINT"
            if (other := s.same_partitions(table))
            else "SELECT NULL"
        ),
        refers_to=table,
    )


def sums_to(name: str, total: str, table: "Table", counted: str, description: str) -> Check:
    """The single value of the query `total` over `{this}` is that of `counted` over `{other}`, rows of `table`."""
    return Check(
        name,
        CheckType.RECONCILIATION,
        description,
        lambda s: (
            f"SELECT abs(coalesce(({total.format(this=s.staged)}), 0) "
            f"- coalesce(({counted.format(other=s.current(table))}), 0))::DOUBLE"
        ),
        refers_to=table,
    )


def accounted_for() -> Check:
    """Every row delivered was kept or rejected."""
    return Check(
        "rows_in_are_kept_or_rejected",
        CheckType.RECONCILIATION,
        "lignes livrées = lignes gardées + lignes rejetées",
        lambda s: f"SELECT {s.counts.delivered - s.counts.kept - s.counts.rejected}",
    )


def all_declared() -> Check:
    """The delivery has no column that the table does not declare: a warning, since none is passed on."""
    return Check(
        "columns_are_declared",
        CheckType.DRIFT,
        "toute colonne livrée est déclarée ; sinon, elle est mise en quarantaine",
        lambda s: f"SELECT {s.counts.undeclared}",
        blocking=False,
    )


def as_many_open_as_rejected(mended: str) -> Check:
    """The rejects that are open, those whose column `mended` is null, are those of the delivery."""
    return Check(
        "open_rejects_are_those_of_the_delivery",
        CheckType.RECONCILIATION,
        "autant de rejets ouverts que de lignes rejetées",
        lambda s: f'SELECT abs(count(*) FILTER ("{mended}" IS NULL) - {s.counts.rejected})::BIGINT FROM {s.staged}',
        mended,
    )


def rejected_share(maximum: float) -> Check:
    """The share of the rows delivered that were rejected is at most `maximum`."""
    return Check(
        "rejected_share",
        CheckType.RECONCILIATION,
        f"au plus {100 * maximum:g} % des lignes livrées sont rejetées",
        lambda s: f"SELECT {s.counts.rejected} / nullif({s.counts.delivered}, 0)",
        maximum=maximum,
    )


def steady_row_count() -> Check:
    """The rows of the partitions are not many fewer or more than those of the last version: a warning."""
    return Check(
        "row_count",
        CheckType.ROW_COUNT,
        f"depuis la dernière version, le nombre de lignes ne baisse pas de plus de {100 * SHRINKS_BY:g} % "
        f"et n’augmente pas de plus de {100 * GROWS_BY:g} %",
        lambda s: f"SELECT count(*) / nullif({s.rows_before or 0}, 0) - 1 FROM {s.staged}",
        minimum=-SHRINKS_BY,
        maximum=GROWS_BY,
        blocking=False,
    )


def last_event(column: str, days: int, as_date: str | None = None) -> Check:
    """The last event is at most `days` old today: a warning. `as_date` is SQL that makes a date of the column."""
    return Check(
        "last_event",
        CheckType.FRESHNESS,
        f"au plus {days} jours depuis la dernière valeur de {column}",
        # Events of the future are a matter of other checks.
        lambda s: f"SELECT greatest(date_diff('day', max({as_date or column}), current_date), 0) FROM {s.after}",
        column,
        maximum=days,
        blocking=False,
    )
