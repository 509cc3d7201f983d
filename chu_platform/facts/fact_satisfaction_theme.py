"""Scores of the e-Satis surveys by site and theme: nurses, doctors, reception, room, meals, discharge, ..."""

from collections.abc import Mapping
from typing import Final

from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.tables.checks import between, holds, last_event, one_of
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

# The themes of each survey: of each its code, and the part of the delivered column names that says it. The themes of
# the two surveys are made of other questions: none has the code of one of the other.
INPATIENT_THEMES: Final = {
    "reception": "accueil_rea",
    "nurses": "PECinf_rea",
    "doctors": "PECmed_rea",
    "room": "chambre_rea",
    "meals": "repas_rea",
    "discharge": "sortie_rea",
}
AMBULATORY_THEMES: Final = {
    "before_surgery": "AVH",
    "surgery_reception": "ACC",
    "surgery_care": "PEC",
    "surgery_room_and_meals": "CER",
    "surgery_discharge": "OVS",
}


def _themes(survey: str, source: str, themes: Mapping[str, str]) -> str:
    listed = ", ".join(f"'{t}', score_{c}_ajust, nb_rep_score_{c}_ajust" for t, c in themes.items())
    return f"""
            SELECT campaign_year, '{survey}' AS survey, finess_geo,
                   stack({len(themes)}, {listed}) AS (theme, score, answers)
            FROM {{{source}}}"""


fact_satisfaction_theme = Table(
    name="fact_satisfaction_theme",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un thème d’un site dans une campagne d’une enquête",
    label="Satisfaction des patients, par thème",
    owner="team:facts",
    access=REFERENCES,
    public_source="HAS",
    columns=[
        Column("campaign_year", STRING, "année de la campagne", "Année de campagne", key=True),
        Column("survey", STRING, "48h_mco (séjours de plus de 48 heures) ou ca_mco (chirurgie ambulatoire)", "Enquête", key=True),
        Column("site_finess", STRING, "numéro FINESS du site", "FINESS géographique", key=True),
        Column("theme", STRING, "thème du score ; un thème est d’une seule enquête", "Thème", key=True),
        Column("establishment_key", STRING, "établissement du registre", "Établissement", nullable=False),
        Column("region_key", STRING, "région du site", "Code région", nullable=False),
        Column("score", DOUBLE, "score ajusté du thème, de 0 à 100 ; vide s’il n’y en a pas", "Score du thème"),
        Column("answers", INTEGER, "nombre de réponses dont le score du thème est tiré", "Réponses"),
    ],
    reads={"inpatient": esatis48h_mco, "ambulatory": esatisca_mco, "site": fact_satisfaction},
    rows=Query(
        f"""
        WITH answer AS ({_themes("48h_mco", "inpatient", INPATIENT_THEMES)}
            UNION ALL{_themes("ca_mco", "ambulatory", AMBULATORY_THEMES)}
        )
        SELECT a.campaign_year, a.survey, a.finess_geo AS site_finess, a.theme, s.establishment_key, s.region_key,
               a.score, a.answers
        FROM answer a
        JOIN {{site}} s ON s.campaign_year = a.campaign_year AND s.survey = a.survey AND s.site_finess = a.finess_geo
        """
    ),
    checks=[
        one_of("theme", [*INPATIENT_THEMES, *AMBULATORY_THEMES]),
        between("score", 0, 100),
        holds("answers_not_negative", "answers >= 0", "le nombre de réponses n’est pas négatif"),
        last_event("campaign_year", 3 * 366, "make_date(CAST(campaign_year AS INT), 12, 31)"),
    ],
    layout=Layout(z_order_by=["region_key"]),
    partition_scheme=CAMPAIGNS,
    derives_from=["inpatient", "ambulatory"],
)  # fmt: skip
