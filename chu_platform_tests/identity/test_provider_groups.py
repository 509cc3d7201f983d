"""The file that maps groups of the identity provider to profiles."""

from datetime import date
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.identity.provider_groups import held_by_groups
from chu_platform_tests.identity.people import HEAD, LATER, OPERATOR, TODAY

pytestmark = pytest.mark.unit

GROUPS = """
[[group]]
name = "direction"
profile = "head"
purpose = "steering"
establishments = ["010000024"]
expires = 2027-06-30
reviewed = 2026-11-30

[[group]]
name = "exploitation"
profile = "operator"
purpose = "operation"
expires = 2027-06-30
reviewed = 2026-11-30
"""


def test_members_hold_what_their_groups_hold_until_it_expires(tmp_path: Path) -> None:
    assert held_by_groups(tmp_path, ["direction"], TODAY) == ()
    (tmp_path / "groups.toml").write_text(GROUPS)
    assert held_by_groups(tmp_path, ["direction", "unknown"], TODAY) == (HEAD,)
    assert held_by_groups(tmp_path, ["exploitation", "direction"], LATER) == (HEAD, OPERATOR)
    assert held_by_groups(tmp_path, ["exploitation"], date(2027, 7, 1)) == ()
    assert held_by_groups(tmp_path, ["Direction"], TODAY) == ()


@pytest.mark.parametrize(
    ("changed", "to", "why"),
    [
        ('"head"', '"chief"', r"group\.0\.profile"),
        ("reviewed = 2026-11-30\n", "", r"group\.0\.reviewed"),
        ("expires", "until", r"group\.0\.until"),
        ('["010000024"]', "[]", "needs its sites"),
        ("[[group]]", "[[group", "no TOML file"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, changed: str, to: str, why: str) -> None:
    (tmp_path / "groups.toml").write_text(GROUPS.replace(changed, to, 1))
    with pytest.raises(ChuError, match=why):
        held_by_groups(tmp_path, ["direction"], TODAY)
