"""`chu access review`: the grants that nobody has confirmed for a year, and those that are over."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from chu_platform.identity.accounts import Accounts, ReviewedGrant
from chu_platform.identity.provider_groups import group_grants
from chu_platform.settings import Settings
from chu_platform.storage.retention import months_before

REVIEW_MONTHS: Final = 12


@dataclass(frozen=True)
class Holder:
    """Who holds a grant: an account, or a group of the identity provider; and what confirms the grant."""

    name: str
    confirms: str


def grants_of_all(settings: Settings) -> Iterator[tuple[Holder, ReviewedGrant]]:
    """All grants of the accounts, and of the groups of the identity provider."""
    folder = settings.accounts_folder
    for account in Accounts(folder).every():
        for grant in account.grants:
            yield Holder(f"account {account.name}", f"chu user review {account.name}"), grant
    for group in group_grants(folder):
        yield Holder(f"group {group.name}", "the date `reviewed` in groups.toml"), group.grant


def due(grants: Iterable[tuple[Holder, ReviewedGrant]], today: date) -> Iterator[str]:
    """A line for each grant that was not reviewed for a year, and for each that is over."""
    limit = months_before(today, REVIEW_MONTHS)
    for holder, grant in grants:
        held = grant.held
        what = f"{holder.name}: {held.profile} for {held.purpose}"
        if held.expires < today:
            yield f"{what} is over since {held.expires}: remove or renew it"
        elif grant.reviewed < limit:
            yield f"{what} was reviewed last on {grant.reviewed}: confirm it with {holder.confirms}, or remove it"
