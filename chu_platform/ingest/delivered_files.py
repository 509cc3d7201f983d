"""Reader of delivered files that are found by name; the suffix of a file selects its format."""

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from chu_platform.errors import ChuError, TransientError
from chu_platform.ingest.delivered import Expected, LeftOut, RawRows
from chu_platform.ingest.file_kinds import in_its_place
from chu_platform.ingest.file_names import match_exactly, match_name, plain_groups
from chu_platform.ingest.files import (
    Contradiction,
    OpenedFile,
    PackScan,
    find,
    forms,
    is_copy,
    no_file,
    readable,
    same,
    scan_pack,
    unchanging,
)
from chu_platform.ingest.fingerprints import fingerprint
from chu_platform.tables.freshness import Freshness

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext


class Format(Protocol):
    """A file format. Raises ChuError when a file has another format, or columns are missing."""

    def rows(
        self,
        file: OpenedFile,
        expected: Expected,
        constants: Mapping[str, str],
        context: "ReadingContext",
    ) -> AbstractContextManager[RawRows]:
        """The text of the file. The rows can be read until the context ends."""
        ...

    def positions_of(self, column: str) -> str | None:
        """Position of a column in a line, in French; None for formats with a header."""
        ...


@dataclass(frozen=True)
class DeliveredFiles:
    """The files whose name means `pattern`, a regular expression (`file_names`); its named groups become text columns.

    `formats` gives the format by file suffix. By default exactly one file is required. With `expected`, there is one
    file for each value of the first group, and these values belong together: if one of them is delivered, all are
    required. With `optional`, there may be one file for each value of the groups, or no file. With `several`, all files
    are read. With `apart`, a file that is missing, contradicts another one or cannot be read is left out, and the
    others are read. `instead` is the pattern of replacement files: the file may be absent when one of them is
    delivered.

    Identical copies are read once, also a CSV file and a workbook with the same cells. Beside a file that has the
    pattern as it is, one that has it in its plain form only, such as ` (1)`, is not read.
    """

    pattern: str
    formats: Mapping[str, Format]
    expected: Sequence[str] = ()
    optional: bool = False
    apart: bool = False
    several: bool = False
    instead: str | None = None
    freshness: Freshness = Freshness.YEARLY
    database: ClassVar[None] = None
    database_table: ClassVar[None] = None

    @property
    def label(self) -> str:
        """See `delivered.Reader`."""
        return readable(self.pattern)

    def positions_of(self, column: str) -> str | None:
        """See `delivered.Reader`: the positions of the first format."""
        return next(iter(self.formats.values())).positions_of(column)

    @contextmanager
    def open(self, expected: Expected, context: "ReadingContext") -> Iterator[Iterator[RawRows]]:
        """See `delivered.Reader`."""
        scan = scan_pack(context.pack)
        others = [f for f in scan.files if not (self.instead and match_name(self.instead, f.name))]
        for instead in in_its_place(others, re.compile(self.pattern, re.IGNORECASE)):
            context.remarks.append(f"a file named like {self.label} is not delivered: {instead}")
        read, left_out = self._selected(scan, fingerprint)
        context.left_out += left_out
        unread = {absent.groups for absent in left_out}
        for file in self.copies(scan):
            if file not in read and self._groups(file) not in unread and not is_copy(file, read):
                name = file.relative_to(context.pack).as_posix()
                context.remarks.append(f"{name} is not read, because another file has the name {self.label}: keep one")
        with closing(self._rows(read, expected, context)) as rows:
            yield rows

    def match(self, name: str) -> re.Match[str] | None:
        """See `delivered.Reader`."""
        return match_name(self.pattern, name)

    def files(self, pack: Path | PackScan, fingerprint_of: Callable[[Path], str] = fingerprint) -> Sequence[Path]:
        """The files to read: one of several identical copies.

        Raises ChuError when a file is missing, or when several candidates have different content; files that are read
        `apart` are then left out, unless there is none at all.
        """
        return self._selected(pack if isinstance(pack, PackScan) else scan_pack(pack), fingerprint_of)[0]

    def copies(self, pack: Path | PackScan) -> Sequence[Path]:
        """Every file of the pack that matches, including copies."""
        return find(pack, self.pattern, False, match_name)

    def _selected(
        self, scan: PackScan, fingerprint_of: Callable[[Path], str]
    ) -> tuple[Sequence[Path], Sequence[LeftOut]]:
        """The files to read, and those that are left out before any is read."""
        required = not (self.optional or (self.instead and find(scan, self.instead, False, match_name)))
        found = find(scan, self.pattern, required, match_name)
        if self.several:
            contents = {fingerprint_of(file): file for file in reversed(found)}
            return sorted(contents.values()), []
        by_groups: dict[tuple[str, ...], list[Path]] = {}
        for file in found:
            by_groups.setdefault(self._groups(file), []).append(file)
        read: list[Path] = []
        left_out: list[LeftOut] = []
        for files in (files for groups in sorted(by_groups) for files in self._chosen(by_groups[groups])):
            try:
                read.append(same(scan, self.pattern, files, fingerprint_of))
            except Contradiction as error:
                if not self.apart:
                    raise
                left_out.append(self._left_out(scan.pack, files[0], error))
        missing = [value for value in self.expected if value not in {groups[0] for groups in by_groups}]
        if missing and len(missing) < len(self.expected):
            cause = no_file(
                scan,
                self.pattern,
                f"{forms(self.pattern)} of {', '.join(missing)}",
                lambda name: (match := self.match(name)) and plain_groups(match.groups())[0] in missing,
            )
            if not self.apart:
                raise ChuError(cause)
            (group, *_) = re.compile(self.pattern).groupindex
            left_out += [LeftOut(f"{readable(self.pattern)} of {value}", cause, {group: value}) for value in missing]
        return read, left_out

    def _left_out(self, pack: Path, file: Path, error: ChuError) -> LeftOut:
        match = self.match(file.name)
        assert match
        return LeftOut(file.relative_to(pack).as_posix(), str(error), match.groupdict())

    def _rows(
        self, files: Sequence[Path], expected: Expected, context: "ReadingContext"
    ) -> Generator[RawRows, None, None]:
        for file in files:
            match = self.match(file.name)
            assert match
            is_open = False
            rows_format = self.formats[Path(match.string).suffix.lower()]
            try:
                with (
                    unchanging(context.pack, file) as opened,
                    rows_format.rows(opened, expected, match.groupdict(), context) as rows,
                ):
                    is_open = True
                    yield rows
            except TransientError:
                raise
            except ChuError as error:
                if is_open or not self.apart:
                    raise
                context.left_out.append(self._left_out(context.pack, file, error))

    def _chosen(self, files: Sequence[Path]) -> Sequence[Sequence[Path]]:
        """Of the files with the same groups: those to read, of which several must be copies."""
        declared: dict[tuple[str, ...], list[Path]] = {}
        for file in files:
            if match := match_exactly(self.pattern, file.name):
                declared.setdefault(tuple((value or "").lower() for value in match.groups()), []).append(file)
        return [declared[groups] for groups in sorted(declared)] or [files]

    def _groups(self, file: Path) -> tuple[str, ...]:
        """The values of the groups in the plain form of a file name."""
        match = self.match(file.name)
        assert match
        return plain_groups(match.groups())
