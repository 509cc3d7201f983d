"""The lines of a CSV file that a user of the platform writes or changes."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from chu_platform.errors import ChuError


def csv_lines(
    file: Path, columns: Sequence[str], given: IO[bytes] | None = None
) -> Sequence[tuple[str, Mapping[str, str | None]]]:
    """Each line with its place in words, as "FILE line 2"; none if there is no file.

    `given` has the content, if it is open already, and stays open. A cell beyond the columns has the name "", and one that is missing is None. Raises ChuError if the file has other
    columns, or is not CSV in UTF-8.
    """
    if given is None and not file.exists():
        return []
    try:
        with (
            file.open(encoding="utf-8", newline="")
            if given is None
            else io.StringIO(given.read().decode("utf-8"), newline="")
        ) as lines:
            reader = csv.DictReader(lines, restkey="", strict=True)
            if tuple(reader.fieldnames or ()) != tuple(columns):
                raise ChuError(f"{file} line 1: the columns must be {','.join(columns)}")
            return [(f"{file} line {reader.line_num}", row) for row in reader]
    except (csv.Error, UnicodeDecodeError):
        raise ChuError(f"{file} is not a CSV file in UTF-8: correct it, or move it away") from None
