"""The folder that the readers see: one entry for each place."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from chu_platform.errors import ChuError
from chu_platform.landing.known_files import ONLY_THIS_USER, KnownFiles
from chu_platform.landing.places import FolderPlace, Place
from chu_platform.settings import Settings

# Copies of places that are not declared any more. They are not read.
FORMER: Final = "former"


class Origin(NamedTuple):
    """Where a copy comes from: server, path on it, and since when the file is not there any more."""

    server: str
    path: str
    gone_at: str | None


def arrange_pack(settings: Settings, places: Sequence[Place], log: Callable[[str], None]) -> None:
    """Give each place its entry in the pack: a folder for copies, or a link. Others are taken out of it, not deleted.

    Raises ChuError if the landing folder cannot be written.
    """
    pack, former = settings.sources_folder, settings.landing_folder / FORMER
    try:
        pack.mkdir(parents=True, exist_ok=True, mode=ONLY_THIS_USER)
        targets = {p.name: p.folder.resolve() if isinstance(p, FolderPlace) else None for p in places}
        for entry in sorted(pack.iterdir()):
            target = targets.get(entry.name)
            if entry.is_symlink():
                if target is None or entry.readlink() != target:
                    entry.unlink()
            elif target or entry.name not in targets:
                log(f"{entry.name} is no place on a server any more: its copies are kept in {former}, but not read")
                former.mkdir(exist_ok=True, mode=ONLY_THIS_USER)
                if (former / entry.name).exists():
                    shutil.rmtree(former / entry.name)
                entry.rename(former / entry.name)
        for name, target in targets.items():
            entry = pack / name
            if target and not entry.is_symlink():
                entry.symlink_to(target)
            elif target is None and (former / name).exists():
                (former / name).rename(entry)
            elif target is None:
                entry.mkdir(exist_ok=True, mode=ONLY_THIS_USER)
    except OSError as error:
        raise ChuError(
            f"the folder {settings.landing_folder} cannot be written: {error.strerror}; check its permissions"
        ) from None


def origins(settings: Settings) -> Mapping[str, Origin]:
    """Where each copy comes from, by its path in the pack."""
    if settings.sources_list is None:
        return {}
    return {
        f"{name}/{path}": Origin(known.server, f"{known.folder.rstrip('/')}/{path}", file.gone_at)
        for name, known in KnownFiles.stored(settings.landing_folder).items()
        for path, file in known.files.items()
        if file.copied
    }
