"""The delivered rows of each published indicator, by the name of its table."""

from collections.abc import Mapping
from typing import Final

from chu_platform.recomputation.completed_figures import (
    with_death_rates,
    with_rates,
    with_score_limits,
    with_stay_rates,
)
from chu_platform.recomputation.counted_rows import (
    CONSULTATIONS,
    PERIOD,
    PERIOD_LEVEL,
    STAYS,
    base_of,
    events_by_diagnosis,
    use_counts,
)
from chu_platform.recomputation.death_inputs import COUNTED_DEATH_KEYS, DEATH_KEYS
from chu_platform.recomputation.delivered_rows import UNKNOWN, DeliveredRows, Family, SourceRows
from chu_platform.recomputation.survey_inputs import SITE_KEY
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.sources.etablissement_sante import etablissement_sante
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante

# --- kpi_consultation_rate_by_establishment ---------------------------------------------------------------------------

kpi_consultation_rate_by_establishment: Final = DeliveredRows(
    Family.PLACES,
    rows=f"""
        SELECT {PERIOD}, level, level AS code, id AS row, patient, is_known, 1.0::DOUBLE AS share, professional,
            NULL AS organisation
        FROM consultation_in, LATERAL (SELECT unnest(if(professional IN (SELECT professional FROM attachment),
            ['total'], ['total', 'unattached'])) AS level)
        UNION ALL
        SELECT {PERIOD}, level, place.code, c.id, patient, is_known, share, professional, organisation
        FROM consultation_in c JOIN attachment USING (professional) JOIN organisation o ON o.id = organisation,
            LATERAL (SELECT unnest(['establishment', 'department', 'region']) AS level,
                unnest([organisation, o.department, o.region]) AS code) place
        """,
    counts=use_counts(PERIOD_LEVEL, base="consultation_period"),
    sources=[
        CONSULTATIONS,
        SourceRows(
            activite_professionnel_sante,
            "attribution",
            "concat_ws('|', identifiant, identifiant_organisation)",
            "SELECT concat_ws('|', professional, organisation) FROM attachment SEMI JOIN "
            "(FROM numerator WHERE organisation IS NOT NULL) USING (professional)",
        ),
        SourceRows(
            etablissement_sante,
            "attribution",
            "identifiant_organisation",
            "SELECT DISTINCT organisation FROM numerator WHERE organisation IS NOT NULL",
        ),
        base_of("consultation"),
    ],
    complete=with_rates,
)

# --- kpi_consultation_rate_by_diagnosis -------------------------------------------------------------------------------

kpi_consultation_rate_by_diagnosis: Final = DeliveredRows(
    Family.CARE,
    rows=events_by_diagnosis("consultation"),
    counts=use_counts(PERIOD_LEVEL, base="consultation_period"),
    sources=[CONSULTATIONS, base_of("consultation")],
    complete=with_rates,
)

# --- kpi_hospitalisation_rate -----------------------------------------------------------------------------------------

kpi_hospitalisation_rate: Final = DeliveredRows(
    Family.CARE,
    rows=f"SELECT {PERIOD}, id AS row, patient, is_known, 1.0::DOUBLE AS share, days FROM stay_in",
    counts=use_counts(PERIOD, base="stay_period", days=True),
    sources=[STAYS, base_of("stay")],
    complete=with_stay_rates,
)

# --- kpi_hospitalisation_rate_by_diagnosis ----------------------------------------------------------------------------

kpi_hospitalisation_rate_by_diagnosis: Final = DeliveredRows(
    Family.CARE,
    rows=events_by_diagnosis("stay"),
    counts=use_counts(PERIOD_LEVEL, base="stay_period", days=True),
    sources=[STAYS, base_of("stay")],
    complete=with_stay_rates,
)

# --- kpi_hospitalisation_rate_by_sex_and_age --------------------------------------------------------------------------

SEX_AND_AGE: Final = "period_grain, period_start, sex, age_band"

kpi_hospitalisation_rate_by_sex_and_age: Final = DeliveredRows(
    Family.CARE,
    # A patient that the care database does not have counts at all sexes only.
    rows=f"""
        SELECT {PERIOD}, s.sex, a.age_band, stay.id AS row, patient, is_known, 1.0::DOUBLE AS share, days
        FROM stay_in stay LEFT JOIN patient p ON p.id = patient,
            LATERAL (SELECT unnest(['all', p.sex]) AS sex) s,
            LATERAL (SELECT unnest(['all', band_of_age(completed_years(p.birth, date))]) AS age_band) a
        WHERE s.sex IS NOT NULL
        """,
    counts=use_counts(SEX_AND_AGE, base="stay_base_by_age", base_keys=SEX_AND_AGE, days=True),
    sources=[
        STAYS,
        base_of(
            "stay",
            """
            c.sex IN ('all', p.sex) AND CASE c.age_band
                WHEN 'all' THEN p.birth IS NULL OR p.birth < c.period_end
                WHEN 'unknown' THEN p.birth IS NULL
                ELSE birthday(p.birth, band_first_age(c.age_band)) < c.period_end AND (c.age_band = '85+'
                    OR birthday(p.birth, band_first_age(c.age_band) + 5) > c.period_start) END
            """,
        ),
    ],
    complete=with_stay_rates,
)

# --- kpi_consultation_rate_by_professional ----------------------------------------------------------------------------

PROFESSION: Final = "period_grain, period_start, profession, speciality"

kpi_consultation_rate_by_professional: Final = DeliveredRows(
    Family.PROFESSIONS,
    # `professional` is the one who is counted: all that no register has are one, the unknown.
    rows=f"""
        SELECT {PERIOD}, coalesce(p.profession, 'Inconnu') AS profession,
            coalesce(p.speciality, 'Inconnu') AS speciality, c.id AS row, patient, is_known,
            c.professional AS identifier, coalesce(p.id, '{UNKNOWN}') AS professional, month_start AS month
        FROM consultation_in c LEFT JOIN professional p ON p.id = c.professional
        """,
    counts=f"""
        WITH work AS (
            SELECT {PROFESSION}, professional, count(*) AS events, count(DISTINCT month) AS months
            FROM numerator GROUP BY ALL
        ), group_of AS (
            SELECT {PROFESSION}, count(*) AS professionals, sum(events) AS events, sum(months) AS worked_months,
                sum(events) / sum(months) AS pace, quantile_cont(events / months, [0.2, 0.5, 0.8]) AS paces,
                median(months) AS typical
            FROM work GROUP BY ALL
        ), patient_of AS (
            SELECT {PROFESSION}, count(DISTINCT if(is_known, patient, NULL)) AS patients FROM numerator GROUP BY ALL
        ), whole AS (SELECT {PERIOD}, count(*) AS total FROM consultation_in GROUP BY ALL)
        SELECT {PROFESSION}, professionals, events, patients, worked_months, pace AS events_per_worked_month,
            events / total AS share, paces[2] AS median, paces[1] AS p20, paces[3] AS p80,
            greatest(pace - 1.96 * sqrt(pace / typical), 0) AS funnel_low,
            pace + 1.96 * sqrt(pace / typical) AS funnel_high
        FROM cell LEFT JOIN group_of USING ({PROFESSION}) LEFT JOIN patient_of USING ({PROFESSION})
            LEFT JOIN whole USING ({PERIOD})
        """,
    sources=[
        CONSULTATIONS,
        SourceRows(professionnel_de_sante, "attribution", '"Identifiant"', "SELECT DISTINCT identifier FROM numerator"),
        SourceRows(professionnel_sante, "attribution", "identifiant", "SELECT DISTINCT identifier FROM numerator"),
    ],
)

# --- kpi_deaths_by_region ---------------------------------------------------------------------------------------------

kpi_deaths_by_region: Final = DeliveredRows(
    Family.DEATHS,
    rows="""
        SELECT d.year, d.region AS region_code, s.sex, a.age_band, d.key AS row
        FROM death d, LATERAL (SELECT unnest(['all', d.sex]) AS sex) s,
            LATERAL (SELECT unnest(['all', d.band]) AS age_band) a
        """,
    # The population is known of the regions in 2019, at all sexes and ages.
    counts="""
        SELECT year, region_code, sex, age_band, count(row) AS deaths,
            any_value(if((year, sex, age_band) = (2019, 'all', 'all'), population_2019, NULL)) AS population
        FROM cell LEFT JOIN numerator USING (year, region_code, sex, age_band)
            LEFT JOIN raw_region USING (region_code)
        GROUP BY year, region_code, sex, age_band
        """,
    sources=[SourceRows(table, "numerator", key, COUNTED_DEATH_KEYS) for table, key in DEATH_KEYS.items()],
    complete=with_death_rates,
)

# --- kpi_satisfaction_by_region ---------------------------------------------------------------------------------------

kpi_satisfaction_by_region: Final = DeliveredRows(
    Family.SURVEYS,
    rows="""
        SELECT s.year, s.survey, r.region_code, s.key AS row, s.score, s.class, s.opinion,
            if(s.score IS NULL, 0, coalesce(s.answers, 0)) AS answers,
            if(s.opinion IS NULL, 0, coalesce(s.opinions, 0)) AS opinions
        FROM site s, LATERAL (SELECT unnest(['all', s.region]) AS region_code) r
        """,
    counts=f"""
        SELECT year, survey, region_code, count(row) AS sites, count(score) AS sites_scored, sum(answers) AS answers,
            sum(score * answers) / nullif(sum(answers), 0) AS score_weighted, avg(score) AS score_mean,
            coalesce(stddev_samp(score), 'nan'::DOUBLE) AS score_deviation,
            {", ".join(f"count_if(class = '{c}') AS class_{c.lower()}" for c in "ABCD")},
            sum(opinion * opinions) / nullif(sum(opinions), 0) AS recommendation_rate,
            sum(opinions) AS recommendation_answers
        FROM cell LEFT JOIN numerator USING (year, survey, region_code) GROUP BY year, survey, region_code
        """,
    sources=[
        SourceRows(table, "numerator", SITE_KEY, f"SELECT row FROM numerator WHERE survey = '{survey}'")
        for table, survey in ((esatis48h_mco, "48h_mco"), (esatisca_mco, "ca_mco"))
    ],
    complete=with_score_limits,
)

# ----------------------------------------------------------------------------------------------------------------------

DELIVERED_ROWS: Final[Mapping[str, DeliveredRows]] = {
    "kpi_consultation_rate_by_establishment": kpi_consultation_rate_by_establishment,
    "kpi_consultation_rate_by_diagnosis": kpi_consultation_rate_by_diagnosis,
    "kpi_hospitalisation_rate": kpi_hospitalisation_rate,
    "kpi_hospitalisation_rate_by_diagnosis": kpi_hospitalisation_rate_by_diagnosis,
    "kpi_hospitalisation_rate_by_sex_and_age": kpi_hospitalisation_rate_by_sex_and_age,
    "kpi_consultation_rate_by_professional": kpi_consultation_rate_by_professional,
    "kpi_deaths_by_region": kpi_deaths_by_region,
    "kpi_satisfaction_by_region": kpi_satisfaction_by_region,
}
