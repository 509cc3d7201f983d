"""What the published twins of the indicators share: their columns and their query.

Here: the masking of figures by a mask. Not here: which rows are masked (disclosure).
"""

from collections.abc import Sequence
from dataclasses import replace

from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

FIGURES = (DOUBLE, LONG)


def published(
    exact: Table, mask: Table, name: str, open_columns: Sequence[str] = (), withheld: Sequence[str] = ()
) -> Table:
    """The published twin of an exact table: the rows of the mask, figures null where masked.

    Key columns, labels (text) and `open_columns` are shown on every row. The cell of a row is its key, joined by |.
    `withheld` columns are not published: figures that are one more equation over masked ones.
    """
    kept = [c for c in exact.columns if c.name not in withheld]
    shown = {c.name for c in kept if c.key or not _is_figure(c)} | set(open_columns)
    columns = [c if c.name in shown else replace(c, nullable=True) for c in kept]
    selected = ", ".join(
        f"k.{c.name}" if c.name in shown else f"CASE WHEN NOT m.is_masked THEN k.{c.name} END AS {c.name}" for c in kept
    )
    cell = ", ".join(f"CAST(k.{c} AS STRING)" for c in exact.key)
    return Table(
        name=name,
        layer=Layer.PUBLISHED,
        zone=Zone.PUBLISHED,
        grain=f"{exact.grain} ; seulement ce qui est publié",
        label=f"{exact.label} (publié)",
        owner="team:privacy",
        columns=[
            *columns,
            Column("is_masked", BOOLEAN, "vrai si les chiffres sont masqués", "Masqué", nullable=False),
        ],
        reads={"exact": exact, "mask": mask},
        rows=Query(
            f"""
        SELECT {selected}, m.is_masked
        FROM {{exact}} k JOIN {{mask}} m ON m.indicator = '{name}' AND m.cell = concat_ws('|', {cell})
        """
        ),
        layout=exact.layout,
    )


def _is_figure(column: Column) -> bool:
    return column.type in FIGURES
