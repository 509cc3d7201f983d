"""Real servers on this machine: SFTP (asyncssh), FTP with and without TLS (pyftpdlib), and a proxy that cuts.

The servers listen on 127.0.0.1, the proxy on 127.0.0.2 with the same ports, so that it also carries the data
connections of FTP, whose port the server chooses.
"""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import asyncssh
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from chu_platform_tests.ports import free_port

USER: Final = "chu"
# The tests search all outputs for it.
PASSWORD: Final = "canary-of-a-password"
SERVER, PROXY = "127.0.0.1", "127.0.0.2"

T = TypeVar("T")


class Server(Protocol):
    """A server of a folder, started on any free port or on a given one."""

    folder: Path
    port: int

    @property
    def ports(self) -> Sequence[int]:
        """All ports that a client uses."""
        ...

    def place(self, host: str = SERVER) -> dict[str, str]:
        """The settings of its place."""
        ...

    def stop(self) -> None: ...


class LoopThread:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, action: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await action

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(30)

    def stop(self) -> None:
        async def cancel_all() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class _SshServer(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


class SftpServer:
    """asyncssh's SFTP server. It counts what is written on it."""

    def __init__(self, folder: Path, port: int = 0, key: asyncssh.SSHKey | None = None, clients: str = "") -> None:
        self.folder = folder
        self.key = key or asyncssh.generate_private_key("ssh-ed25519")
        self.writes: list[bytes] = []
        writes = self.writes

        class Sftp(asyncssh.SFTPServer):
            def __init__(self, channel: Any) -> None:
                super().__init__(channel, chroot=str(folder).encode())

            def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
                if pflags & ~asyncssh.FXF_READ:
                    writes.append(path)
                return super().open(path, pflags, attrs)

            def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
                writes.append(path)
                return super().setstat(path, attrs)

        self._thread = LoopThread()
        self._server = self._thread.run(
            asyncssh.listen(
                SERVER,
                port,
                server_factory=_SshServer,
                server_host_keys=[self.key],
                sftp_factory=Sftp,
                authorized_client_keys=asyncssh.import_authorized_keys(clients) if clients else None,
            )
        )
        self.port = self._server.get_port()

    @property
    def ports(self) -> Sequence[int]:
        return [self.port]

    def place(self, host: str = SERVER) -> dict[str, str]:
        return {
            "url": f"sftp://{host}:{self.port}/",
            "user": USER,
            "password": "server_password",
            "host_key": self.key.get_fingerprint(),
        }

    def stop(self) -> None:
        if not self._thread.loop.is_closed():
            self._server.close()
            self._thread.stop()


class FtpServer:
    """pyftpdlib's server, with TLS if there is a certificate. It records the commands."""

    def __init__(
        self,
        folder: Path,
        certificate: "Certificate | None" = None,
        port: int = 0,
        attributes: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.commands: list[str] = []
        self._certificate = certificate
        commands = self.commands
        base = TLS_FTPHandler if certificate else FTPHandler

        class Handler(base):  # type: ignore[misc, valid-type]
            def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
                commands.append(cmd)
                super().pre_process_command(line, cmd, arg)

        authorizer = DummyAuthorizer()
        authorizer.add_user(USER, PASSWORD, str(folder), perm="elradfmwMT")
        self._passive = [free_port() for _ in range(8)]
        given = {"authorizer": authorizer, "passive_ports": self._passive, "auth_failed_timeout": 0.1}
        if certificate:
            given |= {"certfile": str(certificate.file), "tls_control_required": True, "tls_data_required": True}
        for name, value in {**given, **(attributes or {})}.items():
            setattr(Handler, name, value)
        self._loop = IOLoop()
        self._server = FTPServer((SERVER, port), Handler, ioloop=self._loop)
        self.port = self._server.address[1]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            self._loop.loop(timeout=0.01, blocking=False)
        self._server.close_all()
        self._loop.close()

    @property
    def ports(self) -> Sequence[int]:
        return [self.port, *self._passive]

    def place(self, host: str = SERVER) -> dict[str, str]:
        if self._certificate is None:
            return {"url": f"ftp://{host}:{self.port}/", "user": USER, "password": "server_password"}
        return {
            "url": f"ftps://{host}:{self.port}/",
            "user": USER,
            "password": "server_password",
            "ca": str(self._certificate.file),
        }

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


@dataclass(frozen=True)
class Certificate:
    """A certificate for both addresses, that it signs itself; its file also holds the key."""

    file: Path
    fingerprint: str

    @staticmethod
    def make(file: Path) -> "Certificate":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "depot")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(a)) for a in (SERVER, PROXY)]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
        return Certificate(file, f"SHA256:{digest}")


@dataclass
class CuttingProxy:
    """Carries all connections to a server, and cuts all of them each time when so many bytes came from it.

    `cuts` are the numbers of bytes, one after the other; `done` counts those that were made.
    """

    ports: Sequence[int]
    cuts: list[int]
    done: int = 0
    carried: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def start(self) -> None:
        for port in self.ports:
            self._servers.append(await asyncio.start_server(self._connected, PROXY, port))

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        try:
            from_server, to_server = await asyncio.open_connection(SERVER, port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_server}
        with suppress(OSError):
            await asyncio.gather(self._carry(reader, to_server, False), self._carry(from_server, writer, True))
        self._writers -= {writer, to_server}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: bool) -> None:
        while (data := await reader.read(16 * 1024)) and not writer.is_closing():
            if counted and self.cuts and self.carried + len(data) >= self.cuts[0]:
                # The client gets what came before the cut.
                writer.write(data[: self.cuts.pop(0) - self.carried])
                self.done += 1
                self.carried = 0
                for other in [*self._writers]:
                    other.close()
                return
            if counted:
                self.carried += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


@contextmanager
def cutting(server: Server, cuts: Sequence[int]) -> Iterator[CuttingProxy]:
    """A proxy in front of a server."""
    thread = LoopThread()
    proxy = CuttingProxy(server.ports, [*cuts])
    try:
        thread.run(proxy.start())
        yield proxy
    finally:
        thread.run(proxy.stop())
        thread.stop()
