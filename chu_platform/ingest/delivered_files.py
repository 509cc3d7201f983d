"""Reading delivered files of one kind, found by name, in whichever format each was delivered.

Here: which files belong to a source, and which format reads each. Not here: the formats (csv_format,
workbook_format), and what the text means.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import Expected, RawRows, SourceFile
from chu_platform.ingest.files import find, readable, same, unchanging
from chu_platform.tables.freshness import Freshness

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext


class Format(Protocol):
    """A file format. Raises ChuError when the file is not of it, or lacks columns."""

    def rows(
        self,
        file: Path,
        origin: SourceFile,
        expected: Expected,
        constants: Mapping[str, str],
        context: "ReadingContext",
    ) -> AbstractContextManager[RawRows]:
        """The text of the file, for the time of the context."""
        ...

    def positions_of(self, column: str) -> str | None:
        """Where in a line a column stands, French; None where a header names the columns."""
        ...


@dataclass(frozen=True)
class DeliveredFiles:
    """The files whose name matches `pattern`, a regular expression; its named groups become text columns.

    `formats` gives the format by file suffix. There is exactly one file, unless: with `expected`, each of
    these values of the first group must be there, and others may; with `optional`, there may be one file for
    each value of the groups, or none at all. `instead` is the pattern of files that make up for the one file:
    where one of them is there, it may be absent.
    """

    pattern: str
    formats: Mapping[str, Format]
    expected: Sequence[str] = ()
    optional: bool = False
    instead: str | None = None
    freshness: Freshness = Freshness.YEARLY
    database: ClassVar[None] = None

    @property
    def label(self) -> str:
        """See `delivered.Reader`."""
        return readable(self.pattern)

    def positions_of(self, column: str) -> str | None:
        """See `delivered.Reader`: as the format that is named first has it."""
        return next(iter(self.formats.values())).positions_of(column)

    @contextmanager
    def open(self, expected: Expected, context: "ReadingContext") -> Iterator[Iterator[RawRows]]:
        """See `delivered.Reader`."""
        with closing(self._rows(self.files(context.pack), expected, context)) as rows:
            yield rows

    def files(self, pack: Path) -> Sequence[Path]:
        """The files to read, of several copies one.

        Raises ChuError when one is missing, or when several with different content could be the same.
        """
        required = not (self.optional or (self.instead and find(pack, self.instead, required=False)))
        found: dict[tuple[str, ...], list[Path]] = {}
        for file in find(pack, self.pattern, required):
            found.setdefault(self._groups(file), []).append(file)
        missing = [value for value in self.expected if value not in {groups[0] for groups in found}]
        if missing:
            raise ChuError(f"no file named like {readable(self.pattern)} of {', '.join(missing)} in the pack {pack}")
        return [same(pack, self.pattern, found[groups]) for groups in sorted(found)]

    def copies(self, pack: Path) -> Sequence[Path]:
        """Every file of the pack that matches, those too that are copies of one that is read."""
        return find(pack, self.pattern, required=False)

    def _rows(
        self, files: Sequence[Path], expected: Expected, context: "ReadingContext"
    ) -> Generator[RawRows, None, None]:
        for file in files:
            name = re.fullmatch(self.pattern, file.name, re.IGNORECASE)
            assert name
            with (
                unchanging(context.pack, file) as origin,
                self.formats[file.suffix.lower()].rows(file, origin, expected, name.groupdict(), context) as rows,
            ):
                yield rows

    def _groups(self, file: Path) -> tuple[str, ...]:
        """The values of the groups of a name: two files that agree on them should be the same."""
        match = re.fullmatch(self.pattern, file.name, re.IGNORECASE)
        assert match
        return tuple((value or "").lower() for value in match.groups())
