"""The key with which a lake was made: its fingerprint is in the lake, and no other key is used for that lake.

The fingerprint is a keyed hash of a constant text, in the restricted zone; its first digits are the identifier of the
key, which names the key file below `CHU_SECRETS/keys`. A lake of an earlier version has no fingerprint: its key is the
one that gives a stored pseudonym, and the fingerprint is then written. A key file of an earlier version, beside the
folder of the keys, is moved there.
"""

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from chu_platform.errors import ChuError, TransientError, reason_of
from chu_platform.pseudonymisation.key_process import KEYS, key_file, key_id
from chu_platform.pseudonymisation.keyed_hash import PseudonymKey, create_key, known_keys
from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.storage.duckdb_session import small_connection
from chu_platform.storage.durable import flush
from chu_platform.storage.file_lock import Locked
from chu_platform.storage.key_record import KeyRecord, key_record, key_record_file, write_key_record
from chu_platform.storage.lake import SCRATCH, DamagedLog, Lake
from chu_platform.storage.store import lock
from chu_platform.tables.table import Zone

LOCK: Final = "key.lock"
LOCK_SECONDS: Final = 60.0
# Tables of pseudonyms by the kind of their identifiers: each has a column of identifiers and one of pseudonyms.
STORED: Final = {"patient": patient_pseudonym, "professional": professional_pseudonym}


def lake_key(lake: Lake, secrets: Path) -> PseudonymKey:
    """The key of the lake, in the folder `secrets`. A lake without pseudonyms gets the only key there, or a new one.

    Raises ChuError if the key of the lake is not there: it is never replaced.
    """
    try:
        if key_record(lake) is not None and (key := require_key(lake, secrets)):
            return _in_its_place(key, secrets)
        # Of two first runs with different folders, one makes the key. The other finds the fingerprint, and fails.
        with lock(lake.place / Zone.RESTRICTED / SCRATCH / LOCK, LOCK_SECONDS):
            key = require_key(lake, secrets) or _only_key(secrets) or create_key(secrets)
            if key_record(lake) is None:
                write_key_record(lake, KeyRecord(key.fingerprint, key.identifier))
    except Locked:
        raise TransientError("another process is recording the key of the lake: try again") from None
    except OSError as error:
        raise ChuError(
            f"the fingerprint of the key cannot be written to {key_record_file(lake)}: {reason_of(error)}"
        ) from None
    return _in_its_place(key, secrets)


def require_key(lake: Lake, secrets: Path) -> PseudonymKey | None:
    """The key of the lake, in the folder `secrets`; None if the lake has no key yet. Nothing is written.

    Raises ChuError if the key of the lake is not there.
    """
    recorded = key_record(lake)
    stored = _stored_pseudonym(lake) if recorded is None else None
    if recorded is None and stored is None:
        return None
    keys = _keys(secrets)
    fits = next((k for k in keys if stored.is_of(k)), None) if stored else _with(keys, recorded)
    if fits is None:
        which = f"key {key_id(recorded.fingerprint)}" if recorded else "key"
        there = f"only {'another one' if len(keys) == 1 else 'others'}" if keys else "no key"
        raise ChuError(
            f"the pseudonymisation {which} with which the lake {lake.place} was made is not in {secrets / KEYS}, where "
            f"there is {there}: restore the key file from its backup, or set CHU_SECRETS to its folder"
        )
    return fits


def _keys(secrets: Path) -> list[PseudonymKey]:
    return [PseudonymKey(file, fingerprint) for file, fingerprint in known_keys(secrets).items() if fingerprint]


def _only_key(secrets: Path) -> PseudonymKey | None:
    """The key of the folder, if there is one and no other. Raises ChuError if a key file is damaged."""
    damaged = next((file for file, fingerprint in known_keys(secrets).items() if not fingerprint), None)
    if damaged:
        raise ChuError(f"{damaged} is not a key of 32 bytes in hexadecimal: restore the right key file, or remove it")
    keys = _keys(secrets)
    return keys[0] if len(keys) == 1 else None


def _with(keys: list[PseudonymKey], recorded: KeyRecord | None) -> PseudonymKey | None:
    return next((k for k in keys if recorded and hmac.compare_digest(k.fingerprint, recorded.fingerprint)), None)


def _in_its_place(key: PseudonymKey, secrets: Path) -> PseudonymKey:
    """The key, with its file moved to the folder of the keys, unless the file or the folder can only be read."""
    place = key_file(secrets, key.fingerprint)
    if key.file == place:
        return key
    try:
        place.parent.mkdir(exist_ok=True, mode=0o700)
        key.file.replace(place)
        flush(secrets, [place.relative_to(secrets).as_posix()])
    except OSError:  # mounted read-only: it is used where it is
        return key
    return PseudonymKey(place, key.fingerprint)


@dataclass(frozen=True)
class _StoredPseudonym:
    """An identifier with its pseudonym, as the lake holds them."""

    kind: str
    identifier: Any
    pseudonym: str

    def is_of(self, key: PseudonymKey) -> bool:
        """Whether the pseudonym was made with this key."""
        return hmac.compare_digest(self.pseudonym, key.pseudonyms(self.kind, [self.identifier])[0])


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
