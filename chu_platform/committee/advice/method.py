"""The first chapter: what the recommendations answer, how marks are given, and the choices in one table."""

import re
from collections.abc import Iterator
from typing import Final

from chu_platform import french
from chu_platform.committee.advice.domains import CHOICES
from chu_platform.committee.document import Block, Bullets, Chapter, Column, Heading, Missing, Paragraph
from chu_platform.committee.inputs import Inputs
from chu_platform.references.recommendation import CITED, MEASURED, MOST, OPINION

FIRST: Final = (
    "WITH scores AS (SELECT domain, domain_label, min(place) AS place, candidate, sum(weight * mark) / 100.0 AS score "
    "FROM references.recommendation GROUP BY domain, domain_label, candidate) "
    "SELECT any_value(domain_label), count(*), arg_max(candidate, score), max(score), max(score) - max(score, 2)[2], domain "
    "FROM scores GROUP BY domain ORDER BY min(place)"
)
KINDS: Final = "SELECT kind, count(*), sum(weight) FROM references.recommendation GROUP BY kind ORDER BY kind DESC"


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Le groupe demande des préconisations d’outillage d’intégration, de stockage et de visualisation, et une exploration des données en toute sécurité, avec un bon rapport coût-efficacité, de la sécurité, de l’élasticité et de la scalabilité. Chaque domaine a ses exigences, ses candidats, ses critères et leurs poids."
    )
    yield Bullets(
        [
            f"Une note va de 0 (exclut) à {MOST} (très bon). Un poids est une part de 100 dans son domaine. Le **score** est la moyenne des notes selon les poids ; il est calculé, jamais écrit.",
            f"Chaque note a une **preuve**, et sa nature est dite : **{MEASURED}** (une commande et son relevé, dans ce dépôt), **{CITED}** (une adresse et la date de lecture), **{OPINION}** (de l’équipe, qui peut se tromper).",
            "L’équipe qui note est celle qui a construit la plateforme : elle connaît mieux ce qu’elle a choisi. Chaque chapitre dit donc si le premier le reste quand un poids change, et quand tous les avis se trompent en sa faveur.",
            "Un candidat non essayé ici reçoit une note moyenne pour ce qui demanderait une mesure.",
        ]
    )
    if not inputs.query(KINDS):
        yield Missing("La table `references/recommendation` est vide : `chu materialize` la fait.")
        return
    yield inputs.table(
        "Nature des preuves, toutes les notes",
        [Column("Nature"), Column("Notes", number=True), Column("Somme des poids", number=True)],
        KINDS,
    )
    yield Heading("Les préconisations en un tableau")
    yield inputs.table(
        "Domaine, candidats comparés, premier par le score",
        [Column("Domaine", 2), Column("Candidats", 0.8, number=True), Column("Premier", 2.2), Column("Score", 0.7, number=True),
         Column("Avance", 0.7, number=True), Column("Préconisation", 4)],
        FIRST,
        lambda row: [row[0], str(row[1]), row[2], french.number(row[3], 2), french.number(row[4], 2), _choice(row[5])],
    )  # fmt: skip


def _choice(domain: str) -> str:
    """The first sentence of a choice."""
    return re.split(r"(?<=[.»*]) (?=[A-ZÉ])", CHOICES[domain])[0]


METHOD: Final = Chapter("methode", "Exigences, méthode et résumé", ("A.4", "A.5", "A.6", "A.7"), _blocks)
