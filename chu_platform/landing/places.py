"""The places of deliveries, as the file that CHU_SOURCES names declares them.

Errors name the file, the line and what to do. They repeat no value, because a value may be a password.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chu_platform.errors import ChuError

TABLE: Final = "places"
PLACE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
# `ssh-keygen -l` prints a fingerprint of this form.
SSH_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
CERTIFICATE_FINGERPRINT: Final = re.compile(r"SHA256:([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")
CREDENTIALS_ELSEWHERE: Final = (
    "the address contains an @: write the user into `user`, and the password into a file in CHU_SECRETS that "
    "`password` names (an @ in a path is %40)"
)
SCHEMES: Final = ("sftp", "ftps", "ftp")


class Address(NamedTuple):
    """The parts of the address of a server. Without a path, the root is the folder after the login."""

    scheme: str
    host: str
    port: int | None
    path: str


def _address(url: str) -> Address:
    """The parts of an address. The errors do not repeat it."""
    if "@" in url:
        raise ValueError(CREDENTIALS_ELSEWHERE)
    if any(ord(character) < ord(" ") for character in unquote(url)):
        raise ValueError("the address contains control characters: remove them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the address is not valid: write sftp://host:port/folder") from None
    if parts.scheme not in SCHEMES or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("the address is not valid: write sftp://host/folder, ftps://host/folder or ftp://host/folder")
    return Address(parts.scheme, parts.hostname, port, unquote(parts.path))


def _secret_name(name: str) -> str:
    """A name of a file below CHU_SECRETS. The error does not repeat it, because it may be the secret itself."""
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", name):
        raise ValueError("write the name of a file in CHU_SECRETS that contains the secret, not the secret itself")
    return name


SecretName = Annotated[str, AfterValidator(_secret_name)]


class Place(BaseModel):
    """A place of deliveries. `name` is its folder in the pack."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str


class FolderPlace(Place):
    """A folder of this machine, which is read where it is."""

    folder: Path


class ServerPlace(Place):
    """A folder of a server; `password` is the name of a file in CHU_SECRETS."""

    default_port: ClassVar[int]

    url: str = Field(repr=False)
    user: str
    password: SecretName | None = Field(None, repr=False)

    @field_validator("url")
    @classmethod
    def _has_address(cls, url: str) -> str:
        _address(url)
        return url

    @property
    def scheme(self) -> str:
        """Scheme of the address."""
        return _address(self.url).scheme

    @property
    def host(self) -> str:
        """Name of the server."""
        return _address(self.url).host

    @property
    def port(self) -> int:
        """Port of the server."""
        return _address(self.url).port or self.default_port

    @property
    def root(self) -> str:
        """The folder of the deliveries on the server; empty for the folder after the login."""
        return _address(self.url).path

    @property
    def server(self) -> str:
        """The address without the folder."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def secret(self, secrets: Path, field: str) -> str:
        """The text of the secret file that the field names. Raises ChuError if it cannot be read."""
        return self.secret_file(secrets, field).read_text(encoding="utf-8").rstrip("\r\n")

    def secret_file(self, secrets: Path, field: str) -> Path:
        """The secret file that the field names. Raises ChuError if it is not there."""
        file = secrets / str(getattr(self, field))
        try:
            with file.open("rb"):
                return file
        except OSError as error:
            raise ChuError(
                f"place {self.name}: the file in CHU_SECRETS ({secrets}) that `{field}` names cannot be read: "
                f"{error.strerror}; write the secret into a file there, and the name of the file into `{field}`"
            ) from None


class SftpPlace(ServerPlace):
    """A folder of an SFTP server, whose host key is pinned: by `host_key`, or in a file `known_hosts`.

    `key` is the name of a file in CHU_SECRETS with a private key. A host key is a fingerprint or a public key.
    """

    default_port: ClassVar[int] = 22

    key: SecretName | None = Field(None, repr=False)
    host_key: tuple[str, ...] = ()
    known_hosts: Path | None = None

    @field_validator("host_key", mode="before")
    @classmethod
    def _several_host_keys(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("host_key")
    @classmethod
    def _valid_host_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not all(SSH_FINGERPRINT.fullmatch(k) or re.fullmatch(r"[\w@.-]+ [A-Za-z0-9+/]+=*( .*)?", k) for k in keys):
            raise ValueError('write a fingerprint, "SHA256:...", or a public key, "ssh-ed25519 AAAA..."')
        return keys

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        if not self.key and not self.password:
            raise ValueError("a `key` or a `password` is missing: write the name of a file in CHU_SECRETS")
        return self


class FtpsPlace(ServerPlace):
    """A folder of an FTP server with TLS, started by AUTH TLS.

    The certificate is verified with the authorities of the system, with those in the file `ca`, or by its fingerprint.
    """

    default_port: ClassVar[int] = 21

    password: SecretName = Field(repr=False)
    ca: Path | None = None
    certificate: str | None = None

    @field_validator("certificate")
    @classmethod
    def _valid_fingerprint(cls, fingerprint: str) -> str:
        if not CERTIFICATE_FINGERPRINT.fullmatch(fingerprint):
            raise ValueError('write the SHA-256 fingerprint of the certificate, "SHA256:" and 64 hexadecimal digits')
        return "SHA256:" + fingerprint.removeprefix("SHA256:").replace(":", "").lower()

    @model_validator(mode="after")
    def _one_way_to_verify(self) -> Self:
        if self.ca and self.certificate:
            raise ValueError("`ca` and `certificate` exclude each other: remove one of them")
        return self


class FtpPlace(ServerPlace):
    """A folder of an FTP server without encryption, which must be declared as `unencrypted`."""

    default_port: ClassVar[int] = 21

    user: str = "anonymous"
    unencrypted: bool = False

    @model_validator(mode="after")
    def _is_declared(self) -> Self:
        if not self.unencrypted:
            raise ValueError(
                "ftp:// sends the password and the files unencrypted: use sftp:// or ftps://, or declare it with "
                "`unencrypted = true`"
            )
        return self


_MODELS: Final[Mapping[str, type[ServerPlace]]] = {"sftp": SftpPlace, "ftps": FtpsPlace, "ftp": FtpPlace}


def load_places(file: Path) -> Sequence[Place]:
    """The places of a file, in its order. Relative paths in it begin at its folder. Raises ChuError for any mistake."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ChuError(f"the list of places {file} cannot be read: {error.strerror}; check CHU_SOURCES") from None
    except UnicodeDecodeError:
        raise ChuError(f"the list of places {file} is not a text in UTF-8: save it as UTF-8") from None
    try:
        declared = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = re.search(r"at line \d+, column \d+|at end of document", str(error))
        raise ChuError(f"{file}: no valid TOML {position.group() if position else ''}: correct it") from None
    tables = declared.pop(TABLE, None)
    if declared:
        name = next(iter(declared))
        raise ChuError(f"{file}, line {_first_line(text, name)}: {name!r} is unknown: write [{TABLE}.NAME]")
    if not isinstance(tables, dict) or not tables or not all(isinstance(t, dict) for t in tables.values()):
        raise ChuError(f"{file} lists no place: write [{TABLE}.NAME] for each, with `folder` or `url` below it")
    return [_place(file, text, name, table) for name, table in tables.items()]


def server_places(places: Sequence[Place]) -> Sequence[ServerPlace]:
    """The places that are on servers."""
    return [place for place in places if isinstance(place, ServerPlace)]


def _place(file: Path, text: str, name: str, table: Mapping[str, Any]) -> Place:
    if not PLACE_NAME.fullmatch(name):
        raise ChuError(
            f"{file}, line {_line(text, name, None)}: the name of a place has small letters, digits, - and _ only"
        )
    model = _model_of(table)
    try:
        place = model.model_validate({**table, "name": name})
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        # A field that is written wrongly is unknown and missing.
        wrong = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        field = str(wrong["loc"][0]) if wrong["loc"] else None
        problem = _problem(wrong["type"], wrong["msg"], field, model)
        raise ChuError(f"{file}, line {_line(text, name, field)}: place {name}: {problem}") from None
    paths = {n: file.parent / p for n in ("folder", "ca", "known_hosts") if (p := getattr(place, n, None))}
    return place.model_copy(update=paths)


def _model_of(table: Mapping[str, Any]) -> type[Place]:
    """The kind of a place. For an address that is not valid, any kind that has one."""
    if "url" not in table:
        return FolderPlace
    return _MODELS.get(str(table["url"]).partition("://")[0], SftpPlace)


def _problem(kind: str, message: str, field: str | None, model: type[Place]) -> str:
    """The error of a field, and what to do."""
    if kind == "missing":
        return "`folder` or `url` is missing" if model is FolderPlace else f"`{field}` is missing"
    if kind == "extra_forbidden":
        known = ", ".join(name for name in model.model_fields if name != "name")
        return f"`{field}` is unknown here; there are {known}"
    problem = message.removeprefix("Value error, ")
    return f"`{field}`: {problem}" if field else problem


def _line(text: str, place: str, field: str | None) -> int:
    """Number of the line of a field, or else of the header of the place."""
    found, inside = 1, False
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]*?)\s*\]", line):
            inside = re.sub(r"[\s\"']", "", header.group(1)) == f"{TABLE}.{place}"
            found = number if inside else found
        elif inside and field and re.match(rf"\s*[\"']?{re.escape(field)}[\"']?\s*=", line):
            return number
    return found


def _first_line(text: str, name: str) -> int:
    """Number of the first line that begins with a name, or with a header that does."""
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if re.match(rf"\s*\[*\s*[\"']?{re.escape(name)}\b", line)), 1)
