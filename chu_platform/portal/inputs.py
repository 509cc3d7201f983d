"""What the pages of a question are made from: as long as it is the same, a page of it is the same."""

import hashlib
from typing import Final

from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.reliability import reliability

# Tables that pages of every question may read; results of checks are part of the reliability.
SHARED: Final = (
    "published_mortality_episode",
    "publication_coverage",
    "published_department",
    "published_diagnosis",
    "published_establishment",
    "published_quality",
)


def inputs_of(snapshot: Snapshot, question: Question) -> str:
    """A text that identifies what the pages of a question show now, without code, description and templates.

    These are the edition, the versions of the tables with their provenance, and the reliability, of which the delay
    changes with time.
    """

    def make() -> str:
        versions = [(name, snapshot.versions.get(name)) for name in (question.table.name, *SHARED)]
        known = (snapshot.edition, sorted(snapshot.unreadable), versions, now)
        return hashlib.sha256(repr(known).encode()).hexdigest()

    now = reliability(snapshot, question)
    return snapshot.once(("inputs", question.slug, now.late), make)
