"""Lines of fixed width that hold several records, as in files that were joined without a line feed between them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Every record has a date of birth, also an unknown one: the end of a record behind which one is holds another record.
_DATE: Final = re.compile(r"\d{8}")


@dataclass(frozen=True)
class GluedRecords:
    """Finds and splits lines with several records.

    `start` matches where a record starts that is complete for certain. A record has at least `min_length` characters
    and at most `length`, or `max_length` if parts of it are shifted.
    """

    start: re.Pattern[str]
    min_length: int
    length: int
    max_length: int

    def are_in(self, line: str) -> bool:
        """Whether a line holds more than a record."""
        return bool(_DATE.search(line, self.max_length))

    def split(self, line: str) -> Sequence[str] | None:
        """The records of a line that holds several; None if nothing tells for certain where they start.

        The first record is what stands before the second one; it is judged as any other line.
        """
        starts = [0, *(found.start() for found in self.start.finditer(line, self.min_length))]
        records = [line[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
        *others, last = records
        are_whole = all(len(record.rstrip()) >= self.min_length for record in records)
        # What stands between two records would be the start of the second one.
        are_apart = all(not record[self.length :].strip() for record in others)
        return records if others and are_whole and are_apart and not self.are_in(last) else None
