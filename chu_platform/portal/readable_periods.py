"""Periods as readers write them in an address, and read them in French."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from chu_platform import french

GRAINS: Final = {"month": "Mois", "quarter": "Trimestre", "year": "Année", "all": "Toute la période"}
ALL: Final = "tout"
WRITTEN: Final = re.compile(r"(?P<year>\d{4})(?:-(?:T(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?")


@dataclass(frozen=True)
class Period:
    """A period: its grain, its first day, and the first day after it."""

    grain: str
    start: date
    end: date

    @property
    def written(self) -> str:
        """As a parameter of an address: 2019, 2019-T2, 2019-05, tout."""
        if self.grain == "all":
            return ALL
        year = f"{self.start.year:04d}"
        if self.grain == "year":
            return year
        if self.grain == "quarter":
            return f"{year}-T{self.start.month // 3 + 1}"
        return f"{year}-{self.start.month:02d}"

    def holds_year(self, written: str) -> bool:
        """Whether the year of a written period is, at least in part, in this one."""
        return self.start.year <= int(written[:4]) <= (self.end - timedelta(days=1)).year

    @property
    def label(self) -> str:
        """As words: 2019, 2e trimestre 2019, mai 2019, juin 2015 à mars 2023."""
        return french.period(self.grain, self.start, self.end)

    @property
    def short(self) -> str:
        """As the mark of an axis: 2019, T2 2019, 05/2019."""
        if self.grain == "quarter":
            return f"T{self.start.month // 3 + 1} {self.start.year}"
        if self.grain == "month":
            return f"{self.start:%m/%Y}"
        return self.label

    @property
    def when(self) -> str:
        """At the start of a sentence: En 2019, Au 2e trimestre 2019, En mai 2019, De juin 2015 à mars 2023."""
        return french.in_period(self.grain, self.start, self.end)


def is_written(text: str) -> bool:
    """Whether a text is a period, whether it exists or not."""
    return text == ALL or bool(WRITTEN.fullmatch(text))


def is_short(text: str) -> bool:
    """Whether a written period is a month or a quarter."""
    return "-" in text


def coarser(written: str) -> list[str]:
    """The periods that hold this one, the next first: 2019-05 is in 2019-T2, 2019 and all."""
    found = WRITTEN.fullmatch(written)
    if not found:
        return []
    year = found["year"]
    if found["month"]:
        return [f"{year}-T{(int(found['month']) + 2) // 3}", year, ALL]
    return [year, ALL] if found["quarter"] else [ALL]
