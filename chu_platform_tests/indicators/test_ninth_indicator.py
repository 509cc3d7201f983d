"""A ninth indicator is one new module: everything else follows from its declaration."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from deltalake import DeltaTable

from chu_platform.description.file import IN_LAKE
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform_tests import small_duckdb
from chu_platform_tests.html import parsed
from chu_platform_tests.indicators.with_ninth import NINTH
from chu_platform_tests.pipeline import forked
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.ports import free_port

pytestmark = pytest.mark.integration

NAME = "kpi_stays_by_length"
# What a process does before it imports the catalogue.
ADD = "from chu_platform_tests.indicators.with_ninth import add; add()"


def chu(home: Home, *arguments: str) -> str:
    """What the command prints when the package has the module of the ninth indicator."""
    done = forked.run(arguments, home.environment(), ADD)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def home(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The shared lake, with the tables of the ninth indicator."""
    copied = made.copy(tmp_path_factory.mktemp("ninth") / "home")
    # A module in the package would change the hash of the code; this one lies elsewhere.
    (copied.folder / "lake" / IN_LAKE).unlink()
    assert f"kpis/{NAME}:" in chu(copied, "materialize")
    assert f"published/{NAME}:" in chu(copied, "release")
    return copied


@pytest.fixture(scope="module")
def expected(home: Home) -> Mapping[tuple[str, str], int]:
    """Stays by year (or `all`) and length, counted in the delivered rows."""
    counted: Counter[tuple[str, str]] = Counter()
    for stay in home.lake.arrow(hospitalisations).to_pylist():
        for year in ("all", str(stay["Date_Entree"].year)):
            counted[year, "all"] += 1
            counted[year, "week" if stay["Jour_Hospitalisation"] <= 7 else "longer"] += 1
    return counted


@pytest.fixture(scope="module")
def released(expected: Mapping[tuple[str, str], int]) -> Mapping[tuple[str, str], int]:
    """Stays of the closed years: all but the last. `all` is their sum."""
    last = max(year for year, _ in expected if year != "all")
    of_years = {(year, length): n for (year, length), n in expected.items() if year not in ("all", last)}
    lengths = dict.fromkeys(length for _, length in of_years)
    return {**of_years, **{("all", o): sum(n for (_, length), n in of_years.items() if length == o) for o in lengths}}


def rows(home: Home, folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(home.folder / "lake" / folder / NAME).to_pyarrow_table().to_pylist()
    return found


def year_of(row: Mapping[str, Any]) -> str:
    return "all" if row["period_grain"] == "all" else str(row["period_start"].year)


def test_the_package_itself_has_no_such_module() -> None:
    import chu_platform.kpis

    assert [f.name for f in NINTH.glob("*.py")] == [f"{NAME}.py"]
    assert not (Path(chu_platform.kpis.__file__ or "").parent / f"{NAME}.py").exists()


def test_the_exact_table_has_the_expected_figures(home: Home, expected: Mapping[tuple[str, str], int]) -> None:
    exact = {
        (year_of(r), r["length"]): r["events"]
        for r in rows(home, "pseudonymised/kpis")
        if r["period_grain"] in ("year", "all")
    }
    assert len(exact) > 20
    assert exact == expected


def test_the_masked_table_hides_small_figures_and_what_gives_them_back(
    home: Home, released: Mapping[tuple[str, str], int]
) -> None:
    masked = {(year_of(r), r["length"]): r for r in rows(home, "published/kpis")}
    hidden = [key for key, row in masked.items() if row["is_masked"]]
    assert 0 < len(hidden) < len(masked) == len(released)
    for key, row in masked.items():
        assert row["events"] == (None if row["is_masked"] else released[key])
        assert row["is_masked"] or released[key] > 10
    # A single masked figure of a year would be the total less the other one.
    for year in {year for year, _ in hidden}:
        assert sum(y == year for y, _ in hidden) > 1


def test_it_is_masked_together_with_the_indicator_whose_total_it_has(home: Home) -> None:
    """A total that one of them masks, the other one would show."""
    lake = home.folder / "lake" / "published" / "kpis"
    with small_duckdb.connect() as connection:
        for name in ("kpi_hospitalisation_rate", NAME):
            connection.register(name, DeltaTable(lake / name).to_pyarrow_table())
        both = connection.execute(
            f"""
            SELECT count(*), count(*) FILTER (n.is_masked <> t.is_masked)
            FROM {NAME} n JOIN kpi_hospitalisation_rate t USING (period_grain, period_start) WHERE length = 'all'
            """
        ).fetchall()[0]
    assert both[0] > 5 and both[1] == 0


def test_chu_kpi_answers_for_any_range(home: Home, expected: Mapping[tuple[str, str], int]) -> None:
    assert f"{NAME}  " in chu(home, "kpi")
    answer = json.loads(chu(home, "kpi", NAME, "--length", "longer", "--from", "2017-01", "--to", "2018-12", "--json"))
    assert [r["events"] for r in answer] == [expected["2017", "longer"] + expected["2018", "longer"]]
    assert (answer[0]["period_start"], answer[0]["period_end"]) == ("2017-01-01", "2019-01-01")


def test_a_figure_is_traced_and_computed_again(home: Home) -> None:
    printed = chu(
        home, "trace", f"published/kpis/{NAME}", "period_grain=year", "period_start=2018-01-01", "length=longer"
    )
    assert "restricted/sources/Hospitalisations@" in printed and "rows counted" in printed
    assert printed.rstrip().endswith("EQUAL") and "NOT EQUAL" not in printed


def test_the_portal_has_its_page(home: Home, released: Mapping[tuple[str, str], int]) -> None:
    port = free_port()
    arguments = [sys.executable, "-m", "chu_platform.portal", str(port)]
    with subprocess.Popen(arguments, env=home.environment()) as server:
        try:
            page = parsed(fetched(f"http://127.0.0.1:{port}/questions/sejours-duree?periode=tout"))
        finally:
            server.terminate()
    assert "Combien de séjours de chaque durée ?" in page
    assert f"{released['all', 'all']:,}".replace(",", " ") in page


def fetched(address: str) -> str:
    """The text of a page, as soon as its server answers."""
    deadline = time.monotonic() + 600
    while True:
        try:
            with urlopen(address) as answer:
                return str(answer.read().decode())
        except URLError:
            assert time.monotonic() < deadline, "the portal does not answer"
            time.sleep(0.1)


def test_its_lineage_leads_to_the_delivered_columns(home: Home, tmp_path: Path) -> None:
    chu(home, "lineage", "--openlineage", str(tmp_path / "events"))
    events = [json.loads(line) for line in (tmp_path / "events").read_text(encoding="utf-8").splitlines()]
    outputs = {o["name"]: o for e in events for o in e["outputs"]}
    (published,) = (name for name in outputs if name.endswith(f"published/kpis/{NAME}"))
    found, pending = set(), [(published, "events")]
    while pending:
        name, column = pending.pop()
        if (name, column) not in found and name in outputs:
            found.add((name, column))
            lineage = outputs[name]["facets"]["columnLineage"]["fields"]
            pending += [(f["name"], f["field"]) for f in lineage[column]["inputFields"]]
    assert any(name.endswith(f"pseudonymised/kpis/{NAME}") and column == "events" for name, column in found)
    assert any(name.endswith("disclosure/stay_mask") for name, _ in found)
