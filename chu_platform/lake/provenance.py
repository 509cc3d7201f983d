"""What the commits of a table say of themselves, in their user metadata.

A publication says what its rows were made of. Maintenance and restores say "operation", and carry what the
publication said whose rows the table has now: its own commit may have left the log.

Here: the form, and finding the last publication. Not here: what a publication says (graph.step).
"""

import json
from collections.abc import Mapping
from typing import Any

from deltalake import CommitProperties, DeltaTable

from chu_platform.tables.table import Table


def last_publication(delta: DeltaTable) -> dict[str, Any]:
    """What the publication says whose rows the table has at its loaded version; empty when none is found.

    Commits of other tools are passed over.
    """
    version = delta.version()
    for commit in delta.history():
        if commit["version"] <= version and (said := _said(commit)):
            found: dict[str, Any] = said["publication"] if "operation" in said else said
            return found
    return {}


def operation_metadata(table: Table, operation: str, run: str, publication: Mapping[str, Any]) -> str:
    """User metadata of a commit that makes no rows: `operation` is what it does, `run` who does it."""
    said = {
        "run": run,
        "asset": f"{table.layer}/{table.name}",
        "operation": operation,
        "publication": publication,
    }
    return json.dumps(said, ensure_ascii=False)


def with_metadata(metadata: str) -> CommitProperties:
    """Properties of a delta-rs commit with this user metadata."""
    return CommitProperties(custom_metadata={"userMetadata": metadata})


def _said(commit: Mapping[str, Any]) -> dict[str, Any]:
    """The user metadata of one of the platform's own commits, or nothing."""
    try:
        said = json.loads(commit.get("userMetadata") or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) and "run" in said else {}
