"""Versions of the rows of a dimension, by the day of a delivery (type 2 of Kimball).

The versions of one member follow each other without a gap: the first is valid from FIRST_DAY, because what was before
the first delivery is unknown, and the newest is valid to LAST_DAY.
"""

from collections.abc import Sequence
from typing import Final

from chu_platform.tables.checks import Check, holds, none_in
from chu_platform.tables.columns import DATE, Column
from chu_platform.tables.table import Table

VALID_FROM: Final = "valid_from"
VALID_TO: Final = "valid_to"
# Before any event.
FIRST_DAY: Final = "1800-01-01"
# After any event.
LAST_DAY: Final = "9999-12-31"
VERSION_COLUMNS: Final[Sequence[Column]] = (
    Column(
        VALID_FROM,
        DATE,
        f"premier jour de validité de la version ; {FIRST_DAY} pour la première : avant la première livraison, "
        "l’historique est inconnu",
        "Valable du",
        nullable=False,
    ),
    Column(
        VALID_TO,
        DATE,
        f"jour à partir duquel la version n’est plus valable ; {LAST_DAY} pour la plus récente",
        "Valable jusqu’au (exclu)",
        nullable=False,
    ),
)
# SQL condition: a version is the newest one.
IS_NEWEST: Final = f"{VALID_TO} = DATE '{LAST_DAY}'"


def has_versions(table: Table) -> bool:
    """Whether a table has versions of its rows."""
    return {VALID_FROM, VALID_TO} <= {c.name for c in table.columns}


def valid_on(day: str, version: str) -> str:
    """SQL condition: the version of this alias is valid on a day."""
    return f"{day} >= {version}.{VALID_FROM} AND {day} < {version}.{VALID_TO}"


def version_key(key: str, valid_from: str = VALID_FROM) -> str:
    """SQL of the key of a version: the key of the member, and the first day of the version."""
    return f"concat(CAST({key} AS STRING), '@', CAST({valid_from} AS STRING))"


def version_of_none(member: str) -> str:
    """The key of the only version of a member that stands for no or for unknown ones."""
    return f"{member}@{FIRST_DAY}"


def as_known_today(table: Table, rows: str) -> str:
    """SQL of the newest version of each member of a table with versions, as if it had always been valid."""
    days = {VALID_FROM: FIRST_DAY, VALID_TO: LAST_DAY}
    listed = (f"DATE '{days[c.name]}' AS {c.name}" if c.name in days else c.name for c in table.columns)
    return f"SELECT {', '.join(listed)} FROM {rows} WHERE {IS_NEWEST}"


def version_checks(member: str) -> Sequence[Check]:
    """The versions of each member, which this column names, follow each other, and one of them is the newest."""
    return [
        holds("valid_from_before_valid_to", f"{VALID_FROM} < {VALID_TO}", "une version est valable au moins un jour"),
        none_in(
            "versions_follow_each_other",
            f"""
            SELECT count(*) FROM (
                SELECT {VALID_FROM} IS DISTINCT FROM coalesce(
                    lag({VALID_TO}) OVER (PARTITION BY "{member}" ORDER BY {VALID_FROM}), DATE '{FIRST_DAY}'
                ) AS is_apart
                FROM (SELECT DISTINCT "{member}", {VALID_FROM}, {VALID_TO} FROM {{this}})
            ) WHERE is_apart
            """,
            "les versions se suivent sans lacune ni chevauchement, la première depuis toujours",
        ),
        none_in(
            "one_newest_version",
            f"""
            SELECT count(*) FROM (
                SELECT 1 FROM (SELECT DISTINCT "{member}", {VALID_FROM}, {VALID_TO} FROM {{this}})
                GROUP BY "{member}" HAVING count(*) FILTER ({IS_NEWEST}) <> 1
            )
            """,
            "exactement une version est la plus récente",
        ),
    ]
