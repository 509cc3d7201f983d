"""Tables of every shape that the platform writes, with values that readers have disagreed about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, WEIGHT, Column
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform_tests.storage.small_table import POLICY

# Multi-byte characters at the places where statistics are cut: 32 and 64 bytes, or characters.
TEXTS: Final = (
    "",
    "a",
    "É",
    "é" * 16,
    "é" * 32,
    "é" * 33,
    "x" * 31 + "é" + "y",
    "x" * 31 + "é" + "z" * 40,
    "x" * 32,
    "x" * 33,
    "x" * 63 + "é",
    "x" * 63 + "é" + "tail",
    "x" * 64 + "\U0010ffff" * 8,
    "\U0001f3e5" * 8,
    "\U0001f3e5" * 9,
    "\U0010ffff" * 40,
    'œuvre d\'« art » "cité" \\ /% \t\n',
    "\u00a0\u2028",
    "zz\u0301" * 30,
    None,
)
NUMBERS: Final = (0, 1, -1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), None)
RATIOS: Final = (0.0, -0.0, 0.1, 1 / 3, -1.5e300, 5e-324, float("nan"), float("inf"), float("-inf"), None)
WEIGHTS: Final = (
    Decimal("0.000000000000"),
    Decimal("0.333333333333"),
    Decimal("12345678.123456789012"),
    Decimal("-12345678.123456789012"),
    Decimal("99999999.999999999999"),
    None,
)
DAYS: Final = (date(1, 1, 1), date(1582, 10, 4), date(1582, 10, 15), date(1969, 12, 31), date(2024, 2, 29), None)
FLAGS: Final = (True, False, None)
# A campaign is a plain code; the others have to be escaped in the name of a folder.
YEARS: Final = ("2016", "2019", None)
PLACES: Final = (
    "Île-de-France",
    "a b",
    " a",
    "a/b",
    "100%",
    "%41",
    "a:b",
    "a=b",
    "a+b&c",
    'l\'été "1"',
    "?#[*]{^}\\",
    "2019-01-01",
    "01",
    "true",
    "médecine générale",
    None,
)
ROWS: Final = 120

COLUMNS: Final = (
    Column("number", LONG, "a number", "Numéro"),
    Column("row", INTEGER, "number of the row", "Ligne", key=True),
    Column("text", STRING, "a text", "Texte"),
    Column("ratio", DOUBLE, "a ratio", "Rapport"),
    Column("weight", WEIGHT, "a weight", "Poids"),
    Column("flag", BOOLEAN, "a flag", "Drapeau"),
    Column("constant", BOOLEAN, "always true", "Constante"),
    Column("empty", STRING, "always null", "Vide"),
    Column("day", DATE, "a day", "Jour"),
    Column("campaign_year", STRING, "a campaign", "Année"),
    Column("place", STRING, "a place", "Lieu"),
    Column("since", DATE, "start of a period", "Début"),
    Column("year", INTEGER, "a year", "Année"),
)


@dataclass(frozen=True)
class Shape:
    """A table and its partition columns."""

    name: str
    layout: Layout
    by_campaign: bool = False

    def table(self, rows: Sequence[Mapping[str, Any]] = ()) -> Table:
        """The table, which a step makes with these rows."""
        return Table(
            name=self.name,
            layer=Layer.SOURCES,
            zone=Zone.RESTRICTED,
            grain="a row",
            label="Formes",
            owner="team:tests",
            columns=COLUMNS,
            rows=Computed(lambda: arrow(rows)),
            layout=self.layout,
            partition_scheme=CAMPAIGNS if self.by_campaign else None,
            maintenance=replace(POLICY, small_files=2),
        )


SHAPES: Final = (
    Shape("whole", Layout(z_order_by=["text", "day"])),
    Shape("by_campaign", Layout(z_order_by=["number"]), by_campaign=True),
    Shape("by_place", Layout(partition_by=["place"], z_order_by=["flag"])),
    Shape("by_period_and_year", Layout(partition_by=["since", "year"])),
)


def rows(first: int = 0, count: int = ROWS) -> list[dict[str, Any]]:
    """Rows with all the values, in combinations that differ from row to row."""
    return [
        {
            "number": NUMBERS[n % len(NUMBERS)],
            "row": n,
            "text": TEXTS[n % len(TEXTS)],
            "ratio": RATIOS[n % len(RATIOS)],
            "weight": WEIGHTS[n % len(WEIGHTS)],
            "flag": FLAGS[n % len(FLAGS)],
            "constant": True,
            "empty": None,
            "day": DAYS[n % len(DAYS)],
            "campaign_year": YEARS[n % 7 % len(YEARS)],
            "place": PLACES[n % len(PLACES)],
            "since": (date(2019, 1, 1), date(1970, 3, 1), None)[n % 5 % 3],
            "year": (2019, -1, None)[n % 4 % 3],
        }
        for n in range(first, first + count)
    ]


def arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table."""
    return pa.table({c.name: pa.array([row[c.name] for row in rows], c.type) for c in COLUMNS})
