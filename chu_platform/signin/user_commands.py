"""The commands of accounts: `chu user ...`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from chu_platform.tables.access_policy import Profile, Purpose

if TYPE_CHECKING:
    from chu_platform.settings import Settings

app = typer.Typer(no_args_is_help=True, short_help="Add, list and remove accounts.", help="The accounts of people.")
Name = Annotated[str, typer.Argument(help="name of the account, e.g. dir-010000024; not the name of a person")]
DEFAULT_PORTAL = "http://127.0.0.1:3001"


@app.command(short_help="Add an account, or a grant to one.")
def add(
    name: Name,
    profile: Annotated[Profile, typer.Option(help="what the account may see (docs/access.md)")],
    purpose: Annotated[Purpose, typer.Option(help="what for")],
    expires: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="last day, e.g. 2027-06-30")],
    establishment: Annotated[
        list[str] | None, typer.Option(help="FINESS number of an own site, for head and clinician; repeatable")
    ] = None,
    rpps: Annotated[
        str | None, typer.Option(help="RPPS number of the professional that a practitioner is; it is not kept")
    ] = None,
    adeli: Annotated[str | None, typer.Option(help="the same by ADELI number")] = None,
    system_user: Annotated[
        str | None, typer.Option(help="user of the operating system whose commands the account stands for")
    ] = None,
) -> None:
    """Add an account, or a grant to an account. A grant of the same profile and purpose is replaced, as reviewed today.

    It has no password yet: `chu user link NAME` gives a link with which its user chooses one. `oidc:SUBJECT` gives a
    grant to one person whom the identity provider signs in.
    """
    from chu_platform.identity.accounts import SUBJECT, Accounts
    from chu_platform.identity.principal import Held
    from chu_platform.pseudonymisation.bound_professional import pseudonym_of_number
    from chu_platform.settings import load_settings
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.store import lake_root

    settings = load_settings()
    _require_granted(profile, purpose)
    sites = frozenset(site.strip().upper().removeprefix("F") for site in establishment or [])
    professional = pseudonym_of_number(Lake(lake_root(settings)), rpps, adeli)
    held = Held(profile, purpose, expires.date(), sites, professional)
    Accounts(settings.accounts_folder).add(name, held, system_user)
    _tell_marts(settings)
    how = (
        "the identity provider signs in"
        if name.startswith(SUBJECT)
        else f"chu user link {name} gives a link to sign in"
    )
    print(f"{name} is {profile} for {purpose} until {held.expires}; {how}")


@app.command("list", short_help="List accounts and what they hold.")
def list_accounts() -> None:
    """List all accounts with their grants, expired ones too; and the groups of the identity provider with theirs."""
    from datetime import date

    from chu_platform.identity.accounts import Accounts, ReviewedGrant
    from chu_platform.identity.provider_groups import group_grants
    from chu_platform.settings import load_settings

    folder = load_settings().accounts_folder

    def line(who: str, grant: ReviewedGrant) -> str:
        held = grant.held
        sites = f" of {' '.join(sorted(held.establishments))}" if held.establishments else ""
        sites += " bound to a professional" if held.professional else ""
        until = "expired on" if held.expires < date.today() else "until"
        return f"{who}: {held.profile}{sites} for {held.purpose} {until} {held.expires}, reviewed {grant.reviewed}"

    lines = []
    for account in Accounts(folder).every():
        user = f" (system user {account.system_user})" if account.system_user else ""
        who = f"{account.name}{user}{'' if account.has_password else ', no password'}"
        lines += [line(who, grant) for grant in account.grants] or [f"{who}: nothing"]
    lines += [line(f"group {group.name}", group.grant) for group in group_grants(folder)]
    print("\n".join(lines) or "there is no account")


@app.command(short_help="Remove an account or a grant.")
def remove(
    name: Name,
    profile: Annotated[Profile | None, typer.Option(help="remove only this profile from the account")] = None,
) -> None:
    """Remove an account, or one profile of it. It takes effect at the next request and the next command.

    `oidc:SUBJECT` ends the sessions of somebody whom the identity provider signs in, and removes grants of this person
    alone; whether they can sign in again is decided there, and in groups.toml.
    """
    from chu_platform.identity.accounts import SUBJECT, Accounts
    from chu_platform.identity.sessions import Sessions
    from chu_platform.settings import load_settings

    settings = load_settings()
    accounts = Accounts(settings.accounts_folder)
    if name.startswith(SUBJECT):
        print(f"{Sessions.of(settings).end_of_subject(name.removeprefix(SUBJECT))} session(s) of {name} are ended")
        if accounts.principal(name) is None:
            return
    accounts.remove(name, profile)
    _tell_marts(settings)
    print(f"{name} is removed" if profile is None else f"{name} is not {profile} any more")


@app.command(short_help="Confirm what an account holds.")
def review(name: Name) -> None:
    """Note that the grants of an account were reviewed today, and are still needed."""
    from chu_platform.identity.accounts import Accounts
    from chu_platform.settings import load_settings

    Accounts(load_settings().accounts_folder).review(name)
    print(f"the grants of {name} are reviewed")


@app.command(short_help="Print a link that signs in once.")
def link(
    name: Annotated[str, typer.Argument(help="account; `owner` where CHU_ACCESS is open: whoever owns CHU_HOME")],
    hours: Annotated[int, typer.Option(min=1, max=168, help="hours for which the link is valid")] = 24,
) -> None:
    """Print a link that signs in once as an account, and where its user chooses a new password.

    Give it to this person alone, over a safe way. CHU_PORTAL_URL is the address of the portal in it.
    """
    from chu_platform.identity.sessions import Sessions
    from chu_platform.settings import load_settings
    from chu_platform.urls import SIGN_IN_LINK

    settings = load_settings()
    token = Sessions.of(settings).new_link(name, hours * 3600)
    print(f"{(settings.portal_url or DEFAULT_PORTAL).rstrip('/')}{SIGN_IN_LINK}{token}")


def _require_granted(profile: Profile, purpose: Purpose) -> None:
    """Raise ChuError if no table opens to the profile for this purpose. Some profiles read no table at all."""
    from chu_platform.catalogue import catalogue
    from chu_platform.errors import ChuError

    grants = [grant for table in catalogue() if table.access for grant in table.access.grants]
    purposes = {grant.purpose for grant in grants if grant.profile is profile}
    if purposes and purpose not in purposes:
        raise ChuError(f"no table opens to {profile} for {purpose}: give --purpose {' or '.join(sorted(purposes))}")


def _tell_marts(settings: "Settings") -> None:
    """Let the logins of the marts follow, if there are marts. Raises ChuError if their server cannot be told."""
    if not settings.marts:
        return
    from chu_platform.errors import ChuError
    from chu_platform.marts.load import follow_in_marts

    try:
        follow_in_marts(settings)
    except ChuError as error:
        raise ChuError(f"the account is changed, but its login in the marts is not: {error}") from None
