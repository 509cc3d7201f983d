"""The manifests: which versions of tables are the editions.

There are two files, each replaced as a whole:

- `pseudonymised/.editions.json` lists all editions, with the versions of the tables of the layer `editions`, which are
  kept for ever. An edition exists from the moment at which it is listed there.
- `published/.edition.json` names the edition that readers see, with the versions of the published tables. It follows
  the other file: what was interrupted between the two is finished by the next command.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from chu_platform.errors import ChuError
from chu_platform.storage.store import LakePath, write_text
from chu_platform.tables.table import StoredTable, Zone

EDITIONS: Final = ".editions.json"
PUBLISHED_EDITION: Final = ".edition.json"
# Key of the metadata of a commit: its rows were published before there were editions.
ADOPTED: Final = "published_before_editions"


@dataclass(frozen=True)
class Edition:
    """An edition: its number (from 1), its date, the run that made it, and the versions of its tables, by folder."""

    number: int
    date: str
    run: str
    tables: Mapping[str, int]

    @property
    def day(self) -> datetime.date:
        """Its date."""
        return datetime.date.fromisoformat(self.date)

    def version(self, table: StoredTable) -> int | None:
        """The version of a table in this edition; None if it is not part of it."""
        return self.tables.get(table.folder)


def editions(root: LakePath) -> Sequence[Edition]:
    """All editions of the lake below `root`, the current one last. Their tables are in the pseudonymised zone.

    Raises ChuError if the list is damaged, or is missing although an edition is published.
    """
    file = root / Zone.PSEUDONYMISED / EDITIONS
    found = _read(file)
    if found is None:
        if published_edition(root) is not None:
            raise ChuError(f"{file} does not exist, but an edition is published: restore it from a backup")
        return []
    return [_edition(file, one) for one in found]


def released_version(root: LakePath, table: StoredTable) -> int | None:
    """The version of a table of the layer `editions` in the last edition; None if there is none."""
    found = editions(root)
    return found[-1].version(table) if found else None


def published_edition(root: LakePath) -> Edition | None:
    """The edition that readers see; None before the first one. Its versions are those of the published tables."""
    file = root / Zone.PUBLISHED / PUBLISHED_EDITION
    found = _read(file)
    return None if found is None else _edition(file, found)


def record_edition(root: LakePath, edition: Edition) -> None:
    """Add an edition to the list."""
    found = [asdict(one) for one in (*editions(root), edition)]
    write_text(root / Zone.PSEUDONYMISED / EDITIONS, json.dumps(found, indent=1) + "\n")


def record_published(root: LakePath, edition: Edition) -> None:
    """Let readers see an edition."""
    write_text(root / Zone.PUBLISHED / PUBLISHED_EDITION, json.dumps(asdict(edition), indent=1) + "\n")


def _read(file: LakePath) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise _damaged(file) from None


def _edition(file: LakePath, found: Any) -> Edition:
    try:
        return Edition(int(found["number"]), str(found["date"]), str(found["run"]), dict(found["tables"]))
    except (KeyError, TypeError, ValueError):
        raise _damaged(file) from None


def _damaged(file: LakePath) -> ChuError:
    return ChuError(f"{file} is damaged: restore it from a backup")
