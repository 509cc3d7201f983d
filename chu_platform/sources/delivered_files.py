"""Reading delivered files of one kind, found by name, in whichever format each was delivered.

Here: which files belong to a source, and which format reads each. Not here: the formats (csv_format,
workbook_format), and what the text means.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from chu_platform.errors import ChuError
from chu_platform.sources.delivered import Expected, Origin, RawRows
from chu_platform.sources.files import find, one, readable, same, unchanging
from chu_platform.tables.cadence import Cadence
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    from chu_platform.sources.reading import ReadingContext


class Format(Protocol):
    """A file format. Raises ChuError when the file is not of it, or lacks columns."""

    def rows(
        self,
        file: Path,
        origin: Origin,
        expected: Expected,
        constants: Mapping[str, str],
        context: "ReadingContext",
    ) -> AbstractContextManager[RawRows]:
        """The text of the file, for the time of the context."""
        ...


@dataclass(frozen=True)
class DeliveredFiles:
    """The files whose name matches `pattern`, a regular expression; its named groups become text columns.

    `formats` gives the format by file suffix. With `expected`, each of these values of the one group must be
    there; without, there is exactly one file.
    """

    pattern: str
    formats: Mapping[str, Format]
    expected: Sequence[str] = ()
    cadence: Cadence = Cadence.YEARLY

    @contextmanager
    def open(
        self,
        table: Table,  # noqa: ARG002 - other readers need it
        expected: Expected,
        context: "ReadingContext",
    ) -> Iterator[Iterator[RawRows]]:
        """See `delivered.Reader`."""
        with closing(self._rows(self.files(context.pack), expected, context)) as rows:
            yield rows

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

    def files(self, pack: Path) -> Sequence[Path]:
        """The files of the pack. Raises ChuError when there are none, not all, or several that differ."""
        if not self.expected:
            return [one(pack, self.pattern)]
        found: dict[str, list[Path]] = {}
        for file in find(pack, self.pattern):
            match = re.fullmatch(self.pattern, file.name, re.IGNORECASE)
            assert match
            found.setdefault(match.group(1), []).append(file)
        missing = [value for value in self.expected if value not in found]
        if missing:
            raise ChuError(f"no file named like {readable(self.pattern)} of {', '.join(missing)} in the pack {pack}")
        return [same(pack, self.pattern, found[value]) for value in sorted(found)]
