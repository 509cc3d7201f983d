"""A table of a cube: what an address asks for, and what was counted, in the form in which the explorer shows tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.access.gate import Gate, Request
from chu_platform.description.described_tables import DescribedCatalogue, DescribedColumn
from chu_platform.exact_figures.cubes import Cube, CubeAxis, CubeMeasure, CubeQuery, query_of
from chu_platform.exact_figures.jobs import Progress
from chu_platform.identity.principal import Principal
from chu_platform.portal.addresses import MEASURE, OWN_EXPLORER, explorer_address
from chu_platform.portal.choices import Refused, single
from chu_platform.portal.explorer.axes import TIME, Axis
from chu_platform.portal.explorer.cells import MAX_ROWS, Crossed, Query
from chu_platform.portal.explorer.crossing import AXES, FIRST, LAST, MAX_MEASURES, SUBJECT, Crossing, day_of
from chu_platform.portal.questions import Parameter, Question
from chu_platform.storage.lake import Lake
from chu_platform.tables.columns import STRING

# In front of the name of an axis: the code that its values are filtered by.
FILTER: Final = "filtre-"
# The establishment that is asked for, by its FINESS number.
SITE: Final = "finess"
MEMORY: Final = "1GB"
DAY: Final = timedelta(days=1)
ENDS: Final = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class CubeCrossing:
    """What an address asks for of a cube; `site` is the key of the establishment that it names."""

    cube: Cube
    axes: Sequence[CubeAxis]
    measures: Sequence[CubeMeasure]
    filters: Mapping[str, str]
    first: date | None
    last: date | None
    site: str

    def address(self, file: str = "") -> str:
        """The address of this table, or of a file of it."""
        dates = [(name, day.isoformat()) for name, day in ((FIRST, self.first), (LAST, self.last)) if day]
        parameters = [
            (SUBJECT, self.cube.slug),
            *((MEASURE, one.measure.key) for one in self.measures),
            *((name, axis.name) for name, axis in zip(AXES, self.axes, strict=False)),
            *((f"{FILTER}{name}", value) for name, value in self.filters.items()),
            *([(SITE, self.site)] if self.site else []),
            *dates,
        ]
        return explorer_address(parameters, file, OWN_EXPLORER)


def cube_asked_for(cube: Cube, given: Sequence[tuple[str, str]]) -> CubeCrossing:
    """What an address asks for of a cube. Raises Refused for what its declaration does not name."""
    keys = list(dict.fromkeys(value for name, value in given if name == MEASURE and value))
    others = [(name, value) for name, value in given if name != MEASURE]
    by_name = {axis.name: axis for axis in cube.axes}
    filterable = [f"{FILTER}{axis.name}" for axis in cube.axes if axis.code]
    known = [SUBJECT, *AXES, FIRST, LAST, *filterable, *([SITE] if cube.site else [])]
    asked = {name: value.strip() for name, value in single(others, known).items() if value.strip()}
    names = [asked[name] for name in AXES if name in asked]
    if any(name not in by_name for name in names):
        raise Refused("Cet axe n’existe pas pour ce sujet.")
    axes = [by_name[name] for name in names] if names or keys else list(cube.axes[:1])
    if len({axis.dimension for axis in axes}) < len(axes):
        raise Refused("Deux axes se partagent la même dimension : gardez l’un d’eux.")
    measures = {one.measure.key: one for one in cube.measures}
    if any(key not in measures for key in keys) or len(keys) > MAX_MEASURES:
        raise Refused("Cette mesure n’existe pas pour ce sujet.")
    first, last = day_of(asked.get(FIRST)), day_of(asked.get(LAST))
    if first and last and first > last:
        raise Refused("La première date vient après la dernière.")
    return CubeCrossing(
        cube,
        axes,
        [measures[key] for key in keys] or cube.measures[:1],
        {name.removeprefix(FILTER): asked[name] for name in filterable if name in asked},
        first,
        last,
        asked.get(SITE, ""),
    )


def counted(
    gate: Gate,
    lake: Lake,
    principal: Principal,
    crossing: CubeCrossing,
    sites: Sequence[str] | None,
    progress: Progress,
) -> tuple[pa.Table, CubeQuery]:
    """The rows of a table that the account may read, and their query; see `Gate.open_table` for what is raised."""
    dates = {name: day for name, day in (("first", crossing.first), ("last", crossing.last)) if day}
    query = query_of(crossing.cube, crossing.axes, crossing.measures, crossing.filters, dates, sites)

    def count() -> pa.Table:
        relations = {table.name: lake.relation(table) for table in query.tables}
        sql = query.sql.format(**relations)
        if not crossing.cube.own:
            # Where the gate keeps own rows, these may be any of them.
            sql += f"\nLIMIT {MAX_ROWS + 1}"
        # What exceeds the memory is never written to a disk.
        with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": ""}) as connection:
            progress.percent = connection.query_progress
            try:
                found: pa.Table = connection.sql(sql, params=dict(query.values)).to_arrow_table()
            except duckdb.OutOfMemoryException:
                raise Refused("Ce tableau est trop grand : ôtez un axe, ou rapprochez les dates.") from None
            finally:
                progress.percent = None
        return found

    about = Query(query.sql, query.values).text
    rows = gate.open_table(
        principal, crossing.cube.guard, crossing.cube.purpose, Request(about=" ".join(about.split())), computed=count
    )
    return rows, query


def as_table(catalogue: DescribedCatalogue, crossing: CubeCrossing, rows: pa.Table, query: CubeQuery) -> Crossed:
    """What was counted, as the explorer shows tables."""
    cube = crossing.cube
    site = [Axis("site", "Établissement", "site", ("label",), "", "", {})] if cube.site else []
    axes = [*site, *(_axis(axis) for axis in crossing.axes)]
    columns = [*(column for axis in axes for column in axis.columns if axis.dimension != TIME)]
    labels = {"label": "Établissement", **{axis.name: axis.label for axis in crossing.axes}}
    described = [DescribedColumn(c, STRING, labels[c], labels[c], key=True) for c in columns]
    rows = _with_periods(rows, crossing)
    shown = [("period_start", axis.label) for axis in crossing.axes if axis.grain]
    shown += [(one.measure.value, one.measure.label) for one in crossing.measures]
    described += [DescribedColumn(name, rows.schema.field(name).type, label, label) for name, label in shown]
    fact = next(t for t in catalogue.tables if (t.layer, t.name) == (cube.fact.layer, cube.fact.name))
    masked = next(c for t in catalogue.tables for c in t.columns if c.name == "is_masked")
    question = Question(
        number=0,
        slug=cube.slug,
        title=cube.short,
        short=cube.short,
        parameters=[Parameter(c, labels[c], (c,), "") for c in columns],
        measures=[one.measure for one in cube.measures],
        definition=cube.definition,
        caution="Chiffres exacts : ne les diffusez pas.",
        table=replace(fact, columns=[*described, masked]),
        fact=fact,
    )
    measures = [one.measure for one in crossing.measures]
    asked = Crossing(question, measures, axes, {}, crossing.first, crossing.last, path=OWN_EXPLORER)
    return Crossed(asked, Query(query.sql, query.values), rows.slice(0, MAX_ROWS), rows.num_rows > MAX_ROWS, None)


def _axis(axis: CubeAxis) -> Axis:
    if axis.grain:
        return Axis(axis.name, axis.label, TIME, ("period_start",), "", "", {})
    return Axis(axis.name, axis.label, axis.name, (axis.name,), "", "", {})


def _with_periods(rows: pa.Table, crossing: CubeCrossing) -> pa.Table:
    """The rows with the columns of periods that cells have, and none masked; periods that the dates cut are partial."""
    time = next((axis for axis in crossing.axes if axis.grain), None)
    starts: Sequence[Any] = rows[time.name].to_pylist() if time else [date.min] * rows.num_rows
    grain = time.grain if time and time.grain else "all"
    ends = [_end(start, grain) for start in starts]
    cut = [
        bool(time and ((crossing.first and start < crossing.first) or (crossing.last and end > crossing.last + DAY)))
        for start, end in zip(starts, ends, strict=True)
    ]
    added: Mapping[str, pa.Array] = {
        "period_grain": pa.array([grain] * rows.num_rows, pa.string()),
        "period_start": pa.array(starts, pa.date32()),
        "period_end": pa.array(ends, pa.date32()),
        "is_partial": pa.array(cut, pa.bool_()),
        "is_masked": pa.array([False] * rows.num_rows, pa.bool_()),
    }
    kept = rows.drop_columns([time.name]) if time else rows
    for name, values in added.items():
        kept = kept.append_column(name, values)
    return kept


def _end(start: date, grain: str) -> date:
    months = start.year * 12 + start.month - 1 + ENDS.get(grain, 0)
    return date(months // 12, months % 12 + 1, 1)
