"""Quoting of texts, column names and paths for DuckDB SQL."""

import re
from pathlib import Path


def sql_text(text: str) -> str:
    """A text as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A column name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def sql_path(path: Path) -> str:
    """A file path as a string literal; glob characters are escaped."""
    return sql_text(re.sub(r"[*?\[]", lambda match: f"[{match.group()}]", str(path)))
