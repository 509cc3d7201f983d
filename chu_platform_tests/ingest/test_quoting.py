"""The same deaths in files with other quotes are the same rows.

How long such files take: benchmarks/quoting_benchmark.py.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.ingest.delivered import rejects_of
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform_tests.facts.death_files import ODD, Death
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

# Empty fields, commas and quotes in fields, blanks around a value, and two rows that are rejects.
DEATHS: Final = (
    *ODD,
    Death("LE, GRAND", 'JEAN "PETIT"', "1", "1920-03-04", "75056", "PARIS 12, BIS", "", "2019-02-01", "75112", "1,4"),
    Death(" BLANC ", "ANNE", "2", "", "", "", "", "2019", "", ""),
    Death("", "", "1", "", "", "", "", "2020-05-00", "", ""),
    Death("REJET", "SEXE", "x", "", "", "", "", "2019-01-01", "01053", "1"),
    Death("REJET", "DATE", "1", "", "", "", "", "", "01053", "1"),
)
FILE: Final = "deces.csv"


def quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def needed(value: str) -> str:
    return quoted(value) if "," in value or '"' in value else value


# How a value is written, given the number of its field.
QUOTINGS: Final[dict[str, Callable[[str, int], str]]] = {
    "where needed": lambda value, _: needed(value),
    "every field": lambda value, _: quoted(value),
    "empty fields": lambda value, _: needed(value) or '""',
    "every field that is not empty": lambda value, _: quoted(value) if value else "",
    "every second field": lambda value, number: quoted(value) if number % 2 else needed(value),
}


def write(pack: Path, quoting: str, deaths: Sequence[Death] = DEATHS) -> None:
    pack.mkdir(exist_ok=True)
    lines = [",".join(QUOTINGS[quoting](value, n) for n, value in enumerate(row)) for row in (Death._fields, *deaths)]
    text = "".join(f"{line}\n" for line in lines)
    assert [Death(*row) for row in csv.reader(text.splitlines())][1:] == list(deaths)
    (pack / FILE).write_text(text, encoding="utf-8")


def as_text(found: pa.Table) -> list[dict[str, str | None]]:
    return [{name: None if v is None else str(v) for name, v in row.items()} for row in found.to_pylist()]


@pytest.mark.parametrize("again", [q for q in QUOTINGS if q != "where needed"])
def test_another_quoting_is_the_same_delivery(again: str, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    found = []
    for quoting in ("where needed", again):
        write(pack, quoting)
        with RunResources(Settings(home=tmp_path / "home", sources=pack), lambda _: None) as resources:
            resources.lake.prepare()
            step = run_step(resources, deces, DEATH_YEARS.every(), "test")
            lake = resources.lake
        assert step.delivery
        counts = (step.delivery.rows_in, step.delivery.kept, step.delivery.rejected)
        assert counts == (len(DEATHS), len(DEATHS) - 2, 2)
        # The text of a rejected line is another one: the former rejects are closed.
        rejects = [r for r in rows(lake, rejects_of(deces)).to_pylist() if r["mended_by"] is None]
        found.append((rows(lake, deces), sorted((r["line"], r["reason"]) for r in rejects)))
    (before, rejected), (after, rejected_again) = found
    assert after.equals(before) and rejected_again == rejected
    # The second file only changes what the commit says of the file.
    assert step.commits[deces].changed == []
    kept = sorted(([value.strip() or None for value in death] for death in DEATHS[:-2]), key=str)
    assert sorted(([row[name] for name in Death._fields] for row in as_text(before)), key=str) == kept
