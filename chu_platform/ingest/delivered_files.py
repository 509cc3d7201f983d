"""Reader of delivered files that are found by name; the suffix of a file selects its format."""

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from chu_platform.errors import ChuError, PermanentError
from chu_platform.ingest.delivered import Expected, RawRows
from chu_platform.ingest.file_kinds import in_its_place
from chu_platform.ingest.file_names import match_exactly, match_name, plain_name
from chu_platform.ingest.files import OpenedFile, PackScan, find, is_copy, readable, same, scan_pack, unchanging
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
    are read. With `apart`, a file that cannot be read is left out, with a remark, and the others are read. `instead` is
    the pattern of replacement files: the file may be absent when one of them is delivered.

    Identical copies are read once. Beside a file that has the pattern as it is, one that has it in its plain form only,
    such as ` (1)`, is not read.
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
        for instead in in_its_place(scan.files, re.compile(self.pattern, re.IGNORECASE)):
            context.remarks.append(f"a file named like {self.label} is not delivered: {instead}")
        read = self.files(scan)
        for file in self.copies(scan):
            if file not in read and not is_copy(file, read):
                name = file.relative_to(context.pack).as_posix()
                context.remarks.append(f"{name} is not read, because another file has the name {self.label}: keep one")
        with closing(self._rows(read, expected, context)) as rows:
            yield rows

    def match(self, name: str) -> re.Match[str] | None:
        """See `delivered.Reader`."""
        return match_name(self.pattern, name)

    def files(self, pack: Path | PackScan, fingerprint_of: Callable[[Path], str] = fingerprint) -> Sequence[Path]:
        """The files to read: one of several identical copies.

        Raises ChuError when a file is missing, or when several candidates have different content.
        """
        scan = pack if isinstance(pack, PackScan) else scan_pack(pack)
        required = not (self.optional or (self.instead and find(scan, self.instead, False, match_name)))
        found = find(scan, self.pattern, required, match_name)
        if self.several:
            contents = {fingerprint_of(file): file for file in reversed(found)}
            return sorted(contents.values())
        by_groups: dict[tuple[str, ...], list[Path]] = {}
        for file in found:
            by_groups.setdefault(self._groups(file), []).append(file)
        missing = [value for value in self.expected if value not in {groups[0] for groups in by_groups}]
        if missing and len(missing) < len(self.expected):
            names = f"{readable(self.pattern)} of {', '.join(missing)}"
            raise ChuError(f"no file named like {names} in the pack {scan.pack}")
        chosen = (files for groups in sorted(by_groups) for files in self._chosen(by_groups[groups]))
        return [same(scan, self.pattern, files, fingerprint_of) for files in chosen]

    def copies(self, pack: Path | PackScan) -> Sequence[Path]:
        """Every file of the pack that matches, including copies."""
        return find(pack, self.pattern, False, match_name)

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
            except PermanentError as error:
                if is_open or not self.apart:
                    raise
                context.leave_out(file.relative_to(context.pack).as_posix(), str(error))

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
        return tuple(plain_name(value or "") for value in match.groups())
