"""Indicators 1 to 6: rates and intensities of consultations and stays."""

import duckdb
import pyarrow as pa

PERIOD = "period_grain, period_start, period_end, is_partial"
RATES = """events, patients, base_patients, patient_years, 1000.0 * patients / base_patients AS rate_per_1000,
            1000.0 * events / patient_years AS intensity"""
AGE_BANDS = [f"{low}-{low + 4}" for low in range(0, 85, 5)] + ["85+"]


def compute(connection: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Tables 1 to 6 by name, from the tables of `pack_tables`."""
    _prepare(connection)
    return {
        "kpi_consultation_rate_by_establishment": _by_establishment(connection),
        "kpi_consultation_rate_by_diagnosis": _by_diagnosis(connection, "consultation"),
        "kpi_hospitalisation_rate": _stays(connection),
        "kpi_hospitalisation_rate_by_diagnosis": _by_diagnosis(connection, "stay"),
        "kpi_hospitalisation_rate_by_sex_and_age": _by_sex_and_age(connection),
        "kpi_consultation_rate_by_professional": _by_professional(connection),
    }


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the helper tables of the indicators from the tables `patient`, `consultation` and `stay`.

    Creates the macros `age` and `birthday`, `<fact>_period` and `<fact>_in` for both facts, and `base_by_cell`.
    """
    connection.execute(
        """
        -- Completed years by comparison of (month, day): somebody born on 29 February ages on 1 March of
        -- common years.
        CREATE MACRO age(birth, day) AS year(day) - year(birth)
            - CASE WHEN (month(day), day(day)) < (month(birth), day(birth)) THEN 1 ELSE 0 END;
        CREATE MACRO birthday(birth, years) AS CASE
            WHEN month(birth) = 2 AND day(birth) = 29
                 AND NOT ((year(birth) + years) % 4 = 0
                          AND ((year(birth) + years) % 100 <> 0 OR (year(birth) + years) % 400 = 0))
            THEN make_date(year(birth) + years, 3, 1)
            ELSE make_date(year(birth) + years, month(birth), day(birth)) END;
        """
    )
    for fact in ("consultation", "stay"):
        _create_periods(connection, fact)
    _create_person_time(connection)


def _create_periods(connection: duckdb.DuckDBPyConnection, fact: str) -> None:
    """Create `<fact>_period`: every month, quarter and year from the first to the last event, and the whole span.

    Its other columns: covered_start and covered_end (days of the period covered by data), base_patients, patient_years.
    Also create `<fact>_in`: each event once per grain, with the start of its period.
    """
    connection.execute(
        f"""
        CREATE TABLE {fact}_period AS
        WITH bounds AS (SELECT min(date) AS first, max(date) AS last FROM {fact}),
        month AS (
            SELECT unnest(generate_series(date_trunc('month', first), date_trunc('month', last),
                INTERVAL 1 MONTH))::DATE
                AS start
            FROM bounds
        ), flagged AS (
            SELECT start, start = date_trunc('month', last) OR (start = date_trunc('month', first)
                AND day(first) > 1)
                AS is_partial
            FROM month, bounds
        ), period AS (
            SELECT 'month' AS period_grain, start AS period_start,
                (start + INTERVAL 1 MONTH)::DATE AS period_end, is_partial
            FROM flagged
            UNION ALL
            SELECT 'quarter', date_trunc('quarter', start)::DATE,
                (date_trunc('quarter', start) + INTERVAL 3 MONTH)::DATE,
                bool_or(is_partial)
            FROM flagged GROUP BY ALL
            UNION ALL
            SELECT 'year', date_trunc('year', start)::DATE,
                (date_trunc('year', start) + INTERVAL 1 YEAR)::DATE,
                bool_or(is_partial)
            FROM flagged GROUP BY ALL
            UNION ALL
            SELECT 'all', min(start), (max(start) + INTERVAL 1 MONTH)::DATE, false FROM flagged
        ), covered AS (
            SELECT period.*, greatest(period_start, first) AS covered_start, least(period_end, last + 1)
                AS covered_end,
                (SELECT count(*) FROM patient WHERE birth IS NULL OR birth < period_end) AS base_patients
            FROM period, bounds
        )
        SELECT *, base_patients * (covered_end - covered_start) / 365.25 AS patient_years FROM covered;

        CREATE TABLE {fact}_in AS
        SELECT e.*, p.period_grain, p.period_start, k.id IS NOT NULL AS is_known, k.sex, k.birth
        FROM {fact} e
        JOIN {fact}_period p ON p.period_start = CASE p.period_grain
            WHEN 'all' THEN p.period_start ELSE date_trunc(p.period_grain, e.date)::DATE END
        LEFT JOIN patient k ON k.id = e.patient;
        """
    )


def _create_person_time(connection: duckdb.DuckDBPyConnection) -> None:
    """Create `base_by_cell`: base_patients and patient_years by period of the stays, sex and age band.

    A patient is in the band of the age on the middle day of the period. The first band begins before the birth.
    """
    connection.execute(
        f"""
        CREATE TABLE base_by_cell AS
        WITH band AS (
            SELECT id, sex, birth, rank, ({AGE_BANDS!r})[rank + 1] AS age_band,
                CASE WHEN rank > 0 THEN birthday(birth, 5 * rank) ELSE DATE '0001-01-01' END AS since,
                CASE WHEN rank < 17 THEN birthday(birth, 5 * rank + 5) ELSE DATE '9999-12-31' END AS until
            FROM patient, range(18) r(rank) WHERE birth IS NOT NULL
        ), lived AS (
            SELECT period_grain, period_start, sex, age_band,
                period_start + ((period_end - period_start) // 2)::INTEGER BETWEEN since AND until - 1 AS is_counted,
                (greatest(0, least(until, covered_end) - greatest(since, covered_start)))::DOUBLE AS days
            FROM band JOIN stay_period ON birth < period_end AND since < period_end AND until > period_start
            UNION ALL
            SELECT period_grain, period_start, sex, 'unknown', true, (covered_end - covered_start)::DOUBLE
            FROM patient, stay_period WHERE birth IS NULL
        )
        SELECT period_grain, period_start, CASE GROUPING(sex) WHEN 1 THEN 'all' ELSE sex END AS sex, age_band,
            count(*) FILTER (is_counted) AS base_patients,
            sum(days) / 365.25 AS patient_years
        FROM lived GROUP BY GROUPING SETS
            ((period_grain, period_start, age_band), (period_grain, period_start, age_band, sex))
        UNION ALL
        SELECT period_grain, period_start, CASE GROUPING(sex) WHEN 1 THEN 'all' ELSE sex END, 'all', count(*),
            count(*) * any_value(covered_end - covered_start) / 365.25
        FROM patient JOIN stay_period ON birth IS NULL OR birth < period_end
        GROUP BY GROUPING SETS ((period_grain, period_start), (period_grain, period_start, sex))
        """
    )


def query_table(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """The rows of a query as an Arrow table."""
    table: pa.Table = connection.sql(query).to_arrow_table()
    return table


def _by_establishment(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    return query_table(
        connection,
        f"""
        WITH shared AS (
            SELECT professional, organisation, 1.0::DOUBLE / count(*) OVER (PARTITION BY professional)
                AS share
            FROM attachment
        ), placed AS (
            SELECT c.period_grain, c.period_start, c.patient, c.is_known, c.id, s.share, o.id AS organisation,
                o.department, o.region
            FROM consultation_in c
            LEFT JOIN shared s USING (professional)
            LEFT JOIN organisation o ON o.id = s.organisation
        ), counted AS (
            SELECT period_grain, period_start, 'establishment' AS level, organisation AS code,
                round(sum(share), 9) AS events,
                count(DISTINCT id) AS consultations,
                count(DISTINCT patient) FILTER (is_known) AS patients
            FROM placed WHERE organisation IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT period_grain, period_start, 'department', department, round(sum(share), 9), count(DISTINCT id),
                count(DISTINCT patient) FILTER (is_known)
            FROM placed WHERE organisation IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT period_grain, period_start, 'region', region, round(sum(share), 9), count(DISTINCT id),
                count(DISTINCT patient) FILTER (is_known)
            FROM placed WHERE organisation IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT period_grain, period_start, 'unattached', 'unattached', count(*)::DOUBLE, count(*),
                count(DISTINCT patient) FILTER (is_known)
            FROM placed WHERE organisation IS NULL GROUP BY ALL
            UNION ALL
            SELECT period_grain, period_start, 'total', 'total', count(*)::DOUBLE, count(*),
                count(DISTINCT patient) FILTER (is_known)
            FROM consultation_in GROUP BY ALL
        )
        SELECT {PERIOD}, level, code, consultations, {RATES}
        FROM counted JOIN consultation_period USING (period_grain, period_start) ORDER BY ALL
        """,
    )


def _by_diagnosis(connection: duckdb.DuckDBPyConnection, fact: str) -> pa.Table:
    stays = fact == "stay"
    days = ", sum(days)::BIGINT AS days" if stays else ""
    length = ", days, days / events AS mean_length_of_stay" if stays else ""
    return query_table(
        connection,
        f"""
        WITH coded AS (
            SELECT e.*, unnest([
                {{'level': 'leaf', 'code': d.leaf}},
                {{'level': 'category', 'code': d.category}},
                {{'level': 'chapter', 'code': d.chapter}}
            ]) AS node
            FROM {fact}_in e JOIN diagnosis d USING (code)
        ), counted AS (
            SELECT period_grain, period_start, node.level AS level, node.code AS code, count(*) AS events,
                count(DISTINCT patient) FILTER (is_known) AS patients {days}
            FROM coded GROUP BY ALL
        )
        SELECT {PERIOD}, level, code, {RATES} {length}
        FROM counted JOIN {fact}_period USING (period_grain, period_start) ORDER BY ALL
        """,
    )


def _stays(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """All periods from the first to the last stay, including periods without stays."""
    return query_table(
        connection,
        f"""
        WITH counted AS (
            SELECT period_grain, period_start, count(id) AS events,
                count(DISTINCT patient) FILTER (is_known) AS patients, coalesce(sum(days), 0)::BIGINT AS days
            FROM stay_period LEFT JOIN stay_in USING (period_grain, period_start) GROUP BY ALL
        )
        SELECT {PERIOD}, {RATES}, days, CASE WHEN events > 0 THEN days / events END AS mean_length_of_stay
        FROM counted JOIN stay_period USING (period_grain, period_start) ORDER BY ALL
        """,
    )


def _by_sex_and_age(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Cells with at least one stay or patient. Patients who are not in the database have no sex and no age.

    Stays are banded by the age at entry, patients by their age on the middle day of the period.
    """
    return query_table(
        connection,
        f"""
        WITH dated AS (
            SELECT i.*, CASE WHEN i.birth >= p.period_end THEN NULL
                ELSE p.period_start + ((p.period_end - p.period_start) // 2)::INTEGER END AS middle
            FROM stay_in i JOIN stay_period p USING (period_grain, period_start)
        ), aged AS (
            SELECT *, CASE WHEN birth IS NULL OR birth > date THEN 'unknown'
                           ELSE ({AGE_BANDS!r})[least(age(birth, date) // 5, 17) + 1] END AS age_band,
                CASE WHEN birth IS NULL OR middle IS NULL THEN 'unknown' WHEN birth > middle THEN '0-4'
                     ELSE ({AGE_BANDS!r})[least(age(birth, middle) // 5, 17) + 1] END AS patient_band
            FROM dated
        ), counted AS (
            SELECT period_grain, period_start, CASE GROUPING(sex) WHEN 1 THEN 'all' ELSE sex END AS sex,
                CASE GROUPING(age_band) WHEN 1 THEN 'all' ELSE age_band END AS age_band, count(*) AS events,
                sum(days)::BIGINT AS days
            FROM aged GROUP BY period_grain, period_start, CUBE (sex, age_band)
        ), person AS (
            SELECT period_grain, period_start, CASE GROUPING(sex) WHEN 1 THEN 'all' ELSE sex END AS sex,
                CASE GROUPING(patient_band) WHEN 1 THEN 'all' ELSE patient_band END AS age_band,
                count(DISTINCT patient) AS patients
            FROM aged WHERE is_known GROUP BY period_grain, period_start, CUBE (sex, patient_band)
        ), cell AS (
            SELECT period_grain, period_start, sex, age_band, ifnull(events, 0) AS events,
                ifnull(patients, 0) AS patients, ifnull(days, 0) AS days
            FROM counted FULL JOIN person USING (period_grain, period_start, sex, age_band)
        )
        SELECT {PERIOD}, sex, age_band, events, patients, b.base_patients, b.patient_years,
            1000.0 * patients / b.base_patients AS rate_per_1000, 1000.0 * events / b.patient_years
                AS intensity,
            days, CASE WHEN events > 0 THEN days / events END AS mean_length_of_stay
        FROM cell
        JOIN stay_period USING (period_grain, period_start)
        LEFT JOIN base_by_cell b USING (period_grain, period_start, sex, age_band)
        WHERE sex IS NOT NULL ORDER BY ALL
        """,
    )


def _by_professional(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    return query_table(
        connection,
        f"""
        WITH counted AS (
            SELECT period_grain, period_start, professional, count(*) AS events,
                count(DISTINCT patient) FILTER (is_known) AS patients,
                count(DISTINCT date_trunc('month', date)) AS worked_months,
                count(DISTINCT year(date)) AS active_years
            FROM consultation_in GROUP BY ALL
        )
        SELECT {PERIOD}, professional AS professional_key, profession, speciality, events, patients,
        worked_months,
            events / worked_months AS events_per_worked_month, active_years,
            events / active_years AS events_per_active_year,
            events / sum(events) OVER (PARTITION BY period_grain, period_start) AS share
        FROM counted
        JOIN consultation_period USING (period_grain, period_start)
        LEFT JOIN professional p ON p.id = counted.professional
        ORDER BY ALL
        """,
    )
