"""Livrable 1: the quality of the data found in the sources."""

from collections.abc import Iterator
from typing import Any, Final

from chu_platform import french
from chu_platform.committee.document import Block, Cell, Chapter, Code, Column, Heading, Paragraph
from chu_platform.committee.inputs import NOTHING, Inputs, as_text
from chu_platform.documents.french_labels import CHECK_TYPES, DELIVERY_STATES, count
from chu_platform.tables.checks import CheckType

SOURCES: Final = (
    'SELECT "source", label, state, rows_in, rows_rejected, rejected_share, threshold '
    'FROM reports.source_quality ORDER BY rejected_share DESC NULLS LAST, "source"'
)
MISUNDERSTOOD: Final = (
    'SELECT "source", coalesce(not_understood, left_out) FROM reports.source_quality '
    'WHERE not_understood IS NOT NULL OR left_out IS NOT NULL ORDER BY "source"'
)
CHECKS: Final = (
    "SELECT type, count(*) FILTER (status = 'passed'), count(*) FILTER (status = 'failed' AND blocking), "
    "count(*) FILTER (status = 'failed' AND NOT blocking), count(*) FILTER (status = 'not run') "
    "FROM reports.check_result GROUP BY type ORDER BY count(*) DESC, type"
)
FAILED: Final = (
    "SELECT layer || '/' || \"table\", description, threshold FROM reports.check_result "
    'WHERE status = \'failed\' ORDER BY blocking DESC, layer, "table", "check"'
)
COVERAGE: Final = (
    "SELECT CAST(year // 10 * 10 AS INTEGER) AS decade, count(*) FILTER (is_comparable), count(*) FILTER (NOT is_comparable), "
    "min(coverage), max(coverage) FROM reports.death_coverage WHERE sex = 'all' AND age_group = 'all' "
    "AND coverage IS NOT NULL GROUP BY 1 ORDER BY 1"
)


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Chaque ligne livrée devient une ligne typée, ou un rejet gardé avec son fichier, sa ligne, sa colonne et la raison. Rien n’est corrigé en silence. Les seuils sont déclarés avec la source : au-delà, rien n’est enregistré. Hors sources publiques, le nombre de lignes n’est pas publié et les rejets sont arrondis, parce que leurs différences désigneraient des personnes."
    )
    yield Heading("Les livraisons, source par source")
    yield inputs.table(
        "Lecture de la dernière livraison de chaque source",
        [
            Column("Source", 2),
            Column("Contenu", 3),
            Column("État", 0.8),
            Column("Lignes", 1, number=True),
            Column("Rejets", 1, number=True),
            Column("Part (%)", 0.8, number=True),
            Column("Seuil (%)", 0.8, number=True),
        ],
        SOURCES,
        _source,
    )
    yield Heading("Ce qui n’a pas été compris ou lu")
    yield inputs.table(
        "Colonnes dont des valeurs n’ont pas été comprises, et fichiers non lus",
        [Column("Source", 1), Column("Constat", 4)],
        MISUNDERSTOOD,
        lambda row: [Code(row[0]), row[1]],
    )
    yield Heading("Les contrôles")
    yield inputs.table(
        "Résultats des contrôles, par nature",
        [
            Column("Nature", 2),
            Column("Respectés", number=True),
            Column("Bloquants en échec", number=True),
            Column("Avertissements", number=True),
            Column("Pas évalués", number=True),
        ],
        CHECKS,
        lambda row: [CHECK_TYPES[CheckType(row[0])], *map(as_text, row[1:])],
    )
    yield inputs.table(
        "Contrôles en échec : ce qui doit être vrai et ne l’est pas",
        [Column("Table", 1.6), Column("Ce qui doit être vrai", 3.4), Column("Bornes", 1)],
        FAILED,
        lambda row: [Code(row[0]), row[1], row[2]],
    )
    yield Heading("Le registre des décès est-il complet ?")
    yield Paragraph(
        "La couverture compare les décès du registre à ceux que la population et les tables de mortalité de l’Insee impliquent. Une année n’est comparable que si elle est presque complète à chaque âge : les taux n’existent que pour ces années, et aucune courbe ne relie les autres."
    )
    yield inputs.table(
        "Couverture du registre par décennie (décès du registre / décès attendus)",
        [
            Column("Décennie"),
            Column("Années comparables", number=True),
            Column("Non comparables", number=True),
            Column("Couverture la plus basse (%)", number=True),
            Column("La plus haute (%)", number=True),
        ],
        COVERAGE,
        lambda row: [str(row[0]), str(row[1]), str(row[2]), _percent(row[3]), _percent(row[4])],
    )


def _source(row: tuple[Any, ...]) -> list[Cell]:
    name, label, state, rows, rejected, share, threshold = row
    return [
        Code(name),
        label,
        DELIVERY_STATES[state].split(" : ")[0],
        NOTHING if rows is None else french.number(rows),
        NOTHING if state == "not_read" else count(rejected),
        _percent(share),
        _percent(threshold),
    ]


def _percent(share: float | None) -> str:
    return NOTHING if share is None else french.number(100 * share, 2)


data_quality: Final = Chapter(
    "qualite-des-donnees", "La qualité des données trouvée dans les sources", ("L1.2",), _blocks
)
