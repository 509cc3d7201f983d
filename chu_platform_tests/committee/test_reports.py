"""The reports that `chu report` makes of a lake, and ten of their figures computed again."""

import datetime
import random
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import dagster as dg
import duckdb
import pytest
from deltalake import DeltaTable

from chu_platform import definitions, french
from chu_platform.catalogue import catalogue
from chu_platform.committee import report_assets
from chu_platform.committee.advice import cost_model
from chu_platform.committee.check_list import NAME as CHECK_LIST
from chu_platform.committee.document import Chapter, Paragraph, Report
from chu_platform.committee.inputs import Inputs
from chu_platform.committee.last_run import COMMAND
from chu_platform.committee.livrable1 import LIVRABLE_1
from chu_platform.committee.livrable2 import LIVRABLE_2
from chu_platform.committee.preconisations import PRECONISATIONS
from chu_platform.committee.write_reports import write_reports
from chu_platform.errors import ChuError
from chu_platform.graph.dagster_instance import open_instance
from chu_platform.settings import Settings, load_settings
from chu_platform_tests.html import Element, parsed
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

DAY: Final = datetime.date(2026, 11, 30)
SQL: Final = "python -m chu_platform.committee.sql "
REPORTS: Final = (LIVRABLE_1, LIVRABLE_2, PRECONISATIONS)


@pytest.fixture(scope="module")
def folder(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of the made lake, which is only read."""
    folder = tmp_path_factory.mktemp("reports") / "written"
    with made.instance() as instance:
        inputs = Inputs(Settings(home=made.folder, sources=made.pack), instance, DAY)
        write_reports(folder, REPORTS, inputs, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def livrable1(folder: Path) -> Element:
    return parsed((folder / "livrable1.html").read_text(encoding="utf-8"))


def test_each_report_has_three_forms(folder: Path) -> None:
    for name in (CHECK_LIST, *(report.name for report in REPORTS)):
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF-1.7")
        assert "Manque :" in (folder / f"{name}.html").read_text(encoding="utf-8") or name != LIVRABLE_1.name
        markdown = (folder / f"{name}.md").read_text(encoding="utf-8")
        for picture in re.findall(r"\]\((\S+\.svg)\)", markdown):
            assert (folder / picture).read_text(encoding="utf-8").startswith("<svg")
    assert not list(folder.rglob("*.unfinished"))


@pytest.mark.parametrize(("report", "least"), [(LIVRABLE_1, 60), (LIVRABLE_2, 20), (PRECONISATIONS, 20)])
def test_every_table_and_picture_has_its_command(folder: Path, report: Report, least: int) -> None:
    page = parsed((folder / f"{report.name}.html").read_text(encoding="utf-8"))
    shown = page.all(".shown")
    assert len(shown) > least
    assert all(len(one.all(".command code")) == 1 for one in shown)
    assert all(len(one.all(".command code")) == 1 for one in page.all(".figures > div"))


def test_the_ui_shows_the_age_of_each_report(made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`chu report` is a run of the assets; here with one small report, and a Dagster storage of its own."""
    small = Report("livrable1", "Essai", "Un essai", "", [Chapter("un", "Un", ["L1.1"], lambda _: [Paragraph("x")])])
    monkeypatch.setattr(report_assets, "REPORTS", [small])
    monkeypatch.setattr(report_assets, "TITLES", {CHECK_LIST: "Liste", "livrable1": "Un essai"})
    monkeypatch.setenv("CHU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHU_LAKE", str(made.folder / "lake"))
    lines: list[str] = []
    written = report_assets.make_reports(load_settings(), tmp_path / "written", lines.append)
    assert [file.name for file in written] == [f"{CHECK_LIST}.pdf", "livrable1.pdf"]
    assert [line.split(",")[0] for line in lines] == ["livrable1: 1 chapters"]
    with open_instance(load_settings()) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["committee", "livrable1"]))
    assert event is not None and event.asset_materialization is not None
    assert event.asset_materialization.metadata["location"].value == str(written[1])


def test_the_reports_are_assets_of_the_code_location() -> None:
    keys = definitions.defs.resolve_asset_graph().get_all_asset_keys()
    assert {dg.AssetKey(["committee", name]) for name in (CHECK_LIST, "livrable1")} <= keys
    assert definitions.defs.resolve_job_def("committee_reports").name == "committee_reports"


def test_the_check_list_leads_to_chapters_and_pages(folder: Path) -> None:
    page = parsed((folder / f"{CHECK_LIST}.html").read_text(encoding="utf-8"))
    [row] = [row for row in page.all("tbody tr") if row.all("td")[0].text == "L1.5"]
    link = row.one("a")
    assert link.attributes["href"] == "livrable1.html#architecture"
    number = int(re.search(r"page (\d+)", link.text)[1])  # type: ignore[index]
    pdf = (folder / "livrable1.pdf").read_bytes()
    assert 1 < number <= max(map(int, re.findall(rb"/Count (\d+)", pdf)))


def test_a_foreign_folder_is_left_alone(made: Home, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ChuError, match="nothing was written"):
        write_reports(tmp_path, [], _unused(), print)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_report_that_fails_leaves_the_earlier_ones(folder: Path) -> None:
    def fail(_inputs: Inputs) -> Iterator[Paragraph]:
        yield Paragraph("x")
        raise ChuError("the lake is damaged")

    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    report = Report("livrable1", "Essai", "Un essai", "", [Chapter("un", "Un", [], fail)])
    with pytest.raises(ChuError, match="damaged"):
        write_reports(folder, [report], _unused(), print)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def _unused() -> Inputs:
    return cast("Inputs", SimpleNamespace(stated="", today=DAY))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_ten_figures_are_the_same_when_computed_again(made: Home, folder: Path, report: Report, seed: int) -> None:
    """The SQL of the report over the tables as delta-rs reads them: the reading of the lake is not shared."""
    cells = list(_cells(parsed((folder / f"{report.name}.html").read_text(encoding="utf-8"))))
    assert len(cells) > 50
    for command, row, column, shown in random.Random(seed).sample(cells, 10):
        value = _computed(made, command)[row][column]
        assert _without_marks(shown) in _possible(value), (command, row, column)


def test_the_costs_of_the_report_are_those_that_the_command_prints(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, made: Home
) -> None:
    monkeypatch.setenv("CHU_HOME", str(made.folder))
    cost_model.main()
    printed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    start = next(n for n, line in enumerate(printed) if line[0] == "volume")
    page = parsed((folder / f"{PRECONISATIONS.name}.html").read_text(encoding="utf-8"))
    [table] = [t for t in page.all(".shown") if "Euros par an, avec" in t.text]
    shown = [[cell.text for cell in line.all("td")] for line in table.all("tbody tr")]
    assert len(shown) == len(printed) - start - 1
    for cells, line in zip(shown, printed[start + 1 :], strict=True):
        named = dict(zip(printed[start], line, strict=True))
        wanted = [float(named[name]) for name in ("storage", "on_demand", "serving", "operation", "total")]
        assert cells[1:] == [" ".join(french.number(value).split()) for value in wanted]


def _cells(page: Element) -> Iterator[tuple[str, int, int, str]]:
    """Of each number from the lake: its command, its row and column in the result, and how it is shown."""
    for figure in page.all(".figures > div"):
        command = figure.one("code").text
        if command.startswith(SQL):
            yield command, 0, 0, figure.one("strong").text
    for table in page.all(".shown"):
        command = table.one(".command code").text
        for row, line in enumerate(table.all("tbody tr") if command.startswith(SQL) else []):
            for column, cell in enumerate(line.all("td")):
                if cell.attributes.get("class") == "number" and cell.text != "–":
                    yield command, row, column, cell.text


def _computed(home: Home, command: str) -> list[tuple[Any, ...]]:
    [*_, sql] = shlex.split(command)
    with duckdb.connect() as connection:
        for identifier, table in _by_name().items():
            if identifier in sql:
                name = identifier.replace(".", "_of_")
                connection.register(name, DeltaTable(home.folder / "lake" / table).to_pyarrow_table())
                sql = re.sub(rf"\b{re.escape(identifier)}\b", name, sql)
        return connection.execute(sql).fetchall()


def _by_name() -> Mapping[str, str]:
    return {f"{t.layer}.{t.name}": t.folder for made in catalogue() for t in made.outputs}


def _possible(value: object) -> set[str]:
    """How a value may be shown: as it is, as a share in percent, in megabytes, as a count that is coarse."""
    assert isinstance(value, int | float)
    found = {french.number(value), french.number(value, 2), french.number(100 * value, 2), french.measured(value)}
    found |= {french.number(value, 1), french.amount(value / 1e6, "Mo", 1)}
    texts = found | {f"environ {french.number(value)}", str(value)}
    return {" ".join(text.split()) for text in texts}


def _without_marks(shown: str) -> str:
    """A cell without the mark of a comparison after it or of a ratio before it."""
    return shown.removeprefix("× ").removesuffix(" +").removesuffix(" −")


def test_cardinalities_are_those_of_the_rows(made: Home, livrable1: Element, folder: Path) -> None:
    """Two of them, counted in plain Python."""
    words = (folder / "livrable1.md").read_text(encoding="utf-8").replace("\u00a0", " ")
    patients = _column(made, "sources/Patient", "Id_patient")
    seen = _column(made, "sources/Consultation", "Id_patient")
    least = 1 if set(patients) <= set(seen) else 0
    assert f"passe : Consultation (1,1), Patient ({least},n)" in words and set(seen) <= set(patients)
    rooms = _column(made, "sources/Salle", "Num_consultation")
    several = "n" if len(set(rooms)) < len(rooms) else "1"
    assert f"Consultation (0,{several})" in words


def _column(home: Home, identifier: str, column: str) -> list[Any]:
    table = next(t for made in catalogue() for t in made.outputs if f"{t.layer}/{t.name}" == identifier).folder
    return list(DeltaTable(home.folder / "lake" / table).to_pyarrow_table(columns=[column])[column].to_pylist())


def test_the_last_main_job_is_that_of_the_log(made: Home, livrable1: Element) -> None:
    figures = {d.one("dt").text: d.one("strong").text for d in livrable1.all(".figures > div") if COMMAND in d.text}
    with made.instance() as instance:
        groups: dict[str, int] = {}
        for run in instance.get_runs():
            group = run.tags.get("chu/group", "")
            groups[group] = groups.get(group, 0) + len(instance.get_run_step_stats(run.run_id))
    assert figures["Étapes du dernier job principal complet"] == str(max(groups.values()))
