"""Fingerprints of files: known ones are used only while the state of a file is the same."""

import hashlib
import io
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest import fingerprints
from chu_platform.ingest.fingerprints import checksum, fingerprint, forget_missing_files, known_checksums

pytestmark = pytest.mark.unit

HOUR_NS = 3_600 * 10**9


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the known fingerprints, in a work folder that does not exist yet."""
    file = tmp_path / "work" / "checksums.db"
    monkeypatch.setattr(fingerprints, "_store_file", lambda: file)
    return file


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an hour later: files that were written just now are quiet."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + HOUR_NS)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were hashed."""
    names: list[str] = []
    digest = hashlib.file_digest

    def noted(stream: io.BufferedReader, name: str) -> object:
        names.append(Path(stream.name).name)
        return digest(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    return names


def put(folder: Path, content: bytes, name: str = "things.csv") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.usefixtures("later")
def test_an_unchanged_file_is_hashed_once(tmp_path: Path, store: Path, hashed: list[str]) -> None:
    one, two = put(tmp_path, b"one", "one.csv"), put(tmp_path, b"two", "two.csv")
    for _ in range(3):
        assert (fingerprint(one), fingerprint(two)) == (sha256(b"one"), sha256(b"two"))
    assert hashed == ["one.csv", "two.csv"]
    assert [f.name for f in store.parent.iterdir()] == [store.name]


def in_place(file: Path) -> None:
    file.write_bytes(b"two")


def replaced(file: Path) -> None:
    put(file.parent, b"two", "other").replace(file)


@pytest.mark.usefixtures("later", "store")
@pytest.mark.parametrize("change", [in_place, replaced])
def test_a_changed_file_of_the_same_size_and_time(tmp_path: Path, change: Callable[[Path], None]) -> None:
    file = put(tmp_path, b"one")
    before = file.stat()
    assert fingerprint(file) == sha256(b"one")
    # The clock of a file system advances in steps of some milliseconds.
    while file.stat().st_ctime_ns == before.st_ctime_ns:
        change(file)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert fingerprint(file) == sha256(b"two")


@pytest.mark.usefixtures("store")
def test_a_file_that_changed_just_now_is_hashed_again(tmp_path: Path, hashed: list[str]) -> None:
    """Also when its modification time is long ago: it may have been set."""
    file = put(tmp_path, b"one")
    os.utime(file, ns=(0, 0))
    assert [fingerprint(file), fingerprint(file)] == [sha256(b"one")] * 2
    assert hashed == ["things.csv"] * 2
    assert known_checksums() == {}


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("length", [0, 1000, 5000])
def test_a_damaged_store_is_replaced(tmp_path: Path, store: Path, hashed: list[str], length: int) -> None:
    file = put(tmp_path, b"one")
    fingerprint(file)
    store.write_bytes(store.read_bytes()[:length] + b"\xff" * (8192 - length))
    for _ in range(3):
        assert fingerprint(file) == sha256(b"one")
    assert hashed == ["things.csv"] * 2


@pytest.mark.usefixtures("later", "store")
def test_a_store_with_other_columns_is_ignored(tmp_path: Path, store: Path) -> None:
    store.parent.mkdir()
    with closing(sqlite3.connect(store)) as other:
        other.execute("CREATE TABLE checksums (name TEXT)")
    assert fingerprint(put(tmp_path, b"one")) == sha256(b"one")


@pytest.mark.usefixtures("later", "store")
def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    one, two = put(tmp_path, b"one", "one.csv"), put(tmp_path, b"two", "two.csv")
    fingerprint(one)
    fingerprint(two)
    one.unlink()
    forget_missing_files()
    assert list(known_checksums()) == [(str(two), "sha256")]


@pytest.mark.usefixtures("later", "store")
def test_a_file_with_a_modification_time_in_the_future_is_hashed_once(tmp_path: Path, hashed: list[str]) -> None:
    file = put(tmp_path, b"one")
    os.utime(file, ns=(2**62, 2**62))
    assert [fingerprint(file), fingerprint(file)] == [sha256(b"one")] * 2
    assert hashed == ["things.csv"]


@pytest.mark.usefixtures("store")
def test_a_file_server_with_a_clock_that_is_ahead(
    tmp_path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are hashed once, after it was seen that they stay the same."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() - HOUR_NS)
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    file = put(tmp_path, b"one")
    assert [fingerprint(file), fingerprint(file)] == [sha256(b"one")] * 2
    assert (hashed, waited) == (["things.csv"], [2])


@pytest.mark.usefixtures("later", "store")
def test_each_checksum_is_computed_once(tmp_path: Path, hashed: list[str]) -> None:
    file = put(tmp_path, b"one")
    for _ in range(2):
        assert checksum(file, "md5") == hashlib.md5(b"one").hexdigest()
        assert fingerprint(file) == sha256(b"one")
    assert hashed == ["things.csv"] * 2


@pytest.mark.usefixtures("later")
def test_where_nothing_can_be_written_files_are_hashed(tmp_path: Path, store: Path) -> None:
    store.parent.write_text("a file in the place of the folder")
    assert fingerprint(put(tmp_path, b"one")) == sha256(b"one")


@pytest.mark.usefixtures("store")
def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ChuError, match=r"things\.csv cannot be read: No such file or directory"):
        fingerprint(tmp_path / "things.csv")
