"""The profiles of the groups of the identity provider: the file `groups.toml` in CHU_SECRETS/accounts.

    [[group]]
    name = "chu-direction-010000024"
    profile = "head"
    purpose = "steering"
    establishments = ["010000024"]
    expires = 2027-06-30
    reviewed = 2026-11-30

The file is read at each request, so that a change takes effect at the next one.
"""

import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from chu_platform.errors import ChuError, reason_of
from chu_platform.identity.accounts import ReviewedGrant, require_own, valid_on
from chu_platform.identity.principal import Held
from chu_platform.tables.access_policy import Profile, Purpose

FILE: Final = "groups.toml"


class GroupGrant(BaseModel):
    """A profile that the members of a group hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    profile: Profile
    purpose: Purpose
    expires: date
    reviewed: date
    establishments: frozenset[str] = frozenset()

    @property
    def grant(self) -> ReviewedGrant:
        """The grant of each member."""
        return ReviewedGrant(Held(self.profile, self.purpose, self.expires, self.establishments), self.reviewed)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    group: Sequence[GroupGrant] = ()


def group_grants(folder: Path) -> Sequence[GroupGrant]:
    """What the file says; nothing if there is none. Raises ChuError if it cannot be read or is not valid."""
    file = folder / FILE
    try:
        read = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ChuError(f"the groups {file} cannot be read: {reason_of(error)}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ChuError(f"the groups {file} are not valid: {wrong}") from None
    except ValueError as error:
        raise ChuError(f"the groups {file} are no TOML file: {error}") from None
    for one in read.group:
        require_own(one.grant.held)
    return read.group


def held_by_groups(folder: Path, groups: Sequence[str], today: date) -> Sequence[Held]:
    """The profiles that the members of groups hold on a day."""
    return valid_on(today, (one.grant.held for one in group_grants(folder) if one.name in groups))
