"""Every setting of the platform, from the environment or a `.env` file.

The file and the default of CHU_HOME lie in the folder of the checkout; of an installed package, in the folder where
the command is started.

Here: names, defaults, meaning. Not here: what is done with them.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chu_platform.errors import ChuError


def _project() -> Path:
    """The folder of the checkout, or, of an installed package, the current working directory."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "setup.py").is_file() else Path.cwd()


PROJECT = _project()
# Where containers find secrets as files: one named like the variable, in small letters (`chu_postgres_url`).
SECRET_FILES = Path("/run/secrets")


class Settings(BaseSettings):
    """The settings; each is read from the environment variable `CHU_` + its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="CHU_", env_file=PROJECT / ".env", extra="ignore", frozen=True)

    home: Path = Field(PROJECT / ".chu", description="root of the defaults below")
    sources: Path | None = Field(None, description="folder of the delivered pack, read only")
    postgres_url: SecretStr | None = Field(None, description="the care database; unset: embedded, from the dump")
    lake: Path | None = Field(None, description="root of the three zones")
    secrets: Path | None = Field(None, description="folder (0700) of the pseudonymisation keys")
    engine: Literal["embedded", "spark"] = Field("embedded", description="the SQL engine")
    spark_remote: str | None = Field(None, description="sc://host:port of a running Spark Connect server with Delta")
    engine_patience: float = Field(120, gt=0, description="seconds without an answer until the engine is restarted")
    notice_webhook: SecretStr | None = Field(None, description="address that is told of failures, by POST of JSON")
    notice_email: str | None = Field(None, description="e-mail address that is told of failures")
    smtp_url: SecretStr = Field(SecretStr("smtp://localhost"), description="smtp(s)://user:password@host:port")

    @property
    def sources_folder(self) -> Path:
        """Folder of the delivered pack."""
        return (self.sources or self.home / "sources").resolve()

    @property
    def lake_folder(self) -> Path:
        """Root of the three zones."""
        return (self.lake or self.home / "lake").resolve()

    @property
    def secrets_folder(self) -> Path:
        """Folder of the pseudonymisation keys."""
        return (self.secrets or self.home / "secrets").resolve()

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
        """Folder of what can be deleted at any time: the restored database, server logs, temporary files."""
        return self.home.resolve() / "work"


def load_settings() -> Settings:
    """The settings of the environment. Raises ChuError naming each wrong one (never its value)."""
    try:
        # Without a container the folder is not there, of which a warning would be printed.
        return Settings(_secrets_dir=SECRET_FILES if SECRET_FILES.is_dir() else None)
    except ValidationError as error:
        wrong = "; ".join(f"CHU_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise ChuError(f"settings: {wrong}") from None
