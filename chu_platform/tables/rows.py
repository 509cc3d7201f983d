"""The three kinds of rows of a table: rows of a query, rows of a Python function, rows read from a delivery.

`Rows` declares the properties of a table that depend on the kind of its rows. Other packages implement a `RowsVisitor`
for their own work by kind (making the rows, finding their lineage), so no caller tests the type of the rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

import pyarrow as pa

from chu_platform.tables.checks import Check
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.period_sql import CALENDAR, Periods, QueryOverPeriods

if TYPE_CHECKING:
    from chu_platform.tables.table import Table

Result = TypeVar("Result", covariant=True)

# Key in `from_columns`: inputs that determine which rows exist, and so influence every column.
EVERY_ROW: Final = "*"


@dataclass(frozen=True)
class ExternalSource:
    """A source of values that is not a table: a delivered or packaged file, Dagster's log. Texts are French.

    `column` is the location in the source: a header, positions in a line, or a part of the file's name.
    """

    name: str
    column: str = ""


# External sources of functions that are `given` more than their input tables.
PACK: Final = ExternalSource("dossier livré")
DECLARATIONS: Final = ExternalSource("déclarations des tables")
ACCEPTANCES: Final = ExternalSource("accords donnés par « chu accept »")
EVENT_LOG: Final = ExternalSource("journal d’exécution de Dagster")
OPPOSITIONS: Final = ExternalSource("demandes reçues par « chu erase »")
ADDED_NEEDS: Final = ExternalSource("besoins ajoutés par « chu need add »")
DELIVERY_DAY: Final = ExternalSource("jour de la livraison")


class RowsVisitor(Protocol[Result]):
    """An operation with one implementation per kind of rows."""

    def visit_query(self, rows: "Query") -> Result:
        """Handle rows made by SQL."""

    def visit_computed(self, rows: "Computed") -> Result:
        """Handle rows made by a Python function."""

    def visit_delivered(self, rows: "DeliveredRows") -> Result:
        """Handle rows read from a delivery."""


class Rows(ABC):
    """How the rows of a table are made, and the properties of the table that depend on it."""

    @property
    @abstractmethod
    def declaration(self) -> Mapping[str, str]:
        """The declared texts that define the rows (such as the SQL), by name. They are part of the code version."""

    @property
    @abstractmethod
    def code_roots(self) -> Sequence[object]:
        """The Python functions that make the rows. The code they use is found from them."""

    @abstractmethod
    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """Call the visitor's method for this kind of rows and return its result."""

    @property
    def repeatable(self) -> bool:
        """Whether equal inputs give equal rows at any time."""
        return True

    @property
    def uses_key(self) -> bool:
        """Whether the rows depend on the pseudonymisation key."""
        return False

    @property
    def reads_needs(self) -> bool:
        """Whether the rows depend on the needs that readers have added."""
        return False

    @property
    def reads_oppositions(self) -> bool:
        """Whether the rows depend on the list of persons of whom no row is kept."""
        return False

    def columns_from(self, _source: ExternalSource) -> Sequence[str]:
        """Names of the columns that are made from an external source."""
        return []

    @property
    def follows_editions(self) -> bool:
        """Whether the rows depend on the rows of the table in the last edition."""
        return False

    @property
    def continues(self) -> bool:
        """Whether the rows continue those of the version before, which is an input and cannot be made again."""
        return False

    def as_recorded(self, _declaration: Mapping[str, str]) -> Self:
        """These rows with the recorded texts of an earlier `declaration`, if the kind of rows can use them."""
        return self

    @property
    def finishing(self) -> "tuple[Callable[[pa.Table], pa.Table] | None, Mapping[str, Sequence[str]]]":
        """The function that adds figures to the rows of a query, and from which columns it makes each of them."""
        return None, {}

    @property
    def depends_on_periods(self) -> bool:
        """Whether the rows themselves are counted per period. False if only their input tables are."""
        return False

    def in_periods(self, _periods: Periods) -> "Query":
        """The query of these rows for other periods than the calendar's. Raises TypeError for rows without a query."""
        raise TypeError("only the rows of a query can be counted in other periods")

    def implied_checks(self, _table: "Table") -> Sequence[Check]:
        """The checks that every table with this kind of rows has."""
        return ()

    def freshness(self, table: "Table") -> Freshness:
        """Expected update frequency: that of the most frequently updated table that this one needs."""
        needed = [t.freshness for t in table.needs]
        return min(needed, key=lambda f: f.fail, default=Freshness.YEARLY)

    def outputs(self, table: "Table") -> "Sequence[Table]":
        """The tables that one step makes together, this table first."""
        return [table]


@dataclass(frozen=True)
class Query(Rows):
    """Rows made by Spark SQL over the input tables. `{name}` in the SQL is the input of that name.

    `finish` adds to the result in Python what SQL cannot compute (an interval of a statistics library). It takes rows
    of the query as an Arrow table and returns rows of the table. The engine calls it for each batch of rows, on any of
    its machines and in any order. So each row that it returns must depend on one row of the query only, and it must not
    need settings or a secret. What depends on several rows is collected in SQL first, or is `Computed`. `from_columns`
    gives the lineage of each column that `finish` makes: the columns of the query from which it is made.
    """

    sql: str
    finish: "Callable[[pa.Table], pa.Table] | None" = None
    from_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    over_periods: QueryOverPeriods | None = None

    @staticmethod
    def over(
        query: QueryOverPeriods,
        finish: "Callable[[pa.Table], pa.Table] | None" = None,
        from_columns: Mapping[str, Sequence[str]] | None = None,
    ) -> "Query":
        """A query over periods. The table uses the periods of the calendar, `chu kpi` a free range of months."""
        return Query(query(CALENDAR), finish, from_columns or {}, query)

    @property
    def declaration(self) -> Mapping[str, str]:
        """See `Rows`: the SQL."""
        return {"query": self.sql}

    @property
    def code_roots(self) -> Sequence[object]:
        """See `Rows`."""
        return [self.finish]

    @property
    def finishing(self) -> "tuple[Callable[[pa.Table], pa.Table] | None, Mapping[str, Sequence[str]]]":
        """See `Rows`."""
        return self.finish, self.from_columns

    @property
    def depends_on_periods(self) -> bool:
        """See `Rows`."""
        return self.over_periods is not None

    def in_periods(self, periods: Periods) -> "Query":
        """See `Rows`: a query without periods of its own is returned unchanged."""
        return replace(self, sql=self.over_periods(periods)) if self.over_periods else self

    def as_recorded(self, declaration: Mapping[str, str]) -> Self:
        """See `Rows`: the recorded SQL with the current `finish`."""
        return replace(self, sql=declaration.get("query", self.sql))

    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """See `Rows`."""
        return visitor.visit_query(self)


@dataclass(frozen=True)
class Computed(Rows):
    """Rows made by a Python function. It takes each input table as an Arrow table, by its name in `reads`.

    `columns` lists the columns to load of a large input. `given` names the other arguments of the function:
    `key` (of the pseudonyms), `settings` (for the folder of the pack), `instance` (of Dagster), `tables` (the
    catalogue), `before` (the current rows of the table), `released` (its rows in the last edition), `former` (its rows
    in the version before, which is an input), `delivered_on` (the day of the delivery of the input tables), `needs`
    (the needs that readers have added), `oppositions` (the entries of the opposition list). `from_columns` gives the
    lineage of each column: "input.column" of `reads` or an external source; empty for a constant. Under EVERY_ROW are
    the inputs that determine which rows exist.
    """

    function: "Callable[..., pa.Table]"
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    given: Sequence[str] = ()
    from_columns: Mapping[str, Sequence[str | ExternalSource]] = field(default_factory=dict)

    @property
    def declaration(self) -> Mapping[str, str]:
        """See `Rows`: empty, because only the function defines the rows."""
        return {}

    @property
    def code_roots(self) -> Sequence[object]:
        """See `Rows`."""
        return [self.function]

    @property
    def repeatable(self) -> bool:
        """See `Rows`: false if it reads the pack, Dagster's log, the catalogue, needs or the rows of the table."""
        return not set(self.given) - {"key", "released", "former", "delivered_on", "oppositions"}

    @property
    def uses_key(self) -> bool:
        """See `Rows`."""
        return "key" in self.given

    @property
    def reads_needs(self) -> bool:
        """See `Rows`."""
        return "needs" in self.given

    @property
    def reads_oppositions(self) -> bool:
        """See `Rows`."""
        return "oppositions" in self.given

    def columns_from(self, source: ExternalSource) -> Sequence[str]:
        """See `Rows`."""
        return [name for name, origins in self.from_columns.items() if source in origins]

    @property
    def follows_editions(self) -> bool:
        """See `Rows`."""
        return "released" in self.given

    @property
    def continues(self) -> bool:
        """See `Rows`."""
        return "former" in self.given

    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """See `Rows`."""
        return visitor.visit_computed(self)


class DeliveredRows(Rows):
    """Rows read from a delivery, implemented by `ingest.delivered.Delivered`. No method reads the delivery."""

    @property
    @abstractmethod
    def delivery(self) -> str:
        """Name of the delivered file or database table, for display."""

    @abstractmethod
    def location_of(self, column: str) -> str:
        """Location of a column in the delivery, in French: its header, or positions in a line."""

    @abstractmethod
    def expression_of(self, column: str) -> str | None:
        """The DuckDB SQL over the typed row that computes a column. None for a delivered column."""

    @abstractmethod
    def is_rewritten(self, column: str) -> bool:
        """Whether SQL changes the text of a delivered column before it is stored."""

    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """See `Rows`."""
        return visitor.visit_delivered(self)
