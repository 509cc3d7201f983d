"""The check-list of a committee member: each sentence of the brief, and where the reports answer it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from chu_platform.committee.brief import Sentence, brief
from chu_platform.committee.document import (
    Block,
    Cell,
    Chapter,
    Column,
    Document,
    Heading,
    Link,
    MadeChapter,
    Report,
    Table,
)

NAME: Final = "liste_de_controle"
UNANSWERED: Final = "**Sans réponse dans ces rapports**"
COMMAND: Final = "chu report DOSSIER"


def check_list(reports: Sequence[Report], pages: Mapping[str, Mapping[str, int]], stated: str) -> Document:
    """The check-list of these reports; `pages` are those of their PDF on which chapters begin, by report and slug."""
    blocks: list[Block] = []
    for part, sentences in groupby(brief(), key=lambda sentence: sentence.part):
        blocks += [Heading(part), _table(part, list(sentences), reports, pages)]
    return Document(
        NAME,
        "Liste de contrôle du jury",
        "Chaque phrase du sujet, et le chapitre et la page, ou la page du portail, qui y répondent",
        stated,
        [MadeChapter("phrases", 1, "Les phrases du sujet et leurs réponses", blocks)],
    )


def _table(
    part: str,
    sentences: Sequence[Sentence],
    reports: Sequence[Report],
    pages: Mapping[str, Mapping[str, int]],
) -> Table:
    rows: list[list[Cell]] = []
    for sentence in sentences:
        answers: list[Cell] = [
            Link(
                f"{report.short}, « {chapter.title} », page {pages[report.name][chapter.slug]}",
                report.name,
                chapter.slug,
            )
            for report, chapter in answering(reports, sentence.identifier)
        ]
        if sentence.portal:
            answers.append(f"Portail, {sentence.portal}")
        # A further chapter is a row of its own, below the sentence that it answers too.
        for place, answer in enumerate(answers or [UNANSWERED]):
            rows.append([sentence.identifier if not place else "", sentence.text if not place else "", answer])
    return Table(part, [Column("N°", 0.5), Column("Phrase du sujet", 4), Column("Réponse", 4)], rows, COMMAND)


def answering(reports: Sequence[Report], identifier: str) -> Iterator[tuple[Report, Chapter]]:
    """The chapters that say that they answer a sentence."""
    for report in reports:
        for chapter in report.chapters:
            if identifier in chapter.answers:
                yield report, chapter
