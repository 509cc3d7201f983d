"""Places on real servers, and the landing folder that is filled from them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chu_platform.landing.landing import Landed, Pace, land
from chu_platform.settings import Settings
from chu_platform_tests.landing.servers import PASSWORD, Certificate, FtpServer, Server, SftpServer

MOMENT = 1_600_000_000
# No waiting in tests.
PACE = Pace(waits=(0.0,) * 3, quiet_seconds=-1.0)


def write(folder: Path, name: str, content: bytes, modified: float = MOMENT) -> Path:
    """A file with a given time."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (modified, modified))
    return file


def toml(places: dict[str, dict[str, str]]) -> str:
    """The text of a file `sources.toml`."""
    return "\n".join(
        f"[places.{name}]\n"
        + "".join(f"{key} = {value if value == 'true' else repr(value)}\n" for key, value in p.items())
        for name, p in places.items()
    )


@dataclass
class Platform:
    """A CHU_HOME whose CHU_SOURCES is a list of places."""

    home: Path
    places: dict[str, dict[str, str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        file = self.home / "sources.toml"
        file.write_text(toml(self.places), encoding="utf-8")
        return Settings(_env_file=None, home=self.home, sources=file)

    def land(self, pace: Pace = PACE) -> dict[str, Landed]:
        return {result.place: result for result in land(self.settings, self.lines.append, pace)}

    def copies(self, place: str) -> dict[str, bytes]:
        """What the readers see of a place."""
        folder = self.settings.sources_folder / place
        return {f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}

    @property
    def partial(self) -> list[Path]:
        return [f for f in (self.settings.landing_folder / "partial").rglob("*") if f.is_file()]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    secrets = tmp_path / "home" / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    (secrets / "server_password").write_text(PASSWORD + "\n", encoding="utf-8")
    return Platform(tmp_path / "home")


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder that the servers serve."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("tls") / "server.pem")


Start = Callable[[str], Server]


@pytest.fixture
def start(served: Path, certificate: Certificate) -> Iterator[Start]:
    """Starts a server of the folder: `sftp`, `ftps`, `ftp`, or `ftps without mlsd`."""
    started: list[Server] = []

    def begin(kind: str) -> Server:
        server: Server
        if kind == "sftp":
            server = SftpServer(served)
        elif kind == "ftps without mlsd":
            server = FtpServer(served, certificate, attributes={"proto_cmds": _without("MLSD")})
        else:
            server = FtpServer(served, certificate if kind == "ftps" else None)
        started.append(server)
        return server

    yield begin
    for server in started:
        server.stop()


def _without(command: str) -> dict[str, object]:
    from pyftpdlib.handlers import TLS_FTPHandler

    return {name: of for name, of in TLS_FTPHandler.proto_cmds.items() if name != command}
