"""The drill of backup and restoration: `chu drill DIR`.

It backs up the lake, the secrets and Dagster's storage, empties a home of its own, restores the backup there, and runs
`chu verify` on it. The lake of the settings is only read.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import dagster as dg

from chu_platform.errors import ChuError, reason_of
from chu_platform.graph.dagster_instance import FINISHED
from chu_platform.private_folders import ONLY_OWNER
from chu_platform.pseudonymisation.lake_key import require_key
from chu_platform.settings import Settings
from chu_platform.storage.durable import write_whole
from chu_platform.storage.lake import SCRATCH, Lake
from chu_platform.storage.lake_format import format_of

# The folders and files of a drill.
BACKUP: Final = "backup"
SECRETS: Final = "secrets"
HOME: Final = "home"
# The fingerprints of the files of a backup, by path. Its presence says that a folder is one of drills.
MANIFEST: Final = "manifest.json"
# In CHU_HOME: the result of the last drill.
RESULT: Final = "drill.json"
SQLITE: Final = b"SQLite format 3\0"
# Beside a database of SQLite, whose backup contains what is in them.
SIDECARS: Final = ("-wal", "-shm", "-journal")
# A backup and what is restored from it.
COPIES: Final = 2


@dataclass(frozen=True)
class Drill:
    """The result of a drill. `at` is when it began (UTC, ISO 8601), `size` that of the backup in bytes."""

    at: str
    succeeded: bool
    files: int
    size: int
    backup_seconds: float
    restore_seconds: float


def last_drill(settings: Settings) -> Drill | None:
    """The last drill of this CHU_HOME; None if there was none, or if its record cannot be read."""
    try:
        return Drill(**json.loads((settings.home / RESULT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def drill(
    settings: Settings, instance: dg.DagsterInstance, folder: Path, log_progress: Callable[[str], None]
) -> Sequence[str]:
    """Back up, restore into an empty home and verify; returns what is not as it was, which is nothing in a good drill.

    The caller holds the lock of the main job. The folder gets `backup`, `secrets` and `home`; those of an earlier drill
    are deleted. The result is recorded in CHU_HOME. Raises ChuError if there is no lake in a folder, if the folder
    holds anything else or is too small, or if a run is in progress or starts meanwhile.
    """
    folder = folder.resolve()
    parts = _parts(settings)
    _require_place(settings, folder, parts)
    begun, at = time.monotonic(), datetime.now(UTC)
    _require_rest(instance, at)
    for name in (HOME, BACKUP, SECRETS):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True, mode=ONLY_OWNER)
    folder.chmod(ONLY_OWNER)
    write_whole(folder / MANIFEST, "{}")
    for name, source in parts.items():
        log_progress(f"backing up {source}")
        _copy(source, folder / BACKUP / name)
    _copy(settings.secrets_folder, folder / SECRETS)
    _require_rest(instance, at)
    manifest = {path: _sha256(folder / BACKUP / path) for path in _files(folder / BACKUP)}
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=0))
    size = sum((folder / BACKUP / path).stat().st_size for path in manifest)
    backed_up = time.monotonic()
    log_progress(f"restoring {len(manifest)} files ({size / 2**20:.0f} MB) into an empty home")
    _copy(folder / BACKUP, folder / HOME)
    _copy(folder / SECRETS, folder / HOME / SECRETS)
    found = [*_differences(folder, manifest), *_of_storage(folder / HOME / "dagster"), *_of_key(folder / HOME)]
    restored = time.monotonic()
    log_progress("running chu verify on what is restored")
    found += _verified(settings, folder / HOME)
    if not any(path.startswith("dagster/") and path.endswith(".db") for path in manifest):
        log_progress("WARNING Dagster's storage is not in CHU_HOME/dagster: back it up with pg_dump")
    result = Drill(
        at.isoformat(timespec="seconds"), not found, len(manifest), size, backed_up - begun, restored - backed_up
    )
    write_whole(settings.home / RESULT, json.dumps(asdict(result)))
    return found


def _parts(settings: Settings) -> Mapping[str, Path]:
    """What a backup holds beside the secrets, by its place in the backup and in a home."""
    parts = {
        "lake": settings.lake_folder,
        "dagster": settings.dagster_home,
        "landing": settings.landing_folder,
        settings.needs_file.name: settings.needs_file,
        settings.prices_file.name: settings.prices_file,
    }
    return {name: path for name, path in parts.items() if path.exists()}


def _require_place(settings: Settings, folder: Path, parts: Mapping[str, Path]) -> None:
    """Raise ChuError if there is nothing to back up, or if the folder cannot take it."""
    if settings.lake_url is not None:
        raise ChuError("the lake is in an object store: its own replication and versions are its backup")
    if format_of(settings.lake_folder) is None:
        raise ChuError(f"there is no lake in {settings.lake_place}: run `chu materialize` first")
    for inside in (settings.home.resolve(), settings.lake_folder, settings.secrets_folder):
        if folder.is_relative_to(inside) or inside.is_relative_to(folder):
            raise ChuError(f"{folder} and {inside} contain each other: choose a folder on another disk")
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ChuError(
            f"{folder} exists, and is neither an empty folder nor one of an earlier drill: choose another one"
        )
    needed = COPIES * sum((source / path).stat().st_size for source in parts.values() for path in _files(source))
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ChuError(f"{folder} needs {needed / 2**20:.0f} MB and has {free / 2**20:.0f} MB: choose a larger disk")


def _require_rest(instance: dg.DagsterInstance, since: datetime) -> None:
    """Raise ChuError if a run is in progress, or was created since then."""
    unfinished = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    if instance.get_runs_count(dg.RunsFilter(statuses=unfinished)) or instance.get_runs_count(
        dg.RunsFilter(created_after=since)
    ):
        raise ChuError("a run is in progress or has begun meanwhile: wait until it has ended, then run again")


def _files(source: Path) -> Iterator[str]:
    """The files to copy of a folder, by relative path; of a file, the empty path. Locks and temporary files are none."""
    if source.is_file():
        yield ""
        return
    for parent, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if name != SCRATCH)
        for name in sorted(names):
            file = Path(parent, name)
            if file.is_file() and not (name.endswith(SIDECARS) and _is_sqlite(_database_of(file))):
                yield file.relative_to(source).as_posix()


def _database_of(sidecar: Path) -> Path:
    return sidecar.with_name(sidecar.name.rpartition("-")[0])


def _is_sqlite(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(SQLITE)) == SQLITE
    except OSError:
        return False


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder with its modes. Databases that others use are copied in one state."""
    try:
        if source.is_dir():
            for parent, folders, _ in os.walk(source):
                folders[:] = [name for name in folders if name != SCRATCH]
                made = target / Path(parent).relative_to(source)
                made.mkdir(parents=True, exist_ok=True, mode=ONLY_OWNER)
                shutil.copystat(parent, made)
        for path in _files(source):
            file, copied = (source / path, target / path) if path else (source, target)
            copied.parent.mkdir(parents=True, exist_ok=True, mode=ONLY_OWNER)
            if _is_sqlite(file):
                with closing(sqlite3.connect(file, timeout=30)) as opened, closing(sqlite3.connect(copied)) as made_of:
                    opened.backup(made_of)
                shutil.copymode(file, copied)
            else:
                shutil.copy2(file, copied)
    except sqlite3.Error as error:
        raise ChuError(f"{source} cannot be copied: a database in it is damaged ({type(error).__name__})") from None
    except OSError as error:
        raise ChuError(f"{source} cannot be copied to {target}: {reason_of(error)}") from None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _differences(folder: Path, manifest: Mapping[str, str]) -> Iterator[str]:
    """What is restored and differs from the backup."""
    home = folder / HOME
    restored = {path: home / path for path in _files(home) if not path.startswith(f"{SECRETS}/")}
    for path in sorted(manifest.keys() - restored.keys()):
        yield f"{path} is in the backup, and was not restored"
    for path in sorted(restored.keys() & manifest.keys()):
        if not _is_sqlite(restored[path]) and _sha256(restored[path]) != manifest[path]:
            yield f"{path} is not as it was backed up"
    for path in _files(folder / SECRETS):
        secret, copied = folder / SECRETS / path, home / SECRETS / path
        if not copied.is_file() or (not _is_sqlite(secret) and secret.read_bytes() != copied.read_bytes()):
            yield f"{SECRETS}/{path} is not as it was backed up"


def _of_storage(folder: Path) -> Iterator[str]:
    """The databases of Dagster's storage that are damaged."""
    for file in sorted(folder.rglob("*.db")):
        try:
            with closing(sqlite3.connect(file)) as opened:
                (answer,) = opened.execute("PRAGMA quick_check").fetchone()
        except sqlite3.Error as error:
            answer = type(error).__name__
        if answer != "ok":
            yield f"Dagster's storage {file.relative_to(folder)} is damaged"


def _of_key(home: Path) -> Iterator[str]:
    """Why the restored key is not that of the restored lake."""
    try:
        require_key(Lake(home / "lake"), home / SECRETS)
    except ChuError as error:
        yield str(error)


def _verified(settings: Settings, home: Path) -> Sequence[str]:
    """What `chu verify` finds in the restored home; one line if it fails."""
    given = {
        "CHU_HOME": home,
        "CHU_LAKE": home / "lake",
        "CHU_SECRETS": home / SECRETS,
        "CHU_SOURCES": settings.sources or settings.home / "sources",
    }
    done = subprocess.run(
        [sys.executable, "-m", "chu_platform.cli", "verify"],
        env={**os.environ, **{name: str(path) for name, path in given.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line.removeprefix("FOUND ") for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    if done.returncode and not found:
        lines = done.stderr.strip().splitlines()
        found = [f"chu verify failed: {lines[-1] if lines else f'exit status {done.returncode}'}"]
    return found
