"""`chu attack` on a lake: what it prints, and its exit status."""

import re
import subprocess
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.attack.reading import read_inputs, tables_in
from chu_platform_tests.attack.zone import AGES
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def attacked(made: Home) -> subprocess.CompletedProcess[str]:
    return made.chu("attack", "--only", "4", "--only", "9")


def complements(home: Home) -> int:
    """The visible rows by sex and age that leave 1 to 10 patients, or nobody, and rows with one event more."""
    found = 0
    for row in DeltaTable(home.lake.root / "published" / "kpis" / AGES).to_pyarrow_table().to_pylist():
        if row["patients"]:
            found += row["base_patients"] - row["patients"] <= 10
    return found


def test_it_prints_keys_and_never_values(attacked: subprocess.CompletedProcess[str], made: Home) -> None:
    lines = attacked.stdout.splitlines()
    (result,) = [line for line in lines if line.startswith(" 4 ")]
    disclosed = int(result.split(", ")[1].split()[0])
    assert disclosed >= complements(made) > 0
    (example,) = [line for line in lines if "for example" in line]
    assert re.fullmatch(r"   for example kpi_\w+ period_grain=\w+( \w+=\S+)* \([a-z_ -]+\)", example)
    assert attacked.stderr == ""


def test_the_exit_status_says_whether_a_cell_is_disclosed(
    attacked: subprocess.CompletedProcess[str], made: Home, tmp_path: Path
) -> None:
    assert attacked.returncode == 1
    assert "9 differences of editions: 0 cells tried, 0 disclosed" in attacked.stdout
    nothing = made.chu("attack", "--only", "9")
    assert (nothing.returncode, nothing.stdout.splitlines()[-1]) == (0, "no disclosed cells")


def test_a_folder_without_an_edition_is_named(made: Home, tmp_path: Path) -> None:
    wrong = made.chu("attack", "--only", "9", "--earlier", str(tmp_path))
    assert wrong.returncode == 1
    assert (
        wrong.stderr == f"chu: {tmp_path} holds no published indicator: give the folder of a copy of a published zone\n"
    )


def test_an_empty_lake_is_no_success(tmp_path: Path, pack: Path) -> None:
    wrong = Home(tmp_path, pack).chu("attack")
    assert wrong.returncode == 1
    assert "materialise first" in wrong.stderr


def test_editions_are_read_from_a_folder(made: Home) -> None:
    edition = tables_in(made.lake.root / "published")
    inputs = read_inputs(made.lake, [], insiders=1)
    assert edition.keys() == inputs.tables_of_persons().keys()
    assert all(len(edition[name]) == len(table) for name, table in inputs.tables_of_persons().items())
    assert inputs.public_sources >= {"kpi_deaths_by_region", "kpi_satisfaction_by_region"}
