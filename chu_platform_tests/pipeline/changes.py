"""Changes to deliveries: a copy of the pack with a file of stays that can be edited, and a separate care database."""

import shutil
from collections.abc import Callable, Mapping, Sequence
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
        """Run a statement in the care database; returns its rows."""
        connection = psycopg2.connect(self.url)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def edit_stay(self, month: str, change: Callable[[dict[str, str]], Mapping[str, str]]) -> Mapping[str, str]:
        """Change the first stay of a month (`YYYY-MM`) in the delivered file; returns the stay before the change."""
        return self.edit_stays(month, change, 1)[0]

    def edit_stays(
        self, month: str, change: Callable[[dict[str, str]], Mapping[str, str]], most: int | None = None
    ) -> Sequence[Mapping[str, str]]:
        """Change the stays of a month in the delivered file, or the first ones (`most`); returns them as they were."""
        file = self.home.pack / STAYS
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        names = lines[0].rstrip("\r\n").split(";")
        before: list[Mapping[str, str]] = []
        for number, line in enumerate(lines[1:], 1):
            end = line[len(line.rstrip("\r\n")) :]
            row = dict(zip(names, line.rstrip("\r\n").split(";"), strict=True))
            if row["Date_Entree"].endswith(f"/{month[5:]}/{month[:4]}") and len(before) != most:
                lines[number] = ";".join({**row, **change(row)}.values()) + end
                before.append(row)
        assert before, f"there is no stay in {month}"
        file.write_text("".join(lines), encoding="utf-8", newline="")
        return before


def changeable(made: Home, postgres: EmbeddedPostgres, folder: Path, database: str) -> Changeable:
    """A copy of the lake of `made`, with its own deliveries: links, except for the file of stays, which is a copy."""
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
