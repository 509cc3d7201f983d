"""The page of a table of the explorer: its form, its table, its chart, its query."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from chu_platform import french
from chu_platform.portal.cells import label_of, relation
from chu_platform.portal.charts.grammar import both
from chu_platform.portal.choices import Field, options
from chu_platform.portal.explorer.axes import TIME, axes_of
from chu_platform.portal.explorer.cells import GRAINS, MAX_ROWS, Crossed
from chu_platform.portal.explorer.crossing import AXES, FIRST, LAST, SUBJECT, Crossing, conditions
from chu_platform.portal.explorer.files import CHART, TABLE
from chu_platform.portal.explorer.layout import drawn, tabled, title_of
from chu_platform.portal.readable_periods import GRAINS as GRAIN_LABELS
from chu_platform.portal.reader import Snapshot

NONE: Final = ("", [("", "Aucun")])
NO_FILTER: Final = ("", [("", "Sans filtre")])


def shown_of(found: Crossed, address: Callable[[str], str]) -> Mapping[str, Any]:
    """What the template shows of a table without its form; `address` is that of the table or of a file of it."""
    crossing = found.crossing
    columns, rows, is_cut = tabled(found)
    chart, note = drawn(found)
    return {
        "crossing": crossing,
        "question": crossing.question,
        "title": title_of(found),
        "action": crossing.path,
        "measures": [
            (m.key, m.label, any(m.key == c.key for c in crossing.measures)) for m in crossing.question.measures
        ],
        "dates": [
            (name, label, day.isoformat() if day else "")
            for name, label, day in ((FIRST, "Du", crossing.first), (LAST, "au", crossing.last))
        ],
        "columns": columns,
        "rows": rows,
        "is_cut": is_cut,
        "cell_count": found.table.num_rows,
        "cut_at": MAX_ROWS if found.is_cut else None,
        "chart": both(chart, CHART) if chart else None,
        "chart_title": chart.title if chart else "",
        "chart_note": note,
        "downloads": [
            (address(f"{TABLE}.csv"), "CSV", False),
            (address(f"{TABLE}.parquet"), "Parquet", False),
            *([(address(f"{CHART}.svg"), "SVG", True)] if chart else []),
        ],
        "permalink": address(""),
        "sql": found.query.text,
    }


def page_of(snapshot: Snapshot, found: Crossed, subjects: Field | None = None) -> Mapping[str, Any]:
    """What the template shows of a table of a question; `subjects` are those that can be chosen, if not all are."""
    crossing = found.crossing
    return {
        **shown_of(found, crossing.address),
        "about": _about(found),
        "subjects": subjects or _subjects(snapshot, crossing),
        "axes": _axes(snapshot, crossing),
        "filters": _filters(snapshot, found),
        "codes": [],
        "elsewhere": [] if found.rows else _published(snapshot, crossing),
        "version": snapshot.versions.get(crossing.question.table.name),
    }


def _about(found: Crossed) -> str:
    """What all cells of a table have in common: the values without an axis, and the period."""
    crossing = found.crossing
    parts = []
    axes = {axis.dimension for axis in crossing.axes}
    question = crossing.question
    without = [p for p in question.parameters if p.name not in axes]
    if found.rows:
        for parameter in without:
            alone = replace(question, parameters=[parameter])
            row = {c: v for c, v in found.rows[0].items() if not _is_of_others(question.parameters, parameter, c)}
            parts.append(f"{parameter.label} : {label_of(alone, row)}")
    if found.period:
        parts.append(f"Période : {found.period.label}")
    elif crossing.first or crossing.last:
        first = f"du {french.day(crossing.first)}" if crossing.first else "depuis le début"
        last = f"au {french.day(crossing.last)}" if crossing.last else "à la fin des données"
        parts.append(f"Périodes entières {first} {last}")
    return " · ".join(parts)


def _is_of_others(parameters: Sequence[Any], parameter: Any, column: str) -> bool:
    """Whether a column labels another parameter than this one."""
    of_code = {"label": "code", "region_label": "region_code"}.get(column, column)
    return of_code not in parameter.columns and any(of_code in p.columns for p in parameters)


def _subjects(snapshot: Snapshot, crossing: Crossing) -> Field:
    listed = [(q.slug, q.short) for q in snapshot.questions if q.table.name not in snapshot.unreadable]
    return Field(SUBJECT, "Indicateur", crossing.question.slug, [("", listed)])


def _axes(snapshot: Snapshot, crossing: Crossing) -> Sequence[Field]:
    labels = {TIME: "Temps", **{p.name: p.label for p in crossing.question.parameters}}
    known = [(labels[axis.dimension], axis.name, axis.label) for axis in axes_of(snapshot, crossing.question)]
    return axis_fields(known, [axis.name for axis in crossing.axes])


def axis_fields(known: Sequence[tuple[str, str, str]], chosen: Sequence[str]) -> Sequence[Field]:
    """The lists of axes: `known` are the dimension, name and label of each."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for dimension, name, label in known:
        groups.setdefault(dimension, []).append((name, label))
    values = [*chosen, *[""] * (len(AXES) - len(chosen))]
    return [
        Field(name, f"Axe {number}", value, [NONE, *groups.items()])
        for number, (name, value) in enumerate(zip(AXES, values, strict=True), 1)
    ]


def _filters(snapshot: Snapshot, found: Crossed) -> Sequence[Field]:
    crossing = found.crossing
    fields = []
    for parameter in crossing.question.parameters:
        value = crossing.filters.get(parameter.name, "")
        groups = options(snapshot, crossing.question, parameter)
        if value and all(value != known for _, listed in groups for known, _ in listed):
            groups = [("Choix actuel", [(value, value.partition(parameter.separator)[2] or value)]), *groups]
        fields.append(Field(parameter.name, f"Filtre : {french.small(parameter.label)}", value, [NO_FILTER, *groups]))
    return fields


def _published(snapshot: Snapshot, crossing: Crossing) -> Sequence[str]:
    """The kinds of periods for which the other choices of a table have cells."""
    timeless = replace(crossing, axes=[a for a in crossing.axes if a.dimension != TIME], first=None, last=None)
    where, values = conditions(snapshot, timeless)
    cells = f"{relation(crossing.question)} WHERE {' AND '.join(where) or 'true'}"
    rows = snapshot.rows(f"SELECT DISTINCT period_grain AS grain FROM {cells}", values)
    there = {row["grain"] for row in rows}
    return [french.small(GRAIN_LABELS[grain]) for grain in GRAINS if grain in there]
