"""A year of monthly editions with ordinary growth: stays and consultations of one month more each time."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from chu_platform.attack import run_attacks
from chu_platform.attack.reading import read_inputs
from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.masks.consultation_mask import consultation_mask
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.storage.edition_manifest import editions
from chu_platform.storage.lake import Lake
from chu_platform_tests.pipeline.changes import STAYS, Changeable, changeable
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system

# The ends of the data: thirteen, so that one of them closes a year.
ENDS = [date(2020 + month // 12, month % 12 + 1, 1) for month in range(5, 18)]


def masked_by_the_editions_alone(lake: Lake) -> list[tuple[object, ...]]:
    """The cells that a decision masks and the mask does not, with the reason of the decision."""
    found: list[tuple[object, ...]] = []
    with duckdb.connect() as connection:
        for family in (consultation_mask, stay_mask):
            found += connection.sql(
                f"""
                SELECT indicator, cell, d.reason
                FROM {lake.relation(family.decision)} d JOIN {lake.relation(family.table)} m USING (indicator, cell)
                WHERE d.is_masked AND NOT m.is_masked ORDER BY ALL
                """
            ).fetchall()
    return found


def deliver_until(pack: Path, lines: list[str], changed: Changeable, end: date) -> None:
    """Deliver the stays and the consultations before a day."""
    until = [line for line in lines[1:] if _entry(line, lines[0]) < end]
    (pack / STAYS).write_text("".join([lines[0], *until]), encoding="utf-8", newline="")
    changed.sql(f"""INSERT INTO "Consultation" SELECT * FROM later WHERE Date < '{end}'""")
    changed.sql(f"DELETE FROM later WHERE Date < '{end}'")


def _entry(line: str, header: str) -> date:
    place = header.rstrip("\r\n").split(";").index("Date_Entree")
    day, month, year = line.rstrip("\r\n").split(";")[place].split("/")
    return date(int(year), int(month), int(day))


def test_a_year_of_monthly_editions(made: Home, postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    changed = changeable(made, postgres, tmp_path, "growing")
    pack, home = changed.home.pack, Home(tmp_path / "new", changed.home.pack, changed.home.settings)
    lines = (pack / STAYS).read_text(encoding="utf-8").splitlines(keepends=True)
    changed.sql('CREATE TABLE later AS SELECT * FROM "Consultation"')
    changed.sql('DELETE FROM "Consultation"')
    alone: dict[date, list[tuple[object, ...]]] = {}
    for number, end in enumerate(ENDS):
        deliver_until(pack, lines, changed, end)
        home.materialize()
        if number:
            released = home.chu("release")
            assert released.returncode == 0, released.stdout + released.stderr
        alone[end] = masked_by_the_editions_alone(home.lake)
    assert len(editions(home.lake.place)) == len(ENDS)
    assert {end: found for end, found in alone.items() if found} == {}
    inputs = read_inputs(home.lake, [], insiders=1)
    assert len(inputs.earlier) == len(ENDS) - 1
    (result,) = run_attacks(inputs, [9])
    assert result.tried > 0
    assert result.found == []
