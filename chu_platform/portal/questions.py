"""The eight questions: what is asked, of which table, by which X, and how it is measured.

Here: declarations, in French. Not here: figures (cells), sentences (sentences), pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform import french
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.published.kpi_consultation_rate_by_diagnosis import kpi_consultation_rate_by_diagnosis
from chu_platform.published.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.published.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.published.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.published.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.published.kpi_hospitalisation_rate_by_diagnosis import kpi_hospitalisation_rate_by_diagnosis
from chu_platform.published.kpi_hospitalisation_rate_by_sex_and_age import kpi_hospitalisation_rate_by_sex_and_age
from chu_platform.published.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.tables.spark_sql import AGE_BANDS, ALL, UNKNOWN_BAND
from chu_platform.tables.table import Table

SEXES: Final = {code: french.sex(code) for code in (ALL, "F", "M")}
AGES: Final = {band: french.age_band(band) for band in (ALL, *AGE_BANDS, UNKNOWN_BAND)}
SURVEYS: Final = {
    "48h_mco": "Hospitalisation de plus de 48 h",
    "ca_mco": "Chirurgie ambulatoire",
}
# How a sentence goes on after what was done.
WHERE: Final = {
    "unattached": ", sans établissement auquel rattacher la consultation",
    "region": " dans la région",
    "department": " dans le département",
    "establishment": " dans l’établissement",
    "chapter": " pour un diagnostic de ce chapitre",
    "category": " pour un diagnostic de cette catégorie",
    "leaf": " pour ce diagnostic",
}
LEVELS: Final = {
    "total": "Ensemble",
    "unattached": "Sans établissement",
    "region": "Région",
    "department": "Département",
    "establishment": "Établissement",
    "chapter": "Chapitre",
    "category": "Catégorie",
    "leaf": "Diagnostic",
}
# Levels of the coverage that are none of X.
BROKEN_DOWN: Final = {
    "speciality": "Spécialité",
    "all/all": "Ensemble",
    "sex/all": "Sexe",
    "all/age": "Âge",
    "sex/age": "Sexe et âge",
}


@dataclass(frozen=True)
class Count:
    """A number that a figure is made of: its column, and what it counts."""

    column: str
    words: str


@dataclass(frozen=True)
class Measure:
    """A figure of a table: its column, its limits, and what it is made of.

    `interval` says what the limits are; without limits, why there are none. `sentence` goes on after "En 2019, " and
    takes the {value} with its unit, {whose} patients it is a part of, and {where} for X. `decimals` are those shown.
    `limits` are what the interval is in short, for legends; `bounds` are the least and the greatest value there can be,
    where pages end an interval. `alone`: why a single figure has no limits where others have.
    """

    key: str
    label: str
    unit: str
    value: str
    low: str | None
    high: str | None
    interval: str
    numerator: Count | None
    denominator: Count | None
    sentence: str
    decimals: int = 1
    limits: str = "intervalle de confiance à 95 %"
    bounds: tuple[float, float] | None = None
    alone: str = ""

    @property
    def ranked(self) -> bool:
        """Whether its limits say how sure a figure is, and so allow ranks."""
        return self.low is not None and "confiance" in self.limits


@dataclass(frozen=True)
class Parameter:
    """One part of X as a parameter of the address; its value is that of its columns, joined by the separator."""

    name: str
    label: str
    columns: Sequence[str]
    default: str
    words: Mapping[str, str] | None = None
    separator: str = ":"


@dataclass(frozen=True)
class Question:
    """One of the eight: the page's address, the question as it is asked, its table and its figures.

    `yearly` tables have a column `year` instead of periods. `search` names what X can be searched in. `definition`
    are paragraphs; `fact` is what the table counts the events of; `caution` is what must not be concluded. `compared_by` is the measure of comparisons, where it is
    not the one chosen. `follows_size`: a place's figure grows with the place, and its map compares it with nothing.
    """

    number: int
    slug: str
    title: str
    short: str
    table: Table
    fact: Table
    parameters: Sequence[Parameter]
    measures: Sequence[Measure]
    definition: Sequence[str]
    caution: str
    yearly: bool = False
    search: str | None = None
    has_map: bool = False
    compared_by: str | None = None
    follows_size: bool = False

    @property
    def columns(self) -> Sequence[str]:
        """The columns that make up X."""
        return [column for parameter in self.parameters for column in parameter.columns]

    def measure(self, key: str | None) -> Measure | None:
        """The measure of that key, the first one without a key, None for a key that is none."""
        if key is None:
            return self.measures[0]
        return next((m for m in self.measures if m.key == key), None)


PATIENTS: Final = Count("patients", "patients distincts")
BASE: Final = Count("base_patients", "patients de la base")
TIME: Final = Count("patient_years", "patients-années d’observation")
WILSON: Final = "intervalle de confiance à 95 % (Wilson)"
POISSON: Final = "intervalle de confiance à 95 % (Poisson exact)"


def _use(events: str, done: str) -> Sequence[Measure]:
    """The figures of use: rate and intensity; `done` is what patients with an event have done."""
    return (
        Measure(
            "taux",
            "Taux de recours",
            "‰",
            "rate_per_1000",
            "rate_low",
            "rate_high",
            WILSON,
            PATIENTS,
            BASE,
            f"{{value}} {{whose}} ont {done} au moins une fois{{where}}",
        ),
        Measure(
            "intensite",
            "Intensité",
            f"{events} pour 1 000 patients-années",
            "intensity",
            "intensity_low",
            "intensity_high",
            "intervalle de confiance à 95 % (Poisson, approché)",
            Count("events", events),
            TIME,
            "on compte {value}{where}",
        ),
    )


STAY_LENGTH: Final = Measure(
    "duree",
    "Durée moyenne de séjour",
    "jours",
    "mean_length_of_stay",
    None,
    None,
    "aucun intervalle n’est publié pour une durée moyenne",
    Count("days", "journées"),
    Count("events", "séjours"),
    "un séjour dure en moyenne {value}{where}",
)
SAMPLE_CAUTION: Final = (
    "Les patients sont un échantillon de ceux du groupe : ces taux ne se comparent pas aux taux nationaux. "
    "Rien ne dit quels patients sont décédés ou partis : la base ne diminue pas."
)
USE_DEFINITION: Final = (
    "Taux de recours : patients distincts ayant eu au moins un événement dans la période, divisés par les patients de la "
    "base nés avant la fin de la période, en ‰ ; intervalle de Wilson à 95 %.",
    "Intensité : événements pour 1 000 patients-années, le temps d’observation de la base étant limité à ce que les données "
    "couvrent ; intervalle de Poisson à 95 %, exact pour des événements indépendants : il est trop étroit dès qu’un même "
    "patient revient.",
    "Les patients distincts d’une année ne sont pas la somme de ceux des mois : chaque période est comptée pour elle-même.",
)
SEX: Final = Parameter("sexe", "Sexe", ("sex",), "all", SEXES)
AGE: Final = Parameter("age", "Âge", ("age_band",), "all", AGES)

QUESTIONS: Final[Sequence[Question]] = (
    Question(
        1,
        "consultations-etablissement",
        "Quel recours aux consultations dans chaque établissement ?",
        "Consultations par établissement",
        kpi_consultation_rate_by_establishment,
        fact_consultation,
        (Parameter("x", "Lieu", ("level", "code"), "total:total"),),
        _use("consultations", "consulté"),
        (
            *USE_DEFINITION,
            "Une consultation est rattachée par les structures de son professionnel : s’il en a n, chacune en reçoit 1/n. "
            "Les consultations rattachées et celles qui ne le sont pas font exactement le total. Un nombre ainsi partagé n’est "
            "pas entier : l’intervalle de Poisson n’y est qu’approché.",
        ),
        f"{SAMPLE_CAUTION} Le taux d’un lieu se rapporte à toute la base, non aux habitants du lieu : il dit quelle part des patients y "
        "a consulté, et suit d’abord la taille du lieu.",
        search="etablissements",
        has_map=True,
        follows_size=True,
    ),
    Question(
        2,
        "consultations-diagnostic",
        "Quel recours aux consultations pour chaque diagnostic ?",
        "Consultations par diagnostic",
        kpi_consultation_rate_by_diagnosis,
        fact_consultation,
        (Parameter("x", "Diagnostic", ("level", "code"), ""),),
        _use("consultations", "consulté"),
        (
            *USE_DEFINITION,
            "Diagnostics selon la CIM-10 : chapitre, catégorie à trois caractères, diagnostic. Un code absent de la liste "
            "officielle remonte au niveau supérieur et y est compté : aucun n’est perdu.",
        ),
        SAMPLE_CAUTION,
        search="diagnostics",
    ),
    Question(
        3,
        "hospitalisations",
        "Quel recours à l’hospitalisation dans la période ?",
        "Hospitalisations",
        kpi_hospitalisation_rate,
        fact_hospitalisation,
        (),
        (*_use("séjours", "été hospitalisés"), STAY_LENGTH),
        (*USE_DEFINITION, "Durée moyenne de séjour : journées divisées par séjours."),
        SAMPLE_CAUTION,
    ),
    Question(
        4,
        "hospitalisations-diagnostic",
        "Quel recours à l’hospitalisation pour chaque diagnostic ?",
        "Hospitalisations par diagnostic",
        kpi_hospitalisation_rate_by_diagnosis,
        fact_hospitalisation,
        (Parameter("x", "Diagnostic", ("level", "code"), ""),),
        (*_use("séjours", "été hospitalisés"), STAY_LENGTH),
        (
            *USE_DEFINITION,
            "Diagnostics selon la CIM-10 : chapitre et catégorie à trois caractères. Par diagnostic précis, presque chaque "
            "figure porterait sur 1 à 10 séjours : ce niveau n’est pas publié.",
        ),
        SAMPLE_CAUTION,
        search="diagnostics",
    ),
    Question(
        5,
        "hospitalisations-sexe-age",
        "Quel recours à l’hospitalisation selon le sexe et l’âge ?",
        "Hospitalisations par sexe et âge",
        kpi_hospitalisation_rate_by_sex_and_age,
        fact_hospitalisation,
        (SEX, AGE),
        (*_use("séjours", "été hospitalisés"), STAY_LENGTH),
        (
            *USE_DEFINITION,
            "Chaque sexe et chaque tranche d’âge ont leur propre base. Par tranche d’âge, la base compte les patients qui ont "
            "cet âge au moins un jour de la période, et les patients-années le temps exact vécu dans la tranche.",
            "Le taux standardisé sur l’âge n’est pas publié : avec les taux par tranche, il permettrait de retrouver des "
            "chiffres masqués.",
        ),
        SAMPLE_CAUTION,
    ),
    Question(
        6,
        "consultations-professionnel",
        "Combien de consultations par professionnel ?",
        "Consultations par professionnel",
        kpi_consultation_rate_by_professional,
        fact_consultation,
        (Parameter("x", "Profession et spécialité", ("profession", "speciality"), "", separator="|"),),
        (
            Measure(
                "mediane",
                "Médiane par mois travaillé",
                "par mois travaillé",
                "median",
                "p20",
                "p80",
                "de P20 à P80 : un professionnel sur cinq est en dessous, un sur cinq au-dessus",
                Count("professionals", "professionnels"),
                None,
                "le nombre médian de consultations d’un professionnel est de {value}{where}",
                2,
                "de P20 à P80",
            ),
            Measure(
                "moyenne",
                "Moyenne par mois travaillé",
                "par mois travaillé",
                "events_per_worked_month",
                "funnel_low",
                "funnel_high",
                "limites à 95 % de l’entonnoir pour un professionnel d’activité médiane",
                Count("events", "consultations"),
                Count("worked_months", "mois travaillés"),
                "le nombre moyen de consultations d’un professionnel est de {value}{where}",
                2,
                "limites de l’entonnoir",
            ),
        ),
        (
            "Un mois travaillé est un mois avec au moins une consultation. La médiane, P20 et P80 sont ceux des professionnels "
            "de la profession et de la spécialité.",
            "Aucun professionnel n’est publié seul : il en faut plus de dix par profession et spécialité.",
        ),
        "Rien ici ne juge un professionnel : ni la durée, ni la difficulté des consultations ne sont connues.",
    ),
    Question(
        7,
        "deces-region",
        "Combien de décès dans chaque région ?",
        "Décès par région",
        kpi_deaths_by_region,
        fact_death,
        (Parameter("region", "Région du décès", ("region_code",), ""), SEX, AGE),
        (
            Measure(
                "taux",
                "Taux brut de mortalité",
                "‰",
                "rate_per_1000",
                "rate_low",
                "rate_high",
                POISSON,
                Count("deaths", "décès"),
                Count("population", "habitants"),
                "le taux brut de mortalité est de {value}{where}",
                2,
            ),
            Measure(
                "deces",
                "Nombre de décès",
                "décès",
                "deaths",
                None,
                None,
                "un nombre de décès est compté, non estimé : il n’a pas d’intervalle",
                Count("deaths", "décès"),
                None,
                "on compte {value}{where}",
                0,
            ),
        ),
        (
            "Décès dont la date de décès est dans l’année, selon la région du lieu de décès : 18 régions, et une ligne « étranger, "
            "collectivités d’outre-mer ou inconnu ». Les doublons exacts comptent une fois.",
            "Taux brut : décès pour 1 000 habitants, avec la population de 2019, seule année dont la population est connue ici ; "
            "intervalle de Poisson exact à 95 %.",
        ),
        "Un taux brut dépend de l’âge de la population : une région plus âgée a plus de décès, sans être moins bien soignée. "
        "Le lieu est celui du décès, pas du domicile.",
        yearly=True,
        has_map=True,
    ),
    Question(
        8,
        "satisfaction-region",
        "Quelle satisfaction des patients dans chaque région ?",
        "Satisfaction par région",
        kpi_satisfaction_by_region,
        fact_satisfaction,
        (
            Parameter("region", "Région", ("region_code",), "all"),
            Parameter("enquete", "Enquête", ("survey",), "48h_mco", SURVEYS),
        ),
        (
            Measure(
                "score",
                "Score moyen pondéré",
                "sur 100",
                "score_weighted",
                None,
                None,
                "aucun intervalle n’est publié pour le score pondéré ; la moyenne simple des sites en a un",
                Count("answers", "réponses"),
                None,
                "le score moyen de satisfaction est de {value}{where}",
            ),
            Measure(
                "moyenne",
                "Moyenne simple des sites",
                "sur 100",
                "score_mean",
                "score_low",
                "score_high",
                "intervalle de confiance à 95 % de la moyenne des sites (Student)",
                Count("sites_scored", "sites avec score"),
                Count("sites", "sites"),
                "la moyenne simple des scores des sites est de {value}{where}",
                bounds=(0, 100),
                alone="un seul site",
            ),
            Measure(
                "recommandation",
                "Taux de recommandation",
                "%",
                "recommendation_rate",
                None,
                None,
                "aucun intervalle n’est publié pour la recommandation",
                Count("recommendation_answers", "réponses"),
                None,
                "{value} des réponses recommandent l’établissement{where}",
            ),
        ),
        (
            "Score e-Satis de chaque site, de 0 à 100 ; la moyenne d’une région est pondérée par le nombre de réponses de chaque "
            "site. La moyenne simple donne le même poids à chaque site, et porte l’intervalle (Student), "
            "que les pages arrêtent à 0 et à 100 ; les fichiers ont les limites calculées.",
            "L’océan Indien est partagé entre La Réunion et Mayotte. Les deux enquêtes ne sont jamais mêlées.",
        ),
        "Les patients qui répondent ne sont pas tous les patients ; les sites sans score ne sont pas de mauvais sites.",
        yearly=True,
        has_map=True,
        compared_by="moyenne",
    ),
)
BY_SLUG: Final = {q.slug: q for q in QUESTIONS}
