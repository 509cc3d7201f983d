"""The rights on the folders of CHU_HOME: what other users of the machine may not read, they cannot reach.

Dagster's storage holds the row counts of single months, which the published tables mask; the work folder holds logs,
and the restored care database. So only the owner may enter these. Others may go through CHU_HOME and the lake to the
published zone, but not list them.
"""

import os
import stat
from pathlib import Path
from typing import Final

from chu_platform.settings import Settings

ONLY_OWNER: Final = 0o700
OTHERS_PASS: Final = 0o711


def protect_folders(settings: Settings) -> None:
    """Take rights away from the folders that exist. Rights are never added; folders of other users stay as they are."""
    for folder in (settings.dagster_home, settings.work_folder, settings.secrets_folder):
        _restrict(folder, ONLY_OWNER)
    _restrict(settings.home.resolve(), OTHERS_PASS)
    if settings.lake_url is None:
        _restrict(settings.lake_folder, OTHERS_PASS)


def _restrict(folder: Path, mode: int) -> None:
    """Take the rights from a folder that are not in `mode`, if it exists and belongs to this user."""
    try:
        state = folder.stat()
        # A folder for everybody, such as /tmp, has this bit.
        if state.st_uid != os.geteuid() or state.st_mode & stat.S_ISVTX:
            return
        if stat.S_IMODE(state.st_mode) & ~mode:
            folder.chmod(stat.S_IMODE(state.st_mode) & mode)
    except OSError:  # it does not exist, or is mounted read-only
        return
