"""The landing step: copies new and changed files of all servers into the landing folder.

In that folder, `pack` is what the readers see, `partial` has unfinished copies, and `known` what is known about the
files.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError, TransientError, reason_of
from chu_platform.ingest.files import NEVER_DELIVERED, scan_pack
from chu_platform.ingest.markers import ALGORITHMS
from chu_platform.ingest.pack_contents import delivery_keys
from chu_platform.landing.arrangement import arrange_pack
from chu_platform.landing.copying import FileChangedError, PartialCopy, copy_file, remove_others
from chu_platform.landing.ftp import FtpSession
from chu_platform.landing.known_files import KnownFiles
from chu_platform.landing.places import (
    FolderPlace,
    FtpPlace,
    FtpsPlace,
    Place,
    ServerPlace,
    SftpPlace,
    load_places,
    server_places,
)
from chu_platform.landing.progress import Progress, megabytes
from chu_platform.landing.remote import Listing, OpenSession, RemoteFile, Session
from chu_platform.landing.sftp import SftpSession
from chu_platform.settings import Settings
from chu_platform.storage.file_lock import Locked, file_lock

# Another landing is waited for.
MAX_LOCK_SECONDS: Final = 4 * 3600.0
# How often a file that is written while it is copied is copied again.
MAX_COPIES: Final = 3
MAX_LISTED: Final = 5


@dataclass(frozen=True)
class Pace:
    """`waits`: seconds before each new attempt, as long as attempts copy nothing.

    `quiet_seconds`: a file that was seen to change less than this time ago may be incomplete.
    """

    waits: Sequence[float] = (2.0, 4.0, 8.0, 16.0)
    quiet_seconds: float = 5.0


@dataclass
class Landed:
    """What the landing step did for a place. After a failure, the copies of before stay."""

    place: str
    copied: list[str] = field(default_factory=list)
    size: int = 0
    unchanged: int = 0
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Waiting:
    """What a look at all servers has found: files that are complete and not copied yet, and messages."""

    files: Sequence[str]
    messages: Sequence[str]


def land(settings: Settings, log: Callable[[str], None], pace: Pace | None = None) -> Sequence[Landed]:
    """Copy new and changed files of all servers. A place that fails does not concern the others.

    Waits for another landing. Raises ChuError if the places are not declared correctly.
    """
    places = _places(settings)
    with _alone(settings.landing_folder, log):
        arrange_pack(settings, places, log)
        results = [
            _PlaceLanding(settings, place, log, pace or Pace()).run()
            if isinstance(place, ServerPlace)
            else _look_at_folder(place)
            for place in places
        ]
        _remove_replaced(settings, server_places(places), log)
    return results


def look(settings: Settings, turn: int, seconds: float, pace: Pace | None = None) -> Waiting:
    """List the files of all servers once, within some seconds, beginning with place number `turn`. Copies nothing.

    Places for which no time is left are not listed. Raises ChuError if the places are not declared correctly.
    """
    pace = pace or Pace()
    deadline = time.monotonic() + seconds
    found: list[str] = []
    messages: list[str] = []
    places = _places(settings)
    servers = server_places(places)
    try:
        with file_lock(settings.landing_folder / "lock", 0):
            arrange_pack(settings, places, messages.append)
            for number in range(len(servers)):
                place = servers[(turn + number) % len(servers)]
                left = deadline - time.monotonic()
                if left <= 0:
                    messages.append(f"place {place.name}: not listed, the others took {seconds:.0f} s")
                    continue
                try:
                    found += _complete_files(settings, place, left, pace)
                except ChuError as error:
                    messages.append(str(error))
    except Locked:
        messages.append("a landing is under way")
    return Waiting(found, messages)


def open_session(place: ServerPlace, secrets: Path) -> OpenSession:
    """A connection to a place, to be opened as a context."""
    if isinstance(place, SftpPlace):
        return SftpSession(place, secrets)
    assert isinstance(place, FtpsPlace | FtpPlace)
    return FtpSession(place, secrets)


def _places(settings: Settings) -> Sequence[Place]:
    if settings.sources_list is None:
        raise ChuError(
            "CHU_SOURCES is one folder, so there is nothing to copy: to read from servers, let it name a file "
            "sources.toml that lists them"
        )
    return load_places(settings.sources_list)


def _complete_files(settings: Settings, place: ServerPlace, seconds: float, pace: Pace) -> Sequence[str]:
    """The files of a place that are complete and not copied yet, with their size and time."""
    known = KnownFiles.load(settings.landing_folder, place)
    with open_session(place, settings.secrets_folder) as session:
        listing = session.list(seconds)
    before = known.model_dump_json()
    copies = settings.sources_folder / place.name
    now = time.time()
    known.observe(listing, copies, now, _moment())
    if known.model_dump_json() != before:
        known.store(settings.landing_folder, place)
    return [
        f"{place.name}/{file.path} {file.size} {file.modified}"
        for file in _wanted(listing, known, copies)
        if known.is_complete(file, listing, now, pace.quiet_seconds)
    ]


class _PlaceLanding:
    """The landing of one server."""

    def __init__(self, settings: Settings, place: ServerPlace, log: Callable[[str], None], pace: Pace) -> None:
        self._place = place
        self._secrets = settings.secrets_folder
        self._landing = settings.landing_folder
        self._pack = settings.sources_folder
        self._copies = settings.sources_folder / place.name
        self._parts = settings.landing_folder / "partial" / place.name
        self._log = log
        self._pace = pace
        self._known = KnownFiles.load(settings.landing_folder, place)
        self._result = Landed(place.name)
        self._refused: dict[str, str] = {}
        self._times_changed: dict[str, int] = {}
        # How far the copy of each file has come, and the file that is being copied.
        self._reached: dict[str, int] = {}
        self._copying: str | None = None

    def run(self) -> Landed:
        """Land all files, with new attempts after lost connections."""
        attempt = 0
        result = self._result
        while True:
            before = sum(self._reached.values())
            self._copying = None
            try:
                with open_session(self._place, self._secrets) as session:
                    self._land(session)
                break
            except FileChangedError as error:
                self._log(f"{self._place.name}: {error}; copying it again when it rests")
            except TransientError as error:
                attempt = 0 if sum(self._reached.values()) > before else attempt
                if attempt == len(self._pace.waits) and self._copying:
                    # The server answers, but not with this file: the others must not wait for it.
                    self._refuse(self._copying, str(error))
                    attempt = 0
                    continue
                if attempt == len(self._pace.waits):
                    result.failures.append(str(error))
                    break
                wait = self._pace.waits[attempt]
                self._log(f"{error}; trying again in {wait:.0f} s")
                time.sleep(wait)
                attempt += 1
            except ChuError as error:
                result.failures.append(str(error))
                break
            except OSError as error:
                result.failures.append(f"{self._landing} cannot be written: {reason_of(error)}")
                break
            finally:
                self._known.store(self._landing, self._place)
        result.failures += self._refused.values()
        self._log(
            f"{self._place.name} ({self._place.server}): {len(result.copied)} files copied, {megabytes(result.size)}; "
            f"{result.unchanged} unchanged{'; FAILED' if result.failures else ''}"
        )
        return result

    def _land(self, session: Session) -> None:
        self._known.folder = session.root
        listing = self._observed(session)
        wanted = self._wanted(listing)
        if not all(self._is_complete(file, listing) for file in wanted):
            time.sleep(max(0.0, self._pace.quiet_seconds + 0.1))
            listing = self._observed(session)
            wanted = self._wanted(listing)
        complete = [file for file in wanted if self._is_complete(file, listing)]
        progress = Progress(self._place.name, len(complete), sum(f.size for f in complete), self._log)
        for file in complete:
            if _is_checksum(file.path) and not self._has_current_copy(file, listing):
                continue
            progress.begin(file.path, file.size)
            self._copy(session, file, listing, progress)
        remove_others(self._parts, listing.files)
        self._describe(listing, [f.path for f in wanted if f not in complete])

    def _observed(self, session: Session) -> Listing:
        listing = session.list()
        self._known.observe(listing, self._copies, time.time(), _moment())
        return listing

    def _wanted(self, listing: Listing) -> Sequence[RemoteFile]:
        wanted = _wanted(listing, self._known, self._copies)
        return [file for file in wanted if file.path not in self._refused]

    def _is_complete(self, file: RemoteFile, listing: Listing) -> bool:
        if self._times_changed.get(file.path, 0) >= MAX_COPIES:
            return False
        return self._known.is_complete(file, listing, time.time(), self._pace.quiet_seconds)

    def _has_current_copy(self, checksum_file: RemoteFile, listing: Listing) -> bool:
        """Whether the file that a checksum file is for has its copy, or is not on the server at all."""
        file = listing.files.get(checksum_file.path.rpartition(".")[0])
        return file is None or self._known.is_copied(file, self._copies / file.path)

    def _copy(self, session: Session, file: RemoteFile, listing: Listing, progress: Progress) -> None:
        copy = self._copies / file.path
        part = PartialCopy(self._parts, file.path)

        def reached(size: int) -> None:
            self._reached[file.path] = max(size, self._reached.get(file.path, 0))
            progress.reach(size)

        self._copying = file.path
        try:
            status = copy_file(session, file, listing, part, reached)
        except FileChangedError:
            self._times_changed[file.path] = self._times_changed.get(file.path, 0) + 1
            raise
        except TransientError:
            raise
        except ChuError as error:
            self._refuse(file.path, str(error))
            return
        try:
            made = part.publish(copy, self._pack, file.modified if status.modified is None else status.modified)
        except OSError as error:
            # The name is too long, or what was a file on the server is a folder now.
            self._refuse(file.path, f"{copy} cannot be written: {reason_of(error)}")
            return
        self._known.remember_copy(file, made)
        self._result.copied.append(file.path)
        self._result.size += file.size

    def _refuse(self, path: str, why: str) -> None:
        """Leave a file out of this landing. Errors of the session name the place already."""
        self._refused[path] = why if why.startswith("place ") else f"place {self._place.name}: {why}"

    def _describe(self, listing: Listing, arriving: Sequence[str]) -> None:
        """Add the warnings, and the number of files that were copied before."""
        result, known = self._result, self._known
        gone = [path for path, file in known.files.items() if file.gone_at]
        new = [path for path in gone if path not in known.reported_gone]
        result.unchanged = sum(
            known.is_copied(file, self._copies / path) for path, file in listing.files.items() if path in known.files
        ) - len(result.copied)
        copies = {path: known.files[path].copied for path, file in listing.files.items() if not file.size}
        emptied = [path for path, copied in copies.items() if copied and copied.size]
        for what, paths in (
            ("still arriving, not copied yet (an empty NAME.done beside a file says that it is whole)", arriving),
            ("empty on the server (0 bytes), the last copy stays", emptied),
            ("not on the server any more, the copy stays (delete it to withdraw the delivery)", new),
        ):
            if paths:
                result.warnings.append(f"place {self._place.name}: {what}: {_listed(paths)}")
        if gone and not listing.files:
            result.warnings.append(f"place {self._place.name}: there is no file at all: is the folder the right one?")
        result.warnings += [f"place {self._place.name}: {path} {why}" for path, why in listing.unreadable.items()]
        known.reported_gone = gone


def _wanted(listing: Listing, known: KnownFiles, copies: Path) -> Sequence[RemoteFile]:
    """The files that have no copy of their present content; files of checksums after the others.

    An empty file does not replace a copy.
    """
    files = [
        file
        for path, file in listing.files.items()
        if (_is_checksum(path) or not NEVER_DELIVERED.fullmatch(Path(path).name))
        and (file.size or known.files[path].copied is None)
        and not known.is_copied(file, copies / path)
    ]
    return sorted(files, key=lambda file: (_is_checksum(file.path), file.path))


def _is_checksum(path: str) -> bool:
    return path.lower().endswith(tuple(f".{algorithm}" for algorithm in ALGORITHMS))


def _look_at_folder(place: Place) -> Landed:
    """A folder of this machine is read where it is."""
    result = Landed(place.name)
    if isinstance(place, FolderPlace) and not place.folder.is_dir():
        result.failures.append(f"place {place.name}: the folder {place.folder} does not exist: is it mounted?")
    return result


def _remove_replaced(settings: Settings, places: Sequence[ServerPlace], log: Callable[[str], None]) -> None:
    """Remove the copies of files that are not on their server any more and in whose place a newer delivery is."""
    pack = settings.sources_folder
    known = {place: KnownFiles.load(settings.landing_folder, place) for place in places}
    gone = {pack / p.name / path: (p, path) for p in places for path, f in known[p].files.items() if f.gone_at}
    if not gone:
        return
    tables = catalogue()
    current = frozenset[tuple[str, ...]]().union(
        *(delivery_keys(file.name, tables) for file in scan_pack(pack).files if file not in gone)
    )
    for copy, (place, path) in gone.items():
        if current & delivery_keys(copy.name, tables):
            copy.unlink(missing_ok=True)
            del known[place].files[path]
            known[place].store(settings.landing_folder, place)
            log(f"{place.name}: the copy of {path} was removed, a newer delivery is in its place")


@contextmanager
def _alone(landing: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the landing folder."""
    lock = landing / "lock"
    try:
        with file_lock(lock, 0):
            pass
    except Locked:
        log("another process copies files from the servers: waiting for it")
    try:
        with file_lock(lock, MAX_LOCK_SECONDS):
            yield
    except Locked:
        raise ChuError(f"another process holds {lock} for hours: end it, then run again") from None


def _moment() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - MAX_LISTED
    return ", ".join(paths[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
