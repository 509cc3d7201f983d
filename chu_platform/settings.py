"""The settings of the platform, from environment variables or a `.env` file.

In a checkout, the file `.env` and the default of CHU_HOME are in the folder of the checkout. For an installed package,
they are in the current working directory.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chu_platform.errors import ChuError

Access = Literal["open", "accounts", "oidc"]


def _project() -> Path:
    """The folder of the checkout; for an installed package, the current working directory."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "setup.py").is_file() else Path.cwd()


PROJECT = _project()
# In a container, secrets are files in this folder, named like the variable in lower case (`chu_postgres_url`).
SECRET_FILES = Path("/run/secrets")


# A character in hexadecimal, as in URLs; characters of patterns of file names, and control characters.
ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
PATTERNS = re.compile(r"[*?\[\x00-\x1f]")


def is_utf_8(name: str | Path) -> bool:
    """Whether the name of a file or folder is valid UTF-8."""
    return os.fsencode(name) == str(name).encode(errors="replace")


class Settings(BaseSettings):
    """The settings. The environment variable of a setting is `CHU_` and its name in upper case."""

    model_config = SettingsConfigDict(env_prefix="CHU_", env_file=PROJECT / ".env", extra="ignore", frozen=True)

    home: Path = Field(PROJECT / ".chu", description="root of the defaults below")
    sources: Path | None = Field(
        None, description="folder of the delivered pack, read only; or a file .toml that lists several places"
    )
    postgres_url: SecretStr | None = Field(None, description="the care database; unset: embedded, from the dump")
    lake: str | Path | None = Field(None, description="root of the three zones: a folder, or s3://bucket/prefix")
    lake_options_restricted: Path | None = Field(None, description="file of store options of the restricted zone")
    lake_options_pseudonymised: Path | None = Field(None, description="file of store options of the pseudonymised zone")
    lake_options_published: Path | None = Field(None, description="file of store options of the published zone")
    secrets: Path | None = Field(None, description="folder (0700) of the keys, the accounts and the opposition list")
    access: Access = Field(
        "open", description="who signs in: open (this machine only, Dagster without sign-in), accounts, or oidc"
    )
    oidc_issuer: str | None = Field(None, description="URL of the identity provider (OpenID Connect)")
    oidc_client: str | None = Field(None, description="what the identity provider calls this platform (client id)")
    oidc_secret_file: Path | None = Field(
        None, description="file of the client secret; unset: CHU_SECRETS/accounts/oidc.secret"
    )
    oidc_acr: str | None = Field(
        None, description="values of `acr`, separated by spaces, that stand for two factors; `mfa` in `amr` always does"
    )
    oidc_groups: str = Field("groups", description="claim of the identity provider with the groups of a person")
    listen: str = Field("127.0.0.1", description="address that `chu serve` listens on")
    portal_url: str | None = Field(
        None, description="address of the portal for its readers, in links; unset: http://127.0.0.1:3001"
    )
    tls_certificate: Path | None = Field(None, description="certificate (PEM) of portal and Dagster UI")
    tls_key: Path | None = Field(None, description="private key (PEM) of the certificate")
    tls_proxy: str | None = Field(
        None,
        description="addresses or networks of the proxy that provides TLS, separated by commas; * for any. It must set "
        "X-Forwarded-For, X-Forwarded-Proto and Host",
    )
    local_hosts: str = Field(
        "",
        description="names of servers, separated by commas, that are reached without TLS, by a network of their own",
    )
    spark_token: SecretStr | None = Field(None, description="token of the Spark Connect server of CHU_SPARK_REMOTE")
    engine: Literal["embedded", "spark"] = Field("embedded", description="the SQL engine")
    spark_remote: str | None = Field(None, description="sc://host:port of a running Spark Connect server with Delta")
    engine_patience: float = Field(
        120,
        gt=0,
        description="seconds without an answer until engine, care database or PostgreSQL of Dagster are given up",
    )
    notice_webhook: SecretStr | None = Field(None, description="URL that receives notices of failures, by POST of JSON")
    notice_email: str | None = Field(None, description="e-mail address that receives notices of failures")
    marts: bool = Field(False, description="1: the PostgreSQL serving schema for BI tools is filled and served")
    marts_url: SecretStr | None = Field(
        None, description="PostgreSQL server of the marts, with its superuser; unset: embedded, for this machine only"
    )
    marts_port: int = Field(5433, ge=1, le=65535, description="port of the embedded server of the marts")
    openlineage: SecretStr | None = Field(
        None,
        description="where OpenLineage events of runs go: http(s)://..., a file, or a file .yml of its client; unset: "
        "nowhere",
    )
    run_retention_days: int = Field(
        30, ge=0, description="days that Dagster's storage keeps ended runs with their events; 0 keeps all"
    )
    rolling_months: int = Field(
        3, ge=1, le=120, description="months that `rolling_backfill` makes again, the current one included"
    )
    smtp_url: SecretStr = Field(SecretStr("smtp://localhost"), description="smtp(s)://user:password@host:port")

    @field_validator("*")
    @classmethod
    def _is_utf_8(cls, value: object) -> object:
        if isinstance(value, str | Path) and not is_utf_8(value):
            raise ValueError("the name of the folder is not valid UTF-8, and no engine can read it: rename the folder")
        return value

    @field_validator("home", "lake", "sources")
    @classmethod
    def _is_no_pattern(cls, value: str | Path | None) -> str | Path | None:
        if value is not None and (
            found := PATTERNS.search(str(value if "//" in str(value) else Path(value).absolute()))
        ):
            raise ValueError(
                f"the path has {found[0]!r}, which Dagster and DuckDB read as a pattern: rename the folder"
            )
        return value

    @property
    def sources_folder(self) -> Path:
        """Folder of the delivered pack. If CHU_SOURCES lists several places, they are below this folder."""
        if self.sources_list:
            return self.landing_folder / "pack"
        return (self.sources or self.home / "sources").resolve()

    @property
    def sources_list(self) -> Path | None:
        """The file that lists several places; None if CHU_SOURCES is a folder."""
        named = self.sources
        return named.resolve() if named and named.suffix.lower() == ".toml" and not named.is_dir() else None

    @property
    def landing_folder(self) -> Path:
        """Folder of the copies of remote files, and of what is known about these files."""
        return self.home.resolve() / "landing"

    @property
    def lake_folder(self) -> Path:
        """Root of the three zones in a folder. A lake in a store has none, and this one does not exist."""
        return Path(self.lake if self.lake and self.lake_url is None else self.home / "lake").resolve()

    @property
    def lake_url(self) -> str | None:
        """URL of a lake in an object store; None for a folder."""
        return self.lake if isinstance(self.lake, str) and self.lake.startswith("s3://") else None

    @property
    def lake_place(self) -> str:
        """Root of the three zones, for messages."""
        return self.lake_url or str(self.lake_folder)

    @property
    def copies_folder(self) -> Path:
        """Folder of the local copies of files of a lake in an object store."""
        return self.work_folder / "lake"

    @property
    def store_options(self) -> Mapping[str, Mapping[str, str]]:
        """Options of the object store, by zone. Raises ChuError if a file cannot be read."""
        files = {
            "restricted": self.lake_options_restricted,
            "pseudonymised": self.lake_options_pseudonymised,
            "published": self.lake_options_published,
        }
        return {zone: _options(file) for zone, file in files.items() if file is not None}

    @property
    def needs_file(self) -> Path:
        """File of the needs that readers have added with `chu need add`."""
        return self.home.resolve() / "needs.csv"

    @property
    def prices_file(self) -> Path:
        """File of prices that replace the packaged ones in the cost model of the reports."""
        return self.home.resolve() / "prices.csv"

    @property
    def reports_folder(self) -> Path:
        """Folder of the reports of the committee that the Dagster UI makes; `chu report` writes them anywhere."""
        return self.home.resolve() / "reports"

    @property
    def secrets_folder(self) -> Path:
        """Folder of the keys, below `keys`, and of the opposition list."""
        return (self.secrets or self.home / "secrets").resolve()

    @property
    def accounts_folder(self) -> Path:
        """Folder of the accounts and sessions; it can be mounted apart."""
        return self.secrets_folder / "accounts"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's own storage."""
        return self.home.resolve() / "dagster"

    @property
    def logs_folder(self) -> Path:
        """Folder of the logs of servers and errors."""
        return self.work_folder / "logs"

    @property
    def work_folder(self) -> Path:
        """Folder of files that can be deleted at any time: the restored database, server logs, temporary files."""
        return self.home.resolve() / "work"


def _options(file: Path) -> Mapping[str, str]:
    """The options in a file, with one `NAME=value` a line."""
    if not file.is_file():
        raise ChuError(f"the file of store options {file} does not exist or cannot be read")
    return {name: value for name, value in dotenv_values(file, interpolate=False).items() if value is not None}


def load_settings() -> Settings:
    """The settings of the environment. Raises ChuError with the names, not the values, of invalid settings."""
    try:
        # A missing folder would give a warning. It only exists in a container.
        settings = Settings(_secrets_dir=SECRET_FILES if SECRET_FILES.is_dir() else None)
    except ValidationError as error:
        wrong = "; ".join(
            f"CHU_{'_'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise ChuError(f"settings: {wrong}") from None
    if settings.lake_url is None and (found := ESCAPE.search(str(settings.lake_folder))):
        raise ChuError(
            f"settings: the path of the lake {settings.lake_folder} has {found[0]!r}, which Delta readers decode: set "
            "CHU_LAKE or CHU_HOME to another folder"
        )
    return settings
