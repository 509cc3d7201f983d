"""The file `sources.toml`: what it declares, and the error of each mistake."""

from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.landing.places import FolderPlace, FtpPlace, FtpsPlace, SftpPlace, load_places
from chu_platform.settings import Settings

pytestmark = pytest.mark.unit

FINGERPRINT = "SHA256:" + "A" * 43
GOOD = f"""\
# The places of the hospital.
[places.local]
folder = "pack"

[places.depot]
url = "sftp://depot.chu.example/out%40box"
user = "chu"
key = "depot_key"
host_key = "{FINGERPRINT}"

[places.labo]
url = "ftps://labo.example:2121/"
user = "lecteur"
password = "labo_password"
certificate = "SHA256:{":".join(["aB"] * 32)}"

[places.old]
url = "ftp://old.example"
unencrypted = true
"""
SECRET = "hunter2-canary"


def test_places_of_all_kinds(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(GOOD, encoding="utf-8")
    local, depot, labo, old = load_places(file)
    assert isinstance(local, FolderPlace) and local.folder == tmp_path / "pack"
    assert isinstance(depot, SftpPlace) and (depot.server, depot.root) == ("sftp://depot.chu.example:22", "/out@box")
    assert depot.host_key == (FINGERPRINT,)
    assert isinstance(labo, FtpsPlace) and (labo.host, labo.port) == ("labo.example", 2121)
    assert labo.certificate == "SHA256:" + "ab" * 32
    assert isinstance(old, FtpPlace) and (old.user, old.root) == ("anonymous", "")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("sftp://depot", f"sftp://chu:{SECRET}@depot", 6, "the address contains an @"),
        ("sftp://depot.chu.example", f"sftp://chu:{SECRET}", 6, "the address is not valid"),
        ("sftp://", "scp://", 6, "the address is not valid"),
        ("out%40box", "out%0Abox", 6, "control characters"),
        ('"depot_key"', f'"../{SECRET}"', 8, "not the secret itself"),
        ('"depot_key"', f'"{SECRET} !"', 8, "not the secret itself"),
        ('key = "depot_key"\n', "", 5, "a `key` or a `password` is missing"),
        (FINGERPRINT, "MD5:aa", 9, "write a fingerprint"),
        ('user = "chu"\n', "", 5, "`user` is missing"),
        ("user =", "usre =", 7, "`usre` is unknown here; there are url, user, password, key"),
        ('password = "labo_password"\n', "", 11, "`password` is missing"),
        ('certificate = "SHA256:', 'certificate = "', 15, "SHA-256 fingerprint"),
        ("unencrypted = true", "", 17, "unencrypted: use sftp"),
        ("unencrypted = true", "unencrypted = 'x'", 19, "valid boolean"),
        ('folder = "pack"', "", 2, "`folder` or `url` is missing"),
        ('folder = "pack"', "folder = 7", 3, "not a valid path"),
        ("[places.local]", "[places.Lo_cal]", 2, "small letters"),
        ("[places.local]", "[place.local]", 2, "write [places.NAME]"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_no_value(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    file = tmp_path / "sources.toml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ChuError) as error:
        load_places(file)
    assert str(error.value).startswith(f"{file}, line {line}: ")
    assert message in str(error.value)
    assert SECRET not in str(error.value)
    # A traceback must not show the error of pydantic either.
    assert error.value.__context__ is None or error.value.__suppress_context__


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[places.a]\nurl = {SECRET}\n", "no valid TOML at line 2, column 7"),
        ("", "lists no place"),
        ("places = 3", "lists no place"),
        ("[places.a]\nfolder='x'\nfolder='y'\n", "no valid TOML at line 3"),
    ],
)
def test_a_file_that_is_no_list_of_places(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ChuError, match=message) as error:
        load_places(file)
    assert SECRET not in str(error.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChuError, match=r"cannot be read: No such file or directory; check CHU_SOURCES"):
        load_places(tmp_path / "sources.toml")


def test_only_a_toml_file_is_a_list(tmp_path: Path) -> None:
    folder = tmp_path / "sources.toml"
    folder.mkdir()
    assert Settings(_env_file=None, home=tmp_path, sources=folder).sources_folder == folder
    listed = Settings(_env_file=None, home=tmp_path, sources=tmp_path / "places.toml")
    assert listed.sources_folder == tmp_path / "landing" / "pack"


def test_no_representation_has_the_name_of_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(GOOD.replace("labo_password", SECRET).replace("depot_key", SECRET), encoding="utf-8")
    assert SECRET not in repr(load_places(file))
