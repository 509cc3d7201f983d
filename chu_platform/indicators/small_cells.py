"""The mask of the rows of single places, for a reader who may see their own place without its small cells.

The primary rules are those of the release, but for that on contributors: whoever works at a place knows who works there.
Secondary masks protect the masked periods of a place: a month that is masked cannot be computed from its quarter.
"""

from dataclasses import replace

import duckdb
import pyarrow as pa

from chu_platform.indicators.indicator import Indicator
from chu_platform.sdc.cell_masks import Measures, mask, over_time
from chu_platform.tables.columns import DOUBLE, LONG


def mask_small_cells(indicator: Indicator, rows: pa.Table) -> pa.Table:
    """The rows with `is_masked`; the figures of masked rows are null.

    `rows` are all rows of some places, in the columns of the releasable table: of each place every period, because
    these are sums of each other. Each place is masked alone, so that its mask is the same whatever places are read with
    it: two masks of one place, read by two ways, would tell more than each. Raises ChuError if a sum does not hold,
    ValueError if the indicator is not released.
    """
    if indicator.release is None:
        raise ValueError(f"{indicator.name} has public figures, which are not masked")
    with duckdb.connect() as connection:
        connection.register("every", rows)
        places = connection.sql("SELECT DISTINCT level, code FROM every ORDER BY ALL").fetchall()
        of_place = "SELECT * FROM every WHERE level = $level AND code = $code"
        found = [
            _masked(indicator, connection.sql(of_place, params={"level": level, "code": code}).to_arrow_table())
            for level, code in places
        ]
    return pa.concat_tables(found) if found else _masked(indicator, rows)


def _masked(indicator: Indicator, rows: pa.Table) -> pa.Table:
    """The rows of one place with `is_masked`."""
    release = indicator.release
    assert release
    columns = indicator.releasable.columns
    keys = ", ".join(c.name for c in columns if c.key)
    cells = f"""
        SELECT '{indicator.name}' AS indicator, concat_ws('|', {keys}) AS cell, period_grain AS grain,
               period_start AS start, level, code, {replace(release.rules, contributors=False).reason} AS unsafe,
               {release.weight} AS weight, {", ".join(release.measures)}
        FROM own
        """
    masked = mask({"own": rows}, cells, [Measures([m], over_time()) for m in release.measures])
    figures = [c.name for c in columns if c.type in (DOUBLE, LONG) and not c.key]
    hidden = ", ".join(f"CASE WHEN NOT is_masked THEN {c} END AS {c}" for c in figures)
    with duckdb.connect() as connection:
        connection.register("own", rows)
        connection.register("mask", masked.select(["cell", "is_masked"]))
        found: pa.Table = connection.sql(
            f"SELECT own.* REPLACE ({hidden}), is_masked FROM own JOIN mask ON mask.cell = concat_ws('|', {keys})"
        ).to_arrow_table()
    return found
