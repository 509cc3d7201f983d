"""The cache of the system and what the kernel counts, on real files."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from chu_platform.layouts.machine import Activity, activity, drop_from_cache, files_below, machine_text, make_durable

pytestmark = pytest.mark.integration

SIZE = 300_000
IN_MEMORY = Path("/dev/shm")


def test_dropped_files_are_read_from_the_disk_again(tmp_path: Path) -> None:
    sizes = [SIZE, 5_000, 1, 0]
    for n, size in enumerate(sizes):
        (tmp_path / f"{n}.bin").write_bytes(b"x" * size)
    files = files_below([tmp_path])
    make_durable(files)
    if not drop_from_cache(files):
        pytest.skip("the folder of the tests is in memory")
    before = activity()
    assert sum(len(file.read_bytes()) for file in files) == sum(sizes)
    after = activity()
    assert before and after
    # To the page: the smallest files, too. The check whether they have left the cache does not read them.
    assert sum(sizes) <= after.disk_bytes - before.disk_bytes
    for file in files:
        file.read_bytes()
    again = activity()
    assert again and again.disk_bytes == after.disk_bytes


@pytest.mark.skipif(not IN_MEMORY.is_dir(), reason="no file system in memory")
def test_files_in_memory_never_leave_it() -> None:
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        (Path(folder) / "file").write_bytes(b"x" * SIZE)
        assert not drop_from_cache(files_below([Path(folder)]))


def test_the_share_of_others_is_what_is_neither_idle_nor_own() -> None:
    # Two cores for ten seconds: 12 of 20 CPU seconds were busy, 4 of them with this process.
    before, after = Activity(0, 1.0, 100.0, 1000.0), Activity(0, 5.0, 112.0, 1020.0)
    assert after.others_since(before) == pytest.approx(0.4)
    assert before.others_since(before) == 0


def test_the_machine_is_named() -> None:
    assert "cœurs" in machine_text() and "Go" in machine_text()
