"""The demonstration pack on an SFTP and an FTPS server, whose connections are cut, gives the lake of the folder."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from chu_platform.demo.pack import write_pack
from chu_platform.ingest.files import NEVER_DELIVERED
from chu_platform.tables.table import Layer
from chu_platform_tests.conftest import PSEUDONYMISATION_KEY
from chu_platform_tests.landing.conftest import PACE, Platform, toml, write
from chu_platform_tests.landing.servers import PASSWORD, PROXY, Certificate, FtpServer, SftpServer, cutting
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, every_table, rows

pytestmark = pytest.mark.system

SCALE = 0.005
CUTS = 10
FILES = 10_000


def test_the_lake_of_servers_is_the_lake_of_the_folder(tmp_path: Path, seed: int) -> None:
    pack = tmp_path / "pack"
    write_pack(pack, SCALE, progress=lambda _: None)
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    for name, text in (("pseudonymisation.key", PSEUDONYMISATION_KEY), ("server_password", PASSWORD)):
        (secrets / name).touch(mode=0o600)
        (secrets / name).write_text(text, encoding="ascii")
    folders = sorted(entry for entry in pack.iterdir())
    shares = {"sftp": tmp_path / "sftp", "ftps": tmp_path / "ftps"}
    for number, entry in enumerate(folders):
        target = shares["sftp" if number % 2 else "ftps"]
        target.mkdir(exist_ok=True)
        (shutil.copytree if entry.is_dir() else shutil.copy2)(entry, target / entry.name)
    sftp = SftpServer(shares["sftp"])
    ftps = FtpServer(shares["ftps"], Certificate.make(tmp_path / "server.pem"))
    listed = tmp_path / "sources.toml"
    listed.write_text(toml({"sftp": sftp.place(PROXY), "ftps": ftps.place(PROXY)}), encoding="utf-8")
    given = {"CHU_SECRETS": str(secrets)}
    by_folder, by_servers = Home(tmp_path / "a", pack, given), Home(tmp_path / "b", listed, given)
    draw = random.Random(seed)
    with (
        cutting(sftp, random_cuts(draw, shares["sftp"])) as sftp_proxy,
        cutting(ftps, random_cuts(draw, shares["ftps"])) as ftps_proxy,
    ):
        landed = by_servers.chu("land")
        assert landed.returncode == 0, landed.stdout[-3000:] + landed.stderr[-3000:]
        assert (sftp_proxy.done, ftps_proxy.done) == (CUTS, CUTS)
        printed = by_servers.materialize().stdout
    sftp.stop()
    ftps.stop()
    copies = by_servers.folder / "landing" / "pack"
    assert {**digests(copies / "sftp"), **digests(copies / "ftps")} == digests(pack)
    assert not [f for f in (by_servers.folder / "landing" / "partial").rglob("*") if f.is_file()]
    by_folder.materialize()
    wrong: dict[str, list[str]] = {}
    for table in every_table():
        if table.layer is not Layer.REPORTS:
            found = differences(comparable(rows(by_folder.lake, table)), comparable(rows(by_servers.lake, table)))
            wrong |= {table.folder: found} if found else {}
    assert wrong == {}
    register = DeltaTable(by_servers.folder / "lake/restricted/reports/delivery").to_pyarrow_table().to_pylist()
    assert {(r["server"], r["server_path"]) for r in register} == {
        (f"{kind}://{PROXY}:{server.port}", "/" + f.relative_to(shares[kind]).as_posix())
        for kind, server in (("sftp", sftp), ("ftps", ftps))
        for f in delivered(shares[kind])
    }
    # The password is in no output and in no file but its own.
    assert PASSWORD not in landed.stdout + landed.stderr + printed
    with_password = [f for f in by_servers.folder.rglob("*") if f.is_file() and PASSWORD.encode() in f.read_bytes()]
    assert with_password == []


def random_cuts(draw: random.Random, folder: Path) -> list[int]:
    """Numbers of bytes after which the connection is cut: random places in all that is to be copied."""
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    places = sorted(draw.randrange(size) for _ in range(CUTS))
    # Connecting and listing also takes some kilobytes.
    return [max(after - before, 30_000) for before, after in zip([0, *places], places, strict=False)]


def digests(folder: Path) -> dict[str, str]:
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in delivered(folder)}


def delivered(folder: Path) -> list[Path]:
    """The files that may be deliveries. Lock files and the like are not copied."""
    return [f for f in folder.rglob("*") if f.is_file() and not NEVER_DELIVERED.fullmatch(f.name)]


def comparable(table: pa.Table) -> pa.Table:
    """The rows with the paths of files below their place, and without the time of the run that rejected them."""
    if "file" not in table.column_names:
        return table
    paths = pc.replace_substring_regex(table["file"], "^(sftp|ftps)/", "")
    replaced = table.set_column(table.column_names.index("file"), table.schema.field("file"), paths)
    replaced = replaced.drop_columns(["first_seen"] if "first_seen" in replaced.column_names else [])
    exact = [n for n in replaced.column_names if not pa.types.is_floating(replaced.schema.field(n).type)]
    return replaced.sort_by([(name, "ascending") for name in exact])


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_ten_thousand_files_are_copied(kind: str, tmp_path: Path) -> None:
    served = tmp_path / "served"
    for number in range(FILES):
        write(served, f"{number:05}.csv", f"line {number}\n".encode())
    platform = Platform(tmp_path / "home")
    secrets = platform.home / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "server_password").write_text(PASSWORD, encoding="utf-8")
    certificate = Certificate.make(tmp_path / "server.pem")
    server = SftpServer(served) if kind == "sftp" else FtpServer(served, certificate)
    platform.places["depot"] = server.place()
    before = os.times()
    try:
        landed = platform.land(PACE)["depot"]
        copied = os.times()
        again = platform.land(PACE)["depot"]
    finally:
        server.stop()
    assert (len(landed.copied), landed.failures) == (FILES, [])
    assert (again.copied, again.unchanged) == ([], FILES)
    assert digests(served) == digests(platform.settings.sources_folder / "depot")
    cpu = [end.user + end.system - start.user - start.system for start, end in ((before, copied), (copied, os.times()))]
    print(f"{kind}: {cpu[0]:.1f} s to copy {FILES} files, {cpu[1]:.1f} s to see that none changed (CPU, both ends)")
    assert cpu[1] < 30
