"""The key with which a lake was made: its fingerprint is in the lake, and no other key is used for that lake.

The fingerprint is a keyed hash of a constant text, in the restricted zone. A lake of an earlier version has none: its
key is the one that gives a stored pseudonym, and the fingerprint is then written.
"""

import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from chu_platform.errors import ChuError, TransientError, reason_of
from chu_platform.pseudonymisation.keyed_hash import KEY_FILE, create_key, fingerprint_of, pseudonyms, read_key
from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.storage.duckdb_session import small_connection
from chu_platform.storage.file_lock import Locked
from chu_platform.storage.lake import SCRATCH, DamagedLog, Lake
from chu_platform.storage.store import LakePath, lock, write_text
from chu_platform.tables.table import Zone

FILE: Final = ".key.json"
LOCK: Final = "key.lock"
LOCK_SECONDS: Final = 60.0
ONLY_THIS_USER: Final = 0o700
# Tables of pseudonyms by the kind of their identifiers: each has a column of identifiers and one of pseudonyms.
STORED: Final = {"patient": patient_pseudonym, "professional": professional_pseudonym}


def lake_key(lake: Lake, secrets: Path) -> bytes:
    """The key of the lake, from the folder `secrets`. A lake without pseudonyms gets the key of the folder, or a new one.

    Raises ChuError if the key is missing or is not that of the lake: it is never replaced.
    """
    try:
        if _recorded(lake) is not None and (key := require_key(lake, secrets)):
            return key
        # Of two first runs with different folders, one makes the key. The other finds the fingerprint, and fails.
        with lock(lake.place / Zone.RESTRICTED / SCRATCH / LOCK, LOCK_SECONDS):
            key = require_key(lake, secrets) or create_key(secrets)
            if _recorded(lake) is None:
                write_text(_file(lake), json.dumps({"fingerprint": fingerprint_of(key)}) + "\n", ONLY_THIS_USER)
    except Locked:
        raise TransientError("another process is recording the key of the lake: try again") from None
    except OSError as error:
        raise ChuError(f"the fingerprint of the key cannot be written to {_file(lake)}: {reason_of(error)}") from None
    return key


def require_key(lake: Lake, secrets: Path) -> bytes | None:
    """The key of the lake, from the folder `secrets`; None if the lake has no key yet. Nothing is written.

    Raises ChuError if the key is missing or is not that of the lake.
    """
    recorded = _recorded(lake)
    stored = _stored_pseudonym(lake) if recorded is None else None
    if recorded is None and stored is None:
        return None
    key = read_key(secrets)
    file = secrets / KEY_FILE
    if key is None:
        raise ChuError(
            f"the pseudonymisation key {file} does not exist, and the lake {lake.place} was made with one: restore the "
            "key file from its backup, or set CHU_SECRETS to its folder"
        )
    if not (stored.is_of(key) if stored else hmac.compare_digest(recorded or "", fingerprint_of(key))):
        raise ChuError(
            f"the pseudonymisation key {file} is not the one with which the lake {lake.place} was made: restore that "
            "key file from its backup, or set CHU_SECRETS to its folder"
        )
    return key


@dataclass(frozen=True)
class _StoredPseudonym:
    """An identifier with its pseudonym, as the lake holds them."""

    kind: str
    identifier: Any
    pseudonym: str

    def is_of(self, key: bytes) -> bool:
        """Whether the pseudonym was made with this key."""
        return hmac.compare_digest(self.pseudonym, pseudonyms(key, self.kind, [self.identifier])[0])


def _file(lake: Lake) -> LakePath:
    return lake.place / Zone.RESTRICTED / FILE


def _recorded(lake: Lake) -> str | None:
    """The fingerprint in the lake; None if there is none. Raises ChuError if its file is damaged."""
    file = _file(lake)
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["fingerprint"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise ChuError(
            f"{file} is damaged: delete it, and the next run compares the key with a stored pseudonym"
        ) from None


def _stored_pseudonym(lake: Lake) -> _StoredPseudonym | None:
    """A pseudonym of the lake; None if there is none. Raises ChuError if there are some, and none can be read."""
    unreadable = []
    for kind, table in STORED.items():
        try:
            if lake.open(table) is None:
                continue
            identifier, pseudonym = (column.name for column in table.columns)
            with small_connection() as connection:
                found = connection.sql(
                    f"SELECT {identifier}, {pseudonym} FROM {lake.relation(table)} LIMIT 1"
                ).fetchall()
        except (DamagedLog, duckdb.Error, OSError):
            unreadable.append(table.folder)
            continue
        if found:
            return _StoredPseudonym(kind, *found[0])
    if unreadable:
        raise ChuError(
            f"the key cannot be compared with the pseudonyms of the lake, because {' and '.join(unreadable)} cannot be "
            f"read: restore the folder from a backup"
        )
    return None
