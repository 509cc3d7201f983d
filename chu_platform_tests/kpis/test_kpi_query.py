"""`chu kpi`: exact figures for any X and any range of whole months."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from chu_platform.access.gate import Denied, Gate
from chu_platform.access.journal import Journal
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.identity.person import OWNER
from chu_platform.identity.principal import Held, Principal
from chu_platform.kpi_query import KpiRequest, find_indicator, indicator_options, kpi_rows
from chu_platform.kpis.kpi_consultation_rate_by_professional import consultation_by_speciality
from chu_platform.oracle import pack_tables
from chu_platform.settings import Settings
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform.tables.table import Layer
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

Row = Mapping[str, Any]
TABLES = {t.name: t for t in catalogue() if t.layer is Layer.KPIS}
RATED = [
    "kpi_consultation_rate_by_establishment",
    "kpi_consultation_rate_by_diagnosis",
    "kpi_hospitalisation_rate",
    "kpi_hospitalisation_rate_by_diagnosis",
    "kpi_hospitalisation_rate_by_sex_and_age",
]
# A month, a quarter, a year, a month that the data covers only in part, and the whole range of the data.
Period = tuple[str, str | None, str | None]
PERIODS: list[Period] = [
    ("month", "2018-03", "2018-03"),
    ("quarter", "2019-04", "2019-06"),
    ("year", "2017-01", "2017-12"),
    ("month", "2015-06", "2015-06"),
    ("all", None, None),
]
FREE_RANGE = ("2019-01", "2020-06")
DAYS_OF_FREE_RANGE = 365 + 182
# Columns of calendar periods that a free range does not have.
CALENDAR_COLUMNS = {"period_grain", "is_partial", "standardised_intensity", "standardised_low", "standardised_high"}


Ask = Callable[..., list[Row]]


@pytest.fixture(scope="module")
def resources(made: Home) -> Iterator[RunResources]:
    """The run resources of the shared lake, with one engine for all requests."""
    with RunResources(Settings(home=made.folder, sources=made.pack), lambda _: None) as opened:
        yield opened


@pytest.fixture(scope="module")
def gate(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Gate:
    return Gate(made.lake, Journal(tmp_path_factory.mktemp("secrets")))


@pytest.fixture(scope="module")
def ask(resources: RunResources, gate: Gate) -> Ask:
    def of(indicator: str, first: str | None, last: str | None, **where: str) -> list[Row]:
        request = KpiRequest(indicator, {o.replace("_", "-"): v for o, v in where.items()}, first, last)
        found: list[Row] = kpi_rows(resources, request, gate, OWNER).to_pylist()
        return found

    return of


def assert_same(answer: Row, row: Row) -> None:
    shared = [c for c in answer if c in row and c not in CALENDAR_COLUMNS]
    assert len(shared) > 5
    for column in shared:
        wanted = pytest.approx(row[column], rel=1e-9) if isinstance(row[column], float) else row[column]
        assert answer[column] == wanted, column


def key(row: Row) -> tuple[object, ...]:
    return tuple(row.get(c) for c in ("outcome", "level", "code", "sex", "age_band", "region_code"))


@pytest.mark.parametrize(("name", "period"), list(zip(RATED, PERIODS, strict=True)))
def test_a_calendar_period_has_the_figures_of_the_table(ask: Ask, made: Home, name: str, period: Period) -> None:
    """Each indicator with one of the periods."""
    grain, first, last = period
    answers = ask(name, first, last)
    assert len(answers) > 0
    starts = {(r["period_start"], r["period_end"]) for r in answers}
    assert len(starts) == 1
    table = {
        key(r): r
        for r in rows(made.lake, TABLES[name]).to_pylist()
        if r["period_grain"] == grain and (r["period_start"], r["period_end"]) in starts
    }
    assert table or grain == "month", "the range must be a period of the table"
    for answer in answers:
        if key(answer) in table:
            assert_same(answer, table[key(answer)])
        else:
            assert answer["events"] == 0
    levels = {a.get("level") for a in answers}
    assert {k for k, r in table.items() if r.get("level") in levels} <= {key(a) for a in answers}


@pytest.mark.parametrize("name", ["follow_up", "use_concentration"])
def test_a_year_of_an_indicator_that_is_released_in_another_form(ask: Ask, made: Home, name: str) -> None:
    table = [r for r in rows(made.lake, find_indicator(name).releasable).to_pylist() if r["period_grain"] == "year"]
    of_year = {key(r): r for r in table if r["period_start"].year == 2018}
    answers = ask(name, "2018-01", "2018-12")
    assert {key(a) for a in answers} <= of_year.keys() and len(answers) > 3
    for answer in answers:
        assert_same(answer, of_year[key(answer)])


@pytest.mark.parametrize("level", ["establishment", "region"])
def test_one_place_has_the_figures_of_the_table(ask: Ask, made: Home, level: str) -> None:
    row = largest(made, "kpi_consultation_rate_by_establishment", "year", level)
    year = str(row["period_start"].year)
    (answer,) = ask("consultation_rate_by_establishment", f"{year}-01", f"{year}-12", **{level: row["code"]})
    assert_same(answer, row)


def test_a_head_gets_their_own_establishment_alone(resources: RunResources, made: Home, gate: Gate) -> None:
    own = largest(made, "kpi_consultation_rate_by_establishment", "year", "establishment")
    region = largest(made, "kpi_consultation_rate_by_establishment", "year", "region")
    sites = frozenset({own["code"].removeprefix("F")})
    head = Principal("claire", [Held(Profile.HEAD, Purpose.STEERING, date.max, sites)])
    year = str(own["period_start"].year)

    def asked(**where: str) -> list[Row]:
        request = KpiRequest("consultation_rate_by_establishment", where, f"{year}-01", f"{year}-12")
        found: list[Row] = kpi_rows(resources, request, gate, head).to_pylist()
        return found

    (answer,) = asked(establishment=own["code"])
    assert_same(answer, own)
    for where in ({"region": region["code"]}, {"establishment": "F000000000"}, {}):
        with pytest.raises(Denied, match="has no grant"):
            asked(**where)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("kpi_consultation_rate_by_diagnosis", "chapter"),
        ("kpi_hospitalisation_rate_by_diagnosis", "category"),
        ("kpi_consultation_rate_by_diagnosis", "leaf"),
    ],
)
def test_one_diagnosis_has_the_figures_of_the_table(ask: Ask, made: Home, name: str, level: str) -> None:
    row = largest(made, name, "year", level)
    year = str(row["period_start"].year)
    answers = ask(name, f"{year}-01", f"{year}-12", diagnosis=row["code"])
    assert_same(next(a for a in answers if a["level"] == level), row)


def largest(home: Home, name: str, grain: str, level: str) -> Row:
    whole = [
        r
        for r in rows(home.lake, TABLES[name]).to_pylist()
        if r["period_grain"] == grain and r["level"] == level and r["code"] != "inconnu" and not r["is_partial"]
    ]
    found: Row = max(whole, key=lambda r: (r["events"], r["code"]))
    return found


def test_one_sex_and_age_has_the_figures_of_the_table(ask: Ask, made: Home) -> None:
    (answer,) = ask("hospitalisation_rate_by_sex_and_age", "2018-01", "2018-12", sex="F", age_band="40-44")
    table = rows(made.lake, TABLES["kpi_hospitalisation_rate_by_sex_and_age"]).to_pylist()
    (row,) = (
        r
        for r in table
        if (r["period_grain"], r["period_start"].year, r["sex"], r["age_band"]) == ("year", 2018, "F", "40-44")
    )
    assert_same(answer, row)


def test_professions_of_a_year_have_the_figures_of_the_released_table(ask: Ask, made: Home) -> None:
    answers = ask("consultation_rate_by_professional", "2018-01", "2018-12")
    exact = {
        (r["profession"], r["speciality"]): r
        for r in rows(made.lake, consultation_by_speciality).to_pylist()
        if r["period_grain"] == "year" and r["period_start"].year == 2018
    }
    assert {(a["profession"], a["speciality"]) for a in answers} == exact.keys()
    for answer in answers:
        assert_same(answer, exact[answer["profession"], answer["speciality"]])


def test_deaths_of_a_year_have_the_figures_of_the_table(ask: Ask, made: Home) -> None:
    table = {
        r["region_code"]: r
        for r in rows(made.lake, TABLES["kpi_deaths_by_region"]).to_pylist()
        if (r["year"], r["sex"], r["age_band"]) == (2019, "all", "all")
    }
    answers = ask("deaths_by_region", "2019-01", "2019-12")
    assert {a["region_code"] for a in answers} == table.keys()
    for answer in answers:
        assert_same(answer, table[answer["region_code"]])
    (one,) = ask("deaths_by_region", "2019-01", "2019-12", region="11")
    assert_same(one, table["11"])


def test_satisfaction_of_a_campaign_has_the_figures_of_the_table(ask: Ask, made: Home) -> None:
    table = {
        (r["survey"], r["region_code"]): r
        for r in rows(made.lake, TABLES["kpi_satisfaction_by_region"]).to_pylist()
        if r["year"] == 2019
    }
    answers = ask("satisfaction_by_region", "2019-01", "2019-12")
    assert len(answers) > 10
    for answer in answers:
        assert_same(answer, table[answer["survey"], answer["region_code"]])


# A range that is not a calendar period, compared with the delivered files.


@pytest.fixture(scope="module")
def raw(pack: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The delivered files and the dump, without any data of the lake."""
    with duckdb.connect() as connection:
        pack_tables.load(connection, pack)
        yield connection


IN_RANGE = "date >= DATE '2019-01-01' AND date < DATE '2020-07-01'"
BASE = "(SELECT count(*) FROM patient WHERE birth IS NULL OR birth < DATE '2020-07-01')"


def one(raw: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] = raw.execute(sql).fetchall()[0]
    return found


def test_a_free_range_of_consultations_by_place(ask: Ask, made: Home, raw: duckdb.DuckDBPyConnection) -> None:
    expected = {
        code: (events, patients)
        for code, events, patients in raw.execute(
            f"""
            WITH share AS (SELECT *, 1.0 / count(*) OVER (PARTITION BY professional) AS part FROM attachment),
            placed AS (
                SELECT c.id, c.patient, s.part, o.region FROM consultation c
                LEFT JOIN share s ON s.professional = c.professional LEFT JOIN organisation o ON o.id = s.organisation
                WHERE {IN_RANGE}
            )
            SELECT region, sum(part)::DOUBLE, count(DISTINCT patient) FROM placed WHERE region NOT NULL GROUP BY region
            UNION ALL SELECT 'unattached', count(*)::DOUBLE, count(DISTINCT patient) FROM placed WHERE region IS NULL
            UNION ALL SELECT 'total', count(DISTINCT id)::DOUBLE, count(DISTINCT patient) FROM placed
            """
        ).fetchall()
    }
    (base,) = one(raw, f"SELECT {BASE}")
    answers = ask("consultation_rate_by_establishment", *FREE_RANGE)
    assert {a["code"] for a in answers} == expected.keys()
    for answer in answers:
        events, patients = expected[answer["code"]]
        assert answer["events"] == pytest.approx(events, abs=1e-8)
        assert (answer["patients"], answer["base_patients"]) == (patients, base)
        assert answer["patient_years"] == pytest.approx(base * DAYS_OF_FREE_RANGE / 365.25)
        assert answer["rate_per_1000"] == pytest.approx(1000 * patients / base)
        assert answer["intensity"] == pytest.approx(1000 * events / (base * DAYS_OF_FREE_RANGE / 365.25))


@pytest.mark.parametrize(
    ("name", "fact"),
    [("consultation_rate_by_diagnosis", "consultation"), ("hospitalisation_rate_by_diagnosis", "stay")],
)
def test_a_free_range_by_chapter(ask: Ask, made: Home, raw: duckdb.DuckDBPyConnection, name: str, fact: str) -> None:
    expected = {
        chapter: figures
        for chapter, *figures in raw.execute(
            f"""
            SELECT chapter, count(*), count(DISTINCT patient) FILTER (patient IN (SELECT id FROM patient))
            FROM {fact} JOIN diagnosis USING (code) WHERE {IN_RANGE} GROUP BY chapter
            """
        ).fetchall()
    }
    answers = ask(name, *FREE_RANGE)
    assert {a["code"]: [a["events"], a["patients"]] for a in answers} == expected


def test_a_free_range_of_stays(ask: Ask, made: Home, raw: duckdb.DuckDBPyConnection) -> None:
    events, patients, days, base = one(
        raw,
        f"""SELECT count(*), count(DISTINCT patient) FILTER (patient IN (SELECT id FROM patient)), sum(days)::BIGINT,
                   {BASE} FROM stay WHERE {IN_RANGE}""",
    )
    (answer,) = ask("hospitalisation_rate", *FREE_RANGE)
    assert [answer[c] for c in ("events", "patients", "days", "base_patients")] == [events, patients, days, base]
    assert answer["mean_length_of_stay"] == pytest.approx(days / events)


def test_a_free_range_by_sex_and_age(ask: Ask, made: Home, raw: duckdb.DuckDBPyConnection) -> None:
    """A woman is in the band 40-44 if she is 40 to 44 on 1 October 2019, the middle day of the range."""
    base, events = one(
        raw,
        f"""
        SELECT count(*) FILTER (birth + INTERVAL 40 YEAR <= DATE '2019-10-01'
                                AND birth + INTERVAL 45 YEAR > DATE '2019-10-01'),
               (SELECT count(*) FROM stay s JOIN patient k ON k.id = s.patient
                WHERE {IN_RANGE} AND k.sex = 'F' AND s.date >= k.birth + INTERVAL 40 YEAR
                    AND s.date < k.birth + INTERVAL 45 YEAR)
        FROM patient WHERE sex = 'F' AND NOT (month(birth) = 2 AND day(birth) = 29)
        """,
    )
    (leap,) = one(raw, "SELECT count(*) FROM patient WHERE sex = 'F' AND month(birth) = 2 AND day(birth) = 29")
    (answer,) = ask("hospitalisation_rate_by_sex_and_age", *FREE_RANGE, sex="F", age_band="40-44")
    assert base <= answer["base_patients"] <= base + leap
    assert answer["events"] == events
    assert 0 < answer["patient_years"] < 1.2 * answer["base_patients"] * DAYS_OF_FREE_RANGE / 365.25


def test_a_free_range_of_deaths(ask: Ask, made: Home, raw: duckdb.DuckDBPyConnection) -> None:
    (deaths,) = one(
        raw,
        "SELECT count(*) FROM (SELECT try_cast(date_deces AS DATE) AS date FROM death) WHERE " + IN_RANGE,
    )
    answers = ask("deaths_by_region", *FREE_RANGE)
    assert sum(a["deaths"] for a in answers if a["region_code"] != "all") == deaths
    assert len(answers) == 20
    assert {a["population"] for a in answers} == {None}, "the population is known for 2019 only"


# Requests without an answer.


@pytest.mark.parametrize(
    ("name", "first", "last", "where", "message"),
    [
        ("hospital_food", None, None, {}, "there is no indicator 'hospital_food'"),
        ("hospitalisation_rate", "2019-13", None, {}, "'2019-13' is not a month"),
        ("hospitalisation_rate", "2019", None, {}, "'2019' is not a month"),
        ("hospitalisation_rate", "2020-06", "2019-01", {}, "the range is reversed"),
        ("hospitalisation_rate", "1999-01", "2019-01", {}, "the data cover 2015-06"),
        ("hospitalisation_rate", "2019-01", "2099-01", {}, "the data cover 2015-06"),
        ("hospitalisation_rate", None, None, {"region": "11"}, "does not know --region"),
        (
            "consultation_rate_by_establishment",
            None,
            None,
            {"establishment": "F000000000"},
            "nothing found for --establishment",
        ),
        ("consultation_rate_by_establishment", None, None, {"region": "00"}, "nothing found for --region 00"),
        ("consultation_rate_by_diagnosis", None, None, {"diagnosis": "ZZZ"}, "nothing found for --diagnosis ZZZ"),
        ("hospitalisation_rate_by_diagnosis", None, None, {"diagnosis": "ZZZ"}, "nothing found for --diagnosis ZZZ"),
        ("hospitalisation_rate_by_sex_and_age", None, None, {"sex": "X"}, "nothing found for --sex X"),
        (
            "consultation_rate_by_professional",
            None,
            None,
            {"profession": "Barbier"},
            "nothing found for --profession Barbier",
        ),
        ("deaths_by_region", None, None, {"region": "00"}, "nothing found for --region 00"),
        ("deaths_by_region", "2019-06", "2019-01", {}, "the range is reversed"),
        ("deaths_by_region", "2019-1", None, {}, "'2019-1' is not a month"),
        ("satisfaction_by_region", "2099-01", "2099-12", {}, "the data cover 2017"),
        ("satisfaction_by_region", None, None, {"region": "00"}, "nothing found for --region 00"),
    ],
)
def test_a_request_without_an_answer_gives_a_one_line_message(
    resources: RunResources,
    gate: Gate,
    name: str,
    first: str | None,
    last: str | None,
    where: Mapping[str, str],
    message: str,
) -> None:
    with pytest.raises(ChuError, match=re.escape(message)) as caught:
        kpi_rows(resources, KpiRequest(name, where, first, last), gate, OWNER)
    assert "\n" not in str(caught.value)


def test_two_options_are_both_applied_or_refused(ask: Ask, made: Home) -> None:
    """A request for a department and a region must not be answered for one of them only."""
    region = largest(made, "kpi_consultation_rate_by_establishment", "year", "region")["code"]
    department = largest(made, "kpi_consultation_rate_by_establishment", "year", "department")["code"]
    other = next(r for r in ("01", "02", "94") if r != region)
    with pytest.raises(ChuError):
        ask("consultation_rate_by_establishment", None, None, department=department, region=other)


def test_the_eight_indicators_can_be_requested() -> None:
    assert {find_indicator(line.split()[0]).name for line in indicator_options()} == TABLES.keys()


def test_the_message_for_an_empty_lake_names_the_command_to_run(tmp_path: Path, gate: Gate) -> None:
    empty = RunResources(Settings(home=tmp_path), lambda _: None)
    with pytest.raises(ChuError, match="run `chu materialize` first"):
        kpi_rows(empty, KpiRequest("hospitalisation_rate"), gate, OWNER)


def test_months_of_deaths_are_listed_for_a_range(made: Home, ask: Ask) -> None:
    """They are read from the table: what was expected of a month does not depend on the range."""
    found = ask("deaths_by_month", "2003-07", "2003-09", region="11", sex="F")
    table = rows(made.lake, TABLES["kpi_deaths_by_month"]).to_pylist()
    summer = [f"2003-0{month}-01" for month in (7, 8, 9)]
    wanted = [r for r in table if (r["region_code"], r["sex"]) == ("11", "F") and str(r["period_start"]) in summer]
    assert found == wanted and len(found) == 3
    with pytest.raises(ChuError, match=r"the data cover 1975-01 to 2020-\d\d, not 1970-01 to 1970-02"):
        ask("deaths_by_month", "1970-01", "1970-02")
