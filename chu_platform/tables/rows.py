"""How the rows of a table come to be: by a query, by a Python function, or read from a delivery.

`Rows` gives everything that follows from the kind of rows for the table itself. What other packages do differently for
each kind (making the rows, finding their lineage) is a `RowsVisitor`, so that no caller asks which kind it has.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

import pyarrow as pa

from chu_platform.tables.checks import Check
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.periods import CALENDAR, Periods, QueryOverPeriods

if TYPE_CHECKING:
    from chu_platform.tables.table import Table

Result = TypeVar("Result", covariant=True)

# In `from_columns`: what decides which rows there are, whatever the column.
EVERY_ROW: Final = "*"


@dataclass(frozen=True)
class ExternalSource:
    """Where values come from that no table holds: a delivered or packaged file, Dagster's log; French, for readers.

    `column` says where in it: a header, positions, a part of the name.
    """

    place: str
    column: str = ""


# What a function is `given` beside its inputs.
PACK: Final = ExternalSource("dossier livré")
DECLARATIONS: Final = ExternalSource("déclarations des tables")
EVENT_LOG: Final = ExternalSource("journal d’exécution de Dagster")


class RowsVisitor(Protocol[Result]):
    """What is done for each kind of rows."""

    def visit_query(self, rows: "Query") -> Result:
        """For rows made by SQL."""

    def visit_computed(self, rows: "Computed") -> Result:
        """For rows made by a Python function."""

    def visit_delivered(self, rows: "DeliveredRows") -> Result:
        """For rows read from a delivery."""


class Rows(ABC):
    """How the rows of a table are made, and what follows from that for the table."""

    @property
    @abstractmethod
    def declaration(self) -> Mapping[str, str]:
        """The texts of the declaration that make the rows, by name: they are part of the code version."""

    @property
    @abstractmethod
    def code_roots(self) -> Sequence[object]:
        """The Python that makes the rows: what it uses is found from there."""

    @abstractmethod
    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """What the visitor does for this kind of rows."""

    @property
    def repeatable(self) -> bool:
        """Whether the same inputs give the same rows at another moment."""
        return True

    def as_recorded(self, _declaration: Mapping[str, str]) -> Self:
        """These rows with the recorded texts of an earlier `declaration`, as far as these can be used again."""
        return self

    @property
    def depends_on_periods(self) -> bool:
        """Whether the rows are counted in periods, and not only made of tables that are."""
        return False

    def in_periods(self, _periods: Periods) -> "Query":
        """The query of these rows with other periods than the calendar's. Raises TypeError for rows of no query."""
        raise TypeError("only the rows of a query can be counted in other periods")

    def implied_checks(self, _table: "Table") -> Sequence[Check]:
        """The checks of the table that follow from the kind of its rows."""
        return ()

    def freshness(self, table: "Table") -> Freshness:
        """How often the table is expected: as the most frequent of the tables that it needs."""
        needed = [t.freshness for t in table.needs]
        return min(needed, key=lambda f: f.fail, default=Freshness.YEARLY)

    def outputs(self, table: "Table") -> "Sequence[Table]":
        """The tables that the step of the table makes, itself first."""
        return [table]


@dataclass(frozen=True)
class Query(Rows):
    """Rows made by Spark SQL over the tables read: `{name}` stands for the input of that name.

    `finish` completes the result in Python where SQL has no words for it (an interval of a statistics library, a
    keyed hash): it takes the query's rows as an Arrow table and gives the table's. `from_columns` then says of each
    column that it makes which columns of the query's rows it is made from: nobody can read that from Python.
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
        """A query over periods: the table is made with those of the calendar, `chu kpi` asks with a free range."""
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
    def depends_on_periods(self) -> bool:
        """See `Rows`."""
        return self.over_periods is not None

    def in_periods(self, periods: Periods) -> "Query":
        """See `Rows`: a query that is not counted in periods itself stays as it is."""
        return replace(self, sql=self.over_periods(periods)) if self.over_periods else self

    def as_recorded(self, declaration: Mapping[str, str]) -> Self:
        """See `Rows`: by the recorded SQL and the `finish` of today."""
        return replace(self, sql=declaration.get("query", self.sql))

    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """See `Rows`."""
        return visitor.visit_query(self)


@dataclass(frozen=True)
class Computed(Rows):
    """Rows made by a Python function over the tables read, each given as an Arrow table by its name in `reads`.

    `columns` limits what is loaded of an input, for those that are large. `given` names what else the function takes:
    `settings` (for a secret key, or the pack's folder), `instance` (Dagster's), `tables` (the catalogue), `before`
    (the rows of the table as it is). `from_columns` says of each column what it is made from: "input.column" of
    `reads`, or an external source; nothing for a constant. Under EVERY_ROW stands what decides which rows there are.
    """

    function: "Callable[..., pa.Table]"
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    given: Sequence[str] = ()
    from_columns: Mapping[str, Sequence[str | ExternalSource]] = field(default_factory=dict)

    @property
    def declaration(self) -> Mapping[str, str]:
        """See `Rows`: the function alone makes the rows."""
        return {}

    @property
    def code_roots(self) -> Sequence[object]:
        """See `Rows`."""
        return [self.function]

    @property
    def repeatable(self) -> bool:
        """See `Rows`: not when the function looks at Dagster's log, the catalogue or its own rows of before."""
        return not set(self.given) - {"settings"}

    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """See `Rows`."""
        return visitor.visit_computed(self)


class DeliveredRows(Rows):
    """Rows read from a delivery (`ingest.delivered.Delivered`): what can be known of them without reading it."""

    @property
    @abstractmethod
    def delivery(self) -> str:
        """What the table is read from, as a reader would name it."""

    @abstractmethod
    def place_of(self, column: str) -> str:
        """Where the delivery holds a column, French: its header, or positions in a line."""

    @abstractmethod
    def expression_of(self, column: str) -> str | None:
        """The DuckDB SQL over the typed row that makes a column which is not delivered; None for those delivered."""

    @abstractmethod
    def is_rewritten(self, column: str) -> bool:
        """Whether the text of a delivered column is changed by SQL of its own before it is stored."""

    def accept(self, visitor: RowsVisitor[Result]) -> Result:
        """See `Rows`."""
        return visitor.visit_delivered(self)
