"""`chu kpi`: an indicator for any X and any range of whole months, exact, from the facts.

Distinct patients do not add up over months, so a range is counted again from the facts, inside the secure zones. The
definitions are those of the `kpis` tables; DuckDB reads the facts directly, no engine is started.

Here: the questions and their SQL. Not here: how an answer is shown (cli).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.building_blocks.rates import with_rates, with_stay_rates
from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.errors import ChuError
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.kpis.kpi_deaths_by_region import with_rate
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.sources.patient import patient
from chu_platform.storage.lake import Lake
from chu_platform.tables.spark_sql import AGE_BANDS, UNKNOWN

MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
PATIENTS: Final = f"count(DISTINCT nullif(patient_key, '{UNKNOWN}'))"


@dataclass(frozen=True)
class Question:
    """An indicator, its X (what is asked for, by option name) and its Y (first and last month, None for the data's)."""

    indicator: str
    where: Mapping[str, str] = field(default_factory=dict)
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True)
class _Range:
    """A range of whole months, as far as the data cover it."""

    start: date
    end: date
    days: int


@dataclass(frozen=True)
class _Indicator:
    """How an indicator is answered: the options it knows, and the function that answers."""

    options: Sequence[str]
    answer: Callable[["_Facts", Question], pa.Table]


class _Facts:
    """The facts of a lake, as DuckDB views of their own names."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.connection = duckdb.connect()
        for table in (
            bridge_professional_establishment,
            dim_diagnosis,
            dim_establishment,
            dim_period,
            dim_professional,
            dim_region,
            fact_consultation,
            fact_death,
            fact_hospitalisation,
            fact_patient_base,
            fact_satisfaction,
        ):
            if lake.open(table) is None:
                raise ChuError(f"{table.folder} is not in the lake yet: run `chu materialize` first")
            self.connection.execute(f"CREATE VIEW {table.name} AS FROM {lake.relation(table)}")

    def table(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """The rows of a query."""
        result: pa.Table = self.connection.sql(sql, params=dict(parameters) if parameters else None).to_arrow_table()
        return result

    def patients(self) -> str:
        """Relation of the patients with their birth dates, in the restricted zone."""
        return self._lake.relation(patient)

    def months(self, domain: str, question: Question) -> _Range:
        """The range asked for. Raises ChuError when it is no range of months, or the data do not cover it."""
        known = self.table(
            "SELECT min(period_start), max(period_start) FROM dim_period WHERE domain = $domain AND period_grain = 'month'",
            {"domain": domain},
        ).to_pylist()[0]
        low, high = (f"{d:%Y-%m}" for d in known.values())
        first, last = question.first or low, question.last or high
        for month in (first, last):
            if not MONTH.fullmatch(month):
                raise ChuError(f"{month!r} is not a month: write it as 2019-01")
        _require_order(first, last)
        if not low <= first <= last <= high:
            raise ChuError(f"the data cover {low} to {high}, not {first} to {last}")
        found = self.table(
            "SELECT min(period_start), max(period_end), sum(covered_days) FROM dim_period WHERE domain = $domain "
            "AND period_grain = 'month' AND strftime(period_start, '%Y-%m') BETWEEN $first AND $last",
            {"domain": domain, "first": first, "last": last},
        )
        start, end, days = found.to_pylist()[0].values()
        return _Range(start, end, int(days))

    def base(self, domain: str, months: _Range) -> str:
        """SQL of the base and its time in the range: patients born before its end, times its covered days."""
        return (
            f"SELECT base_patients, base_patients * {months.days} / 365.25 AS patient_years FROM fact_patient_base "
            f"WHERE domain = '{domain}' AND period_grain = 'month' AND sex = 'all' AND age_band = 'all' "
            f"AND period_start = DATE '{months.end}' - INTERVAL 1 MONTH"
        )


def figures(lake: Lake, question: Question) -> pa.Table:
    """The answer: the columns of the indicator's table, one row for each X; without X, for each of the first level.

    Raises ChuError for an indicator, an X or a range that does not exist.
    """
    names = {name.removeprefix("kpi_"): name for name in INDICATORS}
    name = names.get(question.indicator.removeprefix("kpi_"))
    if name is None:
        raise ChuError(f"there is no indicator {question.indicator!r}; there are {', '.join(INDICATORS)}")
    indicator = INDICATORS[name]
    wrong = [option for option in question.where if option not in indicator.options]
    if wrong:
        known = ", ".join(f"--{o}" for o in indicator.options) or "no option but the months"
        raise ChuError(f"{name} does not know --{wrong[0]}; it knows {known}")
    if indicator.options == PLACES and len(question.where) > 1:
        raise ChuError(f"{name}: choose one of {', '.join(f'--{o}' for o in PLACES)}")
    answer = indicator.answer(_Facts(lake), question)
    if not len(answer) and question.where:
        asked = ", ".join(f"--{o} {v}" for o, v in question.where.items())
        raise ChuError(f"{name}: nothing found for {asked} in these months")
    return answer


def _require_order(first: str, last: str) -> None:
    if first > last:
        raise ChuError(f"the range is the wrong way round: --from {first} comes after --to {last}")


def _period(months: _Range) -> str:
    return f"DATE '{months.start}' AS period_start, DATE '{months.end}' AS period_end"


def _by_establishment(facts: _Facts, question: Question) -> pa.Table:
    months = facts.months("consultation", question)
    level = next(iter(question.where), "region")
    code = {"establishment": "establishment_key", "department": "department_code", "region": "region_key"}[level]
    label = code.replace("_key", "_label").replace("_code", "_label")
    totals = f"""
        UNION ALL SELECT 'unattached', 'unattached', 'Consultations non rattachées', count(*), {PATIENTS} FROM consultation
            ANTI JOIN bridge_professional_establishment USING (professional_key)
        UNION ALL SELECT 'total', 'total', 'Ensemble des consultations', count(*), {PATIENTS} FROM consultation
    """
    counted = facts.table(
        f"""
        WITH consultation AS (FROM fact_consultation WHERE date >= $start AND date < $end),
        counted AS (
            SELECT '{level}' AS level, {code} AS code, min({label}) AS label, sum(weight)::DOUBLE AS events, {PATIENTS} AS patients
            FROM consultation JOIN bridge_professional_establishment USING (professional_key)
            JOIN dim_establishment USING (establishment_key)
            WHERE $code IS NULL OR {code} = $code GROUP BY {code}
            {"" if question.where else totals}
        )
        SELECT {_period(months)}, counted.*, base.* FROM counted, ({facts.base("consultation", months)}) AS base
        ORDER BY level, code
        """,
        {"start": months.start, "end": months.end, "code": question.where.get(level)},
    )
    return with_rates(counted)


def _by_diagnosis(domain: str, fact: str, stays: bool) -> Callable[[_Facts, Question], pa.Table]:
    def answer(facts: _Facts, question: Question) -> pa.Table:
        months = facts.months(domain, question)
        code = question.where.get("diagnosis")
        days = ", sum(days)::BIGINT AS days" if stays else ""
        levels = {"chapter": "chapter_code", "category": "category_code", "leaf": "diagnosis_key"}
        labels = {"chapter": "chapter_label", "category": "category_label", "leaf": "diagnosis_label"}
        parts = [
            f"""
            SELECT '{level}' AS level, {column} AS code, min({labels[level]}) AS label, count(*)::DOUBLE AS events,
                   {PATIENTS} AS patients{days}
            FROM {fact} JOIN dim_diagnosis USING (diagnosis_key) WHERE date >= $start AND date < $end
                AND {"$code IS NULL" if level == "chapter" and code is None else f"{column} = $code"} GROUP BY {column}
            """
            for level, column in levels.items()
            if code is not None or level == "chapter"
        ]
        counted = facts.table(
            f"""
            SELECT {_period(months)}, counted.*, base.* FROM ({" UNION ALL ".join(parts)}) AS counted,
                ({facts.base(domain, months)}) AS base ORDER BY level, code
            """,
            {"start": months.start, "end": months.end, "code": code},
        )
        return with_stay_rates(counted) if stays else with_rates(counted)

    return answer


def _stays(facts: _Facts, question: Question) -> pa.Table:
    months = facts.months("hospitalisation", question)
    counted = facts.table(
        f"""
        SELECT {_period(months)}, counted.*, base.* FROM (
            SELECT count(*)::DOUBLE AS events, {PATIENTS} AS patients, coalesce(sum(days), 0)::BIGINT AS days
            FROM fact_hospitalisation WHERE date >= $start AND date < $end
        ) AS counted, ({facts.base("hospitalisation", months)}) AS base
        """,
        {"start": months.start, "end": months.end},
    )
    return with_stay_rates(counted)


def _by_sex_and_age(facts: _Facts, question: Question) -> pa.Table:
    months = facts.months("hospitalisation", question)
    covered = facts.table(
        "SELECT min(covered_start), max(covered_end) FROM dim_period WHERE domain = 'hospitalisation' "
        "AND period_grain = 'month' AND period_start >= $start AND period_end <= $end",
        {"start": months.start, "end": months.end},
    ).to_pylist()[0]
    covered_start, covered_end = covered.values()
    counted = facts.table(
        f"""
        WITH birth AS (
            SELECT try_strptime("Date", '%m/%d/%Y')::DATE AS born,
                   CASE "Sexe" WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' ELSE 'unknown' END AS sex
            FROM {facts.patients()}
        ),
        lived AS (
            SELECT sex, CASE WHEN age = 85 THEN '85+' ELSE age || '-' || (age + 4) END AS age_band, day AS first,
                   coalesce(lead(day) OVER (PARTITION BY id ORDER BY age), DATE '9999-12-31') AS next
            FROM (
                SELECT id, sex, age, (born + to_years(age::INTEGER))::DATE
                    + CASE WHEN month(born) = 2 AND day(born) = 29 AND day(born + to_years(age::INTEGER)) = 28 THEN 1 ELSE 0 END AS day
                FROM (SELECT row_number() OVER () AS id, * FROM birth WHERE born IS NOT NULL), range(0, 90, 5) AS a(age)
            )
        ),
        base AS (
            SELECT sex, age_band, count(*) AS n, sum(greatest(least(next, $covered_end) - greatest(first, $covered_start), 0)) AS days
            FROM lived WHERE first < $end AND next > $start GROUP BY ALL
            UNION ALL SELECT sex, 'unknown', count(*), count(*) * $days FROM birth WHERE born IS NULL GROUP BY ALL
            UNION ALL SELECT sex, 'all', count(*), count(*) * $days FROM birth WHERE born IS NULL OR born < $end GROUP BY ALL
        ),
        stay AS (
            SELECT coalesce(sex, 'all') AS sex, coalesce(age_band, 'all') AS age_band, count(*)::DOUBLE AS events,
                   {PATIENTS} AS patients, sum(days)::BIGINT AS days
            FROM fact_hospitalisation WHERE date >= $start AND date < $end
            GROUP BY GROUPING SETS ((), (sex), (age_band), (sex, age_band))
        ),
        whole AS (FROM base UNION ALL SELECT 'all', age_band, sum(n), sum(days) FROM base GROUP BY age_band)
        SELECT {_period(months)}, s.sex, a.age_band, coalesce(events, 0) AS events, coalesce(patients, 0) AS patients,
               coalesce(stay.days, 0) AS days, coalesce(whole.n, 0)::BIGINT AS base_patients,
               coalesce(whole.days, 0) / 365.25 AS patient_years
        FROM (SELECT unnest(['F', 'M', 'all']) AS sex) AS s, (SELECT unnest($bands) AS age_band) AS a
        LEFT JOIN stay ON stay.sex = s.sex AND stay.age_band = a.age_band
        LEFT JOIN whole ON whole.sex = s.sex AND whole.age_band = a.age_band
        WHERE ($sex IS NULL OR s.sex = $sex) AND ($band IS NULL OR a.age_band = $band)
        ORDER BY s.sex, list_position($bands, a.age_band)
        """,
        {
            "start": months.start,
            "end": months.end,
            "days": months.days,
            "covered_start": covered_start,
            "covered_end": covered_end,
            "bands": [*AGE_BANDS, "unknown", "all"],
            "sex": question.where.get("sex"),
            "band": question.where.get("age-band"),
        },
    )
    return with_stay_rates(counted)


def _by_professional(facts: _Facts, question: Question) -> pa.Table:
    months = facts.months("consultation", question)
    return facts.table(
        f"""
        WITH counted AS (
            SELECT professional_key, count(*) AS events, count(DISTINCT month) AS worked_months
            FROM fact_consultation WHERE date >= $start AND date < $end GROUP BY professional_key
        )
        SELECT {_period(months)}, profession_label AS profession, speciality_label AS speciality, count(*) AS professionals,
               sum(events)::DOUBLE AS events, sum(worked_months)::BIGINT AS worked_months,
               sum(events)::DOUBLE / sum(worked_months)::DOUBLE AS events_per_worked_month,
               sum(events)::DOUBLE / (SELECT sum(events) FROM counted)::DOUBLE AS share,
               quantile_cont(events / worked_months, 0.5) AS median, quantile_cont(events / worked_months, 0.2) AS p20,
               quantile_cont(events / worked_months, 0.8) AS p80
        FROM counted JOIN dim_professional USING (professional_key)
        WHERE ($profession IS NULL OR profession_label = $profession) AND ($speciality IS NULL OR speciality_label = $speciality)
        GROUP BY profession_label, speciality_label ORDER BY events DESC, profession, speciality
        """,
        {
            "start": months.start,
            "end": months.end,
            "profession": question.where.get("profession"),
            "speciality": question.where.get("speciality"),
        },
    )


def _years(facts: _Facts, fact: str, column: str, question: Question) -> tuple[str, str]:
    low, high = facts.table(f"SELECT min({column}), max({column}) FROM {fact}").to_pylist()[0].values()
    first, last = question.first or f"{low}-01", question.last or f"{high}-12"
    for month in (first, last):
        if not MONTH.fullmatch(month):
            raise ChuError(f"{month!r} is not a month: write it as 2019-01")
    _require_order(first, last)
    if last[:4] < low or first[:4] > high:
        raise ChuError(f"the data cover {low} to {high}, not {first} to {last}")
    return first, last


def _deaths(facts: _Facts, question: Question) -> pa.Table:
    first, last = _years(facts, "fact_death", "death_year", question)
    counted = facts.table(
        """
        SELECT $first AS first_month, $last AS last_month, r.region_key AS region_code, r.region_label,
               count(death_year) AS deaths,
               CASE WHEN $first = '2019-01' AND $last = '2019-12' THEN any_value(r.population_2019) END AS population
        FROM dim_region r LEFT JOIN (
            FROM fact_death WHERE strftime(death_date, '%Y-%m') BETWEEN $first AND $last
                -- A death of which only the year is known lies in the range when its whole year does.
                OR (death_date IS NULL AND death_year || '-01' >= $first AND death_year || '-12' <= $last)
        ) d ON d.region_key = r.region_key
        WHERE r.region_key <> $unknown AND ($region IS NULL OR r.region_key = $region) GROUP BY ALL ORDER BY region_code
        """,
        {"first": first, "last": last, "region": question.where.get("region"), "unknown": UNKNOWN},
    )
    return with_rate(counted)


def _satisfaction(facts: _Facts, question: Question) -> pa.Table:
    first, last = _years(facts, "fact_satisfaction", "campaign_year", question)
    return facts.table(
        """
        SELECT campaign_year::INTEGER AS year, survey, region_key AS region_code, any_value(region_label) AS region_label,
               count(*) AS sites, count(score) AS sites_scored, coalesce(sum(answers) FILTER (score IS NOT NULL), 0)::BIGINT AS answers,
               sum(score * answers) / nullif(sum(answers) FILTER (score IS NOT NULL), 0) AS score_weighted, avg(score) AS score_mean
        FROM fact_satisfaction JOIN dim_region USING (region_key)
        WHERE campaign_year BETWEEN left($first, 4) AND left($last, 4) AND ($region IS NULL OR region_key = $region)
        GROUP BY campaign_year, survey, region_key ORDER BY survey, year, region_code
        """,
        {"first": first, "last": last, "region": question.where.get("region")},
    )


PLACES: Final = ("establishment", "department", "region")
INDICATORS: Final[Mapping[str, _Indicator]] = {
    "kpi_consultation_rate_by_establishment": _Indicator(PLACES, _by_establishment),
    "kpi_consultation_rate_by_diagnosis": _Indicator(
        ["diagnosis"], _by_diagnosis("consultation", "fact_consultation", False)
    ),
    "kpi_hospitalisation_rate": _Indicator([], _stays),
    "kpi_hospitalisation_rate_by_diagnosis": _Indicator(
        ["diagnosis"], _by_diagnosis("hospitalisation", "fact_hospitalisation", True)
    ),
    "kpi_hospitalisation_rate_by_sex_and_age": _Indicator(["sex", "age-band"], _by_sex_and_age),
    "kpi_consultation_rate_by_professional": _Indicator(["profession", "speciality"], _by_professional),
    "kpi_deaths_by_region": _Indicator(["region"], _deaths),
    "kpi_satisfaction_by_region": _Indicator(["region"], _satisfaction),
}
