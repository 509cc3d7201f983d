"""A CHU_HOME of a test, and the commands that are run in it as a user runs them."""

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

PATIENCE = 1200


@dataclass(frozen=True)
class Home:
    """A folder for CHU_HOME, the pack it reads, the settings beyond these, and the seconds that a command may take."""

    folder: Path
    pack: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    patience: float = PATIENCE

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    @property
    def secrets(self) -> Path:
        return Path(self.settings.get("CHU_SECRETS", self.folder / "secrets"))

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's own records of this home."""
        folder = str(self.folder / "dagster")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DAGSTER_HOME", folder)  # the configuration takes its folder from there
            with dg.DagsterInstance.from_config(folder) as instance:
                yield instance

    def environment(self) -> dict[str, str]:
        """The settings of this home alone: none of the shell that started the tests."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHU_", "DAGSTER_"))}
        return {**kept, "CHU_HOME": str(self.folder), "CHU_SOURCES": str(self.pack), **self.settings}

    def chu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever its status."""
        return subprocess.run(
            [sys.executable, "-m", "chu_platform.cli", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=self.patience,
            check=False,
        )

    def materialize(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the main job, which must succeed."""
        done = self.chu("materialize", *arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def start(self, *arguments: str, program: str | None = None) -> "subprocess.Popen[str]":
        """Start a command; `program` is Python code to run in its place."""
        what = ["-c", program] if program else ["-m", "chu_platform.cli"]
        return subprocess.Popen(
            [sys.executable, *what, *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def copy(self, folder: Path, pack: Path | None = None, settings: Mapping[str, str] | None = None) -> "Home":
        """The same lake, keys and Dagster storage elsewhere; what can be made again is left out."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("work"))
        return Home(folder, pack or self.pack, settings or self.settings)
