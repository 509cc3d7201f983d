"""Files of an FTP server, with TLS or without, by ftplib of the standard library."""

import ftplib
import hashlib
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from chu_platform.errors import ChuError, TransientError
from chu_platform.landing.network_errors import network_cause
from chu_platform.landing.places import FtpPlace, FtpsPlace
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

CHUNK: Final = 64 * 1024
# The server reads the whole file for a checksum.
CHECKSUM_TIMEOUT_SECONDS: Final = 600.0
# ftplib decodes replies and encodes commands by it, so that every byte of a name stays.
BYTES: Final = "latin-1"
NOT_IMPLEMENTED: Final = ("402", "500", "501", "502", "504")
NO_SUCH_FILE: Final = "550"
UNIX_LINE: Final = re.compile(
    r"(?P<kind>[-dlbcps])\S{9}\S*\s+\d+\s+\S.*?\s(?P<size>\d+)\s+(?P<date>[A-Z][a-z]{2}\s+\d{1,2}\s+[\d:]{4,5})\s"
    r"(?P<name>.+)"
)
DOS_LINE: Final = re.compile(r"(?P<date>\d\d-\d\d-\d{2,4}\s+\d\d:\d\d[AP]M)\s+(?P<size><DIR>|\d+)\s(?P<name>.+)")
# Commands of servers that compute checksums, and the algorithms.
CHECKSUM_COMMANDS: Final = {"XSHA512": "sha512", "XSHA256": "sha256", "XSHA1": "sha1", "XMD5": "md5"}
HASH_NAMES: Final = {"SHA-512": "sha512", "SHA-256": "sha256", "SHA-1": "sha1", "MD5": "md5"}


class _WrongCertificateError(Exception):
    """The certificate of the server is not the pinned one."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__()
        self.fingerprint = fingerprint


class _FtpTls(ftplib.FTP_TLS):
    """FTP with TLS. Data connections resume the session of the control connection, as strict servers require."""

    def __init__(self, context: ssl.SSLContext, pinned: str | None) -> None:
        super().__init__(context=context, timeout=TIMEOUT_SECONDS, encoding=BYTES)
        self._pinned = pinned

    def auth(self) -> str:
        answer = super().auth()
        self._require_pinned(self.sock)
        return answer

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 -- secured below
        assert isinstance(self.sock, ssl.SSLSocket)
        secured = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
        self._require_pinned(secured)
        return secured, size

    def _require_pinned(self, connection: Any) -> None:
        if self._pinned is None:
            return
        fingerprint = f"SHA256:{hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()}"
        if fingerprint != self._pinned:
            raise _WrongCertificateError(fingerprint)


class FtpSession:
    """See `remote.Session`."""

    def __init__(self, place: FtpsPlace | FtpPlace, secrets: Path) -> None:
        self._place = place
        self._secrets = secrets
        self._root = b""
        self._has_mlsd = True
        self._is_binary = False

    def __enter__(self) -> "FtpSession":
        place = self._place
        password = place.secret(self._secrets, "password") if place.password else ""
        with self._errors("connecting"):
            if isinstance(place, FtpsPlace):
                self._ftp: ftplib.FTP = _FtpTls(_context(place), place.certificate)
            else:
                self._ftp = ftplib.FTP(timeout=TIMEOUT_SECONDS, encoding=BYTES)  # noqa: S321 -- declared as unencrypted
        try:
            with self._errors("connecting"):
                self._ftp.connect(place.host, place.port)
                if isinstance(self._ftp, _FtpTls):
                    self._ftp.auth()
            with self._errors("signing in", signing_in=True):
                self._ftp.login(_wire(place.user.encode()), _wire(password.encode()))
            with self._errors("connecting"):
                if isinstance(self._ftp, _FtpTls):
                    self._ftp.prot_p()
                self._root = place.root.encode() or self._ftp.pwd().encode(BYTES)
        except BaseException:
            self._ftp.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ftp.close()

    @property
    def root(self) -> str:
        """See `remote.Session`."""
        return text_of(self._root)

    def list(self, seconds: float | None = None) -> Listing:
        """See `remote.Session`. Links to files are followed, links to folders only if MLSD shows them as folders."""
        deadline = time.monotonic() + seconds if seconds else None
        files: dict[str, RemoteFile] = {}
        unreadable: dict[str, str] = {}
        folders = [b""]
        while folders:
            folder = folders.pop()
            if deadline and time.monotonic() > deadline:
                raise TransientError(f"place {self._place.name}: listing its files took more than {seconds:.0f} s")
            try:
                with self._errors(f"listing {text_of(folder) or 'the files'}"):
                    entries = [*self._entries(folder)]
            except TransientError:
                raise
            except ChuError:
                if not folder:
                    raise
                unreadable[text_of(folder)] = "cannot be searched: the server refuses it"
                continue
            for name, kind, size, modified in entries:
                raw = folder + b"/" + name if folder else name
                if not SAFE_NAME.fullmatch(text_of(name)):
                    unreadable[text_of(folder) or "."] = "has a file whose name is not valid"
                elif kind == "dir" and is_searched(text_of(name)):
                    folders.append(raw)
                elif kind == "file":
                    files[text_of(raw)] = RemoteFile(text_of(raw), raw, size, modified)
                elif kind == "link":
                    self._add_link(RemoteFile(text_of(raw), raw, 0, 0.0), files, unreadable)
        return Listing(files, unreadable)

    def status(self, file: RemoteFile) -> Status:
        """See `remote.Session`."""
        path = _wire(self._full(file.raw))
        with self._errors(file.path):
            self._set_binary()
            return Status(self._ftp.size(path) or 0, self._modified(file.raw))

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """See `remote.Session`."""
        with self._errors(file.path):
            self._set_binary()
            connection = self._ftp.transfercmd(f"RETR {_wire(self._full(file.raw))}", rest=offset or None)
            try:
                while chunk := connection.recv(CHUNK):
                    yield chunk
            finally:
                connection.close()
            self._ftp.voidresp()

    def checksum(self, file: RemoteFile) -> Checksum | None:
        """See `remote.Session`: by the command HASH, or by one like XSHA256, if the server names it."""
        path = _wire(self._full(file.raw))
        with self._errors(file.path):
            features = self._features()
            command = next((c for c in CHECKSUM_COMMANDS if re.search(rf"^ *{c}\b", features, re.MULTILINE)), None)
            if command is None and not re.search(r"^ *HASH\b", features, re.MULTILINE):
                return None
            assert self._ftp.sock
            self._ftp.sock.settimeout(CHECKSUM_TIMEOUT_SECONDS)
            try:
                answer = self._ftp.sendcmd(f"{command or 'HASH'} {path}")
            except ftplib.error_perm:
                return None
            finally:
                self._ftp.sock.settimeout(TIMEOUT_SECONDS)
        named = next((HASH_NAMES[n] for n in HASH_NAMES if n in answer.upper()), None)
        algorithm = CHECKSUM_COMMANDS[command] if command else named
        if algorithm is None:
            return None
        length = 2 * hashlib.new(algorithm).digest_size
        value = re.search(rf"(?<![0-9A-Fa-f])[0-9A-Fa-f]{{{length}}}(?![0-9A-Fa-f])", answer)
        return Checksum(algorithm, value.group().lower()) if value else None

    def _modified(self, raw: bytes) -> float | None:
        try:
            return _moment(self._ftp.voidcmd(f"MDTM {_wire(self._full(raw))}").partition(" ")[2])
        except ftplib.error_perm:
            return None

    def _set_binary(self) -> None:
        if not self._is_binary:
            self._ftp.voidcmd("TYPE I")
            self._is_binary = True

    def _features(self) -> str:
        try:
            return self._ftp.sendcmd("FEAT")
        except ftplib.error_perm:
            return ""

    def _entries(self, folder: bytes) -> Iterator[tuple[bytes, str, int, float]]:
        """Name, kind (`file`, `dir`, `link` or another), size and time of what is in a folder."""
        self._ftp.cwd(_wire(self._full(folder)))
        self._is_binary = False  # ftplib lists in ASCII
        if self._has_mlsd:
            try:
                for name, facts in self._ftp.mlsd():
                    kind = facts.get("type", "").lower()
                    kind = "link" if "link" in kind else kind
                    # IETF RFC 3659 leaves the size to the server.
                    yield name.encode(BYTES), kind, int(facts.get("size", 0)), _moment(facts.get("modify", "")) or 0.0
            except (ftplib.error_perm, ftplib.error_temp) as error:
                if not str(error).startswith(NOT_IMPLEMENTED):
                    raise
                self._has_mlsd = False
            else:
                return
        lines: list[str] = []
        self._ftp.retrlines("LIST", lines.append)
        now = datetime.now(UTC)
        for found, kind, size, modified in (entry for line in lines if (entry := parsed_line(line, now))):
            exact = self._modified(folder + b"/" + found if folder else found) if kind == "file" else None
            yield found, kind, size, modified if exact is None else exact

    def _add_link(self, link: RemoteFile, files: dict[str, RemoteFile], unreadable: dict[str, str]) -> None:
        try:
            status = self.status(link)
        except TransientError:
            raise
        except ChuError:
            unreadable[link.path] = "is a link to a folder or to nothing: declare the folder as a place of its own"
        else:
            files[link.path] = RemoteFile(link.path, link.raw, status.size, status.modified or 0.0)

    def _full(self, raw: bytes) -> bytes:
        return self._root.rstrip(b"/") + b"/" + raw if raw else self._root

    @contextmanager
    def _errors(self, doing: str, signing_in: bool = False) -> Iterator[None]:
        """Raise ChuError or TransientError for an error of ftplib or of the system, without text of the server."""
        where = f"place {self._place.name} ({self._place.server}): {doing}"
        try:
            yield
        except _WrongCertificateError as error:
            raise ChuError(f"{where}: REFUSED, {_refused(error.fingerprint)}") from None
        except ssl.SSLCertVerificationError as error:
            raise ChuError(
                f"{where}: REFUSED, the certificate of the server cannot be verified ({error.verify_message}): write "
                "the file of its authority into `ca`, or its fingerprint into `certificate`"
            ) from None
        except ftplib.error_perm as error:
            reply = str(error)[:3]
            if signing_in:
                problem = "the server refuses the user or the password: check `user` and the file in CHU_SECRETS"
            elif reply == NO_SUCH_FILE:
                problem = "it does not exist there, or the server does not allow to read it"
            else:
                problem = f"the server refuses it (reply {reply})"
            raise ChuError(f"{where}: {problem}") from None
        except (ssl.SSLError, OSError, EOFError, ftplib.Error) as error:
            raise TransientError(f"{where}: {network_cause(error)}") from None


def parsed_line(line: str, now: datetime) -> tuple[bytes, str, int, float] | None:
    """Name, kind, size and time in a line of LIST, as servers for Unix and Windows write them; None for other lines.

    The lines have no time zone, and those of old files no time of day: MDTM is more exact.
    """
    if unix := UNIX_LINE.fullmatch(line):
        kind = {"d": "dir", "-": "file", "l": "link"}.get(unix["kind"], "other")
        name = unix["name"].partition(" -> ")[0] if kind == "link" else unix["name"]
        return name.encode(BYTES), kind, int(unix["size"]), _unix_moment(unix["date"], now)
    if dos := DOS_LINE.fullmatch(line):
        is_folder = dos["size"] == "<DIR>"
        form = "%m-%d-%Y %I:%M%p" if re.match(r"\d\d-\d\d-\d{4}", dos["date"]) else "%m-%d-%y %I:%M%p"
        moment = datetime.strptime(" ".join(dos["date"].split()), form).replace(tzinfo=UTC)
        size = 0 if is_folder else int(dos["size"])
        return dos["name"].lstrip().encode(BYTES), "dir" if is_folder else "file", size, moment.timestamp()
    return None


def _unix_moment(date: str, now: datetime) -> float:
    """Time of a date such as `Nov 29 13:14` of the last months, or `Nov 29 2025`."""
    month, day, last = date.split()
    if ":" not in last:
        return datetime.strptime(f"{last} {month} {day}", "%Y %b %d").replace(tzinfo=UTC).timestamp()
    moment = datetime.strptime(f"{now.year} {month} {day} {last}", "%Y %b %d %H:%M").replace(tzinfo=UTC)
    # A day of tolerance for the time zone.
    if (moment - now).days >= 1:
        moment = moment.replace(year=now.year - 1)
    return moment.timestamp()


def _moment(text: str) -> float | None:
    """Time in a reply, `YYYYMMDDHHMMSS` with or without fractions, in seconds since 1970."""
    found = re.match(r"(\d{14})(\.\d+)?", text.strip())
    if not found:
        return None
    try:
        moment = datetime.strptime(found.group(1), "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return moment + float(found.group(2) or 0)


def _wire(raw: bytes) -> str:
    """Bytes in the form that ftplib sends unchanged."""
    return raw.decode(BYTES)


def _context(place: FtpsPlace) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if place.certificate:
        # The fingerprint is compared instead.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif place.ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The file may also contain the certificate of the server itself.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(place.ca)
        except (OSError, ssl.SSLError):
            raise ChuError(f"place {place.name}: `ca` names no readable file of certificates: {place.ca}") from None
    return context


def _refused(fingerprint: str) -> str:
    """Why a certificate was refused, and what to do."""
    return (
        f"the certificate of the server is {fingerprint}, which is not the pinned one: somebody may stand between, or "
        "the server has a new certificate; ask those who run it, and only then change `certificate`"
    )
