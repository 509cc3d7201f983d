"""The sentences of the brief that a committee looks for: `data/brief.csv`."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "data" / "brief.csv"


@dataclass(frozen=True)
class Sentence:
    """A sentence of the brief: an identifier such as "L1.2", its part of the brief, its text.

    `portal` names the page of the portal that answers it, with its address; empty if none does.
    """

    identifier: str
    part: str
    text: str
    portal: str


@cache
def brief() -> Sequence[Sentence]:
    """All sentences, in the order of the brief."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return [Sentence(**row) for row in csv.DictReader(lines)]
