"""What a lake records of the pseudonymisation key with which it was made: fingerprint and identifier, not the key."""

import json
from dataclasses import asdict, dataclass
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import LakePath, write_text
from chu_platform.tables.table import Zone

FILE: Final = ".key.json"
ONLY_THIS_USER: Final = 0o700


@dataclass(frozen=True)
class KeyRecord:
    """The fingerprint of the key of a lake; and its identifier, which lakes of earlier versions do not record."""

    fingerprint: str
    key: str | None = None


def key_record_file(lake: Lake) -> LakePath:
    """The file of the record."""
    return lake.place / Zone.RESTRICTED / FILE


def key_record(lake: Lake) -> KeyRecord | None:
    """The record of a lake; None if there is none. Raises ChuError if its file is damaged."""
    file = key_record_file(lake)
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
        return KeyRecord(str(recorded["fingerprint"]), recorded.get("key"))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ChuError(
            f"{file} is damaged: delete it, and the next run compares the key with a stored pseudonym"
        ) from None


def write_key_record(lake: Lake, record: KeyRecord) -> None:
    """Write the record of a lake."""
    write_text(key_record_file(lake), json.dumps(asdict(record)) + "\n", ONLY_THIS_USER)
