"""A ninth indicator is one new module: everything else follows from its declaration."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import duckdb
import pytest
from deltalake import DeltaTable

from chu_platform.description.file import IN_LAKE
from chu_platform_tests.html import parsed
from chu_platform_tests.indicators.with_ninth import NINTH
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.test_cli import free_port

pytestmark = pytest.mark.integration

NAME = "kpi_deaths_by_age"
SELECTION = f"key:kpis/{NAME}+ or group:reports"


def chu(home: Home, *arguments: str) -> str:
    """What the command prints when the package has the module of the ninth indicator."""
    done = subprocess.run(
        [sys.executable, "-m", "chu_platform_tests.indicators.with_ninth", *arguments],
        env=home.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def home(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The shared lake, with the tables of the ninth indicator."""
    copied = made.copy(tmp_path_factory.mktemp("ninth") / "home")
    # A module in the package would change the hash of the code; this one lies elsewhere.
    (copied.folder / "lake" / IN_LAKE).unlink()
    printed = chu(copied, "materialize", "--select", SELECTION)
    assert f"published/{NAME}:" in printed
    return copied


@pytest.fixture(scope="module")
def expected(pack: Path) -> Mapping[tuple[int, str], int]:
    """Deaths by year and age, from what the oracle expects of indicator 7: all regions and both sexes together."""
    file = pack.with_name(f"{pack.name}-expected") / "kpi_deaths_by_region.parquet"
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT year, age_band, sum(deaths)::INT FROM read_parquet('{file}') "
            "WHERE sex = 'all' AND region_code <> 'all' GROUP BY ALL"
        ).fetchall()
    return {(year, band): deaths for year, band, deaths in found}


def rows(home: Home, folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(home.folder / "lake" / folder / NAME).to_pyarrow_table().to_pylist()
    return found


def test_the_package_itself_has_no_such_module() -> None:
    import chu_platform.kpis

    assert [f.name for f in NINTH.glob("*.py")] == [f"{NAME}.py"]
    assert not (Path(chu_platform.kpis.__file__ or "").parent / f"{NAME}.py").exists()


def test_the_exact_table_has_the_expected_figures(home: Home, expected: Mapping[tuple[int, str], int]) -> None:
    exact = {(r["year"], r["age_band"]): r["deaths"] for r in rows(home, "pseudonymised/kpis")}
    assert len(exact) > 100
    assert exact == {key: deaths for key, deaths in expected.items() if deaths}


def test_the_masked_table_hides_small_figures_and_what_gives_them_back(
    home: Home, expected: Mapping[tuple[int, str], int]
) -> None:
    masked = {(r["year"], r["age_band"]): r for r in rows(home, "published/kpis")}
    hidden = [key for key, row in masked.items() if row["is_masked"]]
    assert 0 < len(hidden) < len(masked)
    for key, row in masked.items():
        assert row["deaths"] == (None if row["is_masked"] else expected[key])
        assert row["is_masked"] or not 0 < expected[key] <= 10
    # A single masked figure of a year would be the total less the other ones.
    for year in {year for year, _ in hidden}:
        assert sum(y == year for y, _ in hidden) > 1


def test_it_is_masked_together_with_the_indicator_whose_sums_it_shows(home: Home) -> None:
    """A masked region of an age would be the figure of all regions less the visible ones."""
    lake = home.folder / "lake" / "published" / "kpis"
    with duckdb.connect() as connection:
        for name in ("kpi_deaths_by_region", NAME):
            connection.register(name, DeltaTable(lake / name).to_pyarrow_table())
        alone = connection.execute(
            f"""
            SELECT count(*) FILTER (masked_regions = 1 AND NOT n.is_masked), count(*) FILTER (masked_regions > 1)
            FROM {NAME} n JOIN (
                SELECT year, age_band, count(*) FILTER (is_masked) AS masked_regions FROM kpi_deaths_by_region
                WHERE sex = 'all' AND region_code <> 'all' GROUP BY year, age_band
            ) USING (year, age_band)
            """
        ).fetchall()[0]
    assert alone[0] == 0 and alone[1] > 0


def test_chu_kpi_answers_for_any_range(home: Home, expected: Mapping[tuple[int, str], int]) -> None:
    assert f"{NAME}  " in chu(home, "kpi")
    answer = json.loads(chu(home, "kpi", NAME, "--age-band", "80-84", "--from", "2018-01", "--to", "2019-12", "--json"))
    assert [r["deaths"] for r in answer] == [expected[2018, "80-84"] + expected[2019, "80-84"]]
    assert answer[0]["first_month"] == "2018-01" and answer[0]["last_month"] == "2019-12"


def test_a_figure_is_traced_and_computed_again(home: Home) -> None:
    printed = chu(home, "trace", f"published/kpis/{NAME}", "year=2019", "age_band=80-84")
    assert "restricted/sources/deces@" in printed and "rows counted" in printed
    assert printed.rstrip().endswith("EQUAL") and "NOT EQUAL" not in printed


def test_the_portal_has_its_page(home: Home, expected: Mapping[tuple[int, str], int]) -> None:
    port = free_port()
    arguments = [sys.executable, "-m", "chu_platform.portal", str(port)]
    with subprocess.Popen(arguments, env=home.environment()) as server:
        try:
            page = parsed(fetched(f"http://127.0.0.1:{port}/questions/deces-age"))
        finally:
            server.terminate()
    assert "Combien de décès à chaque âge ?" in page
    last = max(year for year, band in expected if band == "all" and expected[year, band] > 100)
    assert f"{expected[last, 'all']:,}".replace(",", " ") in page


def fetched(address: str) -> str:
    """The text of a page, as soon as its server answers."""
    deadline = time.monotonic() + 60
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
    (published,) = (o for name, o in outputs.items() if name.endswith(f"published/kpis/{NAME}"))
    deaths = published["facets"]["columnLineage"]["fields"]["deaths"]["inputFields"]
    assert any(f["name"].endswith(f"pseudonymised/kpis/{NAME}") and f["field"] == "deaths" for f in deaths)
    assert any(f["name"].endswith("disclosure/death_mask") for f in deaths)
