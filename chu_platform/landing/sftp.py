"""Files of an SFTP server, by asyncssh."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import asyncssh

from chu_platform.errors import ChuError, TransientError
from chu_platform.landing.network_errors import network_cause
from chu_platform.landing.places import SftpPlace
from chu_platform.landing.remote import (
    SAFE_NAME,
    TIMEOUT_SECONDS,
    Checksum,
    Listing,
    RemoteFile,
    Status,
    is_searched,
    text_of,
)

# Every server can send blocks of this size. So many are requested in parallel.
BLOCK: Final = 32 * 1024
BLOCKS: Final = 64
# Listing a folder with many files takes many answers.
FOLDER_TIMEOUT_SECONDS: Final = 300.0
GONE: Final = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
LOST: Final = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPBadMessage, asyncssh.ConnectionLost)

T = TypeVar("T")


class _Client(asyncssh.SSHClient):
    """Accepts a host key by its fingerprint, and remembers a key that it did not accept."""

    def __init__(self, pinned: frozenset[str]) -> None:
        self.offered: asyncssh.SSHKey | None = None
        self._pinned = pinned

    def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        self.offered = key
        return key.get_fingerprint() in self._pinned


class SftpSession:
    """See `remote.Session`. It runs its own event loop in each call."""

    def __init__(self, place: SftpPlace, secrets: Path) -> None:
        self._place = place
        self._secrets = secrets
        self._runner = asyncio.Runner()
        self._root = b""

    def __enter__(self) -> "SftpSession":
        try:
            self._connect()
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, asyncssh.Error):
            self._connection.abort()
            self._runner.run(self._connection.wait_closed())
        self._runner.close()

    @property
    def root(self) -> str:
        """See `remote.Session`."""
        return text_of(self._root)

    def list(self, seconds: float | None = None) -> Listing:
        """See `remote.Session`. Links to files and folders are followed."""
        with self._errors("listing the files"):
            return self._run(self._list(), seconds)

    def status(self, file: RemoteFile) -> Status:
        """See `remote.Session`."""
        with self._errors(file.path):
            found = self._run(self._sftp.stat(self._full(file.raw)))
        return Status(found.size or 0, found.mtime)

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """See `remote.Session`: up to the size in the listing."""
        with self._errors(file.path):
            opened = self._run(self._sftp.open(self._full(file.raw), "rb", block_size=BLOCK))
            try:
                while offset < file.size:
                    blocks = min(BLOCKS, -(-(file.size - offset) // BLOCK))
                    chunk, error = self._run(_chunk(opened, offset, blocks))
                    if chunk:
                        yield chunk
                    if error:
                        raise error
                    if not chunk:
                        return
                    offset += len(chunk)
            finally:
                with suppress(OSError, asyncssh.Error):
                    self._run(opened.close())

    def checksum(self, _file: RemoteFile) -> Checksum | None:
        """See `remote.Session`: the protocol has no checksum that common servers offer."""
        return None

    def _connect(self) -> None:
        place = self._place
        client = _Client(frozenset(k.rstrip("=") for k in place.host_key if k.startswith("SHA256:")))
        password = place.secret(self._secrets, "password") if place.password else None
        keys = [self._private_key()] if place.key else None
        with self._errors("connecting", client):
            self._connection, _ = self._run(
                asyncssh.create_connection(
                    lambda: client,
                    place.host,
                    place.port,
                    username=place.user,
                    password=password,
                    client_keys=keys,
                    known_hosts=self._trusted(),
                    config=None,
                    agent_path=None,
                    connect_timeout=TIMEOUT_SECONDS,
                    login_timeout=TIMEOUT_SECONDS,
                )
            )
            self._sftp = self._run(self._connection.start_sftp_client())
            self._root = self._run(self._sftp.realpath(place.root.encode() or b"."))

    def _private_key(self) -> asyncssh.SSHKey:
        file = self._place.secret_file(self._secrets, "key")
        try:
            return asyncssh.read_private_key(file)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise ChuError(
                f"place {self._place.name}: the file that `key` names is not a private key without passphrase: "
                "use one that `ssh-keygen` has written"
            ) from None

    def _trusted(self) -> Any:
        """The trusted host keys, as asyncssh takes them. Without any, every key goes to the client."""
        place = self._place
        if place.known_hosts:
            try:
                return asyncssh.read_known_hosts(str(place.known_hosts))
            except (OSError, ValueError):
                raise ChuError(
                    f"place {place.name}: `known_hosts` names no readable file of known hosts: {place.known_hosts}"
                ) from None
        try:
            keys = [asyncssh.import_public_key(k) for k in place.host_key if not k.startswith("SHA256:")]
        except asyncssh.KeyImportError:
            raise ChuError(f"place {place.name}: `host_key` is not a valid public key") from None
        return keys, [], []

    async def _list(self) -> Listing:
        files: dict[str, RemoteFile] = {}
        unreadable: dict[str, str] = {}
        # Folders behind links come last, so that a folder has its own path if it has one below the root.
        folders, seen = [(b"", self._root)], set[bytes]()
        linked: list[tuple[bytes, bytes]] = []
        while folders or linked:
            folder, real = folders.pop() if folders else linked.pop()
            if real in seen:
                continue
            seen.add(real)
            try:
                entries = [e async for e in self._sftp.scandir(self._full(folder))]
            except asyncssh.SFTPError as error:
                if not folder or isinstance(error, LOST):
                    raise
                unreadable[text_of(folder)] = f"cannot be searched: {_reason(error)}"
                continue
            for entry in entries:
                name, attrs = cast("bytes", entry.filename), entry.attrs
                raw = folder + b"/" + name if folder else name
                path = text_of(raw)
                if name in (b".", b".."):
                    continue
                if not SAFE_NAME.fullmatch(text_of(name)):
                    unreadable[text_of(folder) or "."] = "has a file whose name is not valid"
                    continue
                is_link = attrs.type in (asyncssh.FILEXFER_TYPE_SYMLINK, asyncssh.FILEXFER_TYPE_UNKNOWN)
                if is_link:
                    try:
                        attrs = await self._sftp.stat(self._full(raw))
                    except asyncssh.SFTPError as error:
                        if isinstance(error, LOST):
                            raise
                        unreadable[path] = f"is a link that cannot be followed: {_reason(error)}"
                        continue
                if attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY and is_searched(text_of(name)):
                    below = await self._sftp.realpath(self._full(raw)) if is_link else real.rstrip(b"/") + b"/" + name
                    (linked if is_link else folders).append((raw, below))
                elif attrs.type == asyncssh.FILEXFER_TYPE_REGULAR:
                    files[path] = RemoteFile(path, raw, attrs.size or 0, float(attrs.mtime or 0))
        return Listing(files, unreadable)

    def _full(self, raw: bytes) -> bytes:
        return self._root.rstrip(b"/") + b"/" + raw if raw else self._root

    def _run(self, action: Awaitable[T], seconds: float | None = None) -> T:
        return self._runner.run(asyncio.wait_for(action, seconds or FOLDER_TIMEOUT_SECONDS))

    @contextmanager
    def _errors(self, doing: str, client: _Client | None = None) -> Iterator[None]:
        """Raise ChuError or TransientError for an error of asyncssh or of the system, without text of the server."""
        where = f"place {self._place.name} ({self._place.server}): {doing}"
        try:
            yield
        except asyncssh.HostKeyNotVerifiable:
            raise ChuError(f"{where}: {self._refused_key(client.offered if client else None)}") from None
        except asyncssh.PermissionDenied:
            raise ChuError(
                f"{where}: the server refuses the user, the key or the password: check `user` and the file in "
                "CHU_SECRETS"
            ) from None
        except (asyncssh.KeyExchangeFailed, asyncssh.ProtocolNotSupported, asyncssh.ChannelOpenError):
            raise ChuError(f"{where}: it offers no SFTP of a version that is secure and known") from None
        except (*LOST, TimeoutError, OSError, asyncssh.DisconnectError, EOFError) as error:
            raise TransientError(f"{where}: {network_cause(error)}") from None
        except asyncssh.Error as error:
            raise ChuError(f"{where}: {_reason(error)}") from None

    def _refused_key(self, offered: asyncssh.SSHKey | None) -> str:
        """Why a host key was refused, and what to do."""
        place = self._place
        key = f"{offered.get_fingerprint()} ({offered.get_algorithm()})" if offered else "of an unknown kind"
        if not place.host_key and not place.known_hosts:
            return (
                f"no host key is pinned; that of the server is {key}: ask those who run the server for the right one, "
                "and write it into `host_key`"
            )
        return (
            f"REFUSED, the host key of the server is {key}, which is not the pinned one: somebody may stand between, "
            "or the server has a new key; ask those who run it, and only then change `host_key` or `known_hosts`"
        )


async def _chunk(opened: asyncssh.SFTPClientFile, offset: int, blocks: int) -> tuple[bytes, BaseException | None]:
    """The bytes of the next blocks, as far as they came without a gap, and the error that ended them."""
    reads = [opened.read(BLOCK, offset + number * BLOCK) for number in range(blocks)]
    chunk = bytearray()
    for block in await asyncio.gather(*reads, return_exceptions=True):
        if isinstance(block, BaseException):
            return bytes(chunk), block
        chunk += cast("bytes", block)
        if len(block) < BLOCK:
            break
    return bytes(chunk), None


def _reason(error: Exception) -> str:
    """Why the server refused something."""
    if isinstance(error, GONE):
        return "it does not exist there"
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return "permission denied by the server"
    return f"the server refuses it ({type(error).__name__})"
