"""Private folders for copies of data files, and the removal of those that ended processes have left.

A process holds the lock of a marker file in its folder. The kernel releases this lock when the process ends, also after
a kill: a folder whose lock is free belongs to nobody, and the next process deletes it.
"""

import shutil
import tempfile
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.storage.file_lock import Locked, file_lock

PREFIX: Final = "copies-"
MARKER: Final = ".in-use"
# Two processes never create and delete folders at the same time.
GUARD: Final = ".guard"
GUARD_TIMEOUT_SECONDS: Final = 60


def copies_folder(parent: Path, owner: object) -> Path:
    """A new folder below `parent` that only this user can enter. It is deleted with `owner`, or at exit.

    Raises ChuError if it cannot be created.
    """
    held = ExitStack()
    try:
        with file_lock(parent / GUARD, GUARD_TIMEOUT_SECONDS):
            folder = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX))
            held.enter_context(file_lock(folder / MARKER, 0))
    except (OSError, Locked):
        raise ChuError(f"no folder can be created in {parent}: set CHU_HOME to a folder that you can write") from None
    weakref.finalize(owner, _delete, folder, held)
    return folder


def delete_abandoned(parent: Path) -> None:
    """Delete the folders below `parent` that belong to no running process of this user."""
    if not any(parent.glob(f"{PREFIX}*")):
        return
    try:
        with file_lock(parent / GUARD, GUARD_TIMEOUT_SECONDS):
            for folder in parent.glob(f"{PREFIX}*"):
                _delete_if_abandoned(folder)
    except (OSError, Locked):
        return  # another process deletes them, or the folders belong to another user


def _delete_if_abandoned(folder: Path) -> None:
    try:
        with file_lock(folder / MARKER, 0):
            shutil.rmtree(folder)
    except Locked:
        return


def _delete(folder: Path, held: ExitStack) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    held.close()
