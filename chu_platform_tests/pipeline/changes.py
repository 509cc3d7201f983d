"""Changes to a delivery: a pack of one's own whose stays can be edited, and a care database of one's own."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform_tests.pipeline.home import Home

STAYS = "Hospitalisation/Hospitalisations.csv"
DUMP = "BDD PostgreSQL/DATA2023"


@dataclass(frozen=True)
class Changeable:
    """A copy of a home, with a pack and a care database that a test may change."""

    home: Home
    url: str

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement in the care database; the rows it gives."""
        connection = psycopg2.connect(self.url)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def edit_stay(self, month: str, change: Callable[[dict[str, str]], Mapping[str, str]]) -> Mapping[str, str]:
        """Change the first stay of a month (`YYYY-MM`) in the delivered file; gives the stay as it was."""
        file = self.home.pack / STAYS
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        names = lines[0].rstrip("\r\n").split(";")
        for number, line in enumerate(lines[1:], 1):
            end = line[len(line.rstrip("\r\n")) :]
            row = dict(zip(names, line.rstrip("\r\n").split(";"), strict=True))
            if row["Date_Entree"].endswith(f"/{month[5:]}/{month[:4]}"):
                lines[number] = ";".join({**row, **change(row)}.values()) + end
                file.write_text("".join(lines), encoding="utf-8", newline="")
                return row
        raise AssertionError(f"there is no stay in {month}")


def changeable(made: Home, postgres: EmbeddedPostgres, folder: Path, database: str) -> Changeable:
    """The lake of `made` below `folder`, with deliveries of its own: links, but for the files that may be edited."""
    pack = folder / "pack"
    shutil.copytree(made.pack, pack, copy_function=_linked)
    stays = pack / STAYS
    stays.unlink()
    shutil.copy(made.pack / STAYS, stays)
    postgres.restore(made.pack / DUMP, database)
    url = postgres.url(database)
    return Changeable(made.copy(folder / "home", pack, {"CHU_POSTGRES_URL": url}), url)


def _linked(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
