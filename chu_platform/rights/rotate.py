"""Rotation of the key of the pseudonyms: everything is pseudonymised again under a new key, and the old one destroyed.

The lake itself says how far a rotation is: the record `.rotation.json` names both keys, and what the figures were made
from. It can be killed at any step, and run again. The old key is destroyed last, after the figures were compared.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import duckdb

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.dagster_instance import exclusive
from chu_platform.identity.accounts import Accounts
from chu_platform.pseudonymisation.key_process import key_file
from chu_platform.pseudonymisation.keyed_hash import create_key
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.rights.main_job import run_main_job
from chu_platform.rights.purge import purge_history, purge_temporary, tables_with_pseudonyms
from chu_platform.settings import Settings
from chu_platform.storage.duckdb_session import MEMORY_LIMIT
from chu_platform.storage.durable import flush
from chu_platform.storage.key_record import KeyRecord, key_record, write_key_record
from chu_platform.storage.lake import Lake
from chu_platform.storage.scratch_folder import scratch
from chu_platform.storage.store import LakePath, lake_root, write_text
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Layer, Table, Zone

FILE: Final = ".rotation.json"
ONLY_THIS_USER: Final = 0o700
# The figures that must be the same: exact ones, and what readers see.
COMPARED: Final = (Layer.KPIS, Layer.PUBLISHED)
# The only pseudonym by which figures are counted.
PSEUDONYM: Final = "professional_key"


@dataclass(frozen=True)
class Rotation:
    """The fingerprints of the old and of the new key; versions, by folder, of the tables to compare before the change.

    `compared`: all figures are the same, and what the old key was needed for may be deleted.
    """

    old: str
    new: str
    versions: Mapping[str, int]
    compared: bool = False


def rotate(settings: Settings, report: Callable[[str], None]) -> tuple[str, str]:
    """Pseudonymise the lake again under a new key, or go on with a rotation; returns both identifiers of keys.

    Raises ChuError if the lake has no key, if a table cannot be made, or if a figure differs; the old key then stays.
    """
    lake = Lake(lake_root(settings))
    with exclusive(settings):
        lake.prepare()
        rotation = _rotation(lake) or _begin(settings, lake, report)
        write_key_record(lake, KeyRecord(rotation.new, _identifier(settings, rotation.new)))
        run_main_job(settings, report)
        if not rotation.compared and (differing := _differing(lake, rotation)):
            raise ChuError(
                f"{', '.join(differing)} differ under the new key: nothing was deleted, and the old key is kept; "
                "restore the lake from its backup, and report this"
            )
        report("all figures are the same under the new key")
        if not rotation.compared:
            _rename_accounts(settings, lake, rotation)
        _record(lake, replace(rotation, compared=True))
        purge_history(lake, tables_with_pseudonyms(), report)
        purge_temporary(settings, lake)
        _destroy(key_file(settings.secrets_folder, rotation.old))
        _file(lake).unlink(missing_ok=True)
    return _identifier(settings, rotation.old), _identifier(settings, rotation.new)


def _begin(settings: Settings, lake: Lake, report: Callable[[str], None]) -> Rotation:
    """Bring the lake up to date under its key, and record the rotation to a new one."""
    if key_record(lake) is None:
        raise ChuError(f"the lake {lake.place} has no key yet: run `chu materialize` first")
    old = lake_key(lake, settings.secrets_folder)
    run_main_job(settings, report)
    compared = [t for t in catalogue() if t.layer in COMPARED and lake.open(t) is not None]
    versions = {t.folder: lake.version(t) for t in [*compared, professional_pseudonym]}
    new = create_key(settings.secrets_folder)
    rotation = Rotation(old.fingerprint, new.fingerprint, versions)
    _record(lake, rotation)
    report(f"from key {old.identifier} to key {new.identifier}")
    return rotation


def _record(lake: Lake, rotation: Rotation) -> None:
    write_text(_file(lake), json.dumps(asdict(rotation)) + "\n", ONLY_THIS_USER)


def _rotation(lake: Lake) -> Rotation | None:
    """The rotation that was begun; None if there is none."""
    try:
        return Rotation(**json.loads(_file(lake).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise ChuError(f"{_file(lake)} is damaged: restore it from a backup of the lake") from None


def _differing(lake: Lake, rotation: Rotation) -> Sequence[str]:
    """The tables of figures with other rows than before the change, apart from the pseudonyms in them."""
    before, after = rotation.versions[professional_pseudonym.folder], lake.version(professional_pseudonym)
    with scratch(lake) as folder, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = {sql_text(str(folder))}")
        connection.execute(
            f"CREATE TABLE renamed AS SELECT o.{PSEUDONYM} AS old, n.{PSEUDONYM} AS new "
            f"FROM {lake.relation(professional_pseudonym, before)} o "
            f"JOIN {lake.relation(professional_pseudonym, after)} n USING (Identifiant)"
        )
        compared = [t for t in catalogue() if t.folder in rotation.versions and t.layer in COMPARED]
        return [t.folder for t in compared if not _same(lake, connection, t, rotation.versions[t.folder])]


def _rename_accounts(settings: Settings, lake: Lake, rotation: Rotation) -> None:
    """Bind accounts of practitioners to the new pseudonyms. It may be done twice."""
    before = rotation.versions[professional_pseudonym.folder]
    with duckdb.connect() as connection:

        def renamed(old: str) -> str | None:
            found = connection.execute(
                f"SELECT n.{PSEUDONYM} FROM {lake.relation(professional_pseudonym, before)} o "
                f"JOIN {lake.relation(professional_pseudonym)} n USING (Identifiant) WHERE o.{PSEUDONYM} = ?",
                [old],
            ).fetchone()
            return str(found[0]) if found else None

        Accounts(settings.accounts_folder).rename_professionals(renamed)


def _same(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, version: int) -> bool:
    """Whether a table has the rows of a version, with the new pseudonyms in place of the old ones."""
    if lake.version(table) == version:
        return True
    names = [column.name for column in table.columns]
    columns = ", ".join(map(sql_name, names))
    old = f"SELECT {columns} FROM {lake.relation(table, version)}"
    if PSEUDONYM in names:
        replaced = ", ".join("r.new" if n == PSEUDONYM else f"t.{sql_name(n)}" for n in names)
        old = f"SELECT {replaced} FROM {lake.relation(table, version)} t LEFT JOIN renamed r ON t.{PSEUDONYM} = r.old"
    new = f"SELECT {columns} FROM {lake.relation(table)}"
    query = f"SELECT 1 FROM (({old}) EXCEPT ALL ({new})) UNION ALL SELECT 1 FROM (({new}) EXCEPT ALL ({old})) LIMIT 1"
    return not connection.execute(query).fetchall()


def _destroy(file: Path) -> None:
    """Overwrite and delete a key file."""
    if not file.exists():
        return
    with file.open("r+b") as stream:
        stream.write(secrets.token_bytes(file.stat().st_size))
        stream.flush()
        os.fsync(stream.fileno())
    file.unlink()
    flush(file.parent.parent, [file.parent.name])


def _identifier(settings: Settings, fingerprint: str) -> str:
    return key_file(settings.secrets_folder, fingerprint).stem.rpartition("-")[2]


def _file(lake: Lake) -> LakePath:
    return lake.place / Zone.RESTRICTED / FILE
