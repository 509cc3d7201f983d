"""Names, texts and paths as DuckDB SQL.

Here: quoting. Not here: any query.
"""

import re
from pathlib import Path


def sql_text(text: str) -> str:
    """A text as a literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A column name."""
    return '"' + name.replace('"', '""') + '"'


def sql_path(path: Path) -> str:
    """A path as the literal of a file to read; what has a meaning in patterns stands for itself."""
    return sql_text(re.sub(r"[*?\[]", lambda match: f"[{match.group()}]", str(path)))
