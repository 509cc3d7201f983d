"""What the marts hold: the tables that the profiles of a mart may read, by the policies of the tables.

There is no list of tables: one without a grant for a profile is in no mart of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Final

from chu_platform.catalogue import catalogue
from chu_platform.editions.edition_rows import MASKED
from chu_platform.indicators.indicator import Indicator, indicators
from chu_platform.tables.access_policy import Grant, Profile, RowsOf
from chu_platform.tables.columns import DATE, STRING, Column
from chu_platform.tables.table import Layer, Table


class Mart(StrEnum):
    """A mart: the name of its PostgreSQL schema, in French, because readers see it in their tools."""

    PUBLISHED = "publie"
    DIRECTORS = "direction"
    PRACTITIONERS = "praticiens"

    @property
    def label(self) -> str:
        """What it holds, in French."""
        return LABELS[self]


LABELS: Final[Mapping[Mart, str]] = {
    Mart.PUBLISHED: "Chiffres publiés, lisibles par toute connexion",
    Mart.DIRECTORS: "Chiffres exacts pour les chefs d’établissement : chaque compte ne lit que ses sites",
    Mart.PRACTITIONERS: "Chiffres pour les praticiens : chaque compte ne lit que ses sites, sans les petits effectifs",
}
# The profiles for which a mart is made, and the layer whose tables it holds.
PROFILES: Final[Mapping[Mart, Sequence[Profile]]] = {
    Mart.PUBLISHED: (Profile.PUBLIC,),
    Mart.DIRECTORS: (Profile.HEAD,),
    Mart.PRACTITIONERS: (Profile.CLINICIAN, Profile.PRACTITIONER),
}
LAYERS: Final[Mapping[Mart, Layer]] = {
    Mart.PUBLISHED: Layer.PUBLISHED,
    Mart.DIRECTORS: Layer.KPIS,
    Mart.PRACTITIONERS: Layer.KPIS,
}


@dataclass(frozen=True)
class MartTable:
    """A table in a mart, with the grants by which the profiles of the mart read it, and its indicator, if it has one.

    With `masks_small`, its rows are those of the table with small cells masked.
    """

    mart: Mart
    table: Table
    grants: Sequence[Grant]
    indicator: Indicator | None

    @property
    def name(self) -> str:
        """Its name in the schema."""
        return self.table.name

    @property
    def masks_small(self) -> bool:
        """Whether small cells are masked."""
        return any(grant.masks_small for grant in self.grants)

    @property
    def columns(self) -> Sequence[Column]:
        """Its columns. Figures that a mask hides are null."""
        if not self.masks_small:
            return self.table.columns
        return [*(c if c.key else replace(c, nullable=True) for c in self.table.columns), MASKED]

    @property
    def of_professionals(self) -> bool:
        """Whether its readers see their own counts: then the column with their pseudonym is not readable."""
        return any(grant.rows is RowsOf.OWN_COUNTS for grant in self.grants)

    @property
    def only_held(self) -> bool:
        """Whether it holds only rows that some account may read, not those that an account could be given."""
        return self.masks_small or self.of_professionals

    @property
    def readable(self) -> Sequence[Column]:
        """The columns that its readers may read."""
        return [c for c in self.columns if all(g.columns is None or c.name in g.columns for g in self.grants)]

    @property
    def readable_key(self) -> Sequence[str]:
        """The names of the columns that tell apart the rows of a reader."""
        readable = {c.name for c in self.readable}
        return [name for name in self.table.key if name in readable]

    @property
    def own(self) -> str | None:
        """The column that tells whose a row is; None if the rows are for all readers of the mart."""
        return next((grant.own for grant in self.grants if grant.rows is not RowsOf.EVERYBODY), None)

    def has(self, columns: Sequence[str]) -> bool:
        """Whether it has all of these columns."""
        return {*columns} <= {c.name for c in self.columns}


@dataclass(frozen=True)
class Axis:
    """Values that several tables of a mart share: a table of its own in each mart, to which these refer.

    `label` is the column with its label; None if `made_label`, PostgreSQL SQL over the columns, makes one.
    """

    name: str
    title: str
    columns: Sequence[Column]
    label: Column
    made_label: str | None = None

    @property
    def key(self) -> Sequence[str]:
        """The names of its columns."""
        return [c.name for c in self.columns]

    def read_by(self, tables: Sequence[MartTable]) -> Sequence[MartTable]:
        """Those of the tables that refer to it."""
        wanted = self.key if self.made_label else [*self.key, self.label.name]
        return [t for t in tables if t.has(wanted)]


def _text(name: str, label: str, description: str) -> Column:
    return Column(name, STRING, description, label, key=True)


AXES: Final = (
    Axis(
        "periode",
        "Périodes",
        (
            _text("period_grain", "Grain", "month, quarter, year, ou all pour toutes les années"),
            Column("period_start", DATE, "premier jour de la période", "Début", key=True),
        ),
        Column("period_label", STRING, "la période en clair", "Période"),
        """CASE period_grain WHEN 'month' THEN to_char(period_start, 'MM/YYYY')
            WHEN 'quarter' THEN to_char(period_start, '"T"Q YYYY')
            WHEN 'year' THEN to_char(period_start, 'YYYY') ELSE 'toutes les années' END""",
    ),
    Axis(
        "rubrique",
        "Lieux, diagnostics et autres divisions, par niveau",
        (_text("level", "Niveau", "niveau de la division"), _text("code", "Code", "code à ce niveau")),
        Column("label", STRING, "libellé du code", "Libellé"),
    ),
    Axis(
        "region",
        "Régions",
        (_text("region_code", "Code région", "code Insee de la région"),),
        Column("region_label", STRING, "nom de la région", "Région"),
    ),
)


def mart_tables(mart: Mart) -> Sequence[MartTable]:
    """The tables of a mart. Raises ValueError if some of its profiles read masked rows of a table, others not."""
    return [t for t in every_mart_table() if t.mart is mart]


@cache
def every_mart_table() -> Sequence[MartTable]:
    """The tables of all marts, in the order of the catalogue; an exact table once for each mart that serves it."""
    by_table = {table: i for i in indicators() for table in (i.exact, i.masked)}
    found = [
        MartTable(mart, table, grants, by_table.get(table))
        for mart in Mart
        for table in catalogue()
        if table.layer is LAYERS[mart] and (grants := _grants(table, PROFILES[mart]))
    ]
    for one in found:
        if len({grant.masks_small for grant in one.grants}) > 1 or len({grant.own for grant in one.grants}) > 1:
            raise ValueError(f"{one.name}: the profiles of the mart {one.mart} read other rows of it: divide the mart")
    return found


def _grants(table: Table, profiles: Sequence[Profile]) -> Sequence[Grant]:
    grants = table.access.grants if table.access else ()
    return [_without_pseudonym(table, g) for g in grants if g.profile in profiles]


def _without_pseudonym(table: Table, grant: Grant) -> Grant:
    """The grant as a mart gives it: own counts without the column that tells whose they are."""
    if grant.rows is not RowsOf.OWN_COUNTS:
        return grant
    return replace(grant, columns=[c.name for c in table.columns if c.name != grant.own])
