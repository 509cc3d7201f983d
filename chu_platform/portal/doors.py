"""The doors of the portal: the questions of a director, a doctor and a nurse in their words, and their answers.

They are written in `data/doors.csv`. Its columns: the door; the question; the indicator that answers it (empty: none
alone); the address of the answer; what is left to do there, in words; or why the data cannot answer. From the home page
to an answer there are three interactions at most: the door, the question, and what `then` says.
"""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final

from chu_platform.portal.addresses import DOORS, OWN_FIGURES
from chu_platform.portal.reader import Snapshot

FILE: Final = Path(__file__).parent / "data" / "doors.csv"


class Door(Enum):
    """A door: its name in an address, its title, and what it leads to."""

    DIRECTION = (
        "direction",
        "Direction",
        "Le profil d’un établissement, le dernier mois, la satisfaction, les décès attendus, le recours aux soins.",
    )
    DOCTORS = (
        "medecins",
        "Médecins",
        "L’activité parmi les confrères, les diagnostics, les prescriptions, les suites d’un séjour.",
    )
    NURSES = (
        "infirmiers",
        "Infirmiers",
        "Ce que disent les patients, le soir et la nuit, la durée des séjours, la qualité des soins.",
    )

    def __init__(self, slug: str, title: str, about: str) -> None:
        self.slug = slug
        self.title = title
        self.about = about

    @property
    def address(self) -> str:
        """Its page."""
        return f"{DOORS}{self.slug}"


@dataclass(frozen=True)
class DoorQuestion:
    """A question: the address of its answer and what is left to do there, or `why` the data cannot answer."""

    text: str
    address: str
    then: str
    why: str


@dataclass(frozen=True)
class _Written:
    door: str
    indicator: str
    question: DoorQuestion


def door_of(slug: str) -> Door | None:
    """The door of an address."""
    return next((door for door in Door if door.slug == slug), None)


def questions_behind(snapshot: Snapshot, door: Door, own_figures: bool) -> Sequence[DoorQuestion]:
    """The questions of a door that the portal can answer, then those that the data cannot answer.

    Those of an indicator that the catalogue does not have yet are left out. `own_figures`: exact figures are served.
    """
    known = {question.table.name for question in snapshot.questions}
    found = [w.question for w in _written() if w.door == door.slug and _is_there(w, known, own_figures)]
    return sorted(found, key=lambda question: bool(question.why))


def _is_there(written: _Written, known: Collection[str], own_figures: bool) -> bool:
    if written.indicator and written.indicator not in known:
        return False
    return own_figures or not written.question.address.startswith(OWN_FIGURES)


@cache
def _written() -> Sequence[_Written]:
    with FILE.open(encoding="utf-8", newline="") as lines:
        return [_of_row(row) for row in csv.DictReader(lines, strict=True)]


def _of_row(row: Mapping[str, str]) -> _Written:
    question = DoorQuestion(row["question"], row["address"], row["then"], row["not_answerable"])
    return _Written(row["door"], row["indicator"], question)
