"""The landing step with real servers."""

import random
from pathlib import Path

import pytest

from chu_platform_tests.landing.conftest import MOMENT, Platform, Start, write
from chu_platform_tests.landing.servers import PROXY, cutting

pytestmark = pytest.mark.integration

KINDS = ("sftp", "ftps", "ftps without mlsd")


@pytest.mark.parametrize("kind", KINDS)
def test_new_and_changed_files_are_copied(kind: str, start: Start, served: Path, platform: Platform) -> None:
    files = {"a.csv": b"one", "DECES EN FRANCE/Décès (1).csv": b"two" * 1000, "deep/er/b.csv": b"three"}
    for name, content in files.items():
        write(served, name, content)
    for name in ("c.csv.part", "~$d.xlsx", ".hidden/e.csv"):
        write(served, name, b"never")
    platform.places["depot"] = start(kind).place()
    landed = platform.land()["depot"]
    assert landed.failures == []
    assert platform.copies("depot") == files
    assert sorted(landed.copied) == sorted(files)
    assert (platform.settings.sources_folder / "depot" / "a.csv").stat().st_mtime == MOMENT
    assert platform.partial == []
    assert platform.land()["depot"].copied == []
    write(served, "a.csv", b"One", MOMENT + 60)
    assert platform.land()["depot"].copied == ["a.csv"]
    assert platform.copies("depot") == {**files, "a.csv": b"One"}


@pytest.mark.parametrize("kind", KINDS)
def test_cut_connections_lose_and_double_nothing(
    kind: str, start: Start, served: Path, platform: Platform, seed: int
) -> None:
    draw = random.Random(seed)
    files = {f"{n}.csv": draw.randbytes(draw.randrange(1, 1_500_000)) for n in range(4)}
    for name, content in files.items():
        write(served, name, content)
    server = start(kind)
    platform.places["depot"] = server.place(PROXY)
    with cutting(server, [draw.randrange(30_000, 700_000) for _ in range(5)]) as proxy:
        landed = platform.land()["depot"]
    assert landed.failures == []
    assert proxy.done >= 3
    assert platform.copies("depot") == files
    assert platform.partial == []
