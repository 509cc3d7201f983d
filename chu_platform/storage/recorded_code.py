"""The code of each committed version, recorded in the lake: `<zone>/.code/<code version>.json`.

The metadata of a commit contains the code version that made its rows. The file of that code version contains the
columns, the query or the declaration of the delivery, and the text of the Python code. So the lake alone, without the
repository, documents how each version was made.
"""

import json
from typing import Any, Final

from chu_platform.storage.lake import Lake
from chu_platform.storage.store import LakePath, write_text
from chu_platform.tables.columns import sql_type
from chu_platform.tables.table import Table
from chu_platform.version import PACKAGE_VERSION

FOLDER: Final = ".code"


def record_code(lake: Lake, table: Table) -> None:
    """Write the current code of the table into the folder `.code` of its zone, unless it is recorded already."""
    file = _file(lake, table, table.code_version)
    if not file.is_file():
        write_text(file, json.dumps(code_description(table), ensure_ascii=False, indent=1))


def recorded_code(lake: Lake, table: Table, code_version: str) -> dict[str, Any] | None:
    """The recorded code of a code version of the table; None if it was not recorded."""
    file = _file(lake, table, code_version)
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def code_description(table: Table) -> dict[str, Any]:
    """The current code of the table, as a JSON object."""
    description: dict[str, Any] = {
        "asset": f"{table.layer}/{table.name}",
        "code_version": table.code_version,
        "package": PACKAGE_VERSION,
        "columns": [{"name": c.name, "type": sql_type(c.type), "required": c.required} for c in table.columns],
        "reads": {name: read.folder for name, read in table.reads.items()},
    }
    return {**description, **table.rows.declaration, "python": table.code}


def _file(lake: Lake, table: Table, code_version: str) -> LakePath:
    return lake.place / table.zone / FOLDER / f"{code_version}.json"
