"""Livrable 1: the dimensional model, a constellation of facts over shared dimensions, drawn from the declarations."""

from collections.abc import Iterator, Sequence
from typing import Final

from chu_platform.committee.document import (
    WIDE_WIDTH,
    Block,
    Chapter,
    Code,
    Column,
    Heading,
    Paragraph,
    Picture,
    Table,
)
from chu_platform.committee.drawing import BLUE, GREEN, ORANGE, Box, Point, box_height, line, matrix, picture
from chu_platform.committee.inputs import Inputs
from chu_platform.description.described_tables import DescribedTable
from chu_platform.tables.table import Layer

DICTIONARY: Final = "chu dictionary DOSSIER"
# The stars that fit on a page; a test fails if a fact is in none.
STARS: Final = (
    ("Soins : consultations et prescriptions", ("fact_consultation", "fact_prescription", "fact_cycle")),
    (
        "Séjours et leurs suites",
        ("fact_hospitalisation", "fact_follow_up", "fact_hospitalised_patient", "hospitalised_patient_of_closed_years"),
    ),
    ("Patients suivis : les dénominateurs", ("fact_patient_base", "patient_base_of_closed_years")),
    ("Décès et mortalité", ("fact_death", "fact_death_by_age", "fact_death_by_month", "fact_death_coverage")),
    ("Satisfaction et qualité des soins", ("fact_satisfaction", "fact_satisfaction_theme", "fact_quality_indicator")),
)
LINKED: Final = (Layer.DIMENSIONS, Layer.FACTS)
# Columns by which a fact joins the calendar and the periods, which have other names there.
CALENDAR: Final = {"date": "dim_date", "death_date": "dim_date", "period_start": "dim_period"}
BRIDGE: Final = "bridge_professional_establishment"
FACT_WIDTH: Final = 264.0
DIMENSION_WIDTH: Final = 230.0
GAP: Final = 14.0
DIMENSION_LINES: Final = 5
# Columns of a fact that are shown, where few and where many facts share a page.
FACT_LINES: Final = {True: 12, False: 5}
FEW_FACTS: Final = 2


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Le schéma décisionnel est une **constellation** : plusieurs tables de faits partagent les mêmes dimensions (dimensions conformes). Il est dessiné ici à partir des déclarations des tables ; un contrôle bloquant vérifie chaque lien à chaque écriture. Chaque dimension a un membre « inconnu » : un fait sans correspondance reste compté."
    )
    facts, dimensions = _facts(inputs), _dimensions(inputs)
    yield _matrix(inputs, facts, dimensions)
    for title, names in STARS:
        yield Heading(title)
        star = [fact for fact in facts if fact.name in names]
        yield Picture(
            _star(inputs, title, star),
            f"Étoile : {title}. Au centre les faits, autour les dimensions.",
            DICTIONARY,
            wide=True,
            text=_in_words(inputs, star),
        )
    yield Heading("Grain et volume de chaque fait")
    yield Table(
        "Tables de faits : une ligne est…",
        [Column("Fait", 1.6), Column("Une ligne est", 3), Column("Partition", 1), Column("Lignes", 1.2, number=True)],
        [[Code(f.name), f.grain, ", ".join(f.partition_by) or "–", inputs.state.rows(f) or "–"] for f in facts],
        "chu dictionary DOSSIER (page index.html ; hors données publiques, au-delà de 10 les nombres sont arrondis)",
    )
    yield Heading("Dimensions et pont")
    yield Table(
        "Dimensions : une ligne est…",
        [
            Column("Dimension", 1.8),
            Column("Une ligne est", 2.4),
            Column("Attributs", 3),
            Column("Lignes", 1, number=True),
        ],
        [
            [Code(d.name), d.grain, ", ".join(c.label for c in d.columns), inputs.state.rows(d) or "–"]
            for d in dimensions
        ],
        "chu dictionary DOSSIER (page index.html ; hors données publiques, au-delà de 10 les nombres sont arrondis)",
    )
    yield Paragraph(
        f"La table pont `{BRIDGE}` relie un professionnel à ses établissements, avec un **poids** de somme 1 par professionnel : une consultation d’un professionnel qui exerce en deux lieux compte pour une part dans chacun, et le total n’est pas doublé."
    )
    yield inputs.figures(
        (
            "Professionnels dont la somme des poids n’est pas 1",
            f"SELECT count(*) FROM (SELECT professional_key FROM dimensions.{BRIDGE} GROUP BY 1 HAVING abs(sum(weight) - 1) > 0.000001)",
        )
    )


def _facts(inputs: Inputs) -> Sequence[DescribedTable]:
    return [t for t in inputs.catalogue.tables if t.layer is Layer.FACTS]


def _dimensions(inputs: Inputs) -> Sequence[DescribedTable]:
    return [t for t in inputs.catalogue.tables if t.layer is Layer.DIMENSIONS]


def _links(inputs: Inputs, table: DescribedTable) -> dict[str, str]:
    """The dimensions and facts to which a table refers, by name, with the column: it has the key of the other one."""
    keys = {
        t.key[0]: t.name
        for t in inputs.catalogue.tables
        # A history has the versions of a dimension: the dimension stands for both.
        if t.layer in LINKED and len(t.key) == 1 and not t.is_history
    }
    found = {keys[c.name]: c.name for c in table.columns if c.name in keys and keys[c.name] != table.name}
    found |= {CALENDAR[c.name]: c.name for c in table.columns if c.name in CALENDAR}
    if table.layer is Layer.FACTS and "professional_key" in (c.name for c in table.columns):
        found[BRIDGE] = "professional_key"
    return found


def _matrix(inputs: Inputs, facts: Sequence[DescribedTable], dimensions: Sequence[DescribedTable]) -> Picture:
    """The bus matrix: which dimension is an axis of which fact."""
    links = {fact.name: _links(inputs, fact) for fact in facts}
    used = [d for d in dimensions if any(d.name in found for found in links.values())]
    marks = {(fact, d.label) for fact, found in links.items() for d in used if d.name in found}
    return Picture(
        matrix("Faits et dimensions conformes", [fact.name for fact in facts], [d.label for d in used], marks),
        "Matrice des faits et des dimensions conformes.",
        DICTIONARY,
        text=" ; ".join(f"{fact} : {', '.join(found) or 'aucune dimension'}" for fact, found in links.items()),
    )


def _star(inputs: Inputs, title: str, facts: Sequence[DescribedTable]) -> str:
    """Facts in the middle, their dimensions at both sides."""
    links = {fact.name: _links(inputs, fact) for fact in facts}
    own = {fact.name for fact in facts}
    wanted = dict.fromkeys(name for found in links.values() for name in found if name not in own)
    if BRIDGE in wanted:
        wanted["dim_establishment"] = None
    by_name = {t.name: t for t in inputs.catalogue.tables}
    dimensions = [by_name[name] for name in wanted]
    left, right = dimensions[0::2], dimensions[1::2]
    middle = (WIDE_WIDTH - FACT_WIDTH) / 2
    fact_lines = FACT_LINES[len(facts) <= FEW_FACTS]
    columns = [
        *((table, 1.0, DIMENSION_WIDTH, DIMENSION_LINES, left) for table in left),
        *((table, middle, FACT_WIDTH, fact_lines, facts) for table in facts),
        *((table, WIDE_WIDTH - DIMENSION_WIDTH - 1, DIMENSION_WIDTH, DIMENSION_LINES, right) for table in right),
    ]
    heights = {
        table.name: box_height(min(most, len(table.columns)) + (len(table.columns) > most))
        for table, _, _, most, _ in columns
    }
    total = max(sum(heights[t.name] + GAP for t in side) for side in (left, facts, right))
    boxes: dict[str, Box] = {}
    for table, x, width, most, side in columns:
        space = (total - sum(heights[t.name] for t in side)) / len(side)
        place = list(side).index(table)
        y = sum(heights[t.name] + space for t in side[:place]) + space / 2
        colours = BLUE if table.layer is Layer.FACTS else ORANGE if table.name == BRIDGE else GREEN
        boxes[table.name] = Box(
            x,
            y,
            width,
            heights[table.name],
            table.name,
            _lines(table, most),
            colours,
            underlined=sum(c.key for c in table.columns[:most]),
        )
    lines = [_joined(boxes[fact], boxes[name]) for fact, found in links.items() for name in found if name in boxes]
    if BRIDGE in boxes:
        lines.append(_joined(boxes[BRIDGE], boxes["dim_establishment"]))
    return picture(WIDE_WIDTH, total, title, [*lines, *(box.drawn() for box in boxes.values())])


def _joined(fact: Box, other: Box) -> str:
    """A line between the sides of two boxes that face each other."""
    if fact.x == other.x:
        return line(fact.centre, other.centre)
    left, right = sorted((fact, other), key=lambda box: box.x)
    return line(Point(left.x + left.width, left.centre.y), Point(right.x, right.centre.y))


def _lines(table: DescribedTable, most: int) -> Sequence[str]:
    """The first columns of a table, those of its key first, and how many others there are."""
    ordered = sorted(table.columns, key=lambda c: not c.key)
    more = len(ordered) - most
    return [*(c.name for c in ordered[:most]), *([f"et {more} autre{'s' if more > 1 else ''}"] if more > 0 else [])]


def _in_words(inputs: Inputs, facts: Sequence[DescribedTable]) -> str:
    return " ; ".join(f"{fact.name} : {', '.join(_links(inputs, fact)) or 'aucune dimension'}" for fact in facts)


dimensional_model: Final = Chapter(
    "modele-dimensionnel", "Modèle dimensionnel : la constellation", ("L1.1", "L1.3", "A.1"), _blocks
)
