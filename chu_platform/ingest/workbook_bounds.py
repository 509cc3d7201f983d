"""Limits of delivered XLSX workbooks, tested before a library opens them.

A workbook is a zip archive of XML files. A few kilobytes of it may hold gigabytes of XML, or a row with millions of
cells. The XML is read here as a stream of tags, with bounded memory.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.parsers import expat

# Size of the unpacked XML: of all worksheets and shared texts together, and of each other part.
MAX_TABLES: Final = 1 << 29
MAX_OTHER_PART: Final = 1 << 25
# Tags in a row or in a shared text. A full row has 16 384 cells, each with up to five tags.
MAX_TAGS: Final = 1 << 18
MAX_ROWS: Final = 1 << 20
TABLES: Final = ("xl/worksheets/", "xl/sharedStrings")
PIECE: Final = 1 << 20


class TooLargeError(Exception):
    """The workbook is beyond a limit. The message says which."""


class DamagedError(Exception):
    """The workbook cannot be read."""


@dataclass(frozen=True)
class WorkbookScan:
    """Whether a workbook has formulas, and whether it asks to compute them when it is opened.

    A program that does not compute formulas writes no results, or zeros, and sets that request. `last_rows` are the
    last rows with a value or a formula, by the name of the part that holds the worksheet.
    """

    has_formulas: bool
    is_to_be_computed: bool
    last_rows: Mapping[str, int]


def within_bounds(file: Path) -> WorkbookScan:
    """Read the tags of a workbook. Raises TooLargeError or DamagedError."""
    scan = _Scan()
    with zipfile.ZipFile(file) as archive:
        parts = [p for p in archive.infolist() if p.filename.endswith((".xml", ".rels"))]
        tables = [p for p in parts if p.filename.startswith(TABLES)]
        # zipfile unpacks at most the declared size of a part.
        if sum(p.file_size for p in tables) > MAX_TABLES:
            raise TooLargeError(f"its sheets are larger than {MAX_TABLES >> 20} MB when unpacked")
        if any(p.file_size > MAX_OTHER_PART for p in parts if p not in tables):
            raise TooLargeError(f"a part of it is larger than {MAX_OTHER_PART >> 20} MB when unpacked")
        for part in parts:
            scan.read(archive, part)
    return WorkbookScan(scan.has_formulas, scan.is_to_be_computed, scan.last_rows)


class _Scan:
    """The tags of the parts of a workbook that were read so far."""

    def __init__(self) -> None:
        self.has_formulas = self.is_to_be_computed = False
        self.last_rows: dict[str, int] = {}
        self._row = self._tags = self._last = 0

    def read(self, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
        """Read one part as a stream."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.StartDoctypeDeclHandler = self._doctype
        self._row = self._tags = self._last = 0
        try:
            with archive.open(part) as stream:
                while piece := stream.read(PIECE):
                    parser.Parse(piece, False)
                parser.Parse(b"", True)
        except (expat.ExpatError, ValueError) as error:
            raise DamagedError from error
        self.last_rows[part.filename.lstrip("/")] = self._last

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self._tags += 1
        if tag == "row":
            row = int(attributes.get("r", self._row + 1))
            # A library skips rows that are not in order, without a word.
            if not self._row < row <= MAX_ROWS:
                raise DamagedError
            self._row, self._tags = row, 0
        elif tag == "si":
            self._tags = 0
        elif tag == "f":
            self.has_formulas = True
            self._last = self._row
        elif tag in ("v", "t"):
            self._last = self._row
        elif tag == "calcPr":
            self.is_to_be_computed = attributes.get("fullCalcOnLoad") in ("1", "true")
        if self._tags > MAX_TAGS:
            raise TooLargeError("it has a row, a text or a list with too many parts")

    def _doctype(self, *_arguments: object) -> None:
        # A workbook has none; its entities could unpack without limit.
        raise DamagedError
