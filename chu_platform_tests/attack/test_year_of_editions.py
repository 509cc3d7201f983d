"""A year of monthly editions with ordinary growth: the stays of one month more each time."""

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from chu_platform.attack import run_attacks
from chu_platform.attack.reading import read_inputs
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.storage.edition_manifest import editions
from chu_platform.storage.lake import Lake
from chu_platform_tests.pipeline.changes import STAYS
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system

# The ends of the data: thirteen, so that one of them closes a year.
ENDS = [date(2020 + month // 12, month % 12 + 1, 1) for month in range(5, 18)]


def masked_by_the_edition_alone(lake: Lake) -> list[tuple[object, ...]]:
    """The cells that a decision masks and the mask does not, with the reason of the decision."""
    with duckdb.connect() as connection:
        return connection.sql(
            f"""
            SELECT indicator, cell, d.reason
            FROM {lake.relation(stay_mask.decision)} d JOIN {lake.relation(stay_mask.table)} m USING (indicator, cell)
            WHERE d.is_masked AND NOT m.is_masked ORDER BY ALL
            """
        ).fetchall()


def until(lines: list[str], end: date) -> str:
    """The stays before a day, as delivered."""
    place = lines[0].rstrip("\r\n").split(";").index("Date_Entree")

    def entry(line: str) -> date:
        day, month, year = line.split(";")[place].strip().split("/")
        return date(int(year), int(month), int(day))

    return "".join([lines[0], *(line for line in lines[1:] if entry(line) < end)])


def test_a_year_of_monthly_editions(pack: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "pack")
    shutil.copytree(pack, home.pack)
    lines = (pack / STAYS).read_text(encoding="utf-8").splitlines(keepends=True)
    alone: dict[date, list[tuple[object, ...]]] = {}
    for number, end in enumerate(ENDS):
        (home.pack / STAYS).write_text(until(lines, end), encoding="utf-8", newline="")
        home.materialize()
        if number:
            released = home.chu("release")
            assert released.returncode == 0, released.stdout + released.stderr
        alone[end] = masked_by_the_edition_alone(home.lake)
    assert len(editions(home.lake.place)) == len(ENDS)
    assert {end: found for end, found in alone.items() if found} == {}
    inputs = read_inputs(home.lake, [], insiders=1)
    assert len(inputs.earlier) == len(ENDS) - 1
    (result,) = run_attacks(inputs, [9])
    assert result.tried > 0
    assert result.found == []
