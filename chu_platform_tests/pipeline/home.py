"""A CHU_HOME folder for tests, and the commands that a user can run in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.storage.lake import Lake
from chu_platform_tests.pipeline import forked

# Of a command that is started beside others, on a machine of any speed.
COMMAND_TIMEOUT_SECONDS = 7200


@dataclass(frozen=True)
class Home:
    """A folder for CHU_HOME, its pack, and other settings."""

    folder: Path
    pack: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    @property
    def secrets(self) -> Path:
        return Path(self.settings.get("CHU_SECRETS", self.folder / "secrets"))

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """The Dagster instance of this home."""
        folder = str(self.folder / "dagster")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DAGSTER_HOME", folder)  # the configuration reads its folder from this variable
            with dg.DagsterInstance.from_config(folder) as instance:
                yield instance

    def environment(self) -> dict[str, str]:
        """The environment with the settings of this home, without those of the shell that started the tests."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CHU_", "DAGSTER_"))}
        return {**inherited, "CHU_HOME": str(self.folder), "CHU_SOURCES": str(self.pack), **self.settings}

    def chu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end; any exit status is accepted. One that stalls is ended."""
        return forked.run(arguments, self.environment())

    def materialize(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the main job. Fails when the job fails."""
        done = self.chu("materialize", *arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def start(self, *arguments: str, program: str | None = None) -> "subprocess.Popen[str]":
        """Start a command in a new Python; `program` is Python code to run instead of it."""
        start = ["-c", program] if program else ["-m", "chu_platform.cli"]
        return subprocess.Popen(
            [sys.executable, *start, *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def copy(self, folder: Path, pack: Path | None = None, settings: Mapping[str, str] | None = None) -> "Home":
        """A copy of the lake, keys and Dagster storage in another folder, without the working files."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("work"))
        return Home(folder, pack or self.pack, settings or self.settings)
