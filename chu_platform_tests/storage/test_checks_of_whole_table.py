"""After a backfill of some partitions, the results of the checks are those of all rows of the table."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chu_platform.storage.lake import Lake
from chu_platform.storage.run_checks import CheckResult, examine
from chu_platform.tables.checks import ROW_COUNT_STEADY, attached, between, foreign_key, holds, none_in, unique
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.table import Table
from chu_platform_tests.storage.small_table import put, rows_of, visits, written

pytestmark = pytest.mark.integration

KNOWN = replace(visits(), name="known", checks=[])
TABLE = replace(
    visits(),
    checks=[
        between("number", 0, 150, blocking=False),
        holds("ratio_is_known", "ratio IS NOT NULL", "every ratio is known"),
        attached("code", KNOWN, unknown="z", blocking=False),
        none_in(
            "no_year_with_two_rows",
            "SELECT count(*) FROM (SELECT campaign_year FROM {this} GROUP BY ALL HAVING count(*) > 1)",
            "a year has one row",
            blocking=False,
        ),
        unique("number"),
        foreign_key("code", KNOWN),
    ],
)
YEARS = ("2015", "2016", "2018", "2019")


def measured(results: Sequence[CheckResult]) -> Mapping[str, float | None]:
    # The row count is compared with the version before, which the two lakes do not share.
    return {r.check.name: r.measured for r in results if r.check.name != ROW_COUNT_STEADY}


def draw(seed: random.Random, letters: str) -> dict[str, list[str]]:
    return {year: seed.choices(letters, k=seed.randint(1, 6)) for year in YEARS}


def lake_with(folder: Path, codes: Mapping[str, Sequence[str]]) -> Lake:
    lake = Lake(folder)
    put(lake, KNOWN, rows_of({"2015": list("abcdz")}))
    put(lake, TABLE, rows_of(codes))
    return lake


def results_after(lake: Lake, table: Table, codes: Mapping[str, Sequence[str]]) -> Mapping[str, float | None]:
    """What the checks measure in rows that are written whole."""
    with written(lake, table, rows_of(codes)) as write:
        return measured(examine(lake, table, write, CAMPAIGNS.every(), {}).of_table)


@pytest.mark.parametrize("trial", range(4))
@pytest.mark.parametrize("remembers", [True, False])
def test_they_are_those_of_a_table_that_is_made_whole(seed: int, trial: int, remembers: bool, tmp_path: Path) -> None:
    drawn = random.Random(f"{seed} {trial}")
    before = draw(drawn, "abcdefxyz")
    made = {year: codes for year, codes in draw(drawn, "abcz").items() if year in ("2016", "2018")}
    lake = lake_with(tmp_path / "lake", before)
    last = results_after(lake, TABLE, before) if remembers else {}
    backfilled = CAMPAIGNS.between("2016", "2018")
    with written(lake, TABLE, rows_of(made)) as write:
        found = examine(lake, TABLE, write, backfilled, {}, measured_before=last)
    whole = lake_with(tmp_path / "whole", before)
    assert measured(found.of_table) == results_after(whole, TABLE, {**before, **made})
    alone = Lake(tmp_path / "alone")
    put(alone, KNOWN, rows_of({"2015": list("abcdz")}))
    expected = dict(results_after(alone, TABLE, made))
    # Keys are unique in the whole table.
    expected["unique_number"] = expected["unique_code"] = None
    of_range = dict(measured(found.check_results))
    of_range["unique_number"] = of_range["unique_code"] = None
    assert of_range == expected


def test_a_warning_of_another_partition_stays(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, {"2015": ["zz"], "2016": ["a"]})
    with written(lake, TABLE, rows_of({"2016": ["b"]})) as write:
        found = examine(lake, TABLE, write, CAMPAIGNS.between("2016", "2016"), {})
    results = {
        r.check.name: (r.passed, of_table.passed)
        for r, of_table in zip(found.check_results, found.of_table, strict=True)
    }
    assert results["range_number"] == (True, False)
