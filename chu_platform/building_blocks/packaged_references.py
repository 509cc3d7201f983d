"""Reading of the packaged reference data: CSV files in `data`, and the French CIM-10 from the package edsnlp."""

import gzip
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from chu_platform.errors import ChuError
from chu_platform.tables.rows import ExternalSource

DATA = Path(__file__).parent / "data"


def packaged(name: str) -> pa.Table:
    """A CSV file of `data`, with all columns as text. The first line of the file gives source, date and licence."""
    path = DATA / f"{name}.csv"
    names = path.read_text(encoding="utf-8").splitlines()[1].split(",")
    options = csv.ConvertOptions(column_types={n: pa.string() for n in names}, strings_can_be_null=False)
    return csv.read_csv(path, csv.ReadOptions(skip_rows=1), convert_options=options)


def packaged_columns(name: str) -> Mapping[str, Sequence[ExternalSource]]:
    """Column lineage of a table that has the columns of a CSV file of `data`."""
    header = (DATA / f"{name}.csv").read_text(encoding="utf-8").splitlines()[1].split(",")
    return {column: [ExternalSource(f"{name}.csv (fourni avec la plateforme)", column)] for column in header}


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
