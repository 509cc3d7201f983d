"""Lines of LIST as servers write them, and names that must not lead out of a folder."""

from datetime import UTC, datetime

import pytest

from chu_platform.landing.ftp import parsed_line
from chu_platform.landing.remote import SAFE_NAME, text_of

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "name", "kind", "size", "modified"),
    [
        ("-rw-r--r--    1 1 1 1048576 Feb 28 13:14 deces.csv", "deces.csv", "file", 1048576, "2026-02-28T13:14"),
        ("-rw-rw-r--   1 chu  domain users  512 Dec 31 23:59 a b.csv", "a b.csv", "file", 512, "2025-12-31T23:59"),
        ("-rw-r--r--+   1 root   root      312 Aug  1  1994 1994 Aug 1", "1994 Aug 1", "file", 312, "1994-08-01T00:00"),
        ("drwxr-xr-x   2 root     wheel        1024 Jan  3  2020 BDD A", "BDD A", "dir", 1024, "2020-01-03T00:00"),
        ("lrwxrwxrwx   1 root     wheel      9 Jan  3  2020 last -> deces.csv", "last", "link", 9, "2020-01-03T00:00"),
        ("02-28-26  01:14PM              1048576 deces.csv", "deces.csv", "file", 1048576, "2026-02-28T13:14"),
        ("02-28-2026  12:05AM       <DIR>          BDD PostgreSQL", "BDD PostgreSQL", "dir", 0, "2026-02-28T00:05"),
    ],
)  # fmt: skip
def test_lines_of_servers(line: str, name: str, kind: str, size: int, modified: str) -> None:
    moment = datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp()
    assert parsed_line(line, NOW) == (name.encode(), kind, size, moment)


def test_other_lines_are_no_files() -> None:
    assert parsed_line("total 24", NOW) is None


@pytest.mark.parametrize("name", ["..", ".", "../x", "a/b", "a\nb", "", "a\0b"])
def test_names_that_a_server_must_not_send(name: str) -> None:
    assert not SAFE_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["...", "Décès (1).csv", "a b", ".hidden"])
def test_names_that_are_allowed(name: str) -> None:
    assert SAFE_NAME.fullmatch(name)


def test_names_of_old_servers_are_text() -> None:
    assert text_of("Décès".encode()) == text_of("Décès".encode("cp1252")) == "Décès"
