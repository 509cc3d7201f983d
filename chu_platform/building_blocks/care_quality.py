"""The files of care-quality indicators: what each column of one says of which indicator.

They measure processes of care, not satisfaction, and every campaign names its columns in its own way: a file is
declared by its indicators, and its source table and its part of the facts follow.

Here: the vocabulary of such a declaration. Not here: the files, each in a module of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from chu_platform.ingest.delivered import Delivered, Reader, RowCheck
from chu_platform.ingest.row_sql import FINESS
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

# Words in the place of a result. The class of the same indicator, which is text, says them too.
NO_RESULT: Final = (
    "Non concerné (pas d'activité)",
    "Non concerné (non comparable)",
    "Non concerné",
    "Non répondant",
    "Non validé",
    "Non Applicable",
    "NA",
    "NC",
    "ND",
    "NR",
    "NV",
    "DI",
)
# Results are written 72, 72.5, 72,5 and 72%.
RESULT: Final = (
    "CASE WHEN regexp_full_match(trim({text}), '[+-]?\\d+([.,]\\d*)?\\s*%?') "
    "THEN try_cast(replace(rtrim({text}, '% '), ',', '.') AS DOUBLE) END"
)
PERCENT: Final = "%"
SCORE: Final = "score sur 100"
RATIO: Final = "ratio observé / attendu"
OF_TARGET: Final = "% de l’objectif"
# Campaigns write these columns in these ways.
SPELLINGS: Final = (
    ("finess", "Finess", "FINESS"),
    ("rs", "raison_sociale", "Raison_sociale", "nom_es", "nom_ES", "rs_finess"),
    ("region", "Region", "libelle_region", "Libelle_region", "lib_reg", "lib_region"),
    ("type", "cat", "lib_cat", "Cat", "Type"),
    ("Sources", "sources"),
    ("NAME", "name", "Nom de la variable"),
    ("LABEL", "label", "Label", "Libellé de la variable"),
)


@dataclass(frozen=True)
class Indicator:
    """One indicator of a file, by the names of its columns; those that the file lacks are None.

    `category` is the class A to C, or why there is none; `control` the outcome of the inspection of a sample;
    `also` are columns about it that no fact takes.
    """

    code: str
    label: str
    unit: str
    value: str
    denominator: str | None = None
    lower: str | None = None
    upper: str | None = None
    category: str | None = None
    control: str | None = None
    also: Sequence[Column] = ()

    def columns(self) -> Iterator[Column]:
        """The columns of the source table."""
        yield Column(self.value, DOUBLE, f"résultat de {self.code} ({self.unit})", f"{self.label} : résultat")
        for name, type_, description, label in (
            (self.denominator, INTEGER, "dossiers ou séjours dont le résultat est tiré", "dénominateur"),
            (self.lower, DOUBLE, "borne basse de l’intervalle de confiance", "borne basse"),
            (self.upper, DOUBLE, "borne haute de l’intervalle de confiance", "borne haute"),
            (self.category, STRING, "classe, ou pourquoi il n’y en a pas", "classe"),
            (self.control, STRING, "issue du contrôle d’un échantillon", "contrôle"),
        ):
            if name:
                yield Column(name, type_, f"{self.code} : {description}", f"{self.label} : {label}")
        yield from self.also

    @property
    def results(self) -> Sequence[str]:
        """Names of the columns on the scale of the result."""
        return [c for c in (self.value, self.lower, self.upper) if c]

    def row_checks(self) -> Iterator[RowCheck]:
        """What lies outside the scale is no result."""
        highest = " AND {} <= 100" if self.unit in (PERCENT, SCORE) else ""
        for name in self.results:
            yield RowCheck("out_of_range", name, f'"{name}" >= 0' + highest.format(f'"{name}"'))


def of_establishment(
    code: str, label: str, unit: str = PERCENT, category: str | None = None, control: str | None = None
) -> Indicator:
    """An indicator whose columns are named after it: `x_etbt`, `x_den_etbt`, `x_icbas_etbt`, `x_ichaut_etbt`."""
    return Indicator(
        code,
        label,
        unit,
        value=f"{code}_etbt",
        denominator=f"{code}_den_etbt",
        lower=f"{code}_icbas_etbt",
        upper=f"{code}_ichaut_etbt",
        category=category,
        control=control,
    )


@dataclass(frozen=True, eq=False)
class CareQuality:
    """One kind of care-quality file in one campaign. Each line is a site.

    `identity` are the columns that are about the site and the file, `site` and `region` two of them. `known` says
    that its header was seen: then none of its columns may be missing; else only the site must be there.
    """

    survey: str
    campaign: str
    label: str
    reader: Reader
    identity: Sequence[Column]
    indicators: Sequence[Indicator]
    site: str
    region: str
    known: bool = True
    suffix: str = ""
    also: Sequence[Column] = field(default_factory=tuple)

    @cached_property
    def name(self) -> str:
        """Name of the source table."""
        return f"{self.survey}_{self.campaign}{self.suffix}"

    @cached_property
    def table(self) -> Table:
        """The source table."""
        columns = [*self.identity, *self.also, *(c for i in self.indicators for c in i.columns())]
        names = [c.name for c in columns]
        finess = [n for n in names if n in ("finess", "finess_pmsi")]
        return Table(
            name=self.name,
            layer=Layer.SOURCES,
            zone=Zone.RESTRICTED,
            grain="un site",
            label=f"{self.label}, campagne {self.campaign}",
            owner="team:surveys",
            columns=columns,
            rows=Delivered(
                self.reader,
                typing={n: RESULT for i in self.indicators for n in i.results} | dict.fromkeys(finess, FINESS),
                row_checks=[check for i in self.indicators for check in i.row_checks()],
                optional=() if self.known else [n for n in names if n != self.site],
                blanks=NO_RESULT,
                spellings=spellings(names),
            ),
        )


def spellings(names: Sequence[str]) -> dict[str, Sequence[str]]:
    """For the columns of a table, what other files call them."""
    return {
        name: [other for other in group if other not in names] for group in SPELLINGS for name in names if name in group
    }


def finess(name: str = "finess", label: str = "FINESS") -> Column:
    """FINESS number of the site, the key of its file."""
    return Column(name, STRING, "numéro FINESS du site", label, key=True)


def site_name(name: str) -> Column:
    """Name of the site."""
    return Column(name, STRING, "nom du site", "Raison sociale")


def region(name: str) -> Column:
    """Region of the site: those before 2016 in files up to 2015."""
    return Column(name, STRING, "libellé de la région", "Région")


def category(name: str) -> Column:
    """CheckType of establishment."""
    return Column(name, STRING, "nature de l’établissement : CH, CHU, CLCC, privé", "Catégorie")


def data_year(name: str = "Sources") -> Column:
    """Year of the data."""
    return Column(name, INTEGER, "année des données", "Année des données")


def responded() -> Column:
    """Whether the site took part."""
    return Column("repondant", STRING, "participation du site : Oui, Non", "Répondant")
