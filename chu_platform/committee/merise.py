"""Conceptual models in Merise notation: entities and associations, with cardinalities measured on the lake."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.committee.document import WIDE_HEIGHT, WIDE_WIDTH
from chu_platform.committee.drawing import BLUE, ORANGE, Box, Point, box_height, label, label_size, line, picture

ENTITY_WIDTH: Final = 200.0
ASSOCIATION_WIDTH: Final = 130.0


@dataclass(frozen=True)
class Entity:
    """An entity: its name, the SQL of the source that holds it, and SQL of its identifier.

    `column` and `row` are its place in the diagram, from 0 to 1 of its width and height. `columns` are the properties
    that the diagram shows, the identifier first.
    """

    name: str
    table: str
    key: str
    columns: Sequence[str]
    column: float
    row: float


@dataclass(frozen=True)
class Leg:
    """How an entity takes part in an association.

    `alone` and `several` are SQL conditions: whether an occurrence takes no part, and whether one does several times.
    """

    entity: str
    alone: str
    several: str


@dataclass(frozen=True)
class Association:
    """An association between entities: a verb, its legs, its place in the diagram, its own properties.

    In the MLD, a column of an entity holds it (`foreign_key`: entity and column), or a `table` with its columns does.
    """

    verb: str
    legs: Sequence[Leg]
    column: float
    row: float
    properties: Sequence[str] = ()
    foreign_key: tuple[str, str] | None = None
    table: tuple[str, Sequence[str]] | None = None


@dataclass(frozen=True)
class Model:
    """A part of the conceptual model that fits on a page."""

    title: str
    entities: Sequence[Entity]
    associations: Sequence[Association]

    def entity(self, name: str) -> Entity:
        """The entity of this name. Raises StopIteration if there is none."""
        return next(e for e in self.entities if e.name == name)

    @property
    def cardinalities_sql(self) -> str:
        """One query that gives of each leg, in order, whether an occurrence is alone, and whether one has several."""
        legs = [
            f"SELECT {number} AS leg, {leg.alone} AS alone, {leg.several} AS several"
            for number, leg in enumerate(self.legs)
        ]
        return " UNION ALL ".join(legs) + " ORDER BY leg"

    @property
    def legs(self) -> Sequence[Leg]:
        """All legs, in the order of the associations."""
        return [leg for association in self.associations for leg in association.legs]


def by_key(verb: str, child: Entity, key: str, parent: Entity, at: tuple[float, float]) -> Association:
    """An association that a column of the child holds: it has the identifier of at most one parent."""
    child_leg = Leg(
        child.name,
        f"EXISTS (SELECT 1 FROM {child.table} WHERE {key} IS NULL OR {key} NOT IN ({_known(parent)}))",
        "false",
    )
    column = key if key.isidentifier() else f"{key} → {parent.key}"
    return Association(verb, [child_leg, _taking(parent, child.table, key)], *at, foreign_key=(child.name, column))


def by_table(
    verb: str,
    table: str,
    taking: Sequence[tuple[Entity, str]],
    at: tuple[float, float],
    properties: Sequence[str] = (),
) -> Association:
    """An association that is a table of its own; of each entity the column with its identifier."""
    legs = [_taking(entity, table, key) for entity, key in taking]
    return Association(verb, legs, *at, properties=properties, table=(table, [key for _, key in taking]))


def _known(entity: Entity) -> str:
    return f"SELECT {entity.key} FROM {entity.table} WHERE {entity.key} IS NOT NULL"


def _taking(entity: Entity, table: str, key: str) -> Leg:
    """The leg of an entity whose identifier `table` has in the column `key`, once for each occurrence."""
    return Leg(
        entity.name,
        f"EXISTS ({_known(entity)} AND {entity.key} NOT IN (SELECT {key} FROM {table} WHERE {key} IS NOT NULL))",
        f"EXISTS (SELECT {key} FROM {table} WHERE {key} IN ({_known(entity)}) GROUP BY {key} HAVING count(*) > 1)",
    )


def cardinality(alone: bool, several: bool) -> str:
    """The cardinality in Merise notation: "0,n", "1,1"..."""
    return f"{0 if alone else 1},{'n' if several else 1}"


def drawn(model: Model, cardinalities: Sequence[str]) -> str:
    """The diagram; `cardinalities` are those of the legs."""
    entities = {entity.name: _entity_box(entity) for entity in model.entities}
    associations = [_association_box(association) for association in model.associations]
    parts = list(_lines(model, entities, associations, iter(cardinalities)))
    boxes = [box.drawn() for box in (*entities.values(), *associations)]
    return picture(WIDE_WIDTH, WIDE_HEIGHT, model.title, [*(p for p, _ in parts), *boxes, *(c for _, c in parts)])


def _lines(
    model: Model, entities: Mapping[str, Box], associations: Sequence[Box], cardinalities: Iterator[str]
) -> Iterator[tuple[str, str]]:
    """Of each leg its line, and its cardinality beside the entity."""
    for association, box in zip(model.associations, associations, strict=True):
        for leg in association.legs:
            entity = entities[leg.entity]
            words = next(cardinalities)
            at = entity.edge(box.centre, label_size(words))
            yield line(entity.centre, box.centre), label(at, words)


def _entity_box(entity: Entity) -> Box:
    lines = entity.columns
    height = box_height(len(lines))
    x = entity.column * (WIDE_WIDTH - ENTITY_WIDTH - 2) + 1
    y = entity.row * (WIDE_HEIGHT - height - 2) + 1
    return Box(x, y, ENTITY_WIDTH, height, entity.name, lines, BLUE, underlined=1)


def _association_box(association: Association) -> Box:
    height = 26.0 + 15 * len(association.properties)
    x = association.column * WIDE_WIDTH - ASSOCIATION_WIDTH / 2
    y = association.row * WIDE_HEIGHT - height / 2
    centre = Point(max(x, 1), max(y, 1))
    return Box(
        centre.x, centre.y, ASSOCIATION_WIDTH, height, association.verb, association.properties, ORANGE, rounded=True
    )
