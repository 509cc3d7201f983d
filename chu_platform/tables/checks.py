"""Checks: conditions that the rows of a table must meet before they are committed.

A check is data: its type, the condition of rows that break it or a query that measures another number, and the bounds
of that number. The queries are DuckDB SQL over the relations in `CheckInputs`. `storage.run_checks` runs them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chu_platform.tables.spark_sql import UNKNOWN

if TYPE_CHECKING:
    from chu_platform.tables.table import Table

# Largest change of the row count since the last version without a warning, as a share of the previous row count. A
# delivered file that loses more rows than this is held back, unless its source declares another bound.
MAX_DECREASE: Final = 0.1
MAX_INCREASE: Final = 1.0

# Share of rows that must at least find their row in the other table of a join, unless the relation declares another.
# With less, the join has lost its meaning: the identifiers of the two deliveries are written differently.
MIN_ATTACHED: Final = 0.1
# A join that usually finds nearly every row warns above this share of rows that find none. In the group's database, no
# consultation has a patient, professional or diagnosis that is unknown, and 0 stands for no insurer: real runs are far
# below it. Of medicines, specialities and the registers of professionals, the real share is not known.
USUALLY_MISSING: Final = 0.15
MIN_ROWS_OF_SHARE: Final = 5
# The same for one month or campaign among others, of which some have few rows.
MIN_ROWS_OF_PART: Final = 20
# Shares of the rows of one campaign without a region: above the first one a warning, above the other one it blocks.
WITHOUT_REGION_WARNING: Final = 0.1
MAX_WITHOUT_REGION: Final = 0.5

# Shares of the values of a delivered column that are not understood: above the first one a warning, above the other one
# its source stops.
MISUNDERSTOOD_WARNING: Final = 0.01
MAX_MISUNDERSTOOD: Final = 0.1

# Name of the check that no delivered file has shrunk. It counts files.
NOT_SHRUNK: Final = "delivery_has_not_shrunk"
# Name of the check of the change of the row count. It measures a share.
ROW_COUNT_STEADY: Final = "row_count_is_steady"
# Name of the check that the lines of each delivered file have one encoding. It counts lines.
ONE_ENCODING: Final = "one_encoding"
ENCODING_KNOWN: Final = "encoding_is_known"
LAST_LINE_ENDED: Final = "last_line_is_ended"
# Name of the check that all delivered files are read. It counts files.
FILES_READ: Final = "files_are_read"
# Name of the check that all delivered columns are declared. It counts columns.
COLUMNS_DECLARED: Final = "columns_are_declared"
# Name of the check that nearly all values of the columns are understood. It counts columns.
VALUES_UNDERSTOOD: Final = "values_are_understood"


class CheckCategory(StrEnum):
    """Category of a check, as defined by Kahn et al. (2016) and used by OHDSI's DataQualityDashboard.

    Completeness: values are present, and no row was lost or added on the way. Conformance: formats, keys and columns
    are the declared ones. Plausibility: values and row counts are believable, alone or compared with other values.
    """

    COMPLETENESS = "completeness"
    CONFORMANCE = "conformance"
    PLAUSIBILITY = "plausibility"


# What a group of checks says of a table: its name in Dagster.
_GROUPS: Final[Mapping[CheckCategory, str]] = {
    CheckCategory.COMPLETENESS: "no_value_or_row_is_missing",
    CheckCategory.CONFORMANCE: "keys_codes_and_columns_are_as_declared",
    CheckCategory.PLAUSIBILITY: "values_and_counts_are_plausible",
}


class Unit(StrEnum):
    """What a check counts or measures."""

    ROWS = "rows"
    SHARE = "share, 0 to 1"
    COLUMNS = "columns"
    FILES = "files"
    LINES = "lines"
    DAYS = "days"


class CheckType(StrEnum):
    """What a check tests."""

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
        """Category of the checks of this type."""
        return _CATEGORIES[self]


_CATEGORIES: Final[Mapping[CheckType, CheckCategory]] = {
    CheckType.NOT_NULL: CheckCategory.COMPLETENESS,
    # Numbers of rows that must be accounted for, such as rows in = kept + rejected + withdrawn.
    CheckType.RECONCILIATION: CheckCategory.COMPLETENESS,
    # OHDSI: relational conformance (keys and columns), value conformance (domains).
    CheckType.UNIQUE: CheckCategory.CONFORMANCE,
    CheckType.FOREIGN_KEY: CheckCategory.CONFORMANCE,
    CheckType.DOMAIN: CheckCategory.CONFORMANCE,
    CheckType.DRIFT: CheckCategory.CONFORMANCE,
    # OHDSI: atemporal plausibility (ranges, relations between values), temporal plausibility (counts and dates of
    # events over time).
    CheckType.RANGE: CheckCategory.PLAUSIBILITY,
    CheckType.CONSISTENCY: CheckCategory.PLAUSIBILITY,
    CheckType.ROW_COUNT: CheckCategory.PLAUSIBILITY,
    CheckType.FRESHNESS: CheckCategory.PLAUSIBILITY,
}


@dataclass(frozen=True)
class DeliveryCounts:
    """Number of rows of a delivery, over all partitions, and of its undeclared columns.

    `not_understood` is the number of columns of files of which no value, or too few, are understood,
    `partly_understood` that of the columns with fewer values that are not.
    `shrunk` is the number of delivered files with far fewer rows than before that nobody has accepted.
    `in_other_encoding` is the number of lines that are not UTF-8, in files that have other lines that are.
    `garbled` is the number of lines in an encoding that is not known, `unended` that of files that may be cut in their
    last value, `left_out` that of files that are not read, although the others are.
    All numbers are 0 for a table that is not delivered.
    """

    delivered: int = 0
    kept: int = 0
    rejected: int = 0
    undeclared: int = 0
    shrunk: int = 0
    withdrawn: int = 0
    in_other_encoding: int = 0
    garbled: int = 0
    unended: int = 0
    not_understood: int = 0
    partly_understood: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class CheckInputs:
    """Inputs of a check query: DuckDB relations and counts.

    `written`: the rows to commit; `rows`: their number. `after`: the whole table as it would be after the commit.
    `current`: function that returns the relation of another table at its current version.
    `same_partitions`: the same, restricted to the written partitions; None if that table has another partition scheme.
    `rows_before`: number of committed rows in the written partitions; None if the table does not exist yet.
    `counts`: row counts of the delivery.
    """

    written: str
    rows: int
    after: str
    current: "Callable[[Table], str]"
    same_partitions: "Callable[[Table], str | None]"
    rows_before: int | None
    counts: "DeliveryCounts"


@dataclass(frozen=True)
class Check:
    """One check. `name` is unique within its table. `description` states the condition in French, `english` in English.

    Without `english`, the name says the condition. `unit` is that of the measured number. If `of_step`, only the step
    that makes the rows can measure it, not a later look at the table.
    The check passes if the measured number lies between `minimum` and `maximum`, both included, or is null. It is the
    number of written rows that meet `breaks`, a DuckDB condition, or else the result of `query`. The conditions of all
    checks of a table are counted in one scan of the rows, so prefer them to queries.
    If `of_rows` is true, the number is the share of the rows that meet `breaks`; it is null for fewer than
    MIN_ROWS_OF_SHARE rows, which prove nothing. With `each_partition` it is the largest share of the whole and of each
    written partition with MIN_ROWS_OF_PART rows.
    If a `blocking` check fails, the rows are not committed. Other checks only give a warning.
    `by_partition`: the number of the table is the sum of the numbers of its partitions, each measured alone.
    """

    name: str
    kind: CheckType
    description: str
    breaks: str | None = None
    query: Callable[[CheckInputs], str] = lambda _: "SELECT NULL"
    column: str | None = None
    minimum: float = 0
    maximum: float = 0
    blocking: bool = True
    refers_to: "Table | None" = None
    by_partition: bool = False
    of_rows: bool = False
    each_partition: bool = False
    english: str = ""
    unit: Unit = Unit.ROWS
    of_step: bool = False

    @property
    def condition(self) -> str:
        """The condition, in English."""
        return self.english or self.name.replace("_", " ")

    @property
    def allowed(self) -> str:
        """The bounds, in English notation."""
        return f"{self.maximum:g}" if self.minimum == self.maximum else f"{self.minimum:g} to {self.maximum:g}"

    @property
    def adds_up(self) -> bool:
        """Whether the number of the table is the sum of those of its partitions. Conditions of rows always add up."""
        return self.by_partition or self.breaks is not None

    @property
    def group(self) -> str:
        """Name of the group of checks of one table that are reported together: of one category, warnings apart."""
        return _GROUPS[self.kind.category] + ("" if self.blocking else "_warning")

    @property
    def threshold(self) -> str:
        """The bounds in French notation, for display."""
        text = f"= {self.maximum:g}" if self.minimum == self.maximum else f"{self.minimum:g} à {self.maximum:g}"
        return text.replace(".", ",")

    def measured(self, broken: float, rows: int, partitions: Iterable[tuple[float, int]] = ()) -> float | None:
        """The measured number, if `broken` of the `rows` meet `breaks`; `partitions` has both numbers of each."""
        if not self.of_rows:
            return broken
        shares = [broken / rows] if rows >= MIN_ROWS_OF_SHARE else []
        if self.each_partition:
            shares += [n / of for n, of in partitions if of >= MIN_ROWS_OF_PART]
        return max(shares, default=None)

    def allows(self, measured: float | None) -> bool:
        """Whether the check passes for this measured number."""
        return measured is None or self.minimum <= measured <= self.maximum


def not_null(column: str) -> Check:
    """`column` is never null."""
    return Check(
        f"not_null_{column}",
        CheckType.NOT_NULL,
        f"{column} est toujours renseigné",
        f'"{column}" IS NULL',
        column=column,
        english=f"{column} is never null",
    )


def unique(*columns: str, by_partition: bool = False) -> Check:
    """No two rows of the whole table have equal values in all of `columns`.

    `by_partition`: rows of different partitions never have, because the partition columns are among `columns`.
    """
    names = ", ".join(f'"{c}"' for c in columns)
    return Check(
        f"unique_{'_'.join(columns)}",
        CheckType.UNIQUE,
        f"({', '.join(columns)}) est unique",
        english=f"({', '.join(columns)}) is unique",
        query=lambda s: (
            "SELECT coalesce(sum(n - 1), 0)::BIGINT "
            f"FROM (SELECT count(*) n FROM {s.after} GROUP BY {names} HAVING n > 1)"
        ),
        column=", ".join(columns),
        by_partition=by_partition,
    )


def foreign_key(column: str, table: "Table", referred: str | None = None) -> Check:
    """Every non-null value of `column` exists in the column `referred` (default: the same name) of `table`."""
    target = referred or column
    return Check(
        f"foreign_key_{column}",
        CheckType.FOREIGN_KEY,
        f"toute valeur de {column} existe dans {table.name}.{target}",
        english=f"every value of {column} exists in {table.name}.{target}",
        query=lambda s: (
            "SELECT coalesce(sum(n), 0)::BIGINT "
            f'FROM (SELECT "{column}" v, count(*) n FROM {s.written} GROUP BY 1) '
            f'WHERE v IS NOT NULL AND v NOT IN (SELECT "{target}" FROM {s.current(table)} WHERE "{target}" IS NOT NULL)'
        ),
        column=column,
        refers_to=table,
        by_partition=True,
    )


def attached(
    column: str,
    table: "Table",
    floor: float = MIN_ATTACHED,
    *,
    unknown: str = UNKNOWN,
    blocking: bool = True,
    each_partition: bool = False,
) -> Check:
    """At least the share `floor` of the rows found their row in `table` by a join.

    `column` has the value `unknown` in the others. A join of which no figure depends does not have to block. With
    `each_partition`, this is true of each month or campaign too.
    """
    of_each = ", en tout et par partition" if each_partition else ""
    return Check(
        f"attached_{column}",
        CheckType.FOREIGN_KEY,
        f"au plus {100 * (1 - floor):g} % des lignes n’ont pas de ligne de {table.name} ({column} = {unknown})"
        f"{of_each}",
        f"\"{column}\" = '{unknown}'",
        column=column,
        maximum=1 - floor,
        blocking=blocking,
        english=f"at most {100 * (1 - floor):g} % of the rows have no row of {table.name} ({column} = {unknown})"
        f"{', in total and in each partition' if each_partition else ''}",
        unit=Unit.SHARE,
        of_rows=True,
        each_partition=each_partition,
    )


def relation(
    column: str,
    table: "Table",
    floor: float = MIN_ATTACHED,
    *,
    unknown: str = UNKNOWN,
    blocking: bool = True,
    each_partition: bool = False,
    warns_above: float | None = None,
) -> "Sequence[Check]":
    """The checks of a column that refers to a dimension with a member `unknown`, for the rows that found no other.

    Every value exists in the column of this name of `table`, and at least the share `floor` of the rows has another
    value than `unknown` (see `attached`; `blocking` and `each_partition` concern only this check). More rows than the
    share `warns_above` without another value are a warning.
    """
    checks = [
        foreign_key(column, table),
        attached(column, table, floor, unknown=unknown, blocking=blocking, each_partition=each_partition),
    ]
    if warns_above is not None:
        usual = attached(column, table, 1 - warns_above, unknown=unknown, blocking=False, each_partition=each_partition)
        checks.append(replace(usual, name=f"usually_{usual.name}"))
    return checks


def region_of_each_survey() -> "Sequence[Check]":
    """In each survey of each campaign, few rows have no region: a warning above a share, and a larger one blocks."""
    return [
        Check(
            f"region_of_each_survey_{'known' if blocking else 'mostly_known'}",
            CheckType.FOREIGN_KEY,
            f"dans chaque campagne d’une enquête, au plus {100 * maximum:g} % des lignes n’ont pas de région "
            f"(region_key = {UNKNOWN})",
            query=lambda s: (
                f"SELECT max(part) FROM (SELECT count(*) FILTER (region_key = '{UNKNOWN}') / count(*) AS part "
                f"FROM {s.written} GROUP BY campaign_year, survey HAVING count(*) >= {MIN_ROWS_OF_SHARE})"
            ),
            column="region_key",
            maximum=maximum,
            blocking=blocking,
            english=f"in each campaign of a survey, at most {100 * maximum:g} % of the rows have no region "
            f"(region_key = {UNKNOWN})",
            unit=Unit.SHARE,
        )
        for maximum, blocking in ((WITHOUT_REGION_WARNING, False), (MAX_WITHOUT_REGION, True))
    ]


def mostly_found(
    name: str,
    value: str,
    of: "Table",
    referred: str,
    table: "Table",
    floor: float = MIN_ATTACHED,
    *,
    blocking: bool = True,
    each: str | None = None,
) -> Check:
    """At least the share `floor` of the non-null values of a table is found by a join that drops the others.

    `value` is SQL over the rows of `of`, whose values are looked for in the column `referred` of `table`. Both must be
    inputs of the checked table. The number is the largest share of the whole and of the rows with each value of the
    column `each`, such as a month, if they have MIN_ROWS_OF_PART values.
    """
    part = f'"{each}"' if each else "0"
    of_each = f", en tout et pour chaque valeur de {each}" if each else ""
    return Check(
        f"found_{name}",
        CheckType.FOREIGN_KEY,
        f"au plus {100 * (1 - floor):g} % des valeurs {value} de {of.name} n’existent pas dans {table.name}.{referred}"
        f"{of_each}",
        query=lambda s: (
            "SELECT max(missing) FROM (SELECT 1 - count(f.found) / count(v.value) AS missing "
            f"FROM (SELECT {value} AS value, {part} AS part FROM {s.current(of)}) v "
            f'LEFT JOIN (SELECT DISTINCT "{referred}" AS found FROM {s.current(table)}) f ON f.found = v.value '
            "GROUP BY GROUPING SETS ((), (part)) "
            f"HAVING count(v.value) >= if(grouping(part) = 1, {MIN_ROWS_OF_SHARE}, {MIN_ROWS_OF_PART}))"
        ),
        english=f"at most {100 * (1 - floor):g} % of the values {value} of {of.name} do not exist in "
        f"{table.name}.{referred}{f', in total and for each value of {each}' if each else ''}",
        unit=Unit.SHARE,
        maximum=1 - floor,
        blocking=blocking,
        refers_to=of,
    )


def usually_found(
    name: str, value: str, of: "Table", referred: str, table: "Table", maximum: float, *, each: str | None = None
) -> Check:
    """As `mostly_found`, but a warning: at most the share `maximum` of the values, which is usual, finds nothing."""
    found = mostly_found(name, value, of, referred, table, 1 - maximum, blocking=False, each=each)
    return replace(found, name=f"usually_{found.name}")


def one_of(column: str, values: Sequence[str]) -> Check:
    """Every non-null value of `column` is one of `values`."""
    listed = ", ".join("'" + v.replace("'", "''") + "'" for v in values)
    return Check(
        f"domain_{column}",
        CheckType.DOMAIN,
        f"{column} prend l’une des valeurs {', '.join(values)}",
        f'"{column}" NOT IN ({listed})',
        column=column,
        english=f"{column} is one of {', '.join(values)}",
    )


def between(column: str, low: float, high: float, *, blocking: bool = True) -> Check:
    """Every non-null value of `column` lies between `low` and `high`, both included."""
    return Check(
        f"range_{column}",
        CheckType.RANGE,
        f"{column} est compris entre {low:g} et {high:g}",
        f'"{column}" NOT BETWEEN {low} AND {high}',
        column=column,
        english=f"{column} is between {low:g} and {high:g}",
        blocking=blocking,
    )


def holds(name: str, condition: str, description: str, kind: CheckType = CheckType.CONSISTENCY) -> Check:
    """The SQL `condition` is true or null for every row, as in a SQL CHECK constraint."""
    return Check(name, kind, description, f"NOT ({condition})")


def none_in(
    name: str,
    query: str,
    description: str,
    refers_to: "Table | None" = None,
    *,
    blocking: bool = True,
    by_partition: bool = False,
) -> Check:
    """`query` returns 0: it counts invalid rows of `{this}`, the written rows; `{other}` is the table `refers_to`."""
    return Check(
        name,
        CheckType.CONSISTENCY,
        description,
        query=lambda s: query.format(this=s.written, other=s.current(refers_to) if refers_to else ""),
        blocking=blocking,
        refers_to=refers_to,
        by_partition=by_partition,
    )


def same_row_count_as(table: "Table") -> Check:
    """The row count equals that of the same partitions of `table`: no row was lost or duplicated."""
    return Check(
        f"as_many_as_{table.name}",
        CheckType.RECONCILIATION,
        f"autant de lignes que dans {table.layer}/{table.name}",
        english=f"as many rows as in {table.layer}/{table.name}",
        query=lambda s: (
            f"SELECT abs({s.rows} - (SELECT count(*) FROM {other}))::BIGINT"
            if (other := s.same_partitions(table))
            else "SELECT NULL"
        ),
        refers_to=table,
    )


def sums_to(name: str, total: str, table: "Table", counted: str, description: str) -> Check:
    """Two queries return the same number: `total` over `{this}` (written rows), `counted` over `{other}` (`table`)."""
    return Check(
        name,
        CheckType.RECONCILIATION,
        description,
        query=lambda s: (
            f"SELECT abs(coalesce(({total.format(this=s.written)}), 0) "
            f"- coalesce(({counted.format(other=s.current(table))}), 0))::DOUBLE"
        ),
        refers_to=table,
    )


def rows_kept_or_rejected() -> Check:
    """Every delivered row was kept, rejected or withdrawn."""
    return Check(
        "rows_in_are_kept_or_rejected",
        CheckType.RECONCILIATION,
        "lignes livrées = lignes gardées + lignes rejetées + lignes retirées",
        english="delivered rows = kept rows + rejected rows + withdrawn rows",
        query=lambda s: f"SELECT {s.counts.delivered - s.counts.kept - s.counts.rejected - s.counts.withdrawn}",
    )


def columns_declared() -> Check:
    """The delivery has only declared columns. A warning: undeclared columns go to quarantine."""
    return Check(
        COLUMNS_DECLARED,
        CheckType.DRIFT,
        "toute colonne livrée est déclarée ; sinon, elle est mise en quarantaine",
        english="every delivered column is declared; otherwise it goes to quarantine",
        unit=Unit.COLUMNS,
        query=lambda s: f"SELECT {s.counts.undeclared}",
        blocking=False,
    )


def one_encoding() -> Check:
    """No delivered file has lines in two encodings. A warning: each line is read in its own encoding."""
    return Check(
        ONE_ENCODING,
        CheckType.CONSISTENCY,
        "les lignes d’un fichier livré ont le même codage ; sinon, chacune est lue dans le sien",
        english="the lines of a delivered file have one encoding; otherwise each is read in its own",
        unit=Unit.LINES,
        query=lambda s: f"SELECT {s.counts.in_other_encoding}",
        blocking=False,
    )


def encoding_known() -> Check:
    """No line is in an encoding that is not known: its letters with accents would be wrong. A warning."""
    return Check(
        ENCODING_KNOWN,
        CheckType.CONSISTENCY,
        "les lignes d’un fichier livré sont en UTF-8 ou en CP1252 ; sinon, leurs lettres accentuées sont fausses",
        english="the lines of a delivered file are UTF-8 or CP1252; otherwise their letters with accents are wrong",
        unit=Unit.LINES,
        query=lambda s: f"SELECT {s.counts.garbled}",
        blocking=False,
    )


def last_line_ended() -> Check:
    """The last line of every delivered file ends as the others do: otherwise its last value may be cut. A warning."""
    return Check(
        LAST_LINE_ENDED,
        CheckType.CONSISTENCY,
        "la dernière ligne d’un fichier livré a une fin de ligne ; sinon, sa dernière valeur est peut-être coupée",
        english="the last line of a delivered file has a line ending; otherwise its last value may be cut",
        unit=Unit.FILES,
        query=lambda s: f"SELECT {s.counts.unended}",
        blocking=False,
    )


def files_read() -> Check:
    """Every delivered file is read. A warning: the others are read in any case."""
    return Check(
        FILES_READ,
        CheckType.CONSISTENCY,
        "tout fichier attendu est livré et lu ; sinon, les autres le sont",
        english="every expected file is delivered and read; otherwise the others are",
        unit=Unit.FILES,
        query=lambda s: f"SELECT {s.counts.left_out}",
        blocking=False,
    )


def columns_understood() -> Check:
    """Of each delivered column, few values are not understood: each of them would become null, unknown or a reject."""
    return Check(
        "columns_are_understood",
        CheckType.DRIFT,
        f"dans toute colonne livrée, au plus {100 * MAX_MISUNDERSTOOD:g} % des valeurs ne sont pas comprises",
        english=f"in each delivered column, at most {100 * MAX_MISUNDERSTOOD:g} % of the values are not understood",
        unit=Unit.COLUMNS,
        query=lambda s: f"SELECT {s.counts.not_understood}",
    )


def values_understood() -> Check:
    """Of each delivered column, nearly all values are understood. A warning."""
    return Check(
        VALUES_UNDERSTOOD,
        CheckType.DRIFT,
        f"dans toute colonne livrée, au plus {100 * MISUNDERSTOOD_WARNING:g} % des valeurs ne sont pas comprises, et "
        "aucune n’est une fraction parmi des pourcentages, ou l’inverse",
        english=f"in each delivered column, at most {100 * MISUNDERSTOOD_WARNING:g} % of the values are not "
        "understood, and none is a fraction among percentages, or the reverse",
        unit=Unit.COLUMNS,
        query=lambda s: f"SELECT {s.counts.partly_understood}",
        blocking=False,
    )


def delivery_has_not_shrunk(max_decrease: float) -> Check:
    """No delivered file has lost more than the share `max_decrease` of its rows or is gone, unless it was accepted."""
    return Check(
        NOT_SHRUNK,
        CheckType.ROW_COUNT,
        f"aucun fichier livré n’a disparu ni perdu plus de {100 * max_decrease:g} % de ses lignes, sauf accord donné "
        "par « chu accept »",
        english=f"no delivered file is gone or has lost more than {100 * max_decrease:g} % of its rows, unless it was "
        "accepted by `chu accept`",
        unit=Unit.FILES,
        query=lambda s: f"SELECT {s.counts.shrunk}",
    )


def open_rejects_match_delivery(corrected_by: str) -> Check:
    """There are as many open rejects as rejected rows in the delivery.

    `corrected_by` is the name of the column that is null in open rejects.
    """
    return Check(
        "open_rejects_are_those_of_the_delivery",
        CheckType.RECONCILIATION,
        "autant de rejets ouverts que de lignes rejetées",
        english="as many open rejects as rejected rows",
        query=lambda s: (
            f'SELECT abs(count(*) FILTER ("{corrected_by}" IS NULL) - {s.counts.rejected})::BIGINT FROM {s.written}'
        ),
        column=corrected_by,
    )


def rejected_share(maximum: float) -> Check:
    """At most the share `maximum` of the delivered rows was rejected."""
    return Check(
        "rejected_share_is_small",
        CheckType.RECONCILIATION,
        f"au plus {100 * maximum:g} % des lignes livrées sont rejetées",
        english=f"at most {100 * maximum:g} % of the delivered rows are rejected",
        unit=Unit.SHARE,
        query=lambda s: f"SELECT {s.counts.rejected} / nullif({s.counts.delivered}, 0)",
        maximum=maximum,
    )


def steady_row_count() -> Check:
    """The row count of the partitions changed within fixed bounds since the last version. A warning."""
    return Check(
        ROW_COUNT_STEADY,
        CheckType.ROW_COUNT,
        f"depuis la dernière version, le nombre de lignes ne baisse pas de plus de {100 * MAX_DECREASE:g} % "
        f"et n’augmente pas de plus de {100 * MAX_INCREASE:g} %",
        english=f"since the last version, the number of rows has not fallen by more than {100 * MAX_DECREASE:g} % nor "
        f"risen by more than {100 * MAX_INCREASE:g} %",
        unit=Unit.SHARE,
        of_step=True,
        query=lambda s: f"SELECT {s.rows} / nullif({s.rows_before or 0}, 0) - 1",
        minimum=-MAX_DECREASE,
        maximum=MAX_INCREASE,
        blocking=False,
    )


def last_event(column: str, days: int, as_date: str | None = None) -> Check:
    """The last event is at most `days` old. A warning. `as_date` is SQL that converts the column to a date."""
    return Check(
        "last_event_is_recent",
        CheckType.FRESHNESS,
        f"au plus {days} jours depuis la dernière valeur de {column}",
        english=f"at most {days} days since the last value of {column}",
        unit=Unit.DAYS,
        # Other checks find events in the future.
        query=lambda s: f"SELECT greatest(date_diff('day', max({as_date or column}), current_date), 0) FROM {s.after}",
        column=column,
        maximum=days,
        blocking=False,
    )
