"""Reader of delivered files with fixed-width lines. Positions are counted in characters."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_dialect import Dialect
from chu_platform.ingest.csv_records import RecordScan
from chu_platform.ingest.delivered import MAX_REJECTS, Expected, RawRows
from chu_platform.ingest.file_kinds import BYTE_ORDER_MARK, refuse_doubled, require_text
from chu_platform.ingest.files import OpenedFile
from chu_platform.ingest.line_structure import MAX_RECORD_LENGTH
from chu_platform.tables.duckdb_sql import sql_name, sql_path, sql_text

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

# A character that does not occur in text: DuckDB reads the whole line as one field.
NO_SEPARATOR: Final = "\x1f"
START: Final = 1 << 12
# Shifts of a part of a line, relative to the part before it, that are looked for, in this order.
SHIFTS: Final = (0, -1, -2, 1)


@dataclass(frozen=True)
class Anchor:
    """Columns that show by how many characters a part of a line is shifted.

    `fits` is DuckDB SQL, true for a text `{text}` that can be the values of `columns`, which follow each other. `moves`
    are the columns of the part.
    """

    columns: Sequence[str]
    fits: str
    moves: Sequence[str]


@dataclass(frozen=True)
class FixedWidthFormat:
    """Fixed-width lines without a header. `columns` gives the first and last character of each column, from 1.

    Text after the last column is ignored. `fallback` is the encoding of lines that are not UTF-8. Every line goes at
    least to the end of the column `complete_to`: a shorter last line without line ending was cut. `anchors` tell the
    lines of which a part is shifted; columns of no anchor begin in their place in every line.
    """

    columns: Mapping[str, tuple[int, int]]
    fallback: str
    complete_to: str
    anchors: Sequence[Anchor] = ()

    def positions_of(self, column: str) -> str:
        """See `delivered_files.Format`."""
        first, last = self.columns[column]
        return f"caractère {first}" if first == last else f"caractères {first} à {last}"

    @contextmanager
    def rows(
        self,
        file: OpenedFile,
        expected: Expected,
        constants: Mapping[str, str],
        context: "ReadingContext",
    ) -> Iterator[RawRows]:
        """See `delivered_files.Format`. Blanks around a value are removed."""
        require_text(file.path, file.name)
        columns = expected.match(file.name, list(self.columns), context.log)
        with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
            start, ending = _start(file.path)
            refuse_doubled(file.path, file.name, 0)
            max_length = max(last for _, last in self.columns.values())
            _, min_length = self.columns[self.complete_to]
            dialect = Dialect(NO_SEPARATOR.encode(), b"", self.fallback, ending, 1, max_length, min_length)
            scan = RecordScan(file.path, file.name, dialect, b"", start, 1)
            scan.run(Path(scratch) / "normalised.txt", MAX_REJECTS)
            scan.require_whole()
            if not scan.records and not scan.malformed:
                raise ChuError(f"{file.name} has no lines: ask for it again")
            lines = (
                f"read_csv({sql_path(scan.readable_file)}, auto_detect = false, header = false, delim = "
                f"{sql_text(NO_SEPARATOR)}, quote = '', escape = '', columns = {{'line': 'VARCHAR'}}, "
                f"max_line_size = {MAX_RECORD_LENGTH})"
            )
            yield RawRows(
                file.origin(),
                self._cells(lines),
                names=columns.names,
                rows=scan.records,
                number="row_number() OVER ()",
                malformed=scan.malformed,
                locate=lambda _, numbers: scan.locate(numbers),
                constants=constants,
                encoding=scan.encoding,
                lines_in_fallback=scan.lines_in_fallback,
            )

    def _cells(self, lines: str) -> str:
        """SQL (for FROM) of the columns of `lines`. A column ends where the next one begins, shifted or not."""
        relation, before = lines, "0"
        for anchor in self.anchors:
            relation = f"(SELECT *, {self._shift(anchor, before)} AS {_shift_name(anchor)} FROM {relation})"
            before = _shift_name(anchor)
        shift_of = {column: _shift_name(anchor) for anchor in self.anchors for column in anchor.moves}
        next_shifts = [shift_of.get(name, "0") for name in self.columns][1:]
        ends = [*next_shifts, shift_of.get(list(self.columns)[-1], "0")]
        cells = []
        for (name, (first, last)), end in zip(self.columns.items(), ends, strict=True):
            begin = shift_of.get(name, "0")
            length = f"{last - first + 1}" + (f" + {end} - {begin}" if end != begin else "")
            start = f"{first}" + (f" + {begin}" if begin != "0" else "")
            cells.append(f"trim(substr(line, {start}, {length})) AS {sql_name(name)}")
        return f"(SELECT {', '.join(cells)} FROM {relation})"

    def _shift(self, anchor: Anchor, before: str) -> str:
        """SQL of the shift of the columns of an anchor. `before` is that of the part before it.

        It is the same as before if their values are in no place that is looked for.
        """
        first = self.columns[anchor.columns[0]][0]
        length = self.columns[anchor.columns[-1]][1] - first + 1
        fits = {s: anchor.fits.format(text=f"substr(line, {before} + {first + s}, {length})") for s in SHIFTS}
        cases = " ".join(f"WHEN {condition} THEN {before} + {s}" for s, condition in fits.items())
        return f"CASE {cases} ELSE {before} END"


def _shift_name(anchor: Anchor) -> str:
    return sql_name(f"shift of {anchor.columns[0]}")


def _start(file: Path) -> tuple[int, bytes]:
    """Number of bytes before the first line, and the line ending."""
    with file.open("rb") as stream:
        start = stream.read(START)
    bom = len(BYTE_ORDER_MARK) if start.startswith(BYTE_ORDER_MARK) else 0
    return bom, b"\r\n" if start.split(b"\n", 1)[0].endswith(b"\r") else b"\n"
