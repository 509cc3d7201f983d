"""Livrable 1: the axes of analysis and the measures, with their definitions, from the declarations of the indicators."""

from collections.abc import Iterator, Sequence
from typing import Final

from chu_platform.committee.document import Block, Bullets, Cell, Chapter, Column, Heading, Paragraph, Picture, Table
from chu_platform.committee.drawing import matrix
from chu_platform.committee.inputs import Inputs
from chu_platform.tables.indicator_questions import Measure

DESCRIBED: Final = "python -m chu_platform.describe_catalogue"
# The hierarchies of the dimensions, from coarse to fine, each column with its dimension.
HIERARCHIES: Final = (
    ("Temps", "dim_date, dim_period", "toute la période > année > trimestre > mois > jour"),
    ("Lieu", "dim_region, dim_establishment", "France > région > département > établissement (site FINESS)"),
    ("Diagnostic", "dim_diagnosis", "tous > chapitre CIM-10 > catégorie (3 caractères) > code"),
    ("Patient", "dim_patient", "sexe ; âge à l’événement en tranches de la population"),
    ("Professionnel", "dim_professional, dim_speciality", "catégorie > profession > spécialité > professionnel"),
    ("Médicament", "dim_medication", "forme, titulaire > médicament (code CIS)"),
    ("Mutuelle", "dim_insurer", "mutuelle"),
    ("Enquête", "dim_quality_indicator", "enquête > indicateur > campagne"),
)


def _blocks(inputs: Inputs) -> Iterator[Block]:
    questions = inputs.catalogue.questions
    yield Paragraph(
        "Chaque indicateur est déclaré une fois : sa question, ses axes, ses mesures avec numérateur, dénominateur et intervalle, sa définition et sa mise en garde. Cette déclaration fait la table, la page du portail, la commande `chu kpi` et ce chapitre : ils ne peuvent pas se contredire."
    )
    yield Heading("Les axes d’analyse et leurs hiérarchies")
    yield Table(
        "Axes, dimensions et niveaux",
        [Column("Axe"), Column("Dimensions", 2), Column("Niveaux, du plus large au plus fin", 4)],
        [
            [axis, ", ".join(f"`{name}`" for name in dimensions.split(", ")), levels]
            for axis, dimensions, levels in HIERARCHIES
        ],
        "chu dictionary DOSSIER",
    )
    yield Heading("Quels axes pour quel indicateur")
    axes = list(dict.fromkeys(p.label for q in questions for p in q.question.parameters))
    names = [f"{q.question.number}. {q.question.short}" for q in questions]
    own = {name: [p.label for p in q.question.parameters] for name, q in zip(names, questions, strict=True)}
    yield Picture(
        matrix("Axes des indicateurs", names, axes, {(name, axis) for name, found in own.items() for axis in found}),
        "Axes de chaque indicateur ; tous ont aussi l’axe du temps.",
        DESCRIBED,
        text=" ; ".join(f"{name} : {', '.join(found)}" for name, found in own.items()),
    )
    for described in questions:
        question = described.question
        name = described.table.split("/")[1]
        yield Heading(f"{question.short}")
        yield Paragraph(
            f"**{question.title}** Table `{name}`, comptée sur `{described.fact}`. Commande : `chu kpi {name}`."
        )
        yield Table(
            f"Mesures de l’indicateur {question.number}",
            [
                Column("Mesure", 1.6),
                Column("Unité", 1),
                Column("Numérateur", 1.6),
                Column("Dénominateur", 1.8),
                Column("Intervalle", 2.4),
            ],
            [_measure(measure) for measure in question.measures],
            DESCRIBED,
        )
        yield Bullets([*question.definition, f"**Mise en garde :** {question.caution}"])


def _measure(measure: Measure) -> Sequence[Cell]:
    numerator, denominator = measure.numerator, measure.denominator
    return [
        f"**{measure.label}**",
        measure.unit or "–",
        f"{numerator.label} (`{numerator.column}`)" if numerator else "–",
        f"{denominator.label} (`{denominator.column}`)" if denominator else "–",
        measure.interval,
    ]


axes_and_measures: Final = Chapter(
    "axes-et-mesures", "Axes d’analyse et mesures", ("L1.3", *(f"B.{n}" for n in range(1, 9))), _blocks
)
