"""The layouts that are compared, and which of the large tables have each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.facts.fact_prescription import fact_prescription
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Layout, Table

# Bytes of a file that a Z-order or a clustering aims at. One file can be skipped by nothing.
TARGET_SIZE: Final = 8 * 2**20
BUCKETS: Final = 16
PLATFORM: Final = "platform"


class Kind(StrEnum):
    """How a layout is stored. Only Spark writes the last two; only Spark reads the last one."""

    IN_PLACE = "in place"
    DELTA = "delta"
    CLUSTERED = "clustered"
    BUCKETED = "bucketed"


@dataclass(frozen=True)
class Prefix:
    """A generated text column: the first `length` characters of another one, so that it can be a partition column.

    Values between two others have prefixes between theirs, so that a filter on the column limits the prefix as well.
    """

    name: str
    column: str
    length: int

    @property
    def sql(self) -> str:
        """The column in SQL of every engine."""
        return f"substring({self.column}, 1, {self.length})"


@dataclass(frozen=True)
class TableLayout:
    """The layout of one table: partition columns, columns of the order (Z-order or clustering), generated columns.

    `buckets` is the column whose hash decides in which of the BUCKETS files of a bucketed Parquet table a row is.
    """

    partition_by: Sequence[str] = ()
    order_by: Sequence[str] = ()
    generated: Sequence[Prefix] = ()
    buckets: str | None = None

    def table(self, table: Table) -> Table:
        """The declaration of a copy of the table with this layout."""
        made = [Column(p.name, STRING, f"{p.length} premiers caractères de {p.column}", p.name) for p in self.generated]
        return replace(
            table,
            columns=[*table.columns, *made],
            layout=Layout(self.partition_by, self.order_by),
            partition_scheme=None,
        )


@dataclass(frozen=True, eq=False)
class ComparedLayout:
    """One layout, of all tables that can have it. `label` is French."""

    name: str
    label: str
    kind: Kind
    tables: Mapping[Table, TableLayout] = field(default_factory=dict)

    @property
    def needs_spark(self) -> bool:
        """Whether only Spark can write it."""
        return self.kind in (Kind.CLUSTERED, Kind.BUCKETED)


YEAR_OF_MONTH: Final = Prefix("year", "month", 4)
# Keys are hexadecimal digits of a hash, so that their first one is a hash bucket in the SQL of every engine.
BUCKET: Final = Prefix("bucket", "consultation_key", 1)
BY_YEAR: Final = TableLayout(["year"], generated=[YEAR_OF_MONTH])
BY_MONTH: Final = TableLayout(["month"])
OF_A_PATIENT: Final = ("patient_key", "date")

LARGE_TABLES: Final = (fact_death, fact_consultation, fact_prescription, fact_hospitalisation)
LAYOUTS: Final = (
    ComparedLayout(
        PLATFORM,
        "telle que la plateforme l’écrit",
        Kind.IN_PLACE,
        {t: TableLayout(t.partition_by, t.layout.z_order_by) for t in LARGE_TABLES},
    ),
    ComparedLayout("flat", "sans partition", Kind.DELTA, {t: TableLayout() for t in LARGE_TABLES}),
    ComparedLayout(
        "year",
        "partition par année",
        Kind.DELTA,
        {
            fact_death: TableLayout(["death_year"]),
            fact_consultation: BY_YEAR,
            fact_prescription: BY_YEAR,
            fact_hospitalisation: BY_YEAR,
        },
    ),
    ComparedLayout(
        "month",
        "partition par mois",
        Kind.DELTA,
        {
            fact_death: TableLayout(["death_year", "death_month"]),
            fact_consultation: BY_MONTH,
            fact_prescription: BY_MONTH,
            fact_hospitalisation: BY_MONTH,
        },
    ),
    ComparedLayout("region", "partition par région", Kind.DELTA, {fact_death: TableLayout(["region_key"])}),
    ComparedLayout(
        "z_order",
        "ordre Z, sans partition",
        Kind.DELTA,
        {
            fact_death: TableLayout(order_by=["death_date", "region_key"]),
            fact_consultation: TableLayout(order_by=OF_A_PATIENT),
            fact_prescription: TableLayout(order_by=OF_A_PATIENT),
        },
    ),
    ComparedLayout(
        "clustered",
        "regroupement « liquid clustering » de Spark",
        Kind.CLUSTERED,
        {
            fact_death: TableLayout(order_by=["death_date", "region_key"]),
            fact_consultation: TableLayout(order_by=OF_A_PATIENT),
            fact_prescription: TableLayout(order_by=OF_A_PATIENT),
        },
    ),
    ComparedLayout(
        "buckets",
        "compartiments de hachage : colonne générée, partition de Delta",
        Kind.DELTA,
        {t: TableLayout(["bucket"], generated=[BUCKET]) for t in (fact_consultation, fact_prescription)},
    ),
    ComparedLayout(
        "spark_buckets",
        "compartiments de Spark (bucketBy), Parquet sans Delta",
        Kind.BUCKETED,
        {t: TableLayout(buckets="consultation_key") for t in (fact_consultation, fact_prescription)},
    ),
)


def layouts_named(names: Sequence[str]) -> Sequence[ComparedLayout]:
    """The layouts of these names; all without a name. Raises ChuError with the list of layouts."""
    known = {layout.name: layout for layout in LAYOUTS}
    if wrong := [name for name in names if name not in known]:
        raise ChuError(f"there is no layout {wrong[0]!r}; there are {', '.join(known)}")
    return [layout for layout in LAYOUTS if not names or layout.name in names]
