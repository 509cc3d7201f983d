"""Livrable 1: the needs of practitioners and heads of establishments, as a register."""

from collections.abc import Iterator
from typing import Any, Final

from chu_platform.committee.document import Block, Cell, Chapter, Column, Heading, Listing, Paragraph
from chu_platform.committee.inputs import Inputs

REGISTER: Final = (
    "SELECT need, reader, decides, question, indicator, not_answerable FROM references.need "
    "ORDER BY need[1] DESC, CAST(need[2:] AS INTEGER)"
)
COUNTED: Final = "SELECT count(*) FROM references.need WHERE indicator IS {}"


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Les besoins sont un registre, déclaré une fois : une table de référence du lac (`references/need`), montrée par le portail (page « Les besoins ») et par ce chapitre. Chaque besoin dit qui décide quoi, avec quelle question, et quels indicateurs y répondent. Une question à laquelle les données ne répondent pas reste dans le registre, avec la raison : elle ne disparaît pas en silence."
    )
    yield inputs.figures(
        ("Besoins auxquels des indicateurs répondent", COUNTED.format("NOT NULL")),
        ("Besoins auxquels les données ne répondent pas", COUNTED.format("NULL")),
    )
    yield Heading("Le registre des besoins")
    short = {question.table.split("/")[1]: question.question.short for question in inputs.catalogue.questions}
    yield inputs.table(
        "Besoins recensés (B : du projet ; A : ajoutés par un lecteur)",
        [Column("N°", 0.5), Column("Qui", 1.4), Column("Décide", 1.8), Column("Question", 2.6), Column("Réponse", 2.6)],
        REGISTER,
        lambda row: _shown(row, short),
    )
    yield Heading("Ajouter un besoin")
    yield Paragraph(
        "Un lecteur le demande à l’équipe des données, qui l’ajoute par une commande. Elle refuse, en une phrase, un indicateur qui n’existe pas, un besoin incomplet, déjà présent, ou qui semble nommer une personne."
    )
    yield Listing(
        'chu need add --who "Cadre de santé" --decides "les équipes du soir" \\\n'
        '    --question "Combien de consultations ont lieu après 20 heures ?" \\\n'
        "    --indicator kpi_use_concentration\n"
        "chu materialize --select 'key:references/need'",
        "sh",
    )


def _shown(row: tuple[Any, ...], short: dict[str, str]) -> list[Cell]:
    number, reader, decides, question, indicator, why = row
    answer = " ; ".join(f"{short[name]} (`{name}`)" for name in (indicator or "").split())
    return [number, reader, decides, question, answer or f"**Sans réponse :** {why}"]


needs: Final = Chapter("besoins", "Les besoins des utilisateurs", ("A.3", *(f"B.{n}" for n in range(1, 9))), _blocks)
