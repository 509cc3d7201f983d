"""Reader of delivered files with fixed-width lines. Positions are counted in characters."""

import re
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
from chu_platform.ingest.glued_records import GluedRecords
from chu_platform.ingest.line_structure import MAX_RECORD_LENGTH
from chu_platform.tables.duckdb_sql import sql_name, sql_path, sql_text

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

# A character that does not occur in text: DuckDB reads the whole line as one field.
NO_SEPARATOR: Final = "\x1f"
START: Final = 1 << 12
# Shifts of a part of a line, relative to the part before it, that are looked for: at most so many characters.
MAX_SHIFT: Final = 24


@dataclass(frozen=True)
class Anchor:
    """Columns that show by how many characters a part of a line is shifted.

    `certain` and `possible` are regular expressions of the character before `columns`, which follow each other, and of
    their text. A text that is `certain` can stand in no other place; it is looked for beside its place too. A
    `possible` one is odd, but acceptable in its own place. `moves` are the columns of the part.
    """

    columns: Sequence[str]
    certain: str
    possible: str
    moves: Sequence[str]


@dataclass(frozen=True)
class FixedWidthFormat:
    """Fixed-width lines without a header. `columns` gives the first and last character of each column, from 1.

    Text after the last column is ignored, unless it is another record: a line of several records is split if `anchors`
    tell for certain where each starts, else it is a reject. `fallback` is the encoding of bytes that are not UTF-8.
    Every line goes at least to the end of the column `complete_to`: a shorter last line without line ending was cut.
    `anchors` tell the lines of which a part is shifted; columns of no anchor begin in their place in every line. A line
    in which the values of an anchor are in no place for certain is a reject.
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
            longest = max_length + MAX_SHIFT * len(self.anchors)
            glued = GluedRecords(self._certain_record(), min_length, max_length, longest) if self.anchors else None
            dialect = Dialect(NO_SEPARATOR.encode(), b"", self.fallback, ending, 1, max_length, min_length, glued)
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
                misplaced={anchor.columns[0]: f"{_shift_name(anchor)} IS NULL" for anchor in self.anchors},
                encoding=scan.encoding,
                lines_in_fallback=scan.lines_in_fallback,
                doubly_encoded=scan.doubly_encoded,
                garbled=scan.garbled,
                is_unended=scan.is_unended,
                outer_blanks=scan.outer_blanks,
            )

    def _certain_record(self) -> re.Pattern[str]:
        """Pattern of the place where a record starts of which no part is shifted."""
        # The pattern of an anchor begins with the character before its first column.
        places = ((self.columns[anchor.columns[0]][0] - 2, anchor.certain) for anchor in self.anchors)
        return re.compile(r"(?=[^\s\d])" + "".join(f"(?=.{{{before}}}{certain})" for before, certain in places))

    def _cells(self, lines: str) -> str:
        """SQL (for FROM) of the columns of `lines` and the shifts of the anchors, null where a shift is unknown.

        A column ends where the next one begins, shifted or not.
        """
        relation, before = lines, "0"
        for anchor in self.anchors:
            relation = f"(SELECT *, {self._shift(anchor, before)} AS {_shift_name(anchor)} FROM {relation})"
            before = _known_shift(anchor)
        shift_of = {column: _known_shift(anchor) for anchor in self.anchors for column in anchor.moves}
        next_shifts = [shift_of.get(name, "0") for name in self.columns][1:]
        ends = [*next_shifts, shift_of.get(list(self.columns)[-1], "0")]
        cells = [_shift_name(anchor) for anchor in self.anchors]
        for (name, (first, last)), end in zip(self.columns.items(), ends, strict=True):
            begin = shift_of.get(name, "0")
            length = f"{last - first + 1}" + (f" + {end} - {begin}" if end != begin else "")
            start = f"{first}" + (f" + {begin}" if begin != "0" else "")
            cells.append(f"trim(substr(line, {start}, {length})) AS {sql_name(name)}")
        return f"(SELECT {', '.join(cells)} FROM {relation})"

    def _shift(self, anchor: Anchor, before: str) -> str:
        """SQL of the shift of the columns of an anchor; null if it is unknown. `before` is that of the part before it.

        Another place than that of the part before must be the only one.
        """
        first = self.columns[anchor.columns[0]][0]
        length = self.columns[anchor.columns[-1]][1] - first + 1

        def fits(pattern: str, shift: str) -> str:
            text = f"substr(line, {first - 1} + {shift}, {length + 1})"
            return f"regexp_full_match({text}, {sql_text(pattern)})"

        others = f"[s FOR s IN range(-{MAX_SHIFT}, {MAX_SHIFT + 1}) IF {fits(anchor.certain, f'{before} + s')}]"
        shift = (
            f"CASE WHEN len(found) = 1 THEN {before} + found[1] "
            f"WHEN len(found) = 0 AND {fits(anchor.possible, before)} THEN {before} END"
        )
        return f"CASE WHEN {fits(anchor.certain, before)} THEN {before} ELSE [{shift} FOR found IN [{others}]][1] END"


def _shift_name(anchor: Anchor) -> str:
    return sql_name(f"shift of {anchor.columns[0]}")


def _known_shift(anchor: Anchor) -> str:
    return f"coalesce({_shift_name(anchor)}, 0)"


def _start(file: Path) -> tuple[int, bytes]:
    """Number of bytes before the first line, and the line ending."""
    with file.open("rb") as stream:
        start = stream.read(START)
    bom = len(BYTE_ORDER_MARK) if start.startswith(BYTE_ORDER_MARK) else 0
    return bom, b"\r\n" if start.split(b"\n", 1)[0].endswith(b"\r") else b"\n"
