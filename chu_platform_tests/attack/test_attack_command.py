"""`chu attack` on a lake: what it prints, and its exit status."""

import re
from pathlib import Path

import pytest

from chu_platform.attack import attack_command, run_attacks
from chu_platform.attack.attack_command import result_lines, run_attack_command
from chu_platform.attack.findings import Result
from chu_platform.attack.inputs import ROUNDED_TABLES
from chu_platform.attack.reading import read_inputs, tables_in
from chu_platform.settings import Settings
from chu_platform_tests.attack.leaking_zone import inputs
from chu_platform_tests.attack.zone import AGES
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


def test_it_prints_keys_and_never_values() -> None:
    (result,) = run_attacks(inputs(AGES), [4])
    summary, example, *rest = result_lines(result, full=False)
    assert summary == f" 4 complements: {result.tried} cells tried, {len(result.found)} disclosed"
    assert len(result.found) > 0
    assert re.fullmatch(r"   for example kpi_\w+ period_grain=\w+( \w+=\S+)* \([a-z_ -]+\)", example)
    assert not [line for line in rest if "left out" not in line]
    listed = [line for line in result_lines(result, full=True) if line.startswith("   DISCLOSED ")]
    assert len(listed) == len(result.found)


def test_the_result_says_whether_a_cell_is_disclosed(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack_command, "read_inputs", lambda *_: inputs(AGES))
    lines: list[str] = []
    settings = Settings(_env_file=None, home=made.folder)
    assert not run_attack_command(settings, [4], [], 1, False, lambda _: None, lines.append)
    assert re.fullmatch(r"\d+ disclosed cells", lines[-1])


WITHSTOOD = (2, 3, 4, 6, 8, 9)


def test_the_masks_of_today_withstand_these_attacks(made: Home) -> None:
    done = made.chu("attack", *(word for number in WITHSTOOD for word in ("--only", str(number))))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    tried = {int(line[:2]): int(line.split(": ")[1].split()[0]) for line in lines if line[:2].strip().isdigit()}
    assert tried.keys() == {*WITHSTOOD}
    assert all(tried[number] > 0 for number in WITHSTOOD if number != 9), "there is no earlier edition"
    assert lines[-1] == "no disclosed cells"


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
    assert edition.keys() == {*inputs.tables_of_persons(), *ROUNDED_TABLES}
    assert all(len(edition[name]) == len(table) for name, table in inputs.tables_of_persons().items())
    assert inputs.public_sources >= {
        *("kpi_deaths_by_month", "kpi_deaths_by_region", "kpi_mortality", "kpi_satisfaction_by_region"),
        "kpi_satisfaction_detail",
    }


def test_an_undecided_cell_is_no_success(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    undecided = Result(7, "intervals", tried=12, undecided=1)
    monkeypatch.setattr(attack_command, "run_attacks", lambda *_: iter([undecided]))
    lines: list[str] = []
    settings = Settings(_env_file=None, home=made.folder)
    assert not run_attack_command(settings, [7], [], 1, False, lambda _: None, lines.append)
    assert lines[-3:] == [
        " 7 intervals: 12 cells tried, 0 disclosed, 1 undecided",
        "no disclosed cells",
        "not proven: 1 undecided cell",
    ]
