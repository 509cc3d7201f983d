"""Paths of the documents: as files below a folder, and as pages below `/documents/` of the webserver.

This module imports nothing heavy, because the code location uses it.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chu_platform.tables.table import StoredTable

DOCUMENTS_ROOT: Final = "/documents/"
DICTIONARY: Final = "index.html"
QUALITY: Final = "qualite.html"
DICTIONARY_TEXT: Final = "dictionnaire.md"
QUALITY_TEXT: Final = "qualite.md"
STYLE: Final = "style.css"


def page_of(table: "StoredTable") -> str:
    """Path of the page of a table."""
    return f"tables/{table.layer}/{table.name}.html"


def column_lineage_diagram_of(table: "StoredTable") -> str:
    """Path of the diagram of the column lineage of a table."""
    return f"tables/{table.layer}/{table.name}.svg"


def upstream_diagram_of(table: "StoredTable") -> str:
    """Path of the diagram of all tables from which a table is made."""
    return f"tables/{table.layer}/{table.name}-chaine.svg"
