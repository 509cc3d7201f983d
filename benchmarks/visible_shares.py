"""The visible share of events by table, grain of periods and level, before and after: what the masks cost.

    python benchmarks/visible_shares.py 0.01=LAKE full=LAKE ...

prints, as Markdown, for each level of each masked indicator:

- before: the share in the published zone with leaks (chu_platform_tests/attack/README.md), which is of scale 0.01 and
  seed 2023, and was made before the masks were improved;
- for each lake, under its name: the share of the events in cells that are safe by themselves (primary rules), and the
  share that is visible. The rest is hidden to protect other cells. An empty place is a level without events.

LAKE is the folder `lake` below a CHU_HOME. Reads the masks in it, and changes nothing.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
from deltalake import DeltaTable

from chu_platform_tests.attack.leaking_zone import files

MASKS: Final = ("consultation_mask", "stay_mask")
LEVEL: Final = ("indicator", "grain", "level")
GRAINS: Final = ("all", "year", "quarter", "month")
Level = tuple[str, ...]


def main(arguments: Sequence[str]) -> None:
    """Print the table; each argument is NAME=LAKE."""
    named = [argument.partition("=")[::2] for argument in arguments]
    before = {_level(row): row["visible_share"] for row in files()["published"]["publication_coverage"].to_pylist()}
    lakes = {name: shares(Path(lake)) for name, lake in named}
    print("\n".join(lines(before, lakes)))


def shares(lake: Path) -> Mapping[Level, tuple[float, float]]:
    """The safe and the visible share of the events of each level of a lake with events."""
    found: dict[Level, tuple[float, float]] = {}
    for name in MASKS:
        mask = DeltaTable(str(lake / "pseudonymised" / "disclosure" / name)).to_pyarrow_table()
        with duckdb.connect() as connection:
            rows = connection.register("mask", mask).sql(
                f"""
                SELECT {", ".join(LEVEL)}, sum(weight) AS events,
                       coalesce(sum(weight) FILTER (coalesce(reason, 'secondary') = 'secondary'), 0) AS safe,
                       coalesce(sum(weight) FILTER (NOT is_masked), 0) AS visible
                FROM mask GROUP BY ALL HAVING sum(weight) > 0
                """
            )
            for row in rows.to_arrow_table().to_pylist():
                found[_level(row)] = (row["safe"] / row["events"], row["visible"] / row["events"])
    return found


def lines(before: Mapping[Level, float], lakes: Mapping[str, Mapping[Level, tuple[float, float]]]) -> Iterator[str]:
    """The lines of the table."""
    heads = [f"{name}: {what}" for name in lakes for what in ("safe", "visible")]
    yield f"| table | grain | level | before | {' | '.join(heads)} |"
    yield f"| -- | -- | -- | --: | {' | '.join('--:' for _ in heads)} |"
    levels = {level for lake in lakes.values() for level in lake}
    for level in sorted(levels, key=lambda key: (key[0], GRAINS.index(key[1]), key[2])):
        figures = [before.get(level), *(share for lake in lakes.values() for share in lake.get(level, (None, None)))]
        texts = ["" if figure is None else f"{figure:.3f}" for figure in figures]
        yield f"| {level[0].removeprefix('kpi_')} | {level[1]} | {level[2]} | {' | '.join(texts)} |"


def _level(row: Mapping[str, Any]) -> Level:
    return tuple(str(row[column]) for column in LEVEL)


if __name__ == "__main__":
    main(sys.argv[1:])
