"""The landing step with real servers."""

import hashlib
import os
import random
import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pyftpdlib.handlers import TLS_FTPHandler

from chu_platform.errors import ChuError
from chu_platform.ingest.files import one, scan_pack
from chu_platform.landing import ftp as ftp_module
from chu_platform.landing import progress
from chu_platform.landing import sftp as sftp_module
from chu_platform.landing.arrangement import origins
from chu_platform.landing.ftp import FtpSession
from chu_platform.landing.known_files import KnownFiles
from chu_platform.landing.landing import Pace, look
from chu_platform.landing.remote import RemoteFile
from chu_platform.landing.sftp import SftpSession
from chu_platform_tests.landing.conftest import MOMENT, PACE, Platform, Start, write
from chu_platform_tests.landing.servers import PROXY, SERVER, Certificate, FtpServer, SftpServer, cutting

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


@pytest.mark.parametrize("reply", ["402 Command not allowed.", "500 'MLSD': command not understood."])
def test_servers_that_refuse_mlsd_are_listed(
    reply: str, served: Path, platform: Platform, certificate: Certificate
) -> None:
    """As ftp-srv, vsftpd and others answer."""
    write(served, "deep/a.csv", b"one")
    server = FtpServer(served, certificate, attributes={"ftp_MLSD": lambda self, _path: self.respond(reply)})
    platform.places["depot"] = server.place()
    try:
        assert platform.land()["depot"].failures == []
    finally:
        server.stop()
    assert platform.copies("depot") == {"deep/a.csv": b"one"}


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


def test_nothing_is_written_on_a_server(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    sftp, ftps = start("sftp"), start("ftps")
    assert isinstance(sftp, SftpServer) and isinstance(ftps, FtpServer)
    platform.places |= {"sftp": sftp.place(), "ftps": ftps.place()}
    platform.land()
    assert platform.copies("sftp") == platform.copies("ftps") == {"a.csv": b"one"}
    assert sftp.writes == []
    reading = {
        "AUTH",
        "USER",
        "PASS",
        "PBSZ",
        "PROT",
        "TYPE",
        "PWD",
        "CWD",
        "PASV",
        "MLSD",
        "SIZE",
        "MDTM",
        "RETR",
        "FEAT",
    }
    assert {*ftps.commands} <= reading


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_a_wrong_password_is_refused_at_once_and_never_shown(
    kind: str, start: Start, served: Path, platform: Platform
) -> None:
    write(served, "a.csv", b"one")
    platform.places["depot"] = start(kind).place()
    (platform.home / "secrets" / "server_password").write_text("wrong-canary", encoding="utf-8")
    (failure,) = platform.land()["depot"].failures
    assert "the server refuses the user" in failure
    assert "check `user` and the file in CHU_SECRETS" in failure
    assert "canary" not in f"{failure}{platform.lines}"
    assert not any("trying again" in line for line in platform.lines)


def test_a_missing_secret_is_named_by_its_setting_only(start: Start, platform: Platform) -> None:
    platform.places["depot"] = {**start("sftp").place(), "password": "hunter2-canary"}
    (failure,) = platform.land()["depot"].failures
    assert "that `password` names cannot be read: No such file" in failure
    assert "canary" not in failure


def test_a_changed_host_key_is_refused(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    server = start("sftp")
    assert isinstance(server, SftpServer)
    platform.places["depot"] = server.place()
    assert platform.land()["depot"].failures == []
    write(served, "a.csv", b"other", MOMENT + 60)
    server.stop()
    changed = SftpServer(served, server.port)
    try:
        (failure,) = platform.land()["depot"].failures
    finally:
        changed.stop()
    assert f"REFUSED, the host key of the server is {changed.key.get_fingerprint()} (ssh-ed25519)" in failure
    assert platform.copies("depot") == {"a.csv": b"one"}


def test_an_unknown_host_key_is_shown_and_refused(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    server = start("sftp")
    assert isinstance(server, SftpServer)
    place = server.place()
    fingerprint = place.pop("host_key")
    platform.places["depot"] = place
    (failure,) = platform.land()["depot"].failures
    assert "no host key is pinned" in failure and fingerprint in failure
    assert platform.copies("depot") == {}


def test_host_keys_are_pinned_by_a_key_or_by_a_file(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    server = start("sftp")
    assert isinstance(server, SftpServer)
    public = server.key.export_public_key().decode().strip()
    known = platform.home / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {public}\n", encoding="utf-8")
    place = server.place()
    del place["host_key"]
    platform.places |= {"key": {**place, "host_key": public}, "file": {**place, "known_hosts": "known_hosts"}}
    assert [landed.failures for landed in platform.land().values()] == [[], []]
    known.write_text(
        f"[127.0.0.1]:{server.port} {asyncssh.generate_private_key('ssh-ed25519').export_public_key().decode()}",
        encoding="utf-8",
    )
    assert "REFUSED" in platform.land()["file"].failures[0]


def test_a_private_key_signs_in(served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = SftpServer(served, clients=key.export_public_key().decode())
    (platform.home / "secrets" / "depot_key").write_bytes(key.export_private_key())
    place = {**server.place(), "key": "depot_key"}
    del place["password"]
    platform.places["depot"] = place
    try:
        assert platform.land()["depot"].failures == []
        (platform.home / "secrets" / "depot_key").write_bytes(key.export_private_key("pkcs8-pem", passphrase="canary"))
        (failure,) = platform.land()["depot"].failures
    finally:
        server.stop()
    assert "is not a private key without passphrase" in failure


def test_certificates_are_verified(
    start: Start, served: Path, platform: Platform, certificate: Certificate, tmp_path: Path
) -> None:
    write(served, "a.csv", b"one")
    place = start("ftps").place()
    del place["ca"]
    other = Certificate.make(tmp_path / "other.pem")
    platform.places |= {
        "unknown": place,
        "other_ca": {**place, "ca": str(other.file)},
        "other_pin": {**place, "certificate": other.fingerprint},
        "pinned": {**place, "certificate": certificate.fingerprint},
    }
    landed = platform.land()
    for name in ("unknown", "other_ca"):
        assert "REFUSED, the certificate of the server cannot be verified" in landed[name].failures[0]
    assert f"REFUSED, the certificate of the server is {certificate.fingerprint}" in landed["other_pin"].failures[0]
    assert landed["pinned"].failures == []
    assert [platform.copies(name) for name in platform.places] == [{}, {}, {}, {"a.csv": b"one"}]


def test_data_connections_resume_the_session_of_the_control_connection(
    start: Start, served: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strict servers (vsftpd: `require_ssl_reuse`) refuse other data connections."""
    write(served, "a.csv", b"one")
    platform.places["depot"] = start("ftps").place()
    wrap = ssl.SSLContext.wrap_socket
    reused: list[bool | None] = []

    def watched(self: ssl.SSLContext, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        connection = wrap(self, *arguments, **options)
        reused.append(connection.session_reused)
        return connection

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", watched)
    assert platform.land()["depot"].failures == []
    # The control connection begins the session; the listing and the file resume it.
    assert reused == [False, True, True]


def test_plain_ftp_only_when_declared(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    place = start("ftp").place()
    platform.places["old"] = place
    with pytest.raises(ChuError, match=r"line 1: place old: ftp:// sends the password"):
        platform.land()
    platform.places["old"] = {**place, "unencrypted": "true"}
    assert platform.land()["old"].copied == ["a.csv"]


def test_a_dead_server_concerns_only_its_own_files(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    sftp, ftps = start("sftp"), start("ftps")
    platform.places |= {"dead": sftp.place(), "alive": ftps.place()}
    platform.land()
    sftp.stop()
    write(served, "a.csv", b"two", MOMENT + 60)
    landed = platform.land()
    assert "nothing listens there" in landed["dead"].failures[0]
    assert len([line for line in platform.lines if "trying again" in line]) == len(PACE.waits)
    assert landed["alive"].failures == []
    assert (platform.copies("dead"), platform.copies("alive")) == ({"a.csv": b"one"}, {"a.csv": b"two"})


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_a_server_that_accepts_and_says_nothing_is_dead(
    kind: str, platform: Platform, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sftp_module, ftp_module):
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    place = start(kind).place()
    with socket.create_server((SERVER, 0)) as silent:
        port = silent.getsockname()[1]
        platform.places["silent"] = {**place, "url": f"{kind}://{SERVER}:{port}/"}
        (failure,) = platform.land(Pace(waits=(), quiet_seconds=-1))["silent"].failures
    assert failure.startswith("place silent") and ("does not answer" in failure or "connection was lost" in failure)


def test_ten_thousand_files_in_a_folder_are_listed(start: Start, served: Path, platform: Platform) -> None:
    for number in range(10_000):
        (served / f"{number:05}.csv").write_bytes(b"line\n")
    platform.places |= {"sftp": start("sftp").place(), "ftps": start("ftps").place()}
    found = look(platform.settings, 0, 60, PACE)
    assert found.messages == []
    known = KnownFiles.stored(platform.settings.landing_folder)
    assert {name: len(of_place.files) for name, of_place in known.items()} == {"sftp": 10_000, "ftps": 10_000}


@pytest.mark.parametrize("kind", KINDS)
def test_an_upload_in_progress_is_not_copied(kind: str, start: Start, served: Path, platform: Platform) -> None:
    """As by decision 0029: it must rest for longer than its longest pause, unless `NAME.done` says that it is whole."""
    pace = Pace(waits=(), quiet_seconds=0.2)
    write(served, "whole.csv", b"whole")
    write(served, "half.csv", b"ha", MOMENT)
    platform.places["depot"] = start(kind).place()
    look(platform.settings, 0, 10, pace)
    time.sleep(0.7)
    write(served, "half.csv", b"half", MOMENT + 1)
    landed = platform.land(pace)["depot"]
    assert landed.copied == ["whole.csv"]
    assert "still arriving" in landed.warnings[0] and "half.csv" in landed.warnings[0]
    assert platform.copies("depot") == {"whole.csv": b"whole"}
    write(served, "half.csv.done", b"", MOMENT + 1)
    assert platform.land(pace)["depot"].copied == ["half.csv"]


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_a_file_that_is_written_while_it_is_copied_is_copied_again(
    kind: str, start: Start, served: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(served, "a.csv", b"1" * 300_000)
    platform.places["depot"] = start(kind).place()
    session = SftpSession if kind == "sftp" else FtpSession
    read = session.read
    times: list[int] = []

    def rewritten(self: Any, file: RemoteFile, offset: int) -> Iterator[bytes]:
        for chunk in read(self, file, offset):
            if not times:
                times.append(1)
                write(served, "a.csv", b"2" * 300_000, MOMENT + 60)
            yield chunk

    monkeypatch.setattr(session, "read", rewritten)
    landed = platform.land()["depot"]
    assert (landed.copied, landed.failures) == (["a.csv"], [])
    assert platform.copies("depot") == {"a.csv": b"2" * 300_000}


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_a_copy_continues_only_if_the_file_is_the_same(
    kind: str, start: Start, served: Path, platform: Platform
) -> None:
    # The bytes at which the copy was cut are the same.
    old, new = b"1" * 1_000_000, b"2" + b"1" * 999_999
    write(served, "a.csv", old)
    server = start(kind)
    platform.places["depot"] = server.place(PROXY)
    # What was received but not yet read when the connection was cut is lost: on a busy machine that may be everything.
    for _ in range(10):
        with cutting(server, [400_000] + [1] * 9):
            assert "connection" in platform.land(Pace(waits=(), quiet_seconds=-1))["depot"].failures[0]
        (part,) = [f for f in platform.partial if f.suffix == ".part"]
        if part.stat().st_size:
            break
    assert 0 < part.stat().st_size < len(old)
    # Another content of the same size, with another time.
    write(served, "a.csv", new, MOMENT + 60)
    with cutting(server, []) as proxy:
        assert platform.land()["depot"].failures == []
    assert proxy.carried > len(new)
    assert platform.copies("depot") == {"a.csv": new}


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_a_damaged_part_is_not_continued(kind: str, start: Start, served: Path, platform: Platform) -> None:
    """As after a power failure; size and time of the file on the server are the same."""
    content = b"1" * 1_000_000
    write(served, "a.csv", content)
    server = start(kind)
    platform.places["depot"] = server.place(PROXY)
    with cutting(server, [400_000] + [1] * 9):
        platform.land(Pace(waits=(), quiet_seconds=-1))
    (part,) = [f for f in platform.partial if f.suffix == ".part"]
    part.write_bytes(b"\0" * part.stat().st_size)
    with cutting(server, []):
        assert platform.land()["depot"].failures == []
    assert platform.copies("depot") == {"a.csv": content}


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_a_wrong_checksum_beside_a_file_is_refused(kind: str, start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    write(served, "a.csv.sha256", hashlib.sha256(b"one").hexdigest().encode())
    platform.places["depot"] = start(kind).place()
    assert platform.land()["depot"].failures == []
    before = platform.copies("depot")
    write(served, "a.csv", b"xxx", MOMENT + 60)
    write(served, "a.csv.sha256", hashlib.sha256(b"two").hexdigest().encode(), MOMENT + 60)
    (failure,) = platform.land()["depot"].failures
    assert "a.csv does not have the checksum in a.csv.sha256" in failure
    # Neither the file nor its checksum is replaced.
    assert platform.copies("depot") == before
    write(served, "a.csv", b"two", MOMENT + 120)
    assert platform.land()["depot"].failures == []
    assert platform.copies("depot")["a.csv"] == b"two"


@pytest.mark.parametrize("command", ["XSHA256", "HASH"])
def test_a_checksum_that_the_server_computes_is_compared(
    command: str, served: Path, platform: Platform, certificate: Certificate
) -> None:
    """A server that sends other bytes than it has: the first copy is refused."""
    content = b"one" * 100
    write(served, "a.csv", content)
    form = "250 {0}" if command == "XSHA256" else "213 SHA-256 0-299 {0} a.csv"
    answers = [form.format(hashlib.sha256(c).hexdigest()) for c in (b"other", content)]

    def answer(self: Any, _path: str) -> None:
        self.respond(answers.pop(0))

    described = {"perm": "r", "auth": True, "arg": True, "help": command}
    protocol = {**TLS_FTPHandler.proto_cmds, command: described}
    features = f"211-Features supported:\r\n {command}\r\n MLST type*;size*;modify*;\r\n211 End.\r\n"
    attributes = {
        "proto_cmds": protocol,
        f"ftp_{command}": answer,
        "ftp_FEAT": lambda self, _line: self.push(features),
    }
    server = FtpServer(served, certificate, attributes=attributes)
    platform.places["depot"] = server.place()
    try:
        assert "the checksum that the server computes" in platform.land()["depot"].failures[0]
        assert platform.copies("depot") == {}
        assert platform.land()["depot"].failures == []
    finally:
        server.stop()
    assert platform.copies("depot") == {"a.csv": content}
    assert answers == []


@pytest.mark.parametrize("kind", ["sftp", "ftps"])
def test_nothing_vanishes_with_the_files_of_a_server(kind: str, start: Start, served: Path, platform: Platform) -> None:
    files = {"deces.csv": b"deaths", "Hospitalisations.csv": b"stays", "always empty.csv": b""}
    for name, content in files.items():
        write(served, name, content)
    platform.places["depot"] = start(kind).place()
    assert platform.land()["depot"].warnings == []
    (served / "deces.csv").unlink()
    landed = platform.land()["depot"]
    assert platform.copies("depot") == files
    assert "not on the server any more" in landed.warnings[0] and "deces.csv" in landed.warnings[0]
    assert platform.land()["depot"].warnings == []
    (served / "Hospitalisations.csv").unlink()
    (served / "always empty.csv").unlink()
    landed = platform.land()["depot"]
    assert platform.copies("depot") == files
    assert "there is no file at all" in landed.warnings[1]
    # An empty file replaces nothing either.
    write(served, "deces.csv", b"", MOMENT + 60)
    landed = platform.land()["depot"]
    assert platform.copies("depot") == files
    assert "empty on the server" in landed.warnings[0]
    # A newer delivery in its place replaces a copy; one that somebody deletes is forgotten.
    write(served, "new/DECES.csv", b"more deaths", MOMENT + 60)
    (served / "deces.csv").unlink()
    for name in ("Hospitalisations.csv", "always empty.csv"):
        (platform.settings.sources_folder / "depot" / name).unlink()
    platform.land()
    assert platform.copies("depot") == {"new/DECES.csv": b"more deaths"}
    assert origins(platform.settings).keys() == {"depot/new/DECES.csv"}


def test_what_cannot_be_read_concerns_only_itself(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    write(served, "closed/b.csv", b"two")
    platform.places["depot"] = start("sftp").place()
    platform.land()
    write(served, "a.csv", b"ONE", MOMENT + 60)
    (served / "link").symlink_to("nothing")
    (served / "closed").rename(served / "elsewhere")
    (served / "closed").symlink_to("nowhere")
    landed = platform.land()["depot"]
    assert "a.csv" in landed.copied
    assert {w.partition(": ")[2] for w in landed.warnings} == {
        "link is a link that cannot be followed: it does not exist there",
        "closed is a link that cannot be followed: it does not exist there",
    }
    # The file in the folder is not gone: nobody knows.
    assert not any("any more" in warning for warning in landed.warnings)
    assert platform.copies("depot")["closed/b.csv"] == b"two"


def test_a_file_that_always_cuts_the_connection_concerns_only_itself(
    served: Path, platform: Platform, certificate: Certificate
) -> None:
    write(served, "a.csv", b"one")
    write(served, "b.csv", b"two")

    def cut(self: Any, path: str) -> None:
        if path.endswith("a.csv"):
            self.close()
        else:
            TLS_FTPHandler.ftp_RETR(self, path)

    server = FtpServer(served, certificate, attributes={"ftp_RETR": cut})
    platform.places["depot"] = server.place()
    try:
        (failure,) = platform.land()["depot"].failures
    finally:
        server.stop()
    assert "a.csv: the connection was lost" in failure
    assert platform.copies("depot") == {"b.csv": b"two"}


def test_a_name_that_cannot_be_written_concerns_only_itself(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a", b"one")
    write(served, "b.csv", b"two")
    platform.places["depot"] = start("sftp").place()
    platform.land()
    (served / "a").unlink()
    write(served, "a/c.csv", b"three")
    write(served, "b.csv", b"TWO", MOMENT + 60)
    landed = platform.land()["depot"]
    (failure,) = landed.failures
    assert "depot/a/c.csv cannot be written: File exists" in failure
    assert platform.copies("depot") == {"a": b"one", "b.csv": b"TWO"}
    # The part waits for the cause to be gone; it goes with the file.
    assert len(platform.partial) == 1
    (served / "a" / "c.csv").unlink()
    assert platform.land()["depot"].failures == []
    assert platform.partial == []


def test_links_on_a_server_are_followed_and_loops_are_not(start: Start, served: Path, platform: Platform) -> None:
    write(served, "deep/a.csv", b"one")
    (served / "deep" / "loop").symlink_to("..")
    (served / "linked.csv").symlink_to("deep/a.csv")
    (served / "again").symlink_to("deep")
    platform.places["depot"] = start("sftp").place()
    assert platform.land()["depot"].failures == []
    assert platform.copies("depot") == {"deep/a.csv": b"one", "linked.csv": b"one"}


def test_names_that_are_no_utf_8(start: Start, served: Path, platform: Platform, certificate: Certificate) -> None:
    write(served, os.fsdecode("Décès.csv".encode("cp1252")), b"one")
    other = write(served.parent / "other", "Décès.csv", b"two").parent
    ftps = FtpServer(other, certificate, attributes={"encoding": "cp1252"})
    platform.places |= {"sftp": start("sftp").place(), "ftps": ftps.place()}
    try:
        assert [landed.failures for landed in platform.land().values()] == [[], []]
    finally:
        ftps.stop()
    assert (platform.copies("sftp"), platform.copies("ftps")) == ({"Décès.csv": b"one"}, {"Décès.csv": b"two"})


def test_folders_of_this_machine_are_read_where_they_are(start: Start, served: Path, platform: Platform) -> None:
    write(served, "a.csv", b"one")
    folder = write(platform.home / "pack", "b.csv", b"two").parent
    platform.places |= {"depot": start("sftp").place(), "local": {"folder": "pack"}}
    platform.land()
    pack = platform.settings.sources_folder
    assert [f.relative_to(pack).as_posix() for f in scan_pack(pack).files] == ["depot/a.csv", "local/b.csv"]
    assert (pack / "local").readlink() == folder
    folder.rename(platform.home / "unmounted")
    assert "does not exist: is it mounted?" in platform.land()["local"].failures[0]
    # A place that is not declared any more is not read, and its copies are kept until it is declared again.
    depot = platform.places.pop("depot")
    platform.land()
    assert [entry.name for entry in pack.iterdir()] == ["local"]
    platform.places = {"depot": depot}
    assert platform.land()["depot"].copied == []
    assert platform.copies("depot") == {"a.csv": b"one"}


def test_a_place_on_another_server_is_copied_anew(
    start: Start, served: Path, platform: Platform, tmp_path: Path
) -> None:
    write(served, "a.csv", b"one")
    platform.places["depot"] = start("sftp").place()
    platform.land()
    other = SftpServer(write(tmp_path / "other", "a.csv", b"two").parent)
    platform.places["depot"] = other.place()
    try:
        # Size and time are the same.
        assert platform.land()["depot"].copied == ["a.csv"]
    finally:
        other.stop()
    assert platform.copies("depot") == {"a.csv": b"two"}


def test_progress_shows_bytes_share_and_time_left(
    start: Start, served: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    write(served, "a.csv", b"1" * 5_000_000)
    platform.places["depot"] = start("sftp").place()
    platform.land()
    shown = re.compile(r"depot: file 1 of 1, ([\d.]+) MB of 5\.0 MB \((\d+)%\), about \d+ s left: a\.csv")
    shares = [int(found.group(2)) for line in platform.lines if (found := shown.fullmatch(line))]
    assert shares == sorted(shares) and len(shares) >= 2 and shares[-1] == 100
    assert platform.lines[-1].endswith("1 files copied, 5.0 MB; 0 unchanged")


def test_a_full_disk_is_named_before_copying(
    start: Start, served: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(served, "a.csv", b"1" * 2_000_000)
    platform.places["depot"] = start("sftp").place()
    (platform.home / "landing" / "partial" / "depot").mkdir(parents=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1_000_000))
    assert "2 MB are to be copied, but the disk of" in platform.land()["depot"].failures[0]


def test_two_places_with_the_same_file_are_two_deliveries(
    start: Start, served: Path, platform: Platform, tmp_path: Path
) -> None:
    """As in two folders of one pack: equal ones are copies, others are refused until one is gone."""
    write(served, "deces.csv", b"one")
    folder = write(tmp_path / "local", "deces.csv", b"one").parent
    platform.places |= {"depot": start("sftp").place(), "local": {"folder": str(folder)}}
    platform.land()
    pack = platform.settings.sources_folder
    assert one(pack, r"deces\.csv") == pack / "depot" / "deces.csv"
    write(folder, "deces.csv", b"two")
    with pytest.raises(ChuError, match=r"have different content: depot/deces.csv, local/deces.csv; keep one of them"):
        one(pack, r"deces\.csv")
