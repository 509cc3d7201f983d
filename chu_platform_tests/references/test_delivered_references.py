"""Population, mortality tables and standard population: packaged, or replaced by a delivered file of the same form."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.references.department import department
from chu_platform.references.mortality_quotients import mortality_quotients
from chu_platform.references.population import population
from chu_platform.references.region import region
from chu_platform.references.standard_population import standard_population
from chu_platform.settings import Settings
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

AGES = [*range(0, 95, 5)]
HEADER = ["year", "department_code", "sex", *map(str, AGES)]
FILES = {
    population: "population_department_sex_age.csv",
    mortality_quotients: "mortality_quotients_sex_age.csv",
    standard_population: "european_standard_population_2013.csv",
}
QUOTIENTS_HEADER = ["year", "sex", *map(str, range(100))]


def made(folder: Path, files: Mapping[str, Sequence[Sequence[object]]]) -> RunResources:
    """A lake with the three references, made of these files (name and lines)."""
    for name, lines in files.items():
        file = folder / "pack" / "Population" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(",".join(map(str, line)) + "\n" for line in lines), encoding="utf-8")
    (folder / "pack").mkdir(exist_ok=True)
    resources = RunResources(Settings(home=folder / "home", sources=folder / "pack"), lambda _: None)
    resources.lake.prepare()
    sources = [t for table in FILES for t in table.reads.values()]
    for table in (region, department, *sources, *FILES):
        run_step(resources, table, None, "test")
    return resources


def inhabitants(year: int, code: str, sex: str, number: int) -> list[object]:
    return [year, code, sex, *(number + age for age in AGES)]


# The leading zero of the first code is lost.
WHOLE: list[list[Any]] = [
    HEADER,
    *(
        inhabitants(year, code, sex, 100 * (year - 2000))
        for code in ("1", "974", "35")
        for year in (2001, 2002)
        for sex in ("F", "M")
    ),
]


def test_without_files_the_packaged_references_are_used(tmp_path: Path) -> None:
    lake = made(tmp_path, {}).lake
    found = rows(lake, population).to_pylist()
    assert len(found) == 19 * 9296
    of_2021 = [r for r in found if r["year"] == 2021]
    # Insee, Bilan démographique 2020: France, and metropolitan France, on 1 January 2021.
    assert sum(r["population_january"] for r in of_2021) == 67_407_241
    assert sum(r["population_january"] for r in of_2021 if r["department_code"][:2] != "97") == 65_235_843
    assert {r["population"] for r in of_2021} == {None}
    assert {r["year"] for r in rows(lake, mortality_quotients).to_pylist()} == {*range(1977, 2023)}
    assert sum(r["weight"] for r in rows(lake, standard_population).to_pylist()) == 100_000


def test_a_delivered_file_replaces_the_packaged_one(tmp_path: Path) -> None:
    lake = made(tmp_path, {FILES[population]: WHOLE}).lake
    found = rows(lake, population).to_pylist()
    assert {(r["year"], r["department_code"]) for r in found} == {
        (year, code) for year in (2001, 2002) for code in ("01", "35", "974")
    }
    (row,) = (r for r in found if [r[c] for c in ("year", "department_code", "sex", "age")] == [2001, "974", "F", 5])
    assert (row["population_january"], row["population"]) == (105, 155.0), "the mean of two Januaries"
    assert {r["population"] for r in found if r["year"] == 2002} == {None}
    assert len(rows(lake, standard_population)) == 19, "the other references are the packaged ones"


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        (FILES[population], WHOLE[:-1], "it has no population of 2002 for department 35, sex M"),
        (
            FILES[population],
            [*WHOLE, *(inhabitants(2002, "36", s, 7) for s in ("F", "M"))],
            "it has no population of 2001 for department 36, sex F",
        ),
        (
            FILES[population],
            [*WHOLE[:-1], [2002, "35", "X", *AGES]],
            "2002 for department 35, sex M.*rejects/population",
        ),
        (FILES[population], [HEADER[:-1], *(line[:-1] for line in WHOLE[1:])], "'99' missing among its 21 columns"),
        (
            FILES[mortality_quotients],
            [QUOTIENTS_HEADER, [2001, "F", *[500] * 100]],
            "it has the mortality table of 2001 for sex F only",
        ),
        (FILES[standard_population], [["age", "weight"], *([a, 10] for a in AGES[:-1])], "it has no weight of age 90"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_what_is_missing(
    tmp_path: Path, name: str, lines: Sequence[Sequence[object]], message: str
) -> None:
    with pytest.raises(ChuError, match=message):
        made(tmp_path, {name: lines})
