"""Selection of the files of a pack in any folder, and errors of the pack itself."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.files import find, unchanging
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform_tests.ingest.deliveries import HEADER, deliver, table_of

pytestmark = pytest.mark.integration

GOOD = f"{HEADER}\n1;a;;1\n"


def put(pack: Path, name: str, content: str = GOOD) -> Path:
    file = pack / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_no_pack(tmp_path: Path) -> None:
    with pytest.raises(ChuError, match=r"no delivered pack at .*CHU_SOURCES"):
        deliver(table_of(), tmp_path / "nowhere", tmp_path)


def test_a_file_missing(tmp_path: Path) -> None:
    put(tmp_path / "pack", "other.csv")
    with pytest.raises(ChuError, match="no file named like things"):
        deliver(table_of(), tmp_path / "pack", tmp_path)


def test_files_that_are_not_deliveries_are_skipped(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    for name in ("~$things.csv", ".DS_Store", "a/things.csv", "things.csv.part", ".cache/things.csv"):
        put(pack, name, "no delivery")
    put(pack, "a/things.csv", "")
    put(pack, "b/Things.CSV")
    assert deliver(table_of(), pack, tmp_path).reading.kept == 1


def test_copies_are_read_once_and_different_versions_are_refused(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    put(pack, "a/things.csv")
    put(pack, "b/things.csv")
    assert deliver(table_of(), pack, tmp_path / "once").reading.rows_in == 1
    put(pack, "b/things.csv", GOOD + "2;b;;1\n")
    with pytest.raises(
        ChuError, match=r"several files named like things.* have different content: a/things\.csv, b/things\.csv"
    ):
        deliver(table_of(), pack, tmp_path / "twice")


def test_links_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "things.csv")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "pack")
    assert len(find(tmp_path / "pack", r"things\.csv")) == 1


def test_a_folder_that_cannot_be_searched_concerns_only_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path, "things.csv")
    put(tmp_path / "closed", "other.csv")
    scandir = os.scandir

    def refusing(path: Path) -> "os._ScandirIterator[str]":
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert find(tmp_path, r"things\.csv") == [file]
    reason = "closed cannot be searched: Permission denied; check"
    with pytest.raises(ChuError, match=rf"other\.csv in the pack .*: {reason}"):
        find(tmp_path, r"other\.csv")
    # A source of several files, of which one may be in this folder.
    put(tmp_path, "survey-2019.csv")
    reader = DeliveredFiles(r"survey-(\d{4})\.csv", {".csv": CsvFormat()}, expected=("2019", "2020"))
    with pytest.raises(ChuError, match=rf"survey-YYYY\.csv of 2020 in the pack .*: {reason}"):
        reader.files(tmp_path)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "2020").mkdir()
    put(tmp_path, "things.csv")
    with pytest.raises(ChuError, match=r": 2020 is an empty folder that is perhaps not mounted$"):
        find(tmp_path, r"other\.csv")


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    file = put(tmp_path, "things.csv")
    with (
        pytest.raises(ChuError, match="changed while it was read"),
        unchanging(tmp_path, file),
        file.open("a") as more,
    ):
        more.write("2;b;;1\n")


def overwritten(file: Path) -> None:
    file.write_text(GOOD.replace("a", "b"))


def replaced(file: Path) -> None:
    put(file.parent, "other.csv", GOOD.replace("a", "b")).replace(file)


@pytest.mark.parametrize("change", [overwritten, replaced])
def test_a_file_that_changes_while_it_is_read_but_not_its_size_and_time(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    file = put(tmp_path, "things.csv")
    before = file.stat()

    def change_all_but_size_and_time() -> None:
        # The clock of a file system advances in steps of some milliseconds.
        while file.stat().st_ctime_ns == before.st_ctime_ns:
            change(file)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(ChuError, match="changed while it was read: wait"), unchanging(tmp_path, file):
        change_all_but_size_and_time()
    assert file.read_text() != GOOD
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_both_layouts(pack: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(pack / "Satisfaction", other / "satisfaction")
    for table in (esatis48h_mco, esatisca_mco):
        first = deliver(table, pack, tmp_path / f"{table.name}1", order="ALL")
        second = deliver(table, other, tmp_path / f"{table.name}2", order="ALL")
        assert first.rows == second.rows
        assert first.reading.kept > 0


def test_a_campaign_missing(pack: Path, tmp_path: Path) -> None:
    shutil.copytree(pack / "Satisfaction", tmp_path / "pack")
    next((tmp_path / "pack").rglob("resultats-esatis48h-mco-open-data-2019.csv")).unlink()
    outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work")
    (absent,) = outcome.reading.left_out
    assert absent.why.startswith(
        "no file named like esatis48h_mco_recueilYYYY[_donnees] or "
        "resultats-[iqss-]esatis48h-mco-open-data-YYYY[_donnees] (.csv or .xlsx) of 2019 in the pack"
    )
    assert outcome.reading.left_partitions == [{"campaign_year": "2019"}]
    assert outcome.reading.kept


PROGRAM = """
import os, resource, sys
from pathlib import Path
from chu_platform.errors import ChuError
from chu_platform_tests.ingest.deliveries import deliver, table_of
from chu_platform.ingest.csv_format import CsvFormat
mode, folder = sys.argv[1], Path(sys.argv[2])
if mode == "limited":
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
else:
    os.setgid(65534); os.setuid(65534)
try:
    deliver(table_of(CsvFormat()), folder / "pack", folder / "work")
except ChuError as error:
    print(error)
"""


def run(mode: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode, str(folder)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1, done.stdout
    return done.stdout


@pytest.mark.parametrize("text", ["é", "e"])
def test_disk_full(tmp_path: Path, text: str) -> None:
    """The disk is full for the normalised copy (the file is not UTF-8) or for the rows."""
    (tmp_path / "pack").mkdir()
    rows = "".join(f"{i};{text}{i * 7919 % 100_003}{i * 104_729 % 999_983};;{i}\n" for i in range(100_000))
    (tmp_path / "pack" / "things.csv").write_bytes((HEADER + "\n" + rows).encode("cp1252"))
    message = run("limited", tmp_path)
    assert "File too large" in message


def test_no_permission(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user without permission")
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if not folder.stat().st_mode & 0o001 and folder.is_relative_to(gettempdir()):
            folder.chmod(0o755)
    file = put(tmp_path / "pack", "things.csv")
    (tmp_path / "work").mkdir()
    (tmp_path / "work").chmod(0o777)
    file.chmod(0o600)
    assert "things.csv cannot be read: Permission denied; check its permissions" in run("nobody", tmp_path)
    shutil.rmtree(tmp_path / "work")
    (tmp_path / "work").mkdir(mode=0o777)
    (tmp_path / "work").chmod(0o777)
    file.parent.chmod(0o700)
    assert "Permission denied" in run("nobody", tmp_path)


@pytest.mark.parametrize(
    ("delivered", "missing"),
    [
        (("2017", "2019", "2020"), None),
        (("2017", "2019", "2020", "2022"), None),
        (("2021", "2022"), None),
        (("2017", "2020", "2022"), "2019"),
        (("2020",), "2017, 2019"),
    ],
)
def test_campaigns_that_belong_together(tmp_path: Path, delivered: tuple[str, ...], missing: str | None) -> None:
    """A pack of later campaigns only is whole; a pack without one of its campaigns is not."""
    for year in delivered:
        (tmp_path / f"survey-{year}.csv").write_text("a\n1\n")
    reader = DeliveredFiles(r"survey-(\d{4})\.csv", {".csv": CsvFormat()}, expected=("2017", "2019", "2020"))
    if missing:
        with pytest.raises(ChuError, match=f"no file named like .* of {missing} in the pack"):
            reader.files(tmp_path)
    else:
        assert [f.stem[-4:] for f in reader.files(tmp_path)] == list(delivered)
