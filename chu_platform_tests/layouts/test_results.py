"""The file of measurements, the newest of each key, and which files a log leaves for a query."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chu_platform.errors import ChuError
from chu_platform.layouts.benchmark import plain_rows
from chu_platform.layouts.pruning import kept_files
from chu_platform.layouts.queries import Range
from chu_platform.layouts.results import COLUMNS, MEASUREMENTS
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG

pytestmark = pytest.mark.unit


def row(**given: object) -> dict[str, Any]:
    """A measurement, with these values and others of the right types."""
    others = {DOUBLE: 1.5, LONG: 3, BOOLEAN: True}
    return {**{c.name: others.get(c.type, f"{c.name}, « é »") for c in COLUMNS}, **given}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = [row(query="b", files_kept=None, left_cache=None), row(query="a", low_ms=None)]
    file = tmp_path / "new" / "results.csv"
    MEASUREMENTS.write(file, rows)
    assert MEASUREMENTS.read(file) == [rows[1], rows[0]]
    MEASUREMENTS.write(file, [])
    assert MEASUREMENTS.read(file) == []


def test_a_file_that_does_not_exist_has_no_measurement(tmp_path: Path) -> None:
    assert MEASUREMENTS.read(tmp_path / "none.csv") == []


@pytest.mark.parametrize("text", ["# other\na,b\n1,2\n", "# cut\nmachine,scale\nx,\n", "no comment"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "results.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ChuError, match="not a file of measurements"):
        MEASUREMENTS.read(file)


def test_the_newest_of_each_key_is_kept() -> None:
    old, new, other = row(measured_at="2026-01-01"), row(measured_at="2026-02-01"), row(engine="sail")
    for given in ([old, new, other], [new, old, other], [other, new, old]):
        assert {r["measured_at"] for r in MEASUREMENTS.newest(given) if r["engine"] != "sail"} == {"2026-02-01"}
        assert len(MEASUREMENTS.newest(given)) == 2


def test_the_packaged_measurements_have_each_key_once() -> None:
    rows = MEASUREMENTS.packaged()
    assert rows
    assert len({tuple(r[name] for name in MEASUREMENTS.key) for r in rows}) == len(rows)


def test_rows_are_compared_whatever_their_order_and_types() -> None:
    from decimal import Decimal

    import pyarrow as pa

    one = pa.table({"n": pa.array([2, 1]), "x": pa.array([0.1 + 0.2, 5.0]), "d": pa.array([date(2020, 1, 2), None])})
    other = pa.table(
        {
            "n": pa.array([Decimal(1), Decimal(2)]),
            "x": pa.array([Decimal("5"), Decimal("0.3")]),
            "d": pa.array([None, date(2020, 1, 2)]),
        }
    )
    assert plain_rows(one) == plain_rows(other)
    assert plain_rows(one) != plain_rows(one.slice(0, 1))


def test_files_are_left_out_by_partitions_and_by_bounds() -> None:
    files: list[dict[str, Any]] = [
        {"partition": {"month": "2019-01"}, "min": {"date": date(2019, 1, 1)}, "max": {"date": date(2019, 1, 31)}},
        {"partition": {"month": "2019-02"}, "min": {"date": "2019-02-01"}, "max": {"date": "2019-02-28"}},
        {"partition": {"month": None}, "min": None, "max": {}},
    ]
    day = date(2019, 2, 28)
    assert kept_files(files, []) == 3
    assert kept_files(files, [Range("month", "2019-01", "2019-02")]) == 2
    # A file without bounds may have the day.
    assert kept_files(files, [Range("date", day, day)]) == 2
    assert kept_files(files, [Range("month", "2019-01", "2019-01"), Range("date", day, day)]) == 0
    assert kept_files([{"partition": {"part": 3}}], [Range("part", 3, 3)]) == 1
