"""The chapters of the compared tools and options: one for each domain, from the table `references/recommendation`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from chu_platform import french
from chu_platform.committee.advice.scores import EVIDENCE, MARKED, REQUIREMENTS, ROBUST, ROUGH, SCORES, Changed
from chu_platform.committee.document import Block, Bullets, Chapter, Column, Heading, Missing, Paragraph, Table
from chu_platform.committee.inputs import Inputs
from chu_platform.references.recommendation import MOST

# What the group should do in each domain, in view of the scores.
CHOICES: Final = {
    "integration": "**Dagster**, un asset par table. Le contrôle bloquant entre deux exécutions est celui de la plateforme.",
    "stockage": "**Delta Lake**, dans un dossier d’abord, dans un stockage objet ensuite. PostgreSQL reste la base des soins et celle du journal de Dagster.",
    "moteur": "**Spark comme dialecte et comme moteur de la grappe, Sail tant qu’une machine suffit** : les deux exécutent le même SQL, le passage est un réglage (`CHU_ENGINE=spark`). DuckDB lit les livraisons et le portail.",
    "visualisation": "**Le portail pour tous les lecteurs**, car il montre l’incertitude et protège les petits effectifs sans rien à construire. Pour l’exploration libre des analystes habilités, **Superset dans la zone pseudonymisée**, quand le besoin sera constaté.",
    "securite": "**La zone publiée masquée, par éditions**, pour tous ; la zone pseudonymisée pour les analystes habilités ; aucun extrait ne sort.",
    "hebergement": "**Un hébergeur certifié HDS et qualifié SecNumCloud**, ou les serveurs de l’établissement tant que la charge reste celle d’aujourd’hui. La qualification d’une offre se vérifie à la date de l’appel d’offres.",
    "chiffrement": "**Le chiffrement du stockage objet par une clé du groupe**, une clé par zone, et **des disques chiffrés** pour les machines qui calculent. Les deux se cumulent.",
}


def _domain(domain: str) -> Callable[[Inputs], Iterator[Block]]:
    """The blocks of a domain: choice, requirements, marks with their evidence, scores, and how firm they are."""

    def blocks(inputs: Inputs) -> Iterator[Block]:
        rows = inputs.query(MARKED.format(domain=domain))
        if not rows:
            yield Missing("La table `references/recommendation` n’est pas dans le lac : `chu materialize` la fait.")
            return
        yield Paragraph(f"Préconisation : {CHOICES[domain]}")
        yield Heading("Exigences, poids et scores")
        yield inputs.table(
            "Exigences, critères et poids (sur 100)",
            [Column("Critère", 1.4), Column("Exigence", 4), Column("Poids", 0.6, number=True)],
            REQUIREMENTS.format(domain=domain),
        )
        yield inputs.table(
            f"Scores, de 0 à {MOST}",
            [Column("Candidat", 3), Column("Score", number=True), *(Column(c, number=True) for c in _criteria(rows))],
            SCORES.format(domain=domain, columns=_pivot(rows)),
            lambda row: [row[0], french.number(row[1], 2), *(str(mark) for mark in row[2:])],
        )
        yield Heading("La préconisation est-elle ferme ?")
        yield from _firmness(inputs, domain)
        yield Heading("Les preuves, note par note")
        for candidate in dict.fromkeys(row[0] for row in rows):
            yield _evidence(inputs, str(candidate), domain)

    return blocks


def _criteria(rows: Sequence[tuple[object, ...]]) -> Sequence[str]:
    return list(dict.fromkeys(str(row[1]) for row in rows))


def _pivot(rows: Sequence[tuple[object, ...]]) -> str:
    return ", ".join(f"max(mark) FILTER (criterion = '{name}')" for name in _criteria(rows))


def _evidence(inputs: Inputs, candidate: str, domain: str) -> Table:
    return inputs.table(
        candidate,
        [Column("Critère", 1.2), Column("Note", 0.5, number=True), Column("Nature", 0.8), Column("Preuve", 3),
         Column("Source", 2.6)],
        EVIDENCE.format(domain=domain, candidate=candidate.replace("'", "''")),
        lambda row: [row[0], str(row[1]), f"**{french.capital(row[2])}**", row[3], row[4]],
    )  # fmt: skip


def _firmness(inputs: Inputs, domain: str) -> Iterator[Block]:
    """What the order of the first two depends on."""
    first = str(inputs.query(SCORES.format(domain=domain, columns="1"))[0][0])
    changed = [Changed(*row) for row in inputs.query(ROBUST.format(domain=domain))]
    others = [c for c in changed if c.first != first]
    (rough,) = inputs.query(ROUGH.format(domain=domain))
    yield inputs.table(
        "Ce qui change si un poids est doublé ou retiré",
        [Column("Critère", 2), Column("Poids", 1), Column("Premier", 3), Column("Avance", 1, number=True)],
        ROBUST.format(domain=domain),
        lambda row: [row[0], row[1], row[2], french.number(row[3], 2)],
    )
    points = [
        f"« {first} » reste premier quel que soit le poids que l’on double ou retire."
        if not others
        else f"L’ordre n’est **pas ferme** : « {first} » n’est plus premier dans {len(others)} des {len(changed)} variantes "
        f"({french.listed(sorted({f'{c.criterion}, {c.change} : {c.first}' for c in others}))}).",
        f"Si chaque **avis** se trompe d’un point en faveur de « {first} » (le sien un point trop haut, ceux des autres un "
        f"point trop bas), le premier est « {rough[0]} »"
        + (" : la préconisation résiste à cette erreur." if rough[0] == first else " : la préconisation **repose sur nos avis** autant que sur les mesures et les citations."),
    ]  # fmt: skip
    yield Bullets(points)


def _chapter(slug: str, title: str, answers: Sequence[str], domain: str) -> Chapter:
    return Chapter(slug, title, answers, _domain(domain))


INTEGRATION: Final = _chapter("integration", "Intégration et orchestration", ("A.4",), "integration")
STORAGE: Final = _chapter("stockage", "Stockage", ("A.5",), "stockage")
ENGINE: Final = _chapter("moteur", "Moteur de calcul", ("A.11",), "moteur")
VISUALISATION: Final = _chapter("visualisation", "Logiciel de visualisation", ("A.6",), "visualisation")
EXPLORATION: Final = _chapter("exploration-sure", "Exploration en toute sécurité", ("A.7", "A.9"), "securite")
HOSTING: Final = _chapter("hebergement", "Hébergement : HDS et SecNumCloud", ("A.9", "A.12"), "hebergement")
ENCRYPTION: Final = _chapter("chiffrement", "Chiffrement au repos", ("A.9", "A.12"), "chiffrement")
