"""Declaration of care-quality files: the indicators of a file and the columns that hold their values.

The indicators measure processes of care, not satisfaction. Each campaign names its columns differently, so a file is
declared by its indicators; its source table and its part of `fact_quality_indicator` are derived from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, Reader, RowCheck, delivered_text
from chu_platform.ingest.delivered_files import Format
from chu_platform.ingest.identifiers import BLANKS, FINESS
from chu_platform.ingest.number_forms import COUNT, RESULT
from chu_platform.ingest.number_forms import RATIO as RATIO_FORM
from chu_platform.ingest.workbook_format import WorkbookFormat
from chu_platform.tables.checks import Check, CheckType, Unit
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

# Texts of an empty cell: the missing value of SAS, a dash, errors of a spreadsheet, null values of programs.
EMPTY: Final = (
    ".",
    "-",
    "–",
    "—",
    "#N/A",
    "#NA",
    "#REF!",
    "#DIV/0!",
    "#VALUE!",
    "#VALEUR!",
    "#NAME?",
    "#NOM?",
    "#NUM!",
    "#NULL!",
    "N/A",
    "NaN",
    "NULL",
    "(null)",
    "<NA>",
    "None",
    "\\N",
)
# The most answers or files of patients that one site has in a campaign: the largest hospitals have fewer stays in a year.
MAX_COUNT: Final = 1_000_000
# The text of a class as its letter, however it is written: a, Classe A, (A), "A ". Other texts stay as they are.
_LETTER: Final = (
    f"[regexp_extract(t, '^[(]?(?:CLASSE?|CL[.]?|NIVEAU)?[(]?([A-D])[).]?$', 1) "
    f"FOR t IN [regexp_replace(upper({{text}}), '[{BLANKS}:=_\"''-]+', '', 'g')]][1]"
)
# The first branches are for speed.
CLASS: Final = (
    "CASE WHEN {text} IN ('A', 'B', 'C', 'D') OR length({text}) > 20 THEN {text} "
    f"ELSE coalesce(nullif({_LETTER}, ''), {{text}}) END"
)
# Numbers and damaged numbers, in lower case: 75.5, 8o.5, 75..5, 1e, a month that a spreadsheet program makes of 12.5; a
# number with a note, or in words: 75,5*, 75 (1), 75/100, 75.5 points.
_MONTH: Final = "(janv|jan|f[eé]vr?|feb|mars?|avr|apr|mai|may|juin|juil|jun|jul|ao[uû]t|aug|sept?|oct|nov|d[eé]c)[.]?"
_NUMBER: Final = "|".join(
    (
        "[-+0-9oqlisbze .,%’''\u00a0\u2009\u202f]+",
        "[-+~]? *[0-9]+ *[.,] *[0-9].*",
        "[0-9]+ *%? *[(*/[].*",
        "[0-9]+ *(pts?|points?|sur|pour *cent|pct|p[.])( .*|[0-9].*)?",
        f"[0-9]?[0-9][-. /]{_MONTH}([-. /][0-9]+)?",
        f"{_MONTH}[-. /][0-9]+",
    )
)
# A comparison (N < 10, n=8), a word, or a mark of a note, such as (1).
_MEANING: Final = "[<>≤≥]|[a-z] *= *[0-9]|[a-zà-ÿ][a-zà-ÿ]|^[(]?[0-9][)]$"
# SQL that is true for words in place of a number: "Non concerné (< 10 actes)", "NR", "Effectif < 10", "*". They are the
# reason why there is no result. (Regular expressions of Unicode letters take DuckDB milliseconds for each column.)
WORDS: Final = (
    "(CASE WHEN NOT regexp_matches({text}, '[0-9]') THEN true "
    f"WHEN regexp_full_match(lower({{text}}), '{_NUMBER}') THEN false "
    f"ELSE regexp_matches(lower({{text}}), '{_MEANING}') END)"
)
HAS_CSV: Final = CsvFormat()
# Any file may be a CSV file or a workbook: people save one as the other.
HAS_FORMATS: Final[Mapping[str, Format]] = {".csv": HAS_CSV, ".xlsx": WorkbookFormat()}
PERCENT: Final = "%"
SCORE: Final = "score sur 100"
PERCENT_OR_SCORE: Final = "% ou score sur 100"
RATIO: Final = "ratio observé / attendu"
OF_TARGET: Final = "% de l’objectif"
ON_HUNDRED: Final = (PERCENT, SCORE, PERCENT_OR_SCORE, OF_TARGET)
# Column names that have the same meaning in different campaigns, in lower case.
SPELLINGS: Final = (
    ("rs", "raison_sociale", "nom_es", "rs_finess"),
    ("region", "libelle_region", "lib_reg", "lib_region"),
    ("type", "cat", "lib_cat"),
    (
        *("name", "nom de la variable", "nom variable", "variable", "variables", "nom", "nom de la colonne", "colonne"),
        *("nom du champ", "champ", "code variable", "code de la variable", "code"),
    ),
    (
        *("label", "libellé de la variable", "libellé variable", "libellé", "libellés", "libellé long", "intitulé"),
        *("description", "définition", "signification"),
    ),
)


@dataclass(frozen=True)
class QualityIndicator:
    """One indicator of a file and the names of its columns (None: the file has no such column).

    `category` holds the class A to C, the position against a limit, or the reason for its absence; `control` holds the
    result of the inspection of a sample; `other_columns` are read into the source table only.
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
        yield Column(
            self.reason, STRING, f"{self.code} : mots écrits à la place du résultat", f"{self.label} : motif d’absence"
        )
        yield from self.other_columns

    @property
    def reason(self) -> str:
        """Name of the column of the source table with the words in place of the result, or of its denominator."""
        return f"motif_{self.code}"

    @property
    def reason_sql(self) -> str:
        """SQL of the column `reason`."""
        return words_in(*(name for name in (self.value, self.denominator) if name))

    def row_checks(self) -> Iterator[RowCheck]:
        """The value must lie on the scale of the unit: at least 0, and at most 100 for percentages and scores.

        The delivered bounds are estimates, and may exceed the scale.
        """
        upper_limit = f' AND "{self.value}" <= 100' if self.unit in (PERCENT, SCORE, PERCENT_OR_SCORE) else ""
        yield RowCheck("out_of_range", self.value, f'"{self.value}" >= 0{upper_limit}')
        if self.denominator:
            yield is_count(self.denominator)

    def row_warnings(self) -> Iterator[RowCheck]:
        """A site with a class has a result; words in its place contradict the class."""
        if self.category:
            has_words = f"{sql_name(self.value)} IS NULL AND {sql_name(self.reason)} IS NOT NULL"
            yield RowCheck("class_without_result", self.category, f"NOT ({is_class(self.category)} AND {has_words})")


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


def evaluated_indicator(code: str, label: str, unit: str = PERCENT, *, control: str) -> QualityIndicator:
    """As `establishment_indicator`, with the position against the objective and its change since the last campaign."""
    return replace(
        establishment_indicator(code, label, unit, f"{code}_pos_seuil_etbt", control),
        other_columns=[evolution(f"{code}_pos_evol_etbt", code)],
    )


@dataclass(frozen=True, eq=False)
class CareQuality:
    """The care-quality file of one survey and campaign. Each line is a site.

    `identity` are the columns that describe the site and the file; `site` and `region` name two of them. All columns
    are named as in the header of a real file, and are required.
    """

    survey: str
    campaign: str
    label: str
    reader: Reader
    identity: Sequence[Column]
    indicators: Sequence[QualityIndicator]
    site: str
    region: str
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
        percentages = [c.name for i in self.indicators if i.unit in ON_HUNDRED for c in i.columns() if c.type == DOUBLE]
        ratios = [i.value for i in self.indicators if i.unit == RATIO]
        classes = [i.category for i in self.indicators if i.category]
        return Table(
            name=self.name,
            layer=Layer.SOURCES,
            zone=Zone.RESTRICTED,
            grain="un site",
            label=f"{self.label}, campagne {self.campaign}",
            owner="team:surveys",
            access=WITHOUT_PERSONS,
            public_source="HAS",
            columns=columns,
            rows=Delivered(
                self.reader,
                typing={
                    **{c.name: RATIO_FORM for c in columns if c.type == DOUBLE},
                    **dict.fromkeys(percentages, RESULT),
                    **{c.name: COUNT for c in columns if c.type == INTEGER},
                    **dict.fromkeys(finess, FINESS),
                    **dict.fromkeys(classes, CLASS),
                },
                derived={i.reason: i.reason_sql for i in self.indicators},
                row_checks=[is_finess(self.site), *(check for i in self.indicators for check in i.row_checks())],
                row_warnings=[check for i in self.indicators for check in i.row_warnings()],
                empty=EMPTY,
                blanks=WORDS,
                spellings=spellings(names),
                percentages=percentages,
                ratios=ratios,
                stands_alone=True,
            ),
            checks=[gives_results(self._has_result)],
        )

    @property
    def _has_result(self) -> str:
        """SQL that is true for a site with the value or the class of an indicator, or the reason for its absence."""
        cells = [name for i in self.indicators for name in (i.value, i.category, i.reason) if name]
        return " OR ".join(f"{sql_name(name)} IS NOT NULL" for name in cells)


def spellings(names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Alternative header names of columns, from `SPELLINGS`."""
    declared = {name.lower() for name in names}
    return {
        name: [other for other in group if other not in declared]
        for group in SPELLINGS
        for name in names
        if name.lower() in group
    }


def words_in(*columns: str) -> str:
    """SQL of the words in place of a number in the first of these columns that has some."""
    words = [
        f"CASE WHEN {sql_name(name)} IS NULL AND {WORDS.format(text=delivered_text(name))} "
        f"THEN trim({delivered_text(name)}) END"
        for name in columns
    ]
    return f"coalesce({', '.join(words)})"


def is_class(column: str) -> str:
    """SQL that is true for the letter of a class."""
    return f"{sql_name(column)} IN ('A', 'B', 'C', 'D')"


def is_count(column: str) -> RowCheck:
    """A number of answers, files or stays is neither negative nor absurd."""
    return RowCheck("out_of_range", column, f"{sql_name(column)} BETWEEN 0 AND {MAX_COUNT}")


def class_or_words_in(column: str) -> str:
    """SQL that types a class: its letter or text, or else the words in place of the number in `column`."""
    text = delivered_text(column)
    return f"coalesce({CLASS}, CASE WHEN {WORDS.format(text=text)} THEN trim({text}) END)"


def is_finess(column: str) -> RowCheck:
    """A site is named by a FINESS number. A line with another text, such as a source below the table, is not a site."""
    return RowCheck("not_a_finess", column, f"regexp_full_match({sql_name(column)}, '\\d[0-9AB]\\d{{7}}')")


def gives_results(has_result: str, of_each: str | None = None) -> Check:
    """A delivered file gives at least one result. `has_result` is SQL that is true for a row with a result.

    `of_each` is the column that tells the files of a table apart; None if there is one file.
    """
    grouped = f"GROUP BY {sql_name(of_each)}" if of_each else "HAVING count(*) > 0"
    return Check(
        "files_give_results",
        CheckType.CONSISTENCY,
        "tout fichier livré donne au moins un résultat",
        query=lambda s: (
            f"SELECT count(*) FILTER (results = 0) FROM (SELECT count(*) FILTER ({has_result}) AS results "
            f"FROM {s.written} {grouped})"
        ),
        english="each file gives at least one result",
        unit=Unit.FILES,
    )


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


def old_region_code(name: str = "code_reg") -> Column:
    """Code of the region of before the reform of 2016."""
    return Column(name, STRING, "code de la région, dans le découpage d’avant 2016", "Code région")


def mandatory(name: str = "Enquete_obligatoire") -> Column:
    """Whether the site must take part."""
    return Column(name, STRING, "enquête obligatoire pour le site : Oui, Non", "Enquête obligatoire")


def participation(name: str = "Participation") -> Column:
    """Whether the site took part."""
    return Column(name, STRING, "participation du site : Oui, Non", "Participation")


def evolution(name: str, code: str) -> Column:
    """Change of the position of a site since the last campaign."""
    return Column(name, STRING, f"{code} : évolution depuis le recueil précédent", f"{code} : évolution")


def responded() -> Column:
    """Whether the site took part."""
    return Column("repondant", STRING, "participation du site : Oui, Non", "Répondant")
