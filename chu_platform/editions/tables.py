"""The tables of the editions: decisions of a mask family, rows of an indicator, and the published copy of a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa

from chu_platform.editions.decisions import MOST, PRESENT, Member, counts_of, decision_columns
from chu_platform.editions.edition_rows import STATUS_COLUMNS, Figures, edition_rows
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import Column
from chu_platform.tables.maintenance_policy import KEPT, STANDARD
from chu_platform.tables.policies import EDITIONS, PUBLISHED
from chu_platform.tables.rows import EVERY_ROW, Computed, Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

# End of the names of the tables of decisions, which are not published.
DECISIONS: Final = "_mask_release"
SHOWN: Final = f"state IN ({', '.join(repr(s.value) for s in PRESENT)})"


def decision_table(
    mask: Table,
    members: Sequence[Member],
    rows: Callable[..., pa.Table],
    loaded: Mapping[str, Sequence[str]],
    lineage: Mapping[str, Sequence[str]],
) -> Table:
    """The table of the decisions of the family with this mask table.

    Its checks are the gate of the release. `loaded` and `lineage` are the input columns of the mask, and the origins of
    its columns.
    """
    counts = counts_of(members)
    of_counts = {c: [f"{m.alias}.{c}" for m in members if c in m.counts] for c in counts}
    all_counts = [origin for origins in of_counts.values() for origin in origins]
    ends = [f"{m.alias}.period_end" for m in members]
    decided = ["mask.is_masked", "mask.reason", *all_counts, *ends]
    small = " OR ".join(f"abs({c} - released_{c}) BETWEEN 0.000001 AND {MOST}" for c in counts)
    return Table(
        name=f"{mask.name.removesuffix('_mask')}{DECISIONS}",
        layer=Layer.EDITIONS,
        zone=Zone.PSEUDONYMISED,
        grain="une ligne des indicateurs de cette famille, dans une édition ou une édition antérieure",
        label=f"{mask.label} : décisions des éditions",
        owner="team:privacy",
        access=EDITIONS,
        columns=decision_columns(counts),
        reads={**mask.reads, "mask": mask},
        rows=Computed(
            rows,
            columns={name: [*names, "period_end"] for name, names in loaded.items()},
            given=("released",),
            from_columns={
                **{name: [f"mask.{name}"] for name in ("indicator", "cell", "grain", "level", "weight")},
                **dict.fromkeys(("is_masked", "state", "reason", "is_exposed"), decided),
                "period_end": ends,
                "released_end": ends,
                **of_counts,
                **{f"released_{c}": origins for c, origins in of_counts.items()},
                EVERY_ROW: ["mask.indicator", "mask.cell", *lineage[EVERY_ROW]],
            },
        ),
        checks=[
            holds(
                "no_small_change",
                f"NOT ({SHOWN} AND ({small}))",
                "aucune ligne montrée ne change de 1 à 10 depuis sa dernière publication",
            ),
            none_in(
                "nothing_exposed",
                "SELECT count(*) FROM {this} WHERE is_exposed",
                "aucun chiffre masqué ni aucun petit changement ne se calcule à partir de toutes les éditions",
            ),
        ],
        maintenance=KEPT,
    )


def edition_table(candidate: Table, decision: Table, columns: Sequence[Column], figures: Figures) -> Table:
    """The table of the rows of an indicator in the editions. Each version of it is an edition."""

    def rows(candidate: pa.Table, decision: pa.Table, released: pa.Table) -> pa.Table:
        return edition_rows(figures, candidate, decision, released)

    quantiles = figures.quantiles
    contributors = dict.fromkeys(quantiles.shares, f"candidate.{quantiles.over}") if quantiles else {}

    return Table(
        name=figures.indicator,
        layer=Layer.EDITIONS,
        zone=Zone.PSEUDONYMISED,
        grain=f"{candidate.grain} ; seulement ce qui est publié",
        label=f"{candidate.label.removesuffix(' (à publier)')} (éditions)",
        owner="team:privacy",
        access=EDITIONS,
        columns=[*columns, *STATUS_COLUMNS],
        reads={"candidate": candidate, "decision": decision},
        rows=Computed(
            rows,
            columns={"decision": ["indicator", "cell", "grain", "level", "period_end", "weight", "state"]},
            given=("released",),
            from_columns={
                **{
                    c.name: [
                        f"candidate.{c.name}",
                        *([contributors[c.name]] if c.name in contributors else []),
                        *([] if c.name in figures.shown else ["decision.state"]),
                    ]
                    for c in columns
                },
                **{c.name: ["decision.state"] for c in STATUS_COLUMNS},
                EVERY_ROW: [
                    *(f"candidate.{c}" for c in figures.key),
                    *(
                        f"decision.{c}"
                        for c in ("indicator", "cell", "grain", "level", "period_end", "weight", "state")
                    ),
                ],
            },
        ),
        layout=Layout(partition_by=candidate.layout.partition_by, z_order_by=candidate.layout.z_order_by),
        maintenance=KEPT,
    )


def published_from(edition: Table) -> Table:
    """The published table that repeats the rows of the last edition."""
    label = edition.label.removesuffix(" (éditions)")
    columns = ", ".join(c.name for c in edition.columns)
    return replace(
        edition,
        layer=Layer.PUBLISHED,
        zone=Zone.PUBLISHED,
        label=edition.label if edition.label == label else f"{label} (publié)",
        reads={"edition": edition},
        rows=Query(f"SELECT {columns} FROM {{edition}}"),
        checks=(),
        maintenance=STANDARD,
        access=PUBLISHED,
    )
