"""The evidence queries: the eight questions of the hospitals, and the accesses that a layout can help or hinder.

Each is one SQL text for Sail, Spark, DuckDB, Polars and delta-rs. `{name}` is the table of that name. `{filtered}` are
its filters, as conditions. Rates divide these counts by a base, which is another, small table: it is left out here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.errors import ChuError
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.facts.fact_prescription import fact_prescription
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.layouts.declarations import TableLayout
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Table

Value = str | int | date


@dataclass(frozen=True)
class Chosen:
    """A value that a query over the tables `{name}` chooses, because the values differ from lake to lake."""

    sql: str


class Range(NamedTuple):
    """Values of a column from `first` to `last`, both included. A chosen value that is not known is a subquery."""

    column: str
    first: Value | Chosen
    last: Value | Chosen

    def sql(self, table: str) -> str:
        """The condition on a table of this name."""
        name, first, last = f"{table}.{self.column}", literal(self.first), literal(self.last)
        return f"{name} = {first}" if first == last else f"{name} BETWEEN {first} AND {last}"


@dataclass(frozen=True)
class Filter:
    """Rows of `table` (by name in the query) whose `column` is from `first` to `last`."""

    table: str
    column: str
    first: Value | Chosen
    last: Value | Chosen

    def ranges(self, layout: TableLayout | None, chosen: Mapping[Chosen, Value]) -> Sequence[Range]:
        """The range of the column, and those that follow from it for the generated columns of the layout."""
        first, last = (chosen.get(v, v) if isinstance(v, Chosen) else v for v in (self.first, self.last))
        prefixes = [p for p in layout.generated if p.column == self.column] if layout else []
        return [
            Range(self.column, first, last),
            *(Range(p.name, str(first)[: p.length], str(last)[: p.length]) for p in prefixes),
        ]


def literal(value: Value | Chosen) -> str:
    """A value in the SQL of every engine. Texts are codes and keys: raises ValueError for an apostrophe."""
    if isinstance(value, Chosen):
        return f"({value.sql})"
    if isinstance(value, str):
        if "'" in value:
            raise ValueError("a code or key has no apostrophe")
        return f"'{value}'"
    return f"DATE '{value}'" if isinstance(value, date) else str(value)


@dataclass(frozen=True)
class EvidenceQuery:
    """One query: its French question, its tables by their names in the SQL, and its filters."""

    name: str
    label: str
    tables: Mapping[str, Table]
    text: str
    filters: Sequence[Filter] = ()

    def sql(self, layouts: Mapping[Table, TableLayout], chosen: Mapping[Chosen, Value]) -> str:
        """The SQL for tables with these layouts; `{name}` still stands for each table."""
        conditions = [r.sql(f.table) for f in self.filters for r in self._ranges(f, layouts, chosen)]
        return self.text.replace("{filtered}", " AND ".join(conditions))

    def ranges(
        self, name: str, layouts: Mapping[Table, TableLayout], chosen: Mapping[Chosen, Value]
    ) -> Sequence[Range]:
        """The ranges that limit the rows of the table of that name."""
        return [r for f in self.filters if f.table == name for r in self._ranges(f, layouts, chosen)]

    def _ranges(
        self, wanted: Filter, layouts: Mapping[Table, TableLayout], chosen: Mapping[Chosen, Value]
    ) -> Sequence[Range]:
        return wanted.ranges(layouts.get(self.tables[wanted.table]), chosen)

    @property
    def chosen(self) -> Sequence[Chosen]:
        """The values that depend on the lake."""
        return list(dict.fromkeys(v for f in self.filters for v in (f.first, f.last) if isinstance(v, Chosen)))


IN_2019: Final = ("2019-01", "2019-12")
# Of 2019: the establishment with the most consultations, and the commonest diagnosis.
ESTABLISHMENT: Final = Chosen(
    "SELECT establishment_key FROM {bridge} JOIN {consultation} USING (professional_key) "
    f"WHERE establishment_key <> '{UNKNOWN}' AND month BETWEEN '{IN_2019[0]}' AND '{IN_2019[1]}' GROUP BY ALL ORDER BY count(*) DESC, establishment_key LIMIT 1"
)
DIAGNOSIS: Final = Chosen(
    f"SELECT diagnosis_key FROM {{consultation}} WHERE diagnosis_key <> '{UNKNOWN}' "
    f"AND month BETWEEN '{IN_2019[0]}' AND '{IN_2019[1]}' "
    "GROUP BY ALL ORDER BY count(*) DESC, diagnosis_key LIMIT 1"
)
# Keys in the middle of all keys, which are hexadecimal digits of a hash.
PATIENT: Final = Chosen("SELECT min(patient_key) FROM {consultation} WHERE patient_key >= '8'")
CONSULTATION: Final = Chosen("SELECT min(consultation_key) FROM {prescription} WHERE consultation_key >= '8'")
WITH_BRIDGE: Final = {"consultation": fact_consultation, "bridge": bridge_professional_establishment}

QUERIES: Final = (
    EvidenceQuery(
        "consultations_of_establishment",
        "Question 1 : consultations d’un établissement en 2019",
        WITH_BRIDGE,
        "SELECT count(*) AS consultations, count(DISTINCT consultation.patient_key) AS patients "
        "FROM {consultation} consultation JOIN {bridge} bridge "
        "ON bridge.professional_key = consultation.professional_key WHERE {filtered}",
        [
            Filter("consultation", "month", *IN_2019),
            Filter("bridge", "establishment_key", ESTABLISHMENT, ESTABLISHMENT),
        ],
    ),
    EvidenceQuery(
        "consultations_by_diagnosis",
        "Question 2 : consultations pour un diagnostic en 2019, par âge",
        {"consultation": fact_consultation},
        "SELECT consultation.age_band, count(*) AS consultations, "
        "count(DISTINCT consultation.patient_key) AS patients "
        "FROM {consultation} consultation WHERE {filtered} GROUP BY consultation.age_band",
        [Filter("consultation", "month", *IN_2019), Filter("consultation", "diagnosis_key", DIAGNOSIS, DIAGNOSIS)],
    ),
    EvidenceQuery(
        "stays_of_period",
        "Question 3 : hospitalisations de 2019, par mois",
        {"stay": fact_hospitalisation},
        "SELECT stay.month, count(*) AS stays, count(DISTINCT stay.patient_key) AS patients, sum(stay.days) AS days "
        "FROM {stay} stay WHERE {filtered} GROUP BY stay.month",
        [Filter("stay", "month", *IN_2019)],
    ),
    EvidenceQuery(
        "stays_by_diagnosis",
        "Question 4 : hospitalisations de 2019 par chapitre de diagnostics",
        {"stay": fact_hospitalisation, "diagnosis": dim_diagnosis},
        "SELECT diagnosis.chapter_code, count(*) AS stays, count(DISTINCT stay.patient_key) AS patients "
        "FROM {stay} stay JOIN {diagnosis} diagnosis ON diagnosis.diagnosis_key = stay.diagnosis_key "
        "WHERE {filtered} GROUP BY diagnosis.chapter_code",
        [Filter("stay", "month", *IN_2019)],
    ),
    EvidenceQuery(
        "stays_by_sex_and_age",
        "Question 5 : hospitalisations par sexe et par âge, toutes les années",
        {"stay": fact_hospitalisation},
        "SELECT stay.sex, stay.age_band, count(*) AS stays, count(DISTINCT stay.patient_key) AS patients "
        "FROM {stay} stay GROUP BY stay.sex, stay.age_band",
    ),
    EvidenceQuery(
        "consultations_by_profession",
        "Question 6 : consultations par profession en 2019",
        {"consultation": fact_consultation, "professional": dim_professional},
        "SELECT professional.profession_label, count(*) AS consultations, "
        "count(DISTINCT consultation.professional_key) AS professionals "
        "FROM {consultation} consultation JOIN {professional} professional "
        "ON professional.professional_key = consultation.professional_key "
        "WHERE {filtered} GROUP BY professional.profession_label",
        [Filter("consultation", "month", *IN_2019)],
    ),
    EvidenceQuery(
        "deaths_by_region",
        "Question 7 : décès par région en 2019",
        {"death": fact_death, "region": dim_region},
        "SELECT region.region_label, count(*) AS deaths "
        "FROM {death} death JOIN {region} region ON region.region_key = death.region_key "
        "WHERE {filtered} GROUP BY region.region_label",
        [Filter("death", "death_year", "2019", "2019")],
    ),
    EvidenceQuery(
        "satisfaction_by_region",
        "Question 8 : satisfaction par région en 2020",
        {"satisfaction": fact_satisfaction},
        "SELECT satisfaction.survey, satisfaction.region_key, count(*) AS sites, "
        "sum(satisfaction.score * satisfaction.answers) AS weighted, sum(satisfaction.answers) AS answers "
        "FROM {satisfaction} satisfaction WHERE {filtered} GROUP BY satisfaction.survey, satisfaction.region_key",
        [Filter("satisfaction", "campaign_year", "2020", "2020")],
    ),
    EvidenceQuery(
        "one_patient",
        "Accès à un patient : ses consultations",
        {"consultation": fact_consultation},
        "SELECT consultation.consultation_key, consultation.date, consultation.diagnosis_key "
        "FROM {consultation} consultation WHERE {filtered}",
        [Filter("consultation", "patient_key", PATIENT, PATIENT)],
    ),
    EvidenceQuery(
        "one_consultation",
        "Accès à une consultation : ses prescriptions",
        {"prescription": fact_prescription},
        "SELECT prescription.medication_key, prescription.date FROM {prescription} prescription WHERE {filtered}",
        [Filter("prescription", "consultation_key", CONSULTATION, CONSULTATION)],
    ),
    EvidenceQuery(
        "large_join",
        "Grande jointure : prescriptions et consultations, par âge",
        {"prescription": fact_prescription, "consultation": fact_consultation},
        "SELECT consultation.age_band, count(*) AS prescriptions, "
        "count(DISTINCT prescription.medication_key) AS medications "
        "FROM {prescription} prescription JOIN {consultation} consultation "
        "ON consultation.consultation_key = prescription.consultation_key GROUP BY consultation.age_band",
    ),
    EvidenceQuery(
        "distinct_patients",
        "Nombre de patients et de professionnels distincts, toutes les consultations",
        {"consultation": fact_consultation},
        "SELECT count(DISTINCT consultation.patient_key) AS patients, "
        "count(DISTINCT consultation.professional_key) AS professionals FROM {consultation} consultation",
    ),
    EvidenceQuery(
        "full_scan",
        "Lecture complète des décès",
        {"death": fact_death},
        "SELECT count(*) AS deaths, sum(death.age) AS years, min(death.death_date) AS first_day, "
        "max(death.death_date) AS last_day, count(DISTINCT death.department_code) AS departments FROM {death} death",
    ),
    EvidenceQuery(
        "deaths_of_one_region",
        "Décès d’une région, toutes les années, par sexe",
        {"death": fact_death},
        "SELECT death.death_year, death.sex, count(*) AS deaths FROM {death} death "
        "WHERE {filtered} GROUP BY death.death_year, death.sex",
        [Filter("death", "region_key", "11", "11")],
    ),
    EvidenceQuery(
        "deaths_of_one_month",
        "Décès de mars 2019, par jour",
        {"death": fact_death},
        "SELECT death.death_date, count(*) AS deaths FROM {death} death WHERE {filtered} GROUP BY death.death_date",
        [
            Filter("death", "death_year", "2019", "2019"),
            Filter("death", "death_month", 3, 3),
            Filter("death", "death_date", date(2019, 3, 1), date(2019, 3, 31)),
        ],
    ),
)


def queries_named(names: Sequence[str]) -> Sequence[EvidenceQuery]:
    """The queries of these names; all without a name. Raises ChuError with the list of queries."""
    known = {query.name: query for query in QUERIES}
    if wrong := [name for name in names if name not in known]:
        raise ChuError(f"there is no query {wrong[0]!r}; there are {', '.join(known)}")
    return [query for query in QUERIES if not names or query.name in names]
