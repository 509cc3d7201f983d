"""The check-list of the CNIL's referential for health data warehouses (deliberation 2021-118), with evidence.

The requirements are those of `data/cnil.csv`, in our words. Their evidence is a command, the checks of the lake, a test,
or a module that may not be part of this version; what has none is said to be not covered.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Final

from chu_platform.committee.document import Block, Column, Document, Missing, Paragraph, Table
from chu_platform.governance.inputs import COMMAND, Inputs

NAME: Final = "liste-de-controle-cnil"
TITLE: Final = "Liste de contrôle : référentiel de la CNIL sur les entrepôts de données de santé"
FILE: Final = Path(__file__).parent / "data" / "cnil.csv"
TESTS: Final = "chu_platform_tests"
UNCOVERED: Final = "non couvert"
CHECKS: Final = "checks"


@dataclass(frozen=True)
class Evidence:
    """What shows that a requirement is met: a command, a test (file and name), or the checks of the lake.

    `module` is a module below the package without which the evidence does not count.
    """

    kind: str
    text: str
    module: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether this version has the module that the evidence needs."""
        return self.module is None or _has_module(self.module)


@dataclass(frozen=True)
class Requirement:
    """A requirement in our words, with its theme, its evidence and a note (French)."""

    theme: str
    text: str
    evidence: Sequence[Evidence]
    note: str


@cache
def requirements() -> Sequence[Requirement]:
    """All requirements, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return [
            Requirement(
                row["theme"], row["requirement"], [_evidence(e) for e in row["evidence"].split("|") if e], row["note"]
            )
            for row in csv.DictReader(lines)
        ]


def _evidence(written: str) -> Evidence:
    """`command TEXT`, `test FILE::NAME`, `checks`, each perhaps after `module NAME`."""
    kind, _, text = written.partition(" ")
    if kind == "module":
        module, _, rest = text.partition(" ")
        kind, _, text = rest.partition(" ")
        return Evidence(kind, text, module)
    return Evidence(kind, text)


def _has_module(name: str) -> bool:
    try:
        return find_spec(f"chu_platform.{name}") is not None
    except ModuleNotFoundError:
        return False


def cnil(inputs: Inputs) -> Document:
    """The document."""
    chapters: dict[str, Sequence[Block]] = {
        "Comment lire cette liste": [
            Paragraph(
                "Les exigences sont résumées par thème, dans nos mots : le texte de la délibération 2021-118 du 7 octobre "
                "2021 fait foi. Une preuve est une commande à lancer, un test du code (dans `chu_platform_tests`) ou le "
                "résultat des contrôles du lac. **Non couvert** veut dire qu’aucune preuve n’existe dans la plateforme : "
                "l’exigence relève alors du groupe, ou reste à faire."
            ),
            _summary(),
        ]
    }
    for theme, listed in groupby(requirements(), key=lambda r: r.theme):
        chapters[theme] = [
            Table(
                theme,
                [Column("Exigence", 3), Column("Preuve", 3), Column("Remarque", 2)],
                [(r.text, _shown(r), r.note or "–") for r in listed],
                COMMAND,
            )
        ]
    chapters["Résultats des contrôles du lac"] = list(_checks(inputs))
    return inputs.document(NAME, TITLE, "Délibération 2021-118 ; une preuve par exigence", chapters)


def covered(requirement: Requirement) -> Sequence[Evidence]:
    """The evidence of a requirement that this version has."""
    return [evidence for evidence in requirement.evidence if evidence.is_there]


def _shown(requirement: Requirement) -> str:
    return " · ".join(_named(e) for e in covered(requirement)) or f"**{UNCOVERED}**"


def _named(evidence: Evidence) -> str:
    if evidence.kind == "command":
        return f"`{evidence.text}`"
    return "contrôles du lac" if evidence.kind == CHECKS else f"test `{evidence.text}`"


def _summary() -> Table:
    found = Counter(bool(covered(requirement)) for requirement in requirements())
    return Table(
        "Exigences avec et sans preuve",
        [Column("Exigences"), Column("Nombre", number=True)],
        [("avec une preuve", str(found[True])), (UNCOVERED, str(found[False])), ("ensemble", str(found.total()))],
        COMMAND,
    )


def _checks(inputs: Inputs) -> Iterator[Block]:
    results = inputs.state.checks.values() if inputs.has_lake else []
    if not results:
        yield Missing("aucun contrôle n’a encore été évalué : `chu materialize`")
        return
    found = Counter(result.status for result in results)
    yield Table(
        "Derniers résultats, au "
        + max(result.evaluated_at or "" for result in results)[:10],
        [Column("Résultat"), Column("Contrôles", number=True)],
        [("respectés", str(found["passed"])), ("non respectés", str(found["failed"])), ("pas évalués", str(found["not run"]))],
        'python -m chu_platform.committee.sql "SELECT status, count(*) FROM reports.check_result GROUP BY status"',
    )  # fmt: skip
