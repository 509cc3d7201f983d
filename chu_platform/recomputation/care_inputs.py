"""Input tables of consultations and stays: patients, events, periods, diagnoses and the patient base.

Sources are views `raw_<name>`. For each fact (`consultation`, `stay`):

- `<fact>(id, patient, code, date, ...)`: the delivered events; consultations have `professional`, `begins` and `ends`,
  stays have `days`;
- `<fact>_calendar(period_grain, period_start, period_end, month_start)`: the months of every month, quarter and year
  from the first event to the last, and of the closed years together (`all`, as in editions);
- `<fact>_period(period_grain, period_start, period_end, covered_start, covered_end, base_patients, patient_years)`:
  each period once. The data cover the days from covered_start to the day before covered_end. The base is the patients
  born before the end of the period, or of unknown birth;
- `<fact>_in`: each event once for each period that contains it, with `month_start`, and `is_known`: whether its patient
  is in the care database.
"""

from typing import Final

import duckdb

from chu_platform.recomputation.date_macros import LAST_BAND, create_date_macros
from chu_platform.recomputation.recomputation import UNKNOWN

DAYS_PER_YEAR: Final = 365.25
# Patients of unknown date of birth are in every base.
BORN: Final = "coalesce(birth, DATE '0001-01-01')"


def create_patients(connection: duckdb.DuckDBPyConnection) -> None:
    """Create patient(id, sex, birth) and the macros of `date_macros`; sex is M, F or null."""
    create_date_macros(connection)
    connection.execute(
        """
        CREATE TABLE patient AS
        WITH written AS (
            SELECT "Id_patient", "Sexe",
                regexp_extract("Date", '^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})$', ['m', 'd', 'y']) AS birth
            FROM "raw_Patient"
        )
        SELECT "Id_patient" AS id, MAP {'male': 'M', 'female': 'F'}["Sexe"] AS sex,
            try_cast(concat_ws('-', birth.y, birth.m, birth.d) AS DATE) AS birth
        FROM written
        """
    )


def create_consultations(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the four tables of consultations; needs patient."""
    connection.execute(
        """
        CREATE TABLE consultation AS
        FROM "raw_Consultation"
        SELECT "Num_consultation" AS id, "Id_patient" AS patient, coalesce("Code_diag", '') AS code, "Date" AS date,
            "Id_prof_sante" AS professional, "Heure_debut" AS begins, "Heure_fin" AS ends
        """
    )
    _create_periods(connection, "consultation")


def create_stays(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the four tables of stays; needs patient."""
    connection.execute(
        """
        CREATE TABLE stay AS
        FROM "raw_Hospitalisations"
        SELECT "Num_Hospitalisation" AS id, "Id_patient" AS patient, coalesce("Code_diagnostic", '') AS code,
            "Date_Entree" AS date, "Jour_Hospitalisation"::BIGINT AS days
        """
    )
    _create_periods(connection, "stay")


def _create_periods(connection: duckdb.DuckDBPyConnection, fact: str) -> None:
    connection.execute(
        f"""
        -- A period of n months begins at a month whose number is a multiple of n.
        CREATE TABLE {fact}_calendar AS
        WITH numbered AS (
            SELECT unnest(range(month_number(min(date)), month_number(max(date)) + 1)) AS number FROM {fact}
        ), spans AS (
            SELECT period_grain, number, number - number % months AS since, since + months AS until
            FROM numbered, (VALUES ('month', 1), ('quarter', 3), ('year', 12)) grain(period_grain, months)
            UNION ALL
            -- The closed years: those before the year of the last event.
            SELECT 'all', number, min(number) OVER (), last_month - last_month % 12
            FROM numbered, (SELECT max(number) AS last_month FROM numbered) WHERE number < last_month - last_month % 12
        )
        SELECT period_grain, month_begin(since) AS period_start, month_begin(until) AS period_end,
            month_begin(number) AS month_start
        FROM spans;

        CREATE TABLE {fact}_period AS
        WITH periods AS (SELECT DISTINCT period_grain, period_start, period_end FROM {fact}_calendar),
        bases AS (
            SELECT period_end, count(*) AS base_patients
            FROM (SELECT DISTINCT period_end FROM periods) JOIN patient ON {BORN} < period_end
            GROUP BY period_end
        )
        SELECT periods.*, greatest(period_start, first_day) AS covered_start,
            least(period_end, last_day + 1) AS covered_end, coalesce(base_patients, 0) AS base_patients,
            base_patients / {DAYS_PER_YEAR} * date_diff('day', covered_start, covered_end) AS patient_years
        FROM periods LEFT JOIN bases USING (period_end) CROSS JOIN
            (SELECT min(date) AS first_day, max(date) AS last_day FROM {fact});

        CREATE TABLE {fact}_in AS
        SELECT event.*, month_start, period_grain, period_start,
            event.patient IN (SELECT id FROM patient) AS is_known
        FROM {fact} event JOIN {fact}_calendar ON month_start = month_begin(month_number(event.date));
        """
    )


def create_diagnosis_levels(connection: duckdb.DuckDBPyConnection) -> None:
    """Create diagnosis_level(delivered, level, code): a delivered code's leaf, category and chapter.

    A leaf is known if it is in the care database, in the CIM-10, or in the range of a chapter. Needs both facts.
    """
    connection.execute(
        f"""
        CREATE TABLE diagnosis_level AS
        WITH delivered AS (
            SELECT DISTINCT code AS delivered, code[:3] AS category
            FROM (SELECT code FROM consultation UNION ALL SELECT code FROM stay)
        ), in_chapter AS (
            SELECT delivered, category, if(category <= last_category, chapter_code, NULL) AS chapter
            FROM delivered ASOF LEFT JOIN raw_cim10_chapter ON first_category <= category
        ), listed AS (
            SELECT "Code_diag" AS code FROM "raw_Diagnostic" UNION SELECT code FROM raw_cim10
        ), placed AS (
            SELECT delivered, if(coalesce(own.code, chapter) IS NULL, '{UNKNOWN}', delivered) AS leaf,
                coalesce(above.code, '{UNKNOWN}') AS category, coalesce(chapter, '{UNKNOWN}') AS chapter
            FROM in_chapter LEFT JOIN listed own ON own.code = delivered
                LEFT JOIN raw_cim10 above ON above.code = in_chapter.category
        )
        UNPIVOT placed ON leaf, category, chapter INTO NAME level VALUE code
        """
    )


def create_base_by_age(connection: duckdb.DuckDBPyConnection) -> None:
    """Create stay_base_by_age(period_grain, period_start, sex, age_band, base_patients, patient_years).

    For each day, sex and age band, the patients who have reached the band are counted. The number of patients in a band
    on a day is this count minus the count of the next band; patients who are born in the period are in the first band
    from its first day on. The base of a band in a period is the patients in the band on the middle day. Its
    patient-years are the patients in the band, summed over the covered days. Needs the tables of stays.
    """
    connection.execute(
        f"""
        CREATE TABLE stay_base_by_age AS
        WITH person AS (
            SELECT sex, birth FROM patient WHERE sex IS NOT NULL UNION ALL SELECT 'all', birth FROM patient
        ), every_day AS (
            SELECT unnest(range(min(period_start), max(period_end), INTERVAL 1 DAY))::DATE AS day FROM stay_period
        ), begin AS (
            SELECT sex, band, greatest(birthday(birth, 5 * band), (SELECT min(day) FROM every_day)) AS day,
                count(*) AS patients
            FROM person, range({LAST_BAND} + 1) bands(band) WHERE birth IS NOT NULL GROUP BY ALL
        ), begun AS (
            SELECT sex, band, day, sum(coalesce(patients, 0)) OVER (PARTITION BY sex, band ORDER BY day) AS begun
            FROM (SELECT DISTINCT sex FROM person) CROSS JOIN range({LAST_BAND} + 1) bands(band) CROSS JOIN every_day
                LEFT JOIN begin USING (sex, band, day)
        ), present AS (
            SELECT *, coalesce(lead(begun) OVER (PARTITION BY sex, day ORDER BY band), 0) AS ended FROM begun
        ), in_period AS (
            SELECT period_grain, period_start, period_end, covered_start, covered_end, sex, band, day,
                if(band = 0, max(begun) OVER (PARTITION BY period_grain, period_start, sex, band), begun) - ended
                    AS patients
            FROM stay_period JOIN present ON day >= period_start AND day < period_end
        )
        SELECT period_grain, period_start, sex, band_label(band) AS age_band,
            max(patients) FILTER (day = period_start + (date_diff('day', period_start, period_end) // 2)::INTEGER)
                AS base_patients,
            sum(patients) FILTER (day >= covered_start AND day < covered_end) / {DAYS_PER_YEAR} AS patient_years
        FROM in_period GROUP BY period_grain, period_start, sex, band
        UNION ALL
        SELECT period_grain, period_start, sex, coalesce(label, 'all') AS age_band, count(*),
            count(*) / {DAYS_PER_YEAR} * any_value(date_diff('day', covered_start, covered_end))
        FROM stay_period JOIN person ON {BORN} < period_end,
            LATERAL (SELECT unnest(if(birth IS NULL, ['all', 'unknown'], ['all'])) AS label)
        GROUP BY ALL
        """
    )
