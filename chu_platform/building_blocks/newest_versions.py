"""A dimension with the newest version of each member, made from the table of its versions."""

from collections.abc import Sequence
from dataclasses import replace

from chu_platform.tables.checks import Check
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layout, Table
from chu_platform.tables.versions import IS_NEWEST, VALID_FROM, VALID_TO


def newest_versions(
    history: Table, *, name: str, key: str, grain: str, label: str, layout: Layout, checks: Sequence[Check] = ()
) -> Table:
    """The dimension: the columns of `history` from `key`, the column of the member, on, without those of versions."""
    names = [c.name for c in history.columns]
    columns = [c for c in history.columns[names.index(key) :] if c.name not in (VALID_FROM, VALID_TO)]
    listed = ", ".join(c.name for c in columns)
    return replace(
        history,
        name=name,
        grain=grain,
        label=label,
        columns=[replace(c, key=c.name == key) for c in columns],
        reads={"history": history},
        rows=Query(f"SELECT {listed} FROM {{history}} WHERE {IS_NEWEST}"),
        checks=checks,
        layout=layout,
    )
