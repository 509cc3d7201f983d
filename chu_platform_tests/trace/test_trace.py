"""Published figures are traced to the delivered lines, and computed from these lines by the tests."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date

import duckdb
import pyarrow as pa
import pytest

from chu_platform.access.journal import Journal
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.indicators.indicator import recomputations
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.consultation import consultation
from chu_platform.tables.table import Layer, Table
from chu_platform.trace import delivered_lines
from chu_platform.trace.comparison import differences, masked_rows
from chu_platform.trace.published_cells import Cell, find_cell
from chu_platform.trace.trace import Trace, TracedSource, Tracer
from chu_platform.trace.trace_command import run_trace
from chu_platform.trace.trace_text import ranges
from chu_platform.trace.version_chain import version_chain
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.trace import raw
from chu_platform_tests.trace.conftest import settings_of

pytestmark = pytest.mark.integration

CELLS = 2
PUBLISHED = {t.name: t for t in catalogue() if t.layer is Layer.PUBLISHED and t.name in recomputations()}
STAYS = [name for name in PUBLISHED if "hospitalisation" in name]
CONSULTATIONS = [name for name in PUBLISHED if "consultation" in name]
DEATHS = "published/kpis/kpi_deaths_by_region"


@pytest.fixture(scope="module")
def tracer(home: Home) -> Iterator[Tracer]:
    with closing(Tracer(settings_of(home))) as found:
        yield found


def cells(tracer: Tracer, table: Table, seed: int) -> Sequence[Cell]:
    """Random cells of a table, one of them masked if there is a masked one."""
    rows = tracer.lake.arrow(table)
    draw = random.Random(f"{seed} {table.name}")
    masked = [i for i, m in enumerate(rows["is_masked"].to_pylist()) if m]
    chosen = draw.sample(range(len(rows)), CELLS - bool(masked)) + (draw.sample(masked, 1) if masked else [])
    version = tracer.lake.version(table)
    return [Cell(table, version, {k: rows[k][i].as_py() for k in table.key}, rows.slice(i, 1), "now") for i in chosen]


@pytest.fixture(scope="module")
def traces(tracer: Tracer, seed: int) -> dict[str, Sequence[Trace]]:
    """Some cells of each indicator, ordered by input set, so that indicators share input tables."""
    order = sorted(PUBLISHED.values(), key=lambda t: recomputations()[t.name].input_set)
    return {t.name: [tracer.trace(cell) for cell in cells(tracer, t, seed)] for t in order}


def only(found: Trace, name: str) -> TracedSource:
    (source,) = (s for s in found.sources if s.source.table.name == name)
    return source


def delivered(home: Home, source: TracedSource) -> list[dict[str, str]]:
    """The values in the delivered files at the lines of a trace."""
    return [raw.values(home.pack / name, line.number) for name, found in source.lines.items() for line in found]


def period(cell: Cell) -> tuple[date, date]:
    return cell.values["period_start"], cell.values["period_end"]


def test_every_published_indicator_can_be_traced() -> None:
    all_indicators = {t.name for t in catalogue() if t.layer is Layer.PUBLISHED and t.name.startswith("kpi_")}
    assert PUBLISHED.keys() == recomputations().keys() == all_indicators and len(all_indicators) == 16


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_figures_of_random_cells_equal_their_recomputation(
    traces: dict[str, Sequence[Trace]], name: str, seed: int
) -> None:
    print(f"seed {seed}")
    assert len(traces[name]) == CELLS
    for found in traces[name]:
        assert found.equal, (found.cell.key, found.differences)
        assert found.computed and found.computed.keys() == found.exact.keys() if found.exact else False
        assert found.cell.values["is_masked"] == (found.reason is not None)


@pytest.mark.parametrize(
    ("table", "conditions", "years"),
    [
        ("kpi_deaths_by_month", ["period_grain=month", "period_start=2004-08-01"], range(1997, 2005)),
        ("kpi_mortality", ["year=2010", "level=region", "code=53"], [2010]),
        ("kpi_deaths_by_region", ["year=2003"], [2003]),
    ],
)
def test_a_trace_reads_only_the_deaths_that_its_figures_need(
    table: str, conditions: Sequence[str], years: Sequence[int], tracer: Tracer
) -> None:
    """With all of them, fifty years would be read to explain one: `chu trace` took minutes."""
    cell = find_cell(tracer.lake, f"published/kpis/{table}", conditions, None)
    assert tracer.trace(cell).equal
    opened = tracer._recomputations.of(cell.table, version_chain(tracer.lake, cell.table, cell.version), cell.row)
    assert {y for (y,) in opened.connection.execute("SELECT DISTINCT year FROM death").fetchall()} == set(years)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_traced_lines_have_the_text_of_the_file(
    traces: dict[str, Sequence[Trace]], home: Home, name: str, seed: int
) -> None:
    print(f"seed {seed}")
    for found in traces[name]:
        assert found.sources
        for source in found.sources:
            assert all(file.problem is None for file in source.files)
            for file, lines in source.lines.items():
                assert [ln.text for ln in lines] == [raw.text(home.pack / file, ln) for ln in lines]
                assert len({ln.number for ln in lines}) == len(lines)


@pytest.mark.parametrize("name", STAYS)
def test_the_lines_of_stays_give_the_figure(
    traces: dict[str, Sequence[Trace]], home: Home, name: str, seed: int
) -> None:
    print(f"seed {seed}")
    for found in traces[name]:
        rows = delivered(home, only(found, "Hospitalisations"))
        days = [date(*map(int, reversed(r["Date_Entree"].split("/")))) for r in rows]
        start, end = period(found.cell)
        assert all(start <= day < end for day in days)
        # In an age band, stays are listed for their own age, or for that of their patient in the middle of the period.
        if found.cell.key.get("age_band", "all") == "all":
            assert found.exact and found.exact["events"] == len(rows)
            assert found.exact["days"] == sum(int(r["Jour_Hospitalisation"]) for r in rows)
        assert found.exact and max(found.exact["events"], found.exact["patients"]) <= len(rows)
        assert only(found, "Patient").count == found.exact["base_patients"]


def test_the_lines_of_deaths_give_the_figure(traces: dict[str, Sequence[Trace]], home: Home, seed: int) -> None:
    print(f"seed {seed}")
    for found in traces["kpi_deaths_by_region"]:
        rows = delivered(home, only(found, "deces"))
        assert {r["date_deces"][:4] for r in rows} <= {str(found.cell.key["year"])}
        # The pack contains repeated lines: the same death counts once.
        assert found.exact and found.exact["deaths"] == len({tuple(r.values()) for r in rows})
        if found.cell.key["sex"] != "all":
            assert {r["sexe"] for r in rows} <= {{"M": "1", "F": "2"}[found.cell.key["sex"]]}


def test_the_lines_of_sites_give_the_figure(traces: dict[str, Sequence[Trace]], home: Home, seed: int) -> None:
    print(f"seed {seed}")
    for found in traces["kpi_satisfaction_by_region"]:
        key = found.cell.key
        source = only(found, "esatis48h_mco" if key["survey"] == "48h_mco" else "esatisca_mco")
        rows = delivered(home, source)
        assert {name for name, lines in source.lines.items() if lines} == {
            name for name in source.lines if str(key["year"]) in name
        }
        assert found.exact and found.exact["sites"] == len({r["finess_geo"].zfill(9) for r in rows})
        for letter in "ABCD":
            assert found.exact[f"class_{letter.lower()}"] == sum(r["classement"] == letter for r in rows)


@pytest.mark.parametrize("name", CONSULTATIONS)
def test_the_rows_of_consultations_give_the_figure(
    traces: dict[str, Sequence[Trace]], tracer: Tracer, home: Home, name: str, seed: int
) -> None:
    print(f"seed {seed}")
    for found in traces[name]:
        keys = ", ".join(only(found, "Consultation").rows) or "NULL"
        start, end = period(found.cell)
        seen = (
            duckdb.connect()
            .execute(
                f'SELECT count(*), count(DISTINCT "Id_patient"), min("Date"), max("Date") '
                f'FROM {tracer.lake.relation(consultation)} WHERE "Num_consultation" IN ({keys})'
            )
            .fetchall()[0]
        )
        assert found.exact and seen[0] == len(only(found, "Consultation").rows)
        assert seen[1] >= found.exact["patients"] and start <= seen[2] and seen[3] < end
        if "establishment" not in name:
            assert seen[0] == found.exact["events"]
        else:
            # A consultation is shared between the places of its professional; a cell has a part of them.
            attached = delivered(home, only(found, activite_professionnel_sante.name))
            assert seen[0] >= found.exact["events"] - 1e-9
            assert bool(attached) == (found.cell.key["level"] not in ("total", "unattached"))


def test_a_wrong_figure_is_reported(tracer: Tracer) -> None:
    found = find_cell(tracer.lake, DEATHS, ["year=2019", "region_code=11"], None)
    traced = tracer.trace(found)
    wrong = found.row.set_column(found.row.column_names.index("deaths"), "deaths", [[1]])
    recomputation = tracer._recomputations.of(found.table, traced.chain)
    recomputation.choose(found.row, materialize=True)
    exact = tracer.lake.arrow(found.table.reads["exact"])

    def expected(masked: bool) -> pa.Table:
        return masked_rows(found.table, exact, pa.table({"cell": [found.name], "is_masked": [masked]}))

    (difference,) = differences(found.table, wrong, exact, recomputation.figures(), expected(False))
    assert (difference.figure, difference.found, difference.expected) == (
        "deaths as published",
        1,
        traced.exact and traced.exact["deaths"],
    )
    shown = differences(found.table, found.row, exact, recomputation.figures(), expected(True))
    assert {d.figure for d in shown} >= {"is_masked", "deaths as published"}, "a figure that should be masked"


def test_the_command_succeeds_if_all_figures_are_equal(home: Home) -> None:
    done = home.chu("trace", "published/kpis/kpi_satisfaction_by_region", "year=2019", "survey=ca_mco")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "published/kpis/kpi_satisfaction_by_region year=2019 survey=ca_mco region_code=all, v"
    )
    assert done.stdout.rstrip().endswith("\nEQUAL")


def trace_output(home: Home, *conditions: str, rows: bool = False) -> str:
    lines: list[str] = []
    assert run_trace(settings_of(home), DEATHS, conditions, rows, False, None, lines.append)
    return "\n".join(lines)


def test_the_chain_is_shown_and_identities_only_on_request(home: Home, tracer: Tracer) -> None:
    """Identities are shown only with --rows, and then the access journal says so."""
    conditions = ("year=2019", "region_code=11")
    source = only(tracer.trace(find_cell(tracer.lake, DEATHS, conditions, None)), "deces")
    people = {(row["nom"], row["prenom"]) for row in delivered(home, source)}
    journal = Journal(home.secrets)
    before = len(journal.lines())
    output = trace_output(home, *conditions)
    assert people and not [name for person in people for name in person if re.search(rf"\b{re.escape(name)}\b", output)]
    assert len(journal.lines()) == before + 1
    assert "GROUPING SETS" in output, "the query of the indicator is shown"
    assert source.files[0].sha256 in output and output.endswith("\nEQUAL")
    shown = trace_output(home, *conditions, rows=True)
    assert all(nom in shown and prenom in shown for nom, prenom in people)
    figure, rows = map(json.loads, journal.lines()[before + 1 :])
    assert (figure["table"], figure["rows"]) == ("pseudonymised/kpis/kpi_deaths_by_region", 1)
    assert (rows["table"], rows["rows"]) == ("restricted/sources/deces", source.count)
    assert rows["principal"] == "owner" and rows["time"] and "kpi_deaths_by_region" in rows["filter"]


def test_lines_of_a_large_file_are_searched_on_request_only(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered_lines, "LARGE", 0)
    conditions = ("year=2019", "region_code=11")
    output = trace_output(home, *conditions)
    assert re.search(r"deces\.csv \(sha256 \w+\): 0\.0 GB; --lines finds the lines in it", output)
    assert "lines: " not in output and output.endswith("\nEQUAL")
    found: list[str] = []
    assert run_trace(settings_of(home), DEATHS, conditions, False, True, None, found.append)
    assert re.search(r"deces\.csv \(sha256 \w+\): \d+ lines: \d+", "\n".join(found))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["published/kpis/kpi_births"], "there is no table 'published/kpis/kpi_births'"),
        (["facts/fact_death"], "pseudonymised/facts/fact_death is not a published indicator"),
        ([DEATHS, "year"], "'year' is not column=value; the key of kpi_deaths_by_region is year, region_code, sex"),
        ([DEATHS, "deaths=3"], "has no key column 'deaths'"),
        ([DEATHS, "year=1800"], "has no year=1800; its values are 1971,"),
        ([DEATHS, "region_code=11"], "also give year (year=1971|"),
        (["published/kpis/kpi_hospitalisation_rate", "period_grain=year"], "also give period_start"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_give_a_one_line_message(tracer: Tracer, arguments: list[str], message: str) -> None:
    with pytest.raises(ChuError) as refused:
        find_cell(tracer.lake, arguments[0], arguments[1:], None)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_line_numbers_are_shown_as_ranges() -> None:
    assert ranges([3, 9, 8, 7, 12, 3], None) == "3, 7-9, 12"
    assert ranges([1, 3, 5], 2) == "1, 3 and 1 more ranges (--lines lists all)"
