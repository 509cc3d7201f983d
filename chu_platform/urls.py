"""Where each document is: as a file below a folder, and below `/documents/` of the webserver.

Nothing heavy is imported: the code location links to these.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chu_platform.tables.table import StoredTable

ROOT: Final = "/documents/"
DICTIONARY: Final = "index.html"
QUALITY: Final = "qualite.html"
DICTIONARY_TEXT: Final = "dictionnaire.md"
QUALITY_TEXT: Final = "qualite.md"
STYLE: Final = "style.css"


def page_of(table: "StoredTable") -> str:
    """The page of a table."""
    return f"tables/{table.layer}/{table.name}.html"


def columns_picture_of(table: "StoredTable") -> str:
    """The picture of where the columns of a table come from."""
    return f"tables/{table.layer}/{table.name}.svg"


def chain_picture_of(table: "StoredTable") -> str:
    """The picture of all tables between the deliveries and a table."""
    return f"tables/{table.layer}/{table.name}-chaine.svg"
