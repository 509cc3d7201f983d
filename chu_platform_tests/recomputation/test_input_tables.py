"""The input tables of the recomputation, made from a few source rows whose result is known."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from chu_platform.recomputation.care_inputs import (
    create_base_by_age,
    create_consultations,
    create_diagnosis_levels,
    create_patients,
    create_stays,
)
from chu_platform.recomputation.date_macros import create_date_macros
from chu_platform.recomputation.death_inputs import create_deaths
from chu_platform.recomputation.register_inputs import create_organisations, create_professionals

pytestmark = pytest.mark.unit

Rows = list[tuple[Any, ...]]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def source(connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: Rows) -> None:
    """A source table; `columns` are declarations as of CREATE TABLE."""
    connection.execute(f'CREATE TABLE "raw_{name}" ({columns})')
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f'INSERT INTO "raw_{name}" VALUES ({marks})', rows)


def patients(connection: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    source(connection, "Patient", '"Id_patient" INTEGER, "Sexe" VARCHAR, "Date" VARCHAR', rows)
    create_patients(connection)


def stays(connection: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    columns = (
        '"Num_Hospitalisation" INTEGER, "Id_patient" INTEGER, "Code_diagnostic" VARCHAR, "Date_Entree" DATE, '
        '"Jour_Hospitalisation" INTEGER'
    )
    source(connection, "Hospitalisations", columns, rows)
    create_stays(connection)


def found(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("birth", "event", "years", "band"),
    [
        ("2012-02-29", "2017-02-28", 4, "0-4"),
        ("2012-02-29", "2017-03-01", 5, "5-9"),
        ("2012-02-29", "2020-02-28", 7, "5-9"),
        ("2012-02-29", "2020-02-29", 8, "5-9"),
        ("1930-12-31", "2015-12-30", 84, "80-84"),
        ("1930-12-31", "2015-12-31", 85, "85+"),
        ("1900-01-01", "2019-06-01", 119, "85+"),
        ("2019-06-01", "2019-06-01", 0, "0-4"),
    ],
)
def test_ages_at_an_event(connection: duckdb.DuckDBPyConnection, birth: str, event: str, years: int, band: str) -> None:
    create_date_macros(connection)
    query = f"SELECT completed_years(DATE '{birth}', DATE '{event}') AS age, band_of_age(age)"
    assert found(connection, query) == [(years, band)]


def test_there_is_no_age_without_a_birth_or_before_it(connection: duckdb.DuckDBPyConnection) -> None:
    create_date_macros(connection)
    day = "DATE '2020-01-01'"
    assert found(
        connection,
        f"SELECT completed_years(NULL::DATE, {day}) AS a, completed_years({day} + 1, {day}) AS b, band_of_age(b)",
    ) == [(None, None, "unknown")]


@pytest.mark.parametrize(
    ("birth", "since", "until", "age"),
    [
        # The middle day of a year is 2 July, of a month of 31 days the 16th.
        ("2010-07-02", "2019-01-01", "2020-01-01", 9),
        ("2010-07-03", "2019-01-01", "2020-01-01", 8),
        ("2010-07-02", "2020-01-01", "2021-01-01", 10),
        ("2010-03-17", "2020-03-01", "2020-04-01", 9),
        ("2020-03-31", "2020-03-01", "2020-04-01", 0),
        ("2020-04-01", "2020-03-01", "2020-04-01", None),
    ],
)
def test_ages_on_the_middle_day_of_a_period(
    connection: duckdb.DuckDBPyConnection, birth: str, since: str, until: str, age: int | None
) -> None:
    create_date_macros(connection)
    assert found(connection, f"SELECT age_in_period(DATE '{birth}', DATE '{since}', DATE '{until}')") == [(age,)]


def test_births_that_are_no_date_are_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    patients(connection, [(1, "male", "7/5/2013"), (2, "female", "2/30/2013"), (3, "other", "2013-07-05")])
    assert found(connection, "FROM patient ORDER BY id") == [
        (1, "M", date(2013, 7, 5)),
        (2, "F", None),
        (3, None, None),
    ]


def test_periods_run_from_the_first_event_to_the_last(connection: duckdb.DuckDBPyConnection) -> None:
    patients(connection, [(1, "male", "1/1/1950"), (2, "female", "2/1/2020"), (3, "female", "unknown")])
    columns = (
        '"Num_consultation" INTEGER, "Id_patient" INTEGER, "Code_diag" VARCHAR, "Date" DATE, "Id_prof_sante" VARCHAR, '
        '"Heure_debut" VARCHAR, "Heure_fin" VARCHAR'
    )
    slot = ("08:00:00", "12:00:00")
    events = [(1, 1, "A00", date(2019, 11, 10), "P", *slot), (2, 9, None, date(2020, 2, 3), "P", *slot)]
    source(connection, "Consultation", columns, events)
    create_consultations(connection)
    periods = found(
        connection,
        "SELECT period_grain, period_start, period_end, covered_end - covered_start, base_patients "
        "FROM consultation_period WHERE period_grain <> 'month' ORDER BY ALL",
    )
    assert periods == [
        # The closed years: more of 2020 may be delivered.
        ("all", date(2019, 11, 1), date(2020, 1, 1), 52, 2),
        ("quarter", date(2019, 10, 1), date(2020, 1, 1), 52, 2),
        ("quarter", date(2020, 1, 1), date(2020, 4, 1), 34, 3),
        ("year", date(2019, 1, 1), date(2020, 1, 1), 52, 2),
        ("year", date(2020, 1, 1), date(2021, 1, 1), 34, 3),
    ]
    months = found(
        connection,
        "SELECT period_start, base_patients, round(patient_years * 365.25, 6) FROM consultation_period "
        "WHERE period_grain = 'month' ORDER BY 1",
    )
    assert months == [
        (date(2019, 11, 1), 2, 42.0),
        (date(2019, 12, 1), 2, 62.0),
        # Born on 1 February: not in the base of January.
        (date(2020, 1, 1), 2, 62.0),
        (date(2020, 2, 1), 3, 9.0),
    ]
    assert found(connection, "SELECT id, is_known, count(*) FROM consultation_in GROUP BY ALL ORDER BY 1") == [
        (1, True, 4),
        (2, False, 3),
    ]


def test_the_base_by_age_is_that_of_counting_each_patient(connection: duckdb.DuckDBPyConnection) -> None:
    """Three hundred patients drawn with a fixed seed, against a count patient by patient and day by day."""
    draw = random.Random(12)
    births: list[date | None] = [date(2014, 1, 1) + timedelta(draw.randrange(-12_000, 900)) for _ in range(290)]
    births += [date(2012, 2, 29), date(1930, 3, 1), None, None, *(date(2015, 5, d) for d in range(1, 7))]
    sexes = [draw.choice(["male", "female"]) for _ in births]
    written = [f"{b.month}/{b.day}/{b.year}" if b else "" for b in births]
    patients(connection, list(zip(range(len(births)), sexes, written, strict=True)))
    first, last = date(2015, 3, 20), date(2016, 2, 10)
    stays(connection, [(1, 0, "A00", first, 1), (2, 1, "A00", last, 1)])
    create_base_by_age(connection)
    computed = {
        (start, band): (base, days)
        for start, band, base, days in found(
            connection,
            "SELECT period_start, age_band, base_patients::BIGINT, round(patient_years * 365.25)::BIGINT "
            "FROM stay_base_by_age WHERE period_grain = 'quarter' AND sex = 'F' AND base_patients > 0",
        )
    }

    def band(birth: date, day: date) -> str:
        years = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
        return "85+" if years >= 85 else f"{years // 5 * 5}-{years // 5 * 5 + 4}"

    expected: dict[tuple[date, str], tuple[int, int]] = {}
    quarters = [date(2015, 1, 1), date(2015, 4, 1), date(2015, 7, 1), date(2015, 10, 1), date(2016, 1, 1)]
    women = [b for b, sex in zip(births, sexes, strict=True) if sex == "female"]
    for start, end in zip(quarters, [*quarters[1:], date(2016, 4, 1)], strict=True):
        calendar = [start + timedelta(n) for n in range((end - start).days)]
        covered = [day for day in calendar if first <= day <= last]
        middle = calendar[len(calendar) // 2]
        # Who is born later in the quarter is in the youngest band from its first day on.
        born = [b for b in women if b and b < end]
        people = Counter(band(b, max(b, middle)) for b in born)
        days = Counter(band(b, max(b, day)) for b in born for day in covered)
        for name, number in people.items():
            expected[start, name] = (number, days[name])
        unknown = sum(b is None for b in women)
        if unknown:
            expected[start, "unknown"] = (unknown, unknown * len(covered))
        every = sum(b is None or b < end for b in women)
        expected[start, "all"] = (every, every * len(covered))
    assert len(expected) > 40
    assert computed == expected


def test_diagnoses_are_placed_at_three_levels(connection: duckdb.DuckDBPyConnection) -> None:
    patients(connection, [])
    codes = ["A001", "A00X", "Z99", "ZZZ", None]
    connection.execute("CREATE TABLE consultation (code VARCHAR)")
    stays(connection, [(n, 1, code, date(2020, 1, 1), 1) for n, code in enumerate(codes)])
    source(connection, "Diagnostic", '"Code_diag" VARCHAR', [("ZZZ",)])
    source(connection, "cim10", "code VARCHAR", [("A00",), ("A001",)])
    chapters = [("I", "A00", "B99"), ("XXI", "Z00", "Z99")]
    source(connection, "cim10_chapter", "chapter_code VARCHAR, first_category VARCHAR, last_category VARCHAR", chapters)
    create_diagnosis_levels(connection)
    assert found(connection, "PIVOT diagnosis_level ON level USING any_value(code) ORDER BY delivered") == [
        ("", "inconnu", "inconnu", "inconnu"),
        ("A001", "A00", "I", "A001"),
        # In no list, but in a chapter.
        ("A00X", "A00", "I", "A00X"),
        ("Z99", "inconnu", "XXI", "Z99"),
        # Listed by the care database, in no chapter.
        ("ZZZ", "inconnu", "inconnu", "ZZZ"),
    ]


def test_organisations_lie_in_a_department_and_share_professionals(connection: duckdb.DuckDBPyConnection) -> None:
    places = [
        ("paris", "75056", None, None, None),
        ("reunion", "97411", None, None, "La Réunion"),
        ("ajaccio", None, "20000", None, "FRANCE"),
        ("bastia", None, "20200", None, None),
        ("cedex", None, None, " 69003 LYON CEDEX 03", None),
        ("commune first", "2A004", "75001", None, None),
        ("corsica", "20033", None, None, None),
        ("abroad", None, "75001", None, "Allemagne"),
        ("monaco", None, "98000", None, None),
        ("nowhere", None, None, "CEDEX", None),
    ]
    columns = "identifiant_organisation VARCHAR, code_commune VARCHAR, code_postal VARCHAR, cedex VARCHAR, pays VARCHAR"
    source(connection, "etablissement_sante_history", columns, [*places, places[0]])
    connection.execute(
        "ALTER TABLE raw_etablissement_sante_history ADD COLUMN valid_from DATE DEFAULT DATE '0001-01-01'; "
        "ALTER TABLE raw_etablissement_sante_history ADD COLUMN valid_to DATE DEFAULT DATE '9999-12-31'"
    )
    departments = [("75", "11"), ("974", "04"), ("2A", "94"), ("2B", "94"), ("69", "84")]
    source(connection, "department", "department_code VARCHAR, region_code VARCHAR", departments)
    works = [("P", "paris"), ("P", "paris"), ("P", "cedex"), ("Q", "bastia"), ("Q", "closed")]
    source(
        connection,
        "activite_professionnel_sante",
        "identifiant VARCHAR, identifiant_organisation VARCHAR",
        list(works),
    )
    create_organisations(connection)
    assert found(connection, "SELECT id, department, region FROM organisation ORDER BY id") == [
        ("abroad", "inconnu", "inconnu"),
        ("ajaccio", "2A", "94"),
        ("bastia", "2B", "94"),
        ("cedex", "69", "84"),
        ("commune first", "2A", "94"),
        ("corsica", "inconnu", "94"),
        ("monaco", "inconnu", "inconnu"),
        ("nowhere", "inconnu", "inconnu"),
        ("paris", "75", "11"),
        ("reunion", "974", "04"),
    ]
    assert found(connection, "FROM attachment ORDER BY ALL") == [
        ("P", "cedex", 0.5),
        ("P", "paris", 0.5),
        ("Q", "bastia", 1),
    ]


def test_the_care_database_describes_professionals_before_the_registers(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    source(
        connection,
        "Professionnel_de_sante",
        '"Identifiant" VARCHAR, "Profession" VARCHAR, "Code_specialite" VARCHAR',
        [("A", "Médecin", "S1"), ("B", None, "S9")],
    )
    source(connection, "Specialites", '"Code_specialite" VARCHAR, "Specialite" VARCHAR', [("S1", "Chirurgie")])
    columns = "identifiant VARCHAR, profession VARCHAR, specialite VARCHAR"
    registered = [("A", "Infirmier", "Autre"), ("B", "Sage-femme", "Naissance"), ("C", None, "Pédiatrie")]
    source(connection, "professionnel_sante", columns, registered)
    source(connection, "activite_professionnel_sante", "identifiant VARCHAR", [("C",), ("D",)])
    create_professionals(connection)
    assert found(connection, "FROM professional ORDER BY id") == [
        ("A", "Médecin", "Chirurgie"),
        ("B", "Sage-femme", "Naissance"),
        ("C", "Inconnu", "Pédiatrie"),
        ("D", "Inconnu", "Inconnu"),
    ]


def test_a_death_that_several_files_name_is_one(connection: duckdb.DuckDBPyConnection) -> None:
    shared = (
        "nom VARCHAR, prenom VARCHAR, sexe INTEGER, date_naissance VARCHAR, date_deces VARCHAR, death_year VARCHAR, "
    )
    register = shared + (
        "code_lieu_naissance VARCHAR, lieu_naissance VARCHAR, pays_naissance VARCHAR, code_lieu_deces VARCHAR, "
        "numero_acte_deces VARCHAR"
    )
    insee = shared + "lieunaiss VARCHAR, commnaiss VARCHAR, paysnaiss VARCHAR, lieudeces VARCHAR, actedeces VARCHAR"

    def death(name: str, birth: str | None, died: str, place: str | None, sex: int | None = 1) -> tuple[Any, ...]:
        return (name, "X", sex, birth, died, died[:4], "75056", "PARIS", None, place, "0012")

    one = death("ONE", "1950-06-15", "2019-06-14", "75056")
    again = (*one[:8], "", one[9], "12")
    source(
        connection,
        "deces",
        register,
        [
            one,
            one,
            death("TWO", "1950-00-00", "2020-00-00", "97411", 2),
            death("THREE", "1950-06-00", "2020-06-14", "20004"),
            death("FOUR", "0000-00-00", "2020-01-01", "91352", None),
            death("FIVE", "2020-01-02", "2020-01-01", None),
            death("SIX", "0000-05-06", "2020-01-01", None),
            death("SEVEN", "1950-02-30", "2018-01-01", None),
        ],
    )
    source(connection, "deces_insee_fixe", insee, [again])
    source(connection, "deces_insee_csv", insee, [death("TWO", "1950", "2020-00-00", "97411", 2)])
    source(
        connection,
        "department",
        "department_code VARCHAR, region_code VARCHAR",
        [("75", "11"), ("974", "04"), ("2A", "94"), ("91", "11")],
    )
    create_deaths(connection)
    assert found(connection, "SELECT year, sex, region, band, age_group FROM death ORDER BY ALL") == [
        # No date of birth: the 30 February.
        (2018, "M", "99", "unknown", None),
        (2019, "M", "11", "65-69", 65),
        # Both dates count as 1 July.
        (2020, "F", "04", "70-74", 70),
        (2020, "M", "94", "65-69", 65),
        (2020, "M", "99", "unknown", None),
        (2020, "M", "99", "unknown", None),
        (2020, "unknown", "99", "unknown", None),
    ]
