"""The code of each published version, kept in the lake: `<zone>/.code/<code version>.json`.

A commit names the code version that made its rows; the file of that name holds the columns, the query or the
declaration of the delivery, and the text of the Python with all of the platform's that it uses. From the lake alone,
without the repository, it can be read what made a version.

Here: writing and reading these files. Not here: which code belongs to a table (tables.code).
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from chu_platform.storage.lake import Lake
from chu_platform.tables.columns import sql_type
from chu_platform.tables.table import Table
from chu_platform.version import PACKAGE_VERSION

FOLDER: Final = ".code"


def record_code(lake: Lake, table: Table) -> None:
    """Write the code of the table as it is declared now beside the tables of its zone, unless it is there."""
    file = _file(lake, table, table.code_version)
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(code_description(table), ensure_ascii=False, indent=1), encoding="utf-8")
    fresh.replace(file)


def recorded_code(lake: Lake, table: Table, code_version: str) -> dict[str, Any] | None:
    """The code that a version of the table was made by; None when it was not kept."""
    file = _file(lake, table, code_version)
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def code_description(table: Table) -> dict[str, Any]:
    """The code of the table as it is declared now."""
    said: dict[str, Any] = {
        "asset": f"{table.layer}/{table.name}",
        "code_version": table.code_version,
        "package": PACKAGE_VERSION,
        "columns": [{"name": c.name, "type": sql_type(c.type), "required": c.required} for c in table.columns],
        "reads": {name: read.folder for name, read in table.reads.items()},
    }
    return {**said, **table.rows.declaration, "python": table.code}


def _file(lake: Lake, table: Table, code_version: str) -> Path:
    return lake.root / table.zone / FOLDER / f"{code_version}.json"
