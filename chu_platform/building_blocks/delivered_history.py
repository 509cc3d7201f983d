"""History of a delivered table: its rows with the days between which they were what was delivered.

Each delivery is compared with the newest versions: what has changed for a member (a key of the delivered table) ends
its version and begins another one, on the day of the delivery. The same rows again add nothing. The history continues
its own rows, so it is an input of what is made of it: a new lake begins without it.

A delivery of the day of the newest one replaces it: a correction of the same day leaves no version behind. So does a
file that claims to be older than that, because no delivery changes what was known before.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.tables.columns import DATE, INTEGER, Column
from chu_platform.tables.policies import history_policy
from chu_platform.tables.rows import DELIVERY_DAY, EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform.tables.versions import (
    FIRST_DAY,
    LAST_DAY,
    VALID_FROM,
    VALID_TO,
    VERSION_COLUMNS,
    version_checks,
)

DELIVERED_ON: Final = "delivered_on"
LINE: Final = "line"


def history_of(
    delivered: Table,
    key: str,
    columns: Sequence[str],
    *,
    of_persons: bool = False,
    only_if: Mapping[str, str] | None = None,
) -> Table:
    """The history of these columns of a delivered table; `key` is the column of its members.

    A member may have several rows; rows that differ in other columns only are one. A member that is not delivered any
    more keeps its newest version, but of persons all versions are removed. `only_if` gives the DuckDB condition on
    which the value of a column is kept.
    """
    kept = only_if or {}
    listed = [key, *columns]
    of_name = {c.name: c for c in delivered.columns}

    def rows(delivered: pa.Table, former: pa.Table, delivered_on: date) -> pa.Table:
        return continued(former, delivered, delivered_on, listed, kept, of_persons=of_persons)

    own = [
        Column(c.name, c.type, c.description, c.label, identifying=c.identifying, nullable=True)
        for c in map(of_name.__getitem__, columns)
    ]
    valid_from, valid_to = VERSION_COLUMNS
    return Table(
        name=f"{delivered.name.lower()}_history",
        layer=Layer.HISTORY,
        zone=Zone.RESTRICTED,
        grain=f"{delivered.grain}, dans l’une de ses versions successives",
        label=f"{delivered.label} : historique",
        owner=delivered.owner,
        access=history_policy(delivered.access),
        columns=[
            Column(
                key,
                of_name[key].type,
                of_name[key].description,
                of_name[key].label,
                key=True,
                identifying=of_name[key].identifying,
            ),
            Column(VALID_FROM, DATE, valid_from.description, valid_from.label, key=True),
            Column(LINE, INTEGER, "numéro de la ligne dans la version", "Ligne", key=True),
            valid_to,
            Column(
                DELIVERED_ON, DATE, "jour de la livraison qui a apporté la version, UTC", "Livrée le", nullable=False
            ),
            *own,
        ],
        reads={"delivered": delivered},
        rows=Computed(
            rows,
            columns={"delivered": listed},
            given=("former", "delivered_on"),
            from_columns={
                **{c: [f"delivered.{c}"] for c in listed},
                **{
                    c: [DELIVERY_DAY, *(f"delivered.{c}" for c in listed)] for c in (VALID_FROM, VALID_TO, DELIVERED_ON)
                },
                LINE: [f"delivered.{c}" for c in listed],
                EVERY_ROW: [f"delivered.{c}" for c in listed],
            },
        ),
        checks=version_checks(key),
    )


def continued(
    former: pa.Table,
    delivered: pa.Table,
    day: date,
    columns: Sequence[str],
    only_if: Mapping[str, str],
    *,
    of_persons: bool,
) -> pa.Table:
    """The rows of a history after a delivery of a day; `columns` begins with the key, see `history_of`."""
    key, listed = f'"{columns[0]}"', ", ".join(f'"{c}"' for c in columns)
    values = ", ".join(f'CASE WHEN {only_if[c]} THEN "{c}" END AS "{c}"' if c in only_if else f'"{c}"' for c in columns)
    with duckdb.connect() as connection:
        connection.register("former", former)
        connection.register("delivered", delivered)
        rows: pa.Table = connection.sql(
            f"""
            WITH newest AS (SELECT greatest(DATE '{day}', max({DELIVERED_ON})) AS today FROM former),
            -- As it was before the day: what it ended is valid again.
            known AS (
                SELECT {listed}, {VALID_FROM}, if({VALID_TO} >= today, DATE '{LAST_DAY}', {VALID_TO}) AS {VALID_TO},
                       {DELIVERED_ON}
                FROM former, newest WHERE {DELIVERED_ON} < today
            ),
            present AS (SELECT DISTINCT {values} FROM delivered),
            last AS (SELECT {listed} FROM known WHERE {VALID_TO} = DATE '{LAST_DAY}'),
            changed AS (
                SELECT DISTINCT {key} FROM (
                    (FROM present EXCEPT FROM last) UNION ALL (FROM last EXCEPT FROM present)
                ) SEMI JOIN present USING ({key})
            ),
            version AS (
                SELECT known.* REPLACE (
                    CASE WHEN {VALID_TO} = DATE '{LAST_DAY}' AND {key} IN (FROM changed) THEN today ELSE {VALID_TO} END
                    AS {VALID_TO}
                ) FROM known, newest
                UNION ALL
                SELECT {listed},
                       CASE WHEN {key} IN (SELECT {key} FROM known) THEN today ELSE DATE '{FIRST_DAY}' END,
                       DATE '{LAST_DAY}', today
                FROM present SEMI JOIN changed USING ({key}), newest
            )
            SELECT *, row_number() OVER (PARTITION BY {key}, {VALID_FROM} ORDER BY {listed})::INTEGER AS {LINE}
            FROM version {f"SEMI JOIN present USING ({key})" if of_persons else ""}
            """
        ).to_arrow_table()
    return rows
