"""SQL over the tables of the lake: `python -m chu_platform.committee.sql "SELECT count(*) FROM facts.fact_death"`.

The figures of the reports come from it, and their commands are this one. The gate decides what its user may read.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

import duckdb
import typer

from chu_platform.access.gate import Gate
from chu_platform.access.journal import Journal
from chu_platform.command import run_command
from chu_platform.description.described_tables import DescribedCatalogue, DescribedTable
from chu_platform.description.file import current_catalogue
from chu_platform.errors import ChuError
from chu_platform.identity.current_user import current_user
from chu_platform.settings import load_settings
from chu_platform.storage.duckdb_session import small_connection
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.table import Zone

MODULE: Final = "chu_platform.committee.sql"
_TABLE: Final = re.compile(r"\b(?P<layer>[a-z]+)\.(?P<name>\w+)")


def command_of(sql: str) -> str:
    """The command that prints the rows of a query."""
    quoted = re.sub(r'(["$`\\])', r"\\\1", " ".join(sql.split()))
    return f'python -m {MODULE} "{quoted}"'


def query(lake: Lake, catalogue: DescribedCatalogue, sql: str) -> list[tuple[Any, ...]]:
    """The rows of DuckDB SQL in which tables of the lake are named `layer.table`.

    Raises ChuError if a table is not in the lake yet, or if the SQL is not valid.
    """
    return _asked(lake, catalogue, sql)[1]


def _asked(lake: Lake, catalogue: DescribedCatalogue, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of the columns, and the rows."""
    with small_connection() as connection:
        written = sql
        for table in _named_tables(catalogue, sql):
            view = sql_name(f"{table.layer}.{table.name}")
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {lake.relation(table)}")
            written = re.sub(rf"\b{table.layer}\.{table.name}\b", view.replace("\\", r"\\"), written)
        try:
            found = connection.execute(written)
            return [column[0] for column in found.description or ()], found.fetchall()
        except duckdb.Error as error:
            raise ChuError(f"the SQL is not valid: {' '.join(str(error).split())}") from None


def _named_tables(catalogue: DescribedCatalogue, sql: str) -> Iterator[DescribedTable]:
    """The tables that SQL names, each once."""
    for layer, name in dict.fromkeys((m["layer"], m["name"]) for m in _TABLE.finditer(sql)):
        if table := catalogue.by_identifier.get(f"{layer}/{name}"):
            yield table


def main(sql: Annotated[str, typer.Argument(help="DuckDB SQL; tables are named layer.table")]) -> None:
    """Print the rows of SQL over the tables of the lake, tab-separated, below the names of the columns."""
    settings = load_settings()
    lake = Lake(lake_root(settings))
    catalogue = current_catalogue(lake.place, settings.work_folder)
    if guarded := [table for table in _named_tables(catalogue, sql) if table.zone is not Zone.PUBLISHED]:
        Gate(lake, Journal(settings.secrets_folder)).admit(current_user(settings), guarded, sql)
    names, rows = _asked(lake, catalogue, sql)
    for line in (names, *rows):
        print("\t".join("" if value is None else str(value) for value in line))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    run_command(lambda: app(standalone_mode=False))
