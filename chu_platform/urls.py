"""Paths of the documents: as files below a folder, and as pages below `/documents/` of the webserver; of sign-in.

This module imports nothing heavy, because the code location uses it.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chu_platform.tables.table import StoredTable

DOCUMENTS_ROOT: Final = "/documents/"
# Of the portal and of the webservers: a link that signs in once, before its token.
SIGN_IN_LINK: Final = "/lien/"
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
