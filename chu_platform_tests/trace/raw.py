"""The delivered files, read without the code of the platform: the content of a line."""

import csv
from functools import cache
from pathlib import Path

from python_calamine import CalamineWorkbook

from chu_platform.trace.delivered_lines import Line

SEPARATORS = {"deces.csv": ","}
ENCODINGS = ("utf-8", "cp1252")


@cache
def lines(file: Path) -> list[str]:
    """The lines of a text file, or the rows of a workbook joined by semicolons; the first has the index 0."""
    if file.suffix == ".xlsx":
        rows = CalamineWorkbook.from_path(file).get_sheet_by_name("Resultats").to_python(skip_empty_area=False)
        return [";".join(_cell(c) for c in row) for row in rows]
    for encoding in ENCODINGS:
        try:
            return file.read_bytes().decode(encoding).replace("\r\n", "\n").split("\n")
        except UnicodeDecodeError:
            continue
    raise AssertionError(f"{file.name} has none of the encodings of deliveries")


def text(file: Path, line: Line) -> str:
    """The text in the file at the number of a line; quoted fields may span several lines."""
    return "\n".join(lines(file)[line.number - 1 : line.number + line.text.count("\n")])


def values(file: Path, number: int) -> dict[str, str]:
    """The values of the line with this number, by the column names of the header."""
    separator = SEPARATORS.get(file.name, ";")
    both = [lines(file)[0], lines(file)[number - 1]]
    if file.name in ("deces.csv", "etablissement_sante.csv"):
        header, row = csv.reader(both, delimiter=separator)
    else:
        header, row = csv.reader(both, delimiter=separator, quoting=csv.QUOTE_NONE)
    return dict(zip(header, row, strict=True))


def _cell(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
