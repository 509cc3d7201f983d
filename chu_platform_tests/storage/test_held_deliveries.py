"""Which delivered files have far fewer rows than before, and which acceptances are valid for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chu_platform.errors import ChuError
from chu_platform.storage.held_deliveries import Acceptance, Held, HeldDeliveries, Shrunk, accepted, shrunk_files
from chu_platform.storage.lake import Lake

pytestmark = pytest.mark.unit

PATIENTS = 'PostgreSQL table "Patient"'
AT = "2026-01-01T00:00:00+00:00"


def files(**rows: int) -> Sequence[Mapping[str, Any]]:
    """Entries of commit metadata; `__` in a name stands for a folder."""
    return [
        {"name": name.replace("__", "/"), "sha256": f"{name} {kept}", "rows": {"in": kept + 1, "kept": kept}}
        for name, kept in rows.items()
    ]


def table(kept: int) -> Sequence[Mapping[str, Any]]:
    return [{"name": PATIENTS, "sha256": "dump", "rows": {"in": kept, "kept": kept}}]


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (files(a=100), files(a=90), []),
        (files(a=100), files(a=89), [Shrunk("a", "a 89", 100, 89)]),
        (files(a=100, b=1000), files(a=50, b=1100), [Shrunk("a", "a 50", 100, 50)]),
        (files(a=100, b=1000), files(b=1000), [Shrunk("a", None, 100, 0)]),
        (files(a=100), files(), [Shrunk("a", None, 100, 0)]),
        # Replaced by another file, or moved to another folder.
        (files(month1=10, month2=11), files(year=21), []),
        (files(month1=10, month2=11), files(year=20), [Shrunk("month1", None, 10, 0), Shrunk("month2", None, 11, 0)]),
        (files(one__a=100), files(other__A=95), []),
        (files(one__a=100), files(other__a=40), [Shrunk("other/a", "other__a 40", 100, 40)]),
        # First deliveries. A file without rows is refused when it is read.
        ([], files(a=1), []),
        ([], table(0), [Shrunk(PATIENTS, "dump", 0, 0)]),
        (table(0), table(0), []),
        (table(100), table(0), [Shrunk(PATIENTS, "dump", 100, 0)]),
        ([], [], []),
    ],
)
def test_files_that_have_shrunk(
    before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]], found: list[Shrunk]
) -> None:
    assert shrunk_files(before, now, 0.1) == found


def test_what_is_said_of_them() -> None:
    assert str(Shrunk("a", "0", 20_405, 9_917)) == "a has 9 917 rows, 20 405 before"
    assert str(Shrunk("a", None, 20_405, 0)) == "a, which had 20 405 rows, is not delivered any more"
    assert str(Shrunk("a", "0", 0, 0)) == "a has no rows"


FILE = Shrunk("a", "0", 100, 50)
GIVEN = Acceptance("things", "run 1", [FILE], "me", AT)


@pytest.mark.parametrize(
    ("source", "after", "file", "of_server", "valid"),
    [
        ("things", "run 1", FILE, False, True),
        ("others", "run 1", FILE, False, False),
        ("things", "run 2", FILE, False, False),
        ("things", "run 1", replace(FILE, sha256="1"), False, False),
        ("things", "run 1", replace(FILE, sha256=None, rows=0), False, False),
        # A server is never read twice in the same state.
        ("things", "run 1", replace(FILE, sha256="1"), True, True),
        ("things", "run 1", replace(FILE, sha256="1", rows=49), True, False),
    ],
)
def test_an_acceptance_is_valid_for_one_delivery(
    source: str, after: str, file: Shrunk, of_server: bool, valid: bool
) -> None:
    assert accepted([GIVEN], source, after, file, of_server) == (GIVEN if valid else None)


def test_acceptances_are_kept(tmp_path: Path) -> None:
    deliveries = HeldDeliveries(Lake(tmp_path))
    assert (deliveries.held(), deliveries.acceptances()) == ([], [])
    now = {FILE.name: str(FILE.sha256)}
    deliveries.release("things", now)
    held, others = Held("things", "run 1", [FILE], AT), Held("others", "run 1", [FILE], AT)
    deliveries.hold(held)
    deliveries.hold(others)
    assert deliveries.accept(held, "me", AT) == GIVEN
    deliveries.release("things", now)
    assert deliveries.held() == [others]
    deliveries.accept(others, "you", AT)
    again = HeldDeliveries(Lake(tmp_path)).acceptances()
    assert [(a.source, a.by, a.is_over) for a in again] == [("things", "me", False), ("others", "you", False)]
    deliveries.release("things", {FILE.name: "another"})
    assert [a.is_over for a in deliveries.acceptances()] == [True, False]
    assert accepted(deliveries.acceptances(), "things", "run 1", FILE, of_server=False) is None
    (tmp_path / "restricted" / ".deliveries" / "accepted.json").write_text("[{")
    with pytest.raises(ChuError, match=r"accepted\.json is damaged"):
        deliveries.acceptances()
