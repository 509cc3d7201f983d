"""The evidence of each indicator: which delivered rows make which cell, and the figures that follow from them.

For each published indicator, `rows` is DuckDB SQL over the tables of `inputs` that gives, for every cell (the key columns),
every row that counts in its numerator; `counts` adds them up over the relations `numerator` and `cell`. Nothing of the
queries that made the tables is used, and the limits of confidence come from other formulas.

Here: the declarations. Not here: finding the rows' lines (lines), comparing (verify, trace).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

from chu_platform.demo.oracle_care import AGE_BANDS
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.consultation import consultation
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.sources.etablissement_sante import etablissement_sante
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import patient
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.tables.table import Table
from chu_platform.trace.recomputation_inputs import DEATHS, NOBODY, SITE_KEY

Floats = NDArray[np.float64]
CONFIDENCE: Final = 0.95
TAIL: Final = (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class SourceRows:
    """Rows of a source table that take part in a cell: those whose `match` (SQL over its columns) is one of `values`.

    `role` says what they do: numerator, denominator, or attribution, which is how events find their cell.
    """

    table: Table
    role: str
    match: str
    values: str


@dataclass(frozen=True)
class DeliveredRows:
    """How the cells of a published indicator come from delivered rows.

    `complete` adds to the counts the figures that SQL has no words for; `main` is the source whose rows are counted.
    """

    family: str
    rows: str
    counts: str
    sources: Sequence[SourceRows]
    complete: Callable[[dict[str, Floats]], dict[str, Floats]] = field(default=lambda counted: counted)

    @property
    def main(self) -> Sequence[SourceRows]:
        """The sources of the numerator."""
        return [s for s in self.sources if s.role == "numerator"]


def with_figures(evidence: DeliveredRows, counted: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The counts, completed; figures that do not exist (a division by nothing) are null."""
    numbers = {
        name: counted[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name in counted.column_names
        if name not in keys
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = evidence.complete(numbers)
    columns = {name: counted[name] for name in keys}
    for name, values in figures.items():
        columns[name] = pa.array(values, pa.float64(), mask=~np.isfinite(values))
    return pa.table(columns)


def _wilson(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    z = norm.ppf(1 - TAIL)
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return centre - half, centre + half


def _poisson(events: Floats) -> tuple[Floats, Floats]:
    low = np.where(events > 0, chi2.ppf(TAIL, 2 * np.maximum(events, 1e-12)) / 2, 0.0)
    return low, chi2.ppf(1 - TAIL, 2 * events + 2) / 2


def _rates(counted: dict[str, Floats]) -> dict[str, Floats]:
    base, time = counted["base_patients"], counted["patient_years"]
    low, high = _wilson(np.minimum(counted["patients"], base), base)
    events_low, events_high = _poisson(counted["events"])
    return {
        **counted,
        "rate_per_1000": 1000 * counted["patients"] / base,
        "rate_low": 1000 * low,
        "rate_high": 1000 * high,
        "intensity": 1000 * counted["events"] / time,
        "intensity_low": 1000 * events_low / time,
        "intensity_high": 1000 * events_high / time,
    }


def _stay_rates(counted: dict[str, Floats]) -> dict[str, Floats]:
    return {**_rates(counted), "mean_length_of_stay": counted["days"] / counted["events"]}


def _death_rates(counted: dict[str, Floats]) -> dict[str, Floats]:
    low, high = _poisson(counted["deaths"])
    per = 1000 / counted["population"]
    return {**counted, "rate_per_1000": counted["deaths"] * per, "rate_low": low * per, "rate_high": high * per}


def _scores(counted: dict[str, Floats]) -> dict[str, Floats]:
    spread, n = counted.pop("score_spread"), counted["sites_scored"]
    half = t.ppf(1 - TAIL, n - 1) * spread / np.sqrt(n)
    return {**counted, "score_low": counted["score_mean"] - half, "score_high": counted["score_mean"] + half}


def _use(fact: str, keys: str, stays: bool, base: str = "") -> str:
    """SQL of the counts of an indicator of use."""
    days = ", coalesce(sum(days), 0) AS days" if stays else ""
    return f"""
        SELECT {keys}, coalesce(sum(share), 0) AS events, count(DISTINCT patient) FILTER (is_known) AS patients{days},
            any_value(coalesce(b.base_patients, 0)) AS base_patients, any_value(coalesce(b.patient_years, 0)) AS patient_years
        FROM cell LEFT JOIN numerator USING ({keys}) LEFT JOIN {base or f"{fact}_period"} b
            USING ({keys if base else "period_grain, period_start"})
        GROUP BY {keys}
        """


def _by_diagnosis(fact: str) -> str:
    days = ", e.days" if fact == "stay" else ""
    return f"""
        SELECT e.period_grain, e.period_start, n.level, n.code, e.id AS row, e.patient, e.is_known, 1.0::DOUBLE AS share{days}
        FROM {fact}_in e JOIN diagnosis d ON d.code = e.code,
            LATERAL (SELECT unnest(['leaf', 'category', 'chapter']) AS level, unnest([d.leaf, d.category, d.chapter]) AS code) n
        """


def _places() -> str:
    levels = "".join(
        f"""
        UNION ALL SELECT period_grain, period_start, '{level}', {column}, id, patient, is_known, share, professional, organisation
        FROM placed"""
        for level, column in (("establishment", "organisation"), ("department", "department"), ("region", "region"))
    )
    return f"""
        WITH shared AS (
            SELECT *, 1.0::DOUBLE / count(*) OVER (PARTITION BY professional) AS share FROM attachment
        ), placed AS (
            SELECT c.*, s.share, s.organisation, o.department, o.region
            FROM consultation_in c JOIN shared s ON s.professional = c.professional JOIN organisation o ON o.id = s.organisation
        )
        SELECT period_grain, period_start, 'total' AS level, 'total' AS code, id AS row, patient, is_known,
            1.0::DOUBLE AS share, professional, NULL AS organisation FROM consultation_in
        UNION ALL SELECT period_grain, period_start, 'unattached', 'unattached', id, patient, is_known, 1, professional, NULL
        FROM consultation_in c WHERE NOT EXISTS (FROM attachment a WHERE a.professional = c.professional)
        {levels}
        """


SEX_AND_AGE: Final = f"""
    WITH aged AS (
        SELECT *, CASE WHEN birth IS NULL OR birth > date THEN 'unknown'
                       ELSE ({AGE_BANDS!r})[least(age(birth, date) // 5, 17) + 1] END AS band
        FROM stay_in
    )
    SELECT e.period_grain, e.period_start, s.sex, a.age_band, e.id AS row, e.patient, e.is_known, 1.0::DOUBLE AS share, e.days
    FROM aged e, LATERAL (SELECT unnest(['all', e.sex]) AS sex) s, LATERAL (SELECT unnest(['all', e.band]) AS age_band) a
    WHERE s.sex IS NOT NULL
    """
PROFESSIONS: Final = f"""
    SELECT c.period_grain, c.period_start, coalesce(p.profession, 'Inconnu') AS profession,
        coalesce(p.speciality, 'Inconnu') AS speciality, c.id AS row, c.patient, c.is_known, c.professional AS identifier,
        coalesce(p.id, '{NOBODY}') AS professional, date_trunc('month', c.date) AS month
    FROM consultation_in c LEFT JOIN professional p ON p.id = c.professional
    """
PROFESSION_COUNTS: Final = """
    WITH each AS (
        SELECT period_grain, period_start, profession, speciality, professional, count(*) AS events,
            count(DISTINCT month) AS months
        FROM numerator GROUP BY ALL
    ), spread AS (
        SELECT period_grain, period_start, profession, speciality, count(*) AS professionals, sum(events) AS events,
            sum(months) AS worked_months, sum(events) / sum(months) AS pace, quantile_cont(events / months, 0.5) AS median,
            quantile_cont(events / months, 0.2) AS p20, quantile_cont(events / months, 0.8) AS p80,
            quantile_cont(months, 0.5) AS typical
        FROM each GROUP BY ALL
    ), person AS (
        SELECT period_grain, period_start, profession, speciality, count(DISTINCT patient) FILTER (is_known) AS patients
        FROM numerator GROUP BY ALL
    ), whole AS (SELECT period_grain, period_start, count(*) AS total FROM consultation_in GROUP BY ALL)
    SELECT period_grain, period_start, profession, speciality, professionals, events, patients, worked_months,
        pace AS events_per_worked_month, events / total AS share, median, p20, p80,
        greatest(pace - 1.96 * sqrt(pace / typical), 0) AS funnel_low, pace + 1.96 * sqrt(pace / typical) AS funnel_high
    FROM cell LEFT JOIN spread USING (period_grain, period_start, profession, speciality)
    LEFT JOIN person USING (period_grain, period_start, profession, speciality)
    LEFT JOIN whole USING (period_grain, period_start)
    """
DEATH_ROWS: Final = """
    SELECT d.year, d.region AS region_code, s.sex, a.age_band, d.key AS row
    FROM death d, LATERAL (SELECT unnest(['all', d.sex]) AS sex) s, LATERAL (SELECT unnest(['all', d.band]) AS age_band) a
    """
DEATH_COUNTS: Final = """
    SELECT year, region_code, sex, age_band, count(row) AS deaths,
        CASE WHEN year = 2019 AND sex = 'all' AND age_band = 'all' THEN any_value(r.population_2019) END AS population
    FROM cell LEFT JOIN numerator USING (year, region_code, sex, age_band) LEFT JOIN raw_region r USING (region_code)
    GROUP BY year, region_code, sex, age_band
    """
SITE_ROWS: Final = """
    SELECT s.year, s.survey, r.region_code, s.key AS row, s.score, s.class, s.opinion,
        CASE WHEN s.score IS NOT NULL THEN coalesce(s.answers, 0) ELSE 0 END AS answers,
        CASE WHEN s.opinion IS NOT NULL THEN coalesce(s.opinions, 0) ELSE 0 END AS opinions
    FROM site s, LATERAL (SELECT unnest(['all', s.region]) AS region_code) r
    """
SITE_COUNTS: Final = f"""
    SELECT year, survey, region_code, count(row) AS sites, count(score) AS sites_scored, sum(answers) AS answers,
        sum(score * answers) / nullif(sum(answers), 0) AS score_weighted, avg(score) AS score_mean,
        coalesce(stddev_samp(score), 'nan'::DOUBLE) AS score_spread,
        {", ".join(f"count(*) FILTER (class = '{c}') AS class_{c.lower()}" for c in "ABCD")},
        sum(opinion * opinions) / nullif(sum(opinions), 0) AS recommendation_rate, sum(opinions) AS recommendation_answers
    FROM cell LEFT JOIN numerator USING (year, survey, region_code) GROUP BY year, survey, region_code
    """

CONSULTED: Final = SourceRows(
    consultation, "numerator", '"Num_consultation"::VARCHAR', "SELECT DISTINCT row::VARCHAR FROM numerator"
)
STAYED: Final = SourceRows(
    hospitalisations, "numerator", '"Num_Hospitalisation"::VARCHAR', "SELECT DISTINCT row::VARCHAR FROM numerator"
)


def _base(fact: str, condition: str = "p.birth IS NULL OR p.birth < period_end") -> SourceRows:
    return SourceRows(
        patient,
        "denominator",
        '"Id_patient"::VARCHAR',
        f"SELECT p.id::VARCHAR FROM patient p, (FROM cell JOIN {fact}_period USING (period_grain, period_start)) c "
        f"WHERE {condition}",
    )


BAND_BASE: Final = f"""
    (c.sex = 'all' OR p.sex = c.sex) AND CASE c.age_band WHEN 'all' THEN p.birth IS NULL OR p.birth < period_end
        WHEN 'unknown' THEN p.birth IS NULL
        ELSE birthday(p.birth, 5 * (list_position({AGE_BANDS!r}, c.age_band) - 1)::INT) < period_end
            AND (c.age_band = '85+' OR birthday(p.birth, 5 * list_position({AGE_BANDS!r}, c.age_band)::INT) > period_start) END
    """
ATTACHED: Final = "SELECT a.professional, a.organisation FROM attachment a WHERE a.professional IN (SELECT professional FROM numerator WHERE organisation IS NOT NULL)"
PERIOD_LEVEL: Final = "period_grain, period_start, level, code"

DELIVERED_ROWS: Final[Mapping[str, DeliveredRows]] = {
    "kpi_consultation_rate_by_establishment": DeliveredRows(
        "places",
        _places(),
        _use("consultation", PERIOD_LEVEL, stays=False),
        [
            CONSULTED,
            SourceRows(
                activite_professionnel_sante,
                "attribution",
                "concat_ws('|', identifiant, identifiant_organisation)",
                f"SELECT concat_ws('|', professional, organisation) FROM ({ATTACHED})",
            ),
            SourceRows(
                etablissement_sante,
                "attribution",
                "identifiant_organisation",
                "SELECT DISTINCT organisation FROM numerator WHERE organisation IS NOT NULL",
            ),
            _base("consultation"),
        ],
        _rates,
    ),
    "kpi_consultation_rate_by_diagnosis": DeliveredRows(
        "care",
        _by_diagnosis("consultation"),
        _use("consultation", PERIOD_LEVEL, stays=False),
        [CONSULTED, _base("consultation")],
        _rates,
    ),
    "kpi_hospitalisation_rate": DeliveredRows(
        "care",
        "SELECT period_grain, period_start, id AS row, patient, is_known, 1.0::DOUBLE AS share, days FROM stay_in",
        _use("stay", "period_grain, period_start", stays=True),
        [STAYED, _base("stay")],
        _stay_rates,
    ),
    "kpi_hospitalisation_rate_by_diagnosis": DeliveredRows(
        "care",
        _by_diagnosis("stay"),
        _use("stay", PERIOD_LEVEL, stays=True),
        [STAYED, _base("stay")],
        _stay_rates,
    ),
    "kpi_hospitalisation_rate_by_sex_and_age": DeliveredRows(
        "care",
        SEX_AND_AGE,
        _use("stay", "period_grain, period_start, sex, age_band", stays=True, base="base_by_cell"),
        [STAYED, _base("stay", BAND_BASE)],
        _stay_rates,
    ),
    "kpi_consultation_rate_by_professional": DeliveredRows(
        "professions",
        PROFESSIONS,
        PROFESSION_COUNTS,
        [
            CONSULTED,
            *(
                SourceRows(table, "attribution", match, "SELECT DISTINCT identifier FROM numerator")
                for table, match in ((professionnel_de_sante, '"Identifiant"'), (professionnel_sante, "identifiant"))
            ),
        ],
    ),
    "kpi_deaths_by_region": DeliveredRows(
        "deaths",
        DEATH_ROWS,
        DEATH_COUNTS,
        [SourceRows(table, "numerator", key, "SELECT row FROM numerator") for table, (key, _) in DEATHS.items()],
        _death_rates,
    ),
    "kpi_satisfaction_by_region": DeliveredRows(
        "surveys",
        SITE_ROWS,
        SITE_COUNTS,
        [
            SourceRows(table, "numerator", SITE_KEY, f"SELECT row FROM numerator WHERE survey = '{survey}'")
            for table, survey in ((esatis48h_mco, "48h_mco"), (esatisca_mco, "ca_mco"))
        ],
        _scores,
    ),
}
