"""What the exact explorer counts: facts by axes between any two dates, each behind the grants of a table.

A cube names the table whose grants open its rows. What it counts has the column that tells own rows (a site, a
professional), so that the gate gives an account its own rows alone. All names in its SQL are of this module; what a
reader chooses are keys of these declarations, and values are parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.tables.access_policy import Purpose
from chu_platform.tables.indicator_questions import Count, Measure
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_BAND
from chu_platform.tables.table import Table

COUNTED: Final = "un effectif est compté et non estimé : il n’a pas d’intervalle"


@dataclass(frozen=True)
class CubeAxis:
    """An axis: its name in an address, its label, the SQL of its values in words, and of its code for a filter.

    `joins` are the names of the joins it needs, `order` sorts the values. `grain` is that of an axis of time.
    """

    name: str
    label: str
    value: str
    code: str
    joins: Sequence[str] = ()
    order: str = ""
    grain: str | None = None

    @property
    def dimension(self) -> str:
        """Axes of time exclude each other; of others, each is a dimension."""
        return "temps" if self.grain else self.name


@dataclass(frozen=True)
class CubeMeasure:
    """A measure, with the SQL that counts it."""

    sql: str
    measure: Measure


@dataclass(frozen=True, eq=False)
class Cube:
    """Something that is counted: a fact, its axes and measures, and the table whose grants open what is counted.

    `own` are the columns of that table that tell the own rows, with their SQL; they are always counted apart. `always`
    are joins that every count has. `purpose` is that of the grants that are asked for; None: any.
    """

    slug: str
    short: str
    fact: Table
    guard: Table
    axes: Sequence[CubeAxis]
    measures: Sequence[CubeMeasure]
    joins: Mapping[str, tuple[Table, str]]
    definition: Sequence[str]
    own: Mapping[str, str] = field(default_factory=dict)
    site: str | None = None
    always: Sequence[str] = ()
    purpose: Purpose | None = None


def _count(key: str, label: str, unit: str, sql: str, column: str, decimals: int = 0) -> CubeMeasure:
    whole = Count(column, unit) if not decimals else None
    return CubeMeasure(sql, Measure(key, label, unit, column, None, None, COUNTED, whole, None, "{value}", decimals))


def _band(code: str) -> str:
    return f"try_cast(regexp_extract(min({code}), '[0-9]+') AS INT)"


def _sex(code: str) -> str:
    return f"CASE {code} WHEN 'F' THEN 'Femmes' WHEN 'M' THEN 'Hommes' ELSE 'Sexe inconnu' END"


DAYS: Final = "['lundi', 'mardi', 'mercredi', 'jeudi', 'vendredi', 'samedi', 'dimanche']"
TIME: Final = tuple(
    CubeAxis(name, label, f"CAST(date_trunc('{grain}', f.date) AS DATE)", "", grain=grain)
    for name, label, grain in (
        ("annee", "Année", "year"),
        ("trimestre", "Trimestre", "quarter"),
        ("mois", "Mois", "month"),
    )
)
WEEKDAY: Final = CubeAxis(
    "jour",
    "Jour de semaine",
    f"list_extract({DAYS}, CAST(isodow(f.date) AS INT))",
    "CAST(isodow(f.date) AS VARCHAR)",
    order="min(isodow(f.date))",
)
# The slots that are delivered, by the hours in which one begins.
SLOT_LABELS: Final = {
    "06-13": "matin (de 8 h à 12 h)",
    "13-20": "après-midi (de 13 h à 18 h)",
    "20-06": "soir et nuit (de 20 h à 23 h ou à 2 h)",
    UNKNOWN: "sans heure",
}
SLOT_CODE: Final = (
    f"CASE WHEN f.start_minute IS NULL THEN '{UNKNOWN}' "
    "WHEN f.is_night_slot OR f.start_minute >= 1200 OR f.start_minute < 360 THEN '20-06' "
    "WHEN f.start_minute < 780 THEN '06-13' ELSE '13-20' END"
)
SLOT: Final = CubeAxis(
    "creneau",
    "Créneau",
    f"CASE {SLOT_CODE} {' '.join(f'WHEN {code!r} THEN {label!r}' for code, label in SLOT_LABELS.items())} END",
    SLOT_CODE,
    order=f"min({SLOT_CODE})",
)
DIAGNOSES: Final = (
    CubeAxis(
        "chapitre", "Chapitre", "concat(d.chapter_code, ' – ', d.chapter_label)", "d.chapter_code", ("diagnosis",)
    ),
    CubeAxis(
        "categorie", "Catégorie", "concat(d.category_code, ' – ', d.category_label)", "d.category_code", ("diagnosis",)
    ),
    CubeAxis(
        "diagnostic",
        "Diagnostic",
        "concat(d.diagnosis_key, ' – ', d.diagnosis_label)",
        "d.diagnosis_key",
        ("diagnosis",),
    ),
)
AGE: Final = CubeAxis(
    "age",
    "Tranche d’âge",
    f"CASE f.age_band WHEN '{UNKNOWN_BAND}' THEN 'âge inconnu' ELSE f.age_band END",
    "f.age_band",
    order=_band("f.age_band"),
)
PLACES: Final = (
    CubeAxis("region", "Région", "e.region_label", "e.region_key", ("establishment",)),
    CubeAxis(
        "departement",
        "Département",
        "concat(e.department_code, ' – ', e.department_label)",
        "e.department_code",
        ("establishment",),
    ),
    CubeAxis(
        "etablissement",
        "Établissement",
        "concat(e.establishment_label, ' (', e.establishment_key, ')')",
        "e.establishment_key",
        ("establishment",),
    ),
)
DIAGNOSIS_JOIN: Final = (dim_diagnosis, "JOIN {0} d ON d.diagnosis_key = f.diagnosis_key")
PATIENTS: Final = _count(
    "patients",
    "Patients distincts",
    "patients",
    f"count(DISTINCT f.patient_key) FILTER (WHERE f.patient_key <> '{UNKNOWN}')",
    "patients",
)
CONSULTATIONS: Final = _count("consultations", "Consultations", "consultations", "count(*)", "events")
BETWEEN: Final = (
    "Les événements sont comptés entre les deux dates choisies, toutes deux comprises. Un patient compte une fois "
    "dans chaque ligne : les patients de plusieurs lignes ne s’additionnent pas."
)
ATTACHED: Final = (
    "Une consultation est rattachée aux établissements de son professionnel ; elle peut donc compter dans plusieurs. "
    "Les consultations réparties comptent 1/n dans chacun des n établissements."
)

CUBES: Final[Sequence[Cube]] = (
    Cube(
        slug="etablissement-consultations",
        short="Consultations d’un établissement, entre deux dates",
        fact=fact_consultation,
        guard=kpi_consultation_rate_by_establishment.exact,
        axes=(*TIME, WEEKDAY, SLOT),
        measures=(
            CONSULTATIONS,
            _count(
                "parts",
                "Consultations réparties",
                "consultations",
                "CAST(sum(w.weight) AS DOUBLE)",
                "shares",
                decimals=1,
            ),
            PATIENTS,
        ),
        joins={
            "bridge": (
                bridge_professional_establishment,
                "JOIN {0} w ON w.professional_key = f.professional_key",
            ),
            "establishment": (dim_establishment, "JOIN {0} e ON e.establishment_key = w.establishment_key"),
        },
        always=("bridge", "establishment"),
        own={"code": "e.establishment_key", "label": "e.establishment_label"},
        site="e.establishment_key",
        definition=(
            BETWEEN,
            ATTACHED,
        ),
    ),
    Cube(
        slug="mes-consultations",
        short="Mes consultations, entre deux dates",
        fact=fact_consultation,
        guard=kpi_consultation_rate_by_professional.exact,
        axes=(*TIME, WEEKDAY, SLOT),
        measures=(CONSULTATIONS, PATIENTS),
        joins={},
        own={"professional_key": "f.professional_key"},
        # For this purpose nobody has a grant that opens the rows of others.
        purpose=Purpose.CARE_QUALITY,
        definition=(BETWEEN, "Seules les consultations du professionnel auquel le compte est rattaché sont comptées."),
    ),
    Cube(
        slug="consultations",
        short="Toutes les consultations, entre deux dates",
        fact=fact_consultation,
        guard=fact_consultation,
        axes=(
            *TIME,
            WEEKDAY,
            SLOT,
            *DIAGNOSES,
            CubeAxis("metier", "Profession", "p.profession_label", "p.profession_label", ("professional",)),
            CubeAxis("specialite", "Spécialité", "p.speciality_label", "p.speciality_key", ("professional",)),
            AGE,
            CubeAxis("sexe", "Sexe", _sex("s.sex"), "s.sex", ("patient",)),
        ),
        measures=(CONSULTATIONS, PATIENTS),
        joins={
            "diagnosis": DIAGNOSIS_JOIN,
            "professional": (dim_professional, "JOIN {0} p ON p.professional_key = f.professional_key"),
            "patient": (dim_patient, "JOIN {0} s ON s.patient_key = f.patient_key"),
        },
        definition=(BETWEEN,),
    ),
    Cube(
        slug="sejours",
        short="Tous les séjours, entre deux dates",
        fact=fact_hospitalisation,
        guard=fact_hospitalisation,
        axes=(*TIME, WEEKDAY, *DIAGNOSES, *PLACES, AGE, CubeAxis("sexe", "Sexe", _sex("f.sex"), "f.sex")),
        measures=(
            _count("sejours", "Séjours", "séjours", "count(*)", "events"),
            PATIENTS,
            _count("journees", "Journées", "jours", "sum(f.days)", "days"),
            _count("duree", "Durée moyenne de séjour", "jours", "avg(f.days)", "mean_days", decimals=1),
        ),
        joins={
            "diagnosis": DIAGNOSIS_JOIN,
            "establishment": (dim_establishment, "JOIN {0} e ON e.establishment_key = f.establishment_key"),
        },
        definition=(BETWEEN, "Un séjour compte au jour de son entrée."),
    ),
)


@dataclass(frozen=True)
class CubeQuery:
    """A query over a cube: its SQL, with a placeholder for each table by its name, and the values of its parameters."""

    sql: str
    tables: Sequence[Table]
    values: Mapping[str, object]


def query_of(
    cube: Cube,
    axes: Sequence[CubeAxis],
    measures: Sequence[CubeMeasure],
    filters: Mapping[str, str],
    dates: Mapping[str, object],
    sites: Sequence[str] | None,
) -> CubeQuery:
    """The query of a table: `filters` are codes by the name of an axis, `dates` the values of first and last, if given.

    `sites` are the keys of the establishments that are counted, of a cube that counts them; None: all.
    """
    by_name = {axis.name: axis for axis in cube.axes}
    used = [*axes, *(by_name[name] for name in filters)]
    joins = list(dict.fromkeys([*cube.always, *(join for axis in used for join in axis.joins)]))
    where, values = [], dict[str, object]()
    for name, condition in (("first", "f.date >= $first"), ("last", "f.date <= $last")):
        if name in dates:
            where.append(condition)
            values[name] = dates[name]
    for number, (name, value) in enumerate(filters.items()):
        where.append(f"{by_name[name].code} = $filter{number}")
        values[f"filter{number}"] = value
    if sites is not None and cube.site:
        where.append(f"list_contains($sites, {cube.site})")
        values["sites"] = list(sites)
    named = {**cube.own, **{f'"{axis.name}"': axis.value for axis in axes}}
    listed = [f"{sql} AS {name}" for name, sql in named.items()]
    listed += [f"{one.sql} AS {one.measure.value}" for one in measures]
    # By place: a name may also be that of a column.
    grouped = ", ".join(str(number) for number in range(1, len(named) + 1)) or "()"
    order = ", ".join(axis.order or str(number) for number, axis in enumerate(axes, len(cube.own) + 1))
    lines = [
        f"SELECT {', '.join(listed)}",
        f"FROM {{{cube.fact.name}}} f",
        *(cube.joins[join][1].format(f"{{{cube.joins[join][0].name}}}") for join in joins),
        *([f"WHERE {' AND '.join(where)}"] if where else []),
        f"GROUP BY {grouped}",
        *([f"ORDER BY {order}"] if order else []),
    ]
    return CubeQuery("\n".join(lines), [cube.fact, *(cube.joins[join][0] for join in joins)], values)
