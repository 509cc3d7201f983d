"""Folders of Delta partitions, such as `death_year=2018`, and the values of the partition columns in them.

In the name of a folder, every character of a value except letters without accents, digits, `_`, `.`, `-` and `~` is
escaped as in an address: `place=a%2Fb`. All readers agree on such names; engines write other ones too.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from chu_platform.errors import ChuError
from chu_platform.tables.partitions import NULL_PARTITION

# Values of partition columns by name, None for null.
Values = Mapping[str, str | None]


def values_of(folder: str) -> Values:
    """Partition values of a Hive-style folder, escaped or not. Raises ChuError for an empty text."""
    values: dict[str, str | None] = {}
    for part in filter(None, folder.split("/")):
        name, _, text = part.partition("=")
        if not text:
            raise ChuError(f"the partition column {name} holds an empty text, which is null in Delta: make it null")
        values[name] = None if text == NULL_PARTITION else unquote(text)
    return values


def folder_of(values: Mapping[str, Any], partition_by: Sequence[str]) -> str:
    """The Hive-style folder of partition values; empty for a table without partition columns."""
    folders = []
    for name in partition_by:
        value = values.get(name)
        folders.append(f"{name}={NULL_PARTITION if value is None else quote(str(value), safe='')}")
    return "/".join(folders)


def escaped(folder: str) -> str:
    """The folder of the same partition values with escaped names. Raises ChuError as `values_of`."""
    values = values_of(folder)
    return folder_of(values, list(values))
