"""Which grants `chu access review` names."""

from datetime import date
from pathlib import Path

import pytest

from chu_platform.governance.access_review import Holder, due, grants_of_all
from chu_platform.identity.accounts import Accounts, ReviewedGrant
from chu_platform.identity.principal import Held
from chu_platform.settings import Settings
from chu_platform.tables.access_policy import Profile, Purpose

TODAY = date(2026, 11, 30)


def grant(reviewed: date, expires: date = date(2027, 6, 30)) -> ReviewedGrant:
    return ReviewedGrant(Held(Profile.ANALYST, Purpose.RESEARCH, expires), reviewed)


@pytest.mark.unit
def test_grants_that_nobody_confirmed_for_a_year_are_named() -> None:
    one = Holder("account one", "chu user review one")
    listed = [
        (one, grant(date(2025, 11, 29))),
        (one, grant(date(2025, 11, 30))),
        (one, grant(TODAY)),
        # Of a grant that is over, only that is said.
        (one, grant(date(2024, 1, 1), date(2026, 11, 29))),
        (one, grant(TODAY, TODAY)),
    ]
    assert list(due(listed, TODAY)) == [
        (
            "account one: analyst for research was reviewed last on 2025-11-29: confirm it with chu user review one, "
            "or remove it"
        ),
        "account one: analyst for research is over since 2026-11-29: remove or renew it",
    ]


@pytest.mark.integration
def test_a_review_is_due_a_year_after_the_last_one(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    held = Held(Profile.ANALYST, Purpose.RESEARCH, date(2028, 1, 1))
    Accounts(settings.accounts_folder, lambda: date(2025, 11, 1)).add("one", held)
    Accounts(settings.accounts_folder, lambda: date(2026, 6, 1)).add("two", held)
    (line,) = due(grants_of_all(settings), TODAY)
    assert line.startswith("account one: ")
    Accounts(settings.accounts_folder, lambda: TODAY).review("one")
    assert list(due(grants_of_all(settings), TODAY)) == []
