"""Livrable 1: from the sources to the decision tables, column by column, with every rule."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from chu_platform.catalogue import catalogue
from chu_platform.committee.document import Block, Cell, Chapter, Code, Column, Heading, Listing, Paragraph, Table
from chu_platform.committee.inputs import Inputs
from chu_platform.description.described_tables import DescribedColumn, DescribedTable
from chu_platform.documents.french_labels import CHECK_TYPES, KINDS, type_word
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.tables.column_origins import Field
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Layer

LINEAGE: Final = "chu dictionary DOSSIER (page tables/{}.html)"
MAPPED: Final = ((Layer.DIMENSIONS, "Dimensions"), (Layer.FACTS, "Faits"), (Layer.KPIS, "Indicateurs"))
COLUMNS: Final = [
    Column("Colonne", 1.5),
    Column("Type", 0.7),
    Column("Règle", 3),
    Column("Vient de", 2.6),
    Column("Livraison", 2.4),
]
# Names that a cell lists; the page of the table has all.
MAX_NAMED: Final = 4
# What stands for the column in a rule that several columns share.
VALUE: Final = "valeur"


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Pour chaque colonne du schéma décisionnel : sa règle (la description déclarée), les colonnes dont elle est faite à l’étape précédente, avec la nature de l’opération, et la livraison d’où viennent ses valeurs. Cette correspondance n’est pas tenue à la main : le lignage est calculé à partir du SQL de chaque table, et un test échoue si une colonne n’en a pas."
    )
    yield Paragraph(
        "Les contrôles de chaque table, évalués avant l’enregistrement, sont nommés avec elle ; les bloquants empêchent tout enregistrement. Le SQL complet des tables de dimensions et de faits est en annexe de chaque section."
    )
    yield Heading("Lecture des sources")
    yield Paragraph(
        "Une ligne livrée qui ne remplit pas une de ces conditions, ou dont une valeur n’a pas le type déclaré, est un rejet : elle est gardée avec son fichier, sa ligne, sa colonne et le motif. Dans la règle, `valeur` est celle de chacune des colonnes."
    )
    yield Table(
        "Conditions sur les lignes livrées",
        [Column("Source", 1.6), Column("Motif du rejet", 1.4), Column("Règle (SQL)", 3), Column("Colonnes", 2.2)],
        list(_reading_rules()),
        "grep -rn RowCheck chu_platform/sources chu_platform/building_blocks",
    )
    for layer, title in MAPPED:
        yield Heading(title)
        for table in (t for t in inputs.catalogue.tables if t.layer is layer):
            yield Heading(f"{table.label} (`{table.name}`)", 3)
            yield Table(
                f"{table.identifier} : une ligne est {table.grain}",
                COLUMNS,
                [_row(inputs, table, column) for column in table.columns],
                LINEAGE.format(table.identifier),
            )
            yield Paragraph(_checks(table))
            if table.query and layer is not Layer.KPIS:
                yield Listing(_plain(table.query), "sql", f"SQL de {table.identifier}")


def _reading_rules() -> Iterator[Sequence[Cell]]:
    """The conditions on delivered rows; those that several columns of a source share are one row."""
    for table in delivered_tables(catalogue()):
        columns: dict[tuple[str, str], list[str]] = defaultdict(list)
        for check in delivered_rows(table).row_checks:
            rule = check.holds_when.replace(f'"{check.column}"', VALUE)
            columns[check.reason, " ".join(rule.split())].append(check.column)
        for (reason, rule), names in columns.items():
            yield [Code(table.name), Code(reason), Code(rule), _listed(names)]


def _row(inputs: Inputs, table: DescribedTable, column: DescribedColumn) -> Sequence[Cell]:
    origins = [f"{_name(origin)} ({KINDS[kind]})" for origin, kind in table.lineage.columns[column.name].items()]
    ends = inputs.catalogue.way_back.values_of(Field(table.identifier, column.name))
    delivered = sorted({f"{e.source.name} : {e.source.column}" if e.source.column else e.source.name for e in ends})
    return [
        Code(column.name),
        type_word(column.type),
        f"{column.description}{' (clé)' if column.key else ''}",
        _listed(origins) or "constante",
        _listed(delivered) or "–",
    ]


def _name(origin: Field[str] | ExternalSource) -> str:
    if isinstance(origin, ExternalSource):
        return f"{origin.name} : {origin.column}" if origin.column else origin.name
    return f"{origin.table.split('/')[1]}.{origin.column}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return " ; ".join([*names[:MAX_NAMED], *([f"et {more} autre{'s' if more > 1 else ''}"] if more > 0 else [])])


def _checks(table: DescribedTable) -> str:
    blocking = [c for c in table.checks if c.blocking]
    others = [c for c in table.checks if not c.blocking]
    kinds = sorted({CHECK_TYPES[c.type] for c in blocking})
    return f"**Contrôles :** {len(blocking)} bloquants ({', '.join(kinds) or 'aucun'}), {len(others)} avertissements."


def _plain(sql: str) -> str:
    """The SQL without the indentation of the code, and without empty lines."""
    lines = [line.rstrip() for line in sql.expandtabs(4).splitlines() if line.strip()]
    indented = [len(line) - len(line.lstrip()) for line in lines[1:]]
    shift = min(indented, default=0)
    return "\n".join([lines[0].strip(), *(line[shift:] for line in lines[1:])])


mapping: Final = Chapter(
    "correspondance", "Correspondance des sources aux cibles, règle par règle", ("L1.4", "A.2"), _blocks
)
