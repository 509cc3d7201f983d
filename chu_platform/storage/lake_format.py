"""The format number of a lake, in the file `format.json` at its root.

The format is everything that a later version must find in the lake: folders, files, and the metadata of commits.

| format | versions | what is new |
| -- | -- | -- |
| 1 | 0.2.0 and before | no number; files are named after their content |
| 2 | after 0.2.0 | the number; data commits record the contents of the table |
| 3 | after 0.2.0 | facts hold surrogates of the numbers of consultations and stays, and no version holds the numbers |
| 4 | after 0.2.0 | editions: their list, their tables in the pseudonymised zone, the manifest of what is published |
| 5 | after 0.2.0 | the identifier of the pseudonymisation key, in the lake and in commits; it names the key file |
"""

import json
from typing import Any, Final

from chu_platform.errors import ChuError
from chu_platform.storage.store import LakePath, has_files, write_text
from chu_platform.tables.table import Zone
from chu_platform.version import PACKAGE_VERSION

FORMAT: Final = 5
# The format of a lake with tables and without a number.
FIRST_FORMAT: Final = 1
FILE: Final = "format.json"


def format_of(root: LakePath) -> int | None:
    """The format number of the lake below `root`; None if it has neither a number nor tables, as a new lake.

    Raises ChuError if its file cannot be read, or if its format is newer than FORMAT.
    """
    file = root / FILE
    try:
        recorded: Any = json.loads(file.read_text(encoding="utf-8"))
        found, version = int(recorded["format"]), str(recorded["version"])
    except FileNotFoundError:
        return FIRST_FORMAT if _has_tables(root) else None
    except (ValueError, KeyError, TypeError):
        raise ChuError(
            f"{file} is damaged: restore it from a backup, or, if no newer version has written the lake, delete it and "
            "run `chu upgrade`"
        ) from None
    if found > FORMAT:
        raise ChuError(
            f"the lake {root} has format {found}, and chu_platform {PACKAGE_VERSION} knows formats up to {FORMAT}: "
            f"install chu_platform {version} or later"
        )
    return found


def require_format(root: LakePath) -> None:
    """Write the number of a new lake. Raises ChuError if an existing lake does not have the format FORMAT."""
    found = format_of(root)
    if found is None:
        record_format(root, FORMAT)
    elif found < FORMAT:
        raise ChuError(f"the lake {root} has format {found}, and this version needs format {FORMAT}: run `chu upgrade`")


def require_known_format(root: LakePath) -> None:
    """Raise ChuError if the lake has a newer format, for commands that only read it."""
    format_of(root)


def record_format(root: LakePath, number: int) -> None:
    """Write the number of a lake, with the version of this package."""
    write_text(root / FILE, json.dumps({"format": number, "version": PACKAGE_VERSION}) + "\n")


def _has_tables(root: LakePath) -> bool:
    return any(has_files(root / zone, "*/*/_delta_log*") for zone in Zone)
