"""Reading of the packaged reference data: CSV files in `data`, and the French CIM-10 from the package edsnlp.

Large CSV files are compressed with gzip.
"""

import gzip
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import csv

from chu_platform.errors import ChuError
from chu_platform.tables.rows import ExternalSource

DATA = Path(__file__).parent / "data"


def packaged(name: str) -> pa.Table:
    """A CSV file of `data`, with all columns as text. The first line of the file gives source, date and licence."""
    options = csv.ConvertOptions(column_types={n: pa.string() for n in _header(name)}, strings_can_be_null=False)
    return csv.read_csv(_path(name), csv.ReadOptions(skip_rows=1), convert_options=options)


def packaged_columns(name: str) -> Mapping[str, Sequence[ExternalSource]]:
    """Column lineage of a table that has the columns of a CSV file of `data`."""
    return {column: [packaged_column(name, column)] for column in _header(name)}


def packaged_column(name: str, column: str) -> ExternalSource:
    """A column of a CSV file of `data`, as a source of values."""
    return ExternalSource(f"{_path(name).name} (fourni avec la plateforme)", column)


def delivered_or_packaged(delivered: pa.Table, name: str) -> pa.Table:
    """The rows of a delivery that replaces a CSV file of `data`, if there is one, else those of the file."""
    return delivered if len(delivered) else packaged(name)


def delivered_or_packaged_columns(name: str, *columns: str) -> Sequence[str | ExternalSource]:
    """Column lineage of `delivered_or_packaged`: these columns of the input `delivered` and of the file."""
    return [s for c in columns for s in (f"delivered.{c}", packaged_column(name, c))]


def require_whole(gaps: duckdb.DuckDBPyRelation, name: str, source: str) -> None:
    """Raise ChuError when a reference has gaps: `gaps` has one text for each, which says what is missing.

    `source` is the table of the delivery that replaces the packaged file `name`.
    """
    if found := gaps.limit(1).fetchall():
        raise ChuError(
            f"the delivered {source}.csv is not whole: {found[0][0]}. Lines that could not be read are in "
            f"rejects/{source}. Correct the file, or remove it: the packaged {name} is then used"
        )


def _path(name: str) -> Path:
    plain = DATA / f"{name}.csv"
    return plain if plain.exists() else plain.with_name(f"{plain.name}.gz")


def _header(name: str) -> Sequence[str]:
    path = _path(name)
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return lines.read().splitlines()[1].split(",")


def cim10_codes() -> pa.Table:
    """The French CIM-10: columns `code` and `long` (label), from the data file of the package edsnlp (BSD licence).

    The package is located, not imported: its dependencies are not installed. Raises ChuError when it is absent.
    """
    spec = find_spec("edsnlp")
    if spec is None or not spec.submodule_search_locations:
        raise ChuError(
            "the French CIM-10 is not installed: run `make install` (or pip install --no-deps edsnlp==0.23.0)"
        )
    with gzip.open(Path(spec.submodule_search_locations[0]) / "resources" / "cim10.csv.gz") as stream:
        table = csv.read_csv(stream, convert_options=csv.ConvertOptions(column_types={"code": pa.string()}))
    return table.select(["code", "long"])
