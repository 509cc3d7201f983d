"""Reads the published zone with leaks (README.md)."""

import zipfile
from functools import cache
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.attack import Inputs, Registers

FILE = Path(__file__).with_name("published_0.01.zip")


@cache
def files() -> dict[str, dict[str, pa.Table]]:
    """The tables by folder and name."""
    found: dict[str, dict[str, pa.Table]] = {}
    with zipfile.ZipFile(FILE) as archive:
        for name in archive.namelist():
            folder, _, file = name.partition("/")
            found.setdefault(folder, {})[file.removesuffix(".parquet")] = pq.read_table(BytesIO(archive.read(name)))
    return found


def inputs(*names: str, insiders: int = 50) -> Inputs:
    """What the attackers know: all published tables, or those with these names."""
    read = files()
    published = {n: t for n, t in read["published"].items() if not names or n in names}
    return Inputs(
        published, Registers(**read["registers"]), exact=read["exact"], earlier=[read["earlier"]], insiders=insiders
    )
