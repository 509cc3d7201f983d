"""What several test packages share: one pack, its care database, and the lake made of it by the real command.

`make test` runs several processes, each a file at a time: what is costly and never changed is made by one of them
and used by all.
"""

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.demo.pack import write_pack
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.scheduling import ByFile, order_files
from chu_platform_tests.seeds import VARIABLE, choose_seed
from chu_platform_tests.tiers import forbid_processes, left_out, require_tiers

CARE = "care"
# The key of the pseudonyms of the made lake: pipeline/golden_rows.json was recorded with it.
PSEUDONYMISATION_KEY = "5e" * 32


def pytest_configure() -> None:
    """Choose the seed before the processes of pytest-xdist start."""
    choose_seed()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """With `--dist loadfile`, some folders stay together as well."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_report_header() -> str:
    return f"seed of random draws: {choose_seed()} ({VARIABLE} draws the same again)"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file of which no test is wanted."""
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    return left_out(collection_path.read_text(encoding="utf-8"), config.getoption("markexpr")) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    require_tiers(items)
    order_files(items)


def pytest_collection_finish() -> None:
    """Leave what was imported out of the garbage collection, which would look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def home_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What this process writes to CHU_HOME, such as fingerprints of files, stays out of the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHU_HOME", str(tmp_path_factory.getbasetemp() / "chu-home"))
        yield


@pytest.fixture(autouse=True)
def tier_is_kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that starts a process or opens a connection fails."""
    if request.node.get_closest_marker("unit"):
        forbid_processes(monkeypatch)


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of random draws."""
    return choose_seed()


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills once for all processes of the test run.

    If that fails in one process, the next one begins anew, and fails for the same reason or not at all.
    """
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = root / f"shared-{name}"
    with (root / f"shared-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic pack, written once; its expected indicators lie beside it. Nobody may change it."""
    return once(tmp_path_factory, "delivery", lambda f: write_pack(f / "pack", 0.001, progress=lambda _: None)) / "pack"


@pytest.fixture(scope="session")
def made(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose lake `chu materialize` has made of the pack, on the embedded engine. Nobody may change it."""

    def make(folder: Path) -> None:
        home = Home(folder / "home", pack)
        home.secrets.mkdir(parents=True, mode=0o700)
        key = home.secrets / "pseudonymisation.key"
        key.touch(mode=0o600)
        key.write_text(PSEUDONYMISATION_KEY, encoding="ascii")
        home.materialize()

    folder = once(tmp_path_factory, "embedded", make)
    return Home(folder / "home", pack)


@pytest.fixture(scope="session")
def postgres(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of the tests' own, with the dump of the pack in the database `care`. Nobody may change that one."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        server.restore(pack / "BDD PostgreSQL" / "DATA2023", CARE)
        yield server
