"""Declaration of care-quality files: the indicators of a file and the columns that hold their values.

The indicators measure processes of care, not satisfaction. Each campaign names its columns differently, so a file is
declared by its indicators; its source table and its part of `fact_quality_indicator` are derived from them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from chu_platform.ingest.delivered import Delivered, Reader, RowCheck
from chu_platform.ingest.row_sql import FINESS
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

# Texts written in place of a result. They also occur as the class of an indicator, where they are kept as text.
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
# Results may be written 72, 72.5, 72,5 or 72%.
RESULT: Final = (
    "CASE WHEN regexp_full_match(trim({text}), '[+-]?\\d+([.,]\\d*)?\\s*%?') "
    "THEN try_cast(replace(rtrim({text}, '% '), ',', '.') AS DOUBLE) END"
)
PERCENT: Final = "%"
SCORE: Final = "score sur 100"
RATIO: Final = "ratio observé / attendu"
OF_TARGET: Final = "% de l’objectif"
# Column names that have the same meaning in different campaigns.
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
class QualityIndicator:
    """One indicator of a file and the names of its columns (None: the file has no such column).

    `category` holds the class A to C or the reason for its absence; `control` holds the result of the inspection of a
    sample; `other_columns` are read into the source table only.
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
    other_columns: Sequence[Column] = ()

    def columns(self) -> Iterator[Column]:
        """The columns of the source table."""
        yield Column(self.value, DOUBLE, f"résultat de {self.code} ({self.unit})", f"{self.label} : résultat")
        for name, type_, description, label in (
            (self.denominator, INTEGER, "dossiers ou séjours dont le résultat est tiré", "dénominateur"),
            (self.lower, DOUBLE, "borne basse de l’intervalle de confiance", "borne basse"),
            (self.upper, DOUBLE, "borne haute de l’intervalle de confiance", "borne haute"),
            (self.category, STRING, "classe, ou motif de son absence", "classe"),
            (self.control, STRING, "issue du contrôle d’un échantillon", "contrôle"),
        ):
            if name:
                yield Column(name, type_, f"{self.code} : {description}", f"{self.label} : {label}")
        yield from self.other_columns

    @property
    def results(self) -> Sequence[str]:
        """Names of the columns that use the unit of the result."""
        return [c for c in (self.value, self.lower, self.upper) if c]

    def row_checks(self) -> Iterator[RowCheck]:
        """Values must lie on the scale of the unit: at least 0, and at most 100 for percentages and scores."""
        upper_limit = " AND {} <= 100" if self.unit in (PERCENT, SCORE) else ""
        for name in self.results:
            yield RowCheck("out_of_range", name, f'"{name}" >= 0' + upper_limit.format(f'"{name}"'))


def establishment_indicator(
    code: str, label: str, unit: str = PERCENT, category: str | None = None, control: str | None = None
) -> QualityIndicator:
    """An indicator whose column names are derived from its code: `x_etbt`, `x_den_etbt`, `x_icbas_etbt`, `x_ichaut_etbt`."""
    return QualityIndicator(
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
    """The care-quality file of one survey and campaign. Each line is a site.

    `identity` are the columns that describe the site and the file; `site` and `region` name two of them.
    `header_verified`: the declaration was compared with a real file, so all columns are required; otherwise only the
    column `site` is required.
    """

    survey: str
    campaign: str
    label: str
    reader: Reader
    identity: Sequence[Column]
    indicators: Sequence[QualityIndicator]
    site: str
    region: str
    header_verified: bool = True
    suffix: str = ""
    other_columns: Sequence[Column] = field(default_factory=tuple)

    @cached_property
    def name(self) -> str:
        """Name of the source table."""
        return f"{self.survey}_{self.campaign}{self.suffix}"

    @cached_property
    def table(self) -> Table:
        """The source table."""
        columns = [*self.identity, *self.other_columns, *(c for i in self.indicators for c in i.columns())]
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
                optional=() if self.header_verified else [n for n in names if n != self.site],
                blanks=NO_RESULT,
                spellings=spellings(names),
            ),
        )


def spellings(names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Alternative header names of columns, from `SPELLINGS`."""
    return {
        name: [other for other in group if other not in names] for group in SPELLINGS for name in names if name in group
    }


def finess(name: str = "finess", label: str = "FINESS") -> Column:
    """FINESS number of the site: the key of the file."""
    return Column(name, STRING, "numéro FINESS du site", label, key=True)


def site_name(name: str) -> Column:
    """Name of the site."""
    return Column(name, STRING, "nom du site", "Raison sociale")


def region(name: str) -> Column:
    """Region of the site. Files up to 2015 use the regions from before the reform of 2016."""
    return Column(name, STRING, "libellé de la région", "Région")


def category(name: str) -> Column:
    """Type of establishment."""
    return Column(name, STRING, "nature de l’établissement : CH, CHU, CLCC, privé", "Catégorie")


def data_year(name: str = "Sources") -> Column:
    """Year of the data."""
    return Column(name, INTEGER, "année des données", "Année des données")


def responded() -> Column:
    """Whether the site took part."""
    return Column("repondant", STRING, "participation du site : Oui, Non", "Répondant")
