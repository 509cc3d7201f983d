"""Folders of Delta partitions, such as `death_year=2018`, and the values of the partition columns in them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chu_platform.tables.partitions import NULL_PARTITION

PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9_-]+")

# Values of partition columns by name, None for null.
Values = Mapping[str, str | None]


def values_of(folder: str) -> Values:
    """Partition values of a Hive-style folder. Raises ValueError for a value that would need escaping."""
    values: dict[str, str | None] = {}
    for part in filter(None, folder.split("/")):
        name, _, text = part.partition("=")
        if not PLAIN_VALUE.fullmatch(text):
            raise ValueError(f"the partition column {name} holds values that are not plain codes")
        values[name] = None if text == NULL_PARTITION else text
    return values


def folder_of(values: Mapping[str, Any], partition_by: Sequence[str]) -> str:
    """The Hive-style folder of partition values; empty for a table without partition columns."""
    texts = ((name, values.get(name)) for name in partition_by)
    return "/".join(f"{name}={NULL_PARTITION if value is None else value}" for name, value in texts)
