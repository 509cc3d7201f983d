"""Shared parts of the questions on the use of care: measures, definitions, levels and labels, in French."""

from collections.abc import Mapping, Sequence
from typing import Final

from chu_platform import french
from chu_platform.tables.indicator_questions import Count, LevelTexts, Measure, Parameter
from chu_platform.tables.spark_sql import AGE_BANDS, ALL, UNKNOWN_BAND

SEXES: Final = {code: french.sex(code) for code in (ALL, "F", "M")}
AGES: Final = {band: french.age_band(band) for band in (ALL, *AGE_BANDS, UNKNOWN_BAND)}
PLACE_LEVELS: Final[Mapping[str, LevelTexts]] = {
    "total": LevelTexts("Ensemble", per=100),
    "unattached": LevelTexts("Sans établissement", ", sans établissement auquel rattacher la consultation", per=100),
    "region": LevelTexts("Région", " dans la région", "régions", per=100),
    "department": LevelTexts("Département", " dans le département", "départements", per=100),
    "establishment": LevelTexts(
        "Établissement", " dans l’établissement", "établissements", searched=True, per=100_000, first="nombre"
    ),
}
DIAGNOSIS_LEVELS: Final[Mapping[str, LevelTexts]] = {
    "chapter": LevelTexts("Chapitre", " pour un diagnostic de ce chapitre", "chapitres"),
    "category": LevelTexts("Catégorie", " pour un diagnostic de cette catégorie", searched=True),
    "leaf": LevelTexts("Diagnostic", " pour ce diagnostic", searched=True),
}
SEX: Final = Parameter("sexe", "Sexe", ("sex",), "all", SEXES, options={"sex": "sex = $value"})
AGE: Final = Parameter("age", "Âge", ("age_band",), "all", AGES, options={"age-band": "age_band = $value"})
DIAGNOSIS: Final = Parameter(
    "x",
    "Diagnostic",
    ("level", "code"),
    "",
    options={"diagnosis": "code = $value"},
    overview="level = 'chapter'",
)
WILSON: Final = "intervalle de confiance à 95 % (Wilson)"
POISSON: Final = "intervalle de confiance à 95 % (Poisson exact)"


def use_measures(
    events: str, participle: str, shares: str | None = None, whole: Count | None = None
) -> Sequence[Measure]:
    """Rate and intensity of use. `participle` completes "les patients ont ... au moins une fois" ("consulté").

    If an event is shared between places, `shares` is the label of the sum of the shares, and `whole` the count of whole
    events, which is displayed beside both figures.
    """
    also = [whole] if whole else []
    return (
        Measure(
            "taux",
            "Taux de recours",
            "‰",
            "rate_per_1000",
            "rate_low",
            "rate_high",
            WILSON,
            Count("patients", "patients distincts"),
            Count("base_patients", "patients de la base"),
            f"{{value}} {{whose}} ont {participle} au moins une fois{{where}}",
            also=also,
        ),
        Measure(
            "intensite",
            "Intensité",
            f"{events} pour 1 000 patients-années",
            "intensity",
            "intensity_low",
            "intensity_high",
            "intervalle de confiance à 95 % (Poisson, approché)",
            Count("events", shares or events),
            Count("patient_years", "patients-années d’observation"),
            "on compte {value}{where}",
            also=also,
        ),
    )


STAY_MEASURES: Final = (
    *use_measures("séjours", "été hospitalisés"),
    Measure(
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
    ),
)
SAMPLE_CAUTION: Final = (
    "Les patients sont un échantillon de ceux du groupe : ces taux ne se comparent pas aux taux nationaux. "
    "Les données n’indiquent pas quels patients sont décédés ou partis : la base ne diminue donc pas."
)
USE_DEFINITION: Final = (
    "Taux de recours : patients distincts ayant eu au moins un événement dans la période, divisés par les patients de la "
    "base nés avant la fin de la période, en ‰ ; intervalle de Wilson à 95 %.",
    "Intensité : événements pour 1 000 patients-années, le temps d’observation de la base étant limité à ce que les données "
    "couvrent ; intervalle de Poisson à 95 %, exact pour des événements indépendants : il est trop étroit dès qu’un même "
    "patient revient.",
    "Les patients distincts d’une année ne sont pas la somme de ceux des mois : chaque période est comptée séparément.",
)
# SQL condition of a summary: the latest complete year of a table by period.
LATEST_WHOLE_YEAR: Final = (
    "period_grain = 'year' AND period_start = "
    "(SELECT max(period_start) FROM {this} WHERE period_grain = 'year' AND NOT is_partial)"
)
