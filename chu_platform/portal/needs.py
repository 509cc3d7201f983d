"""The register of needs, as its page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot


@dataclass(frozen=True)
class Need:
    """A need of readers, and the questions whose pages answer it; `why` says why there are none."""

    number: str
    reader: str
    decides: str
    question: str
    answers: Sequence[Question]
    why: str


def needs_of(snapshot: Snapshot) -> Sequence[Need]:
    """All needs: those of the project by number, then those that readers have added."""
    by_table = {question.table.name: question for question in snapshot.questions}
    rows = snapshot.rows("SELECT * FROM need ORDER BY need[1] DESC, CAST(need[2:] AS INTEGER)")
    return [
        Need(
            row["need"],
            row["reader"],
            row["decides"],
            row["question"],
            [by_table[name] for name in (row["indicator"] or "").split() if name in by_table],
            row["not_answerable"] or "",
        )
        for row in rows
    ]
