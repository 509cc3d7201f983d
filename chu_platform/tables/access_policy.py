"""Who may read a table, for which purpose, and how long its rows are kept.

A table without a policy, or a profile without a grant in it, is denied: nothing is readable by default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Profile(StrEnum):
    """The profiles of people, as GOVERNANCE.md section 1 names them."""

    PUBLIC = "public"
    HEAD = "head"
    CLINICIAN = "clinician"
    PRACTITIONER = "practitioner"
    ANALYST = "analyst"
    STEWARD = "steward"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Purpose(StrEnum):
    """What rows are processed for. The register of processing has one entry for each purpose."""

    INFORMATION = "information"
    STEERING = "steering"
    CARE_QUALITY = "care_quality"
    RESEARCH = "research"
    DATA_QUALITY = "data_quality"
    AUDIT = "audit"
    OPERATION = "operation"


class RowsOf(StrEnum):
    """The rows of a table that a grant opens."""

    EVERYBODY = "everybody"
    OWN_SITES = "own_sites"
    OWN_COUNTS = "own_counts"


@dataclass(frozen=True)
class Grant:
    """A profile may read rows of a table for a purpose.

    `columns` are the names of the readable columns; None means all. With `masks_small`, figures of cells of 1 to 10
    persons are masked for the profile. `own` is the column that tells the own rows of `rows`: the key of the
    establishment (F and its FINESS number), or the pseudonym of the professional. Raises ValueError without it.
    """

    profile: Profile
    purpose: Purpose
    rows: RowsOf = RowsOf.EVERYBODY
    columns: Sequence[str] | None = None
    masks_small: bool = False
    own: str | None = None

    def __post_init__(self) -> None:
        if (self.own is None) is not (self.rows is RowsOf.EVERYBODY):
            raise ValueError("a grant of own rows, and no other, names the column that tells them")


@dataclass(frozen=True)
class AccessPolicy:
    """The access policy of a table. Its texts are French.

    `purpose` is why the rows exist, `persons` whom they are about. `legal_basis` names the article. `retention_months`
    is the number of months that rows are kept; None if no age ends it. `retention_reason` says what ends it, and why.
    `expired` is the DuckDB SQL of the rows that are kept too long: `{limit}` in it is the day, as text, of so many
    months ago. Raises ValueError if only one of months and `expired` is given.
    """

    purpose: Purpose
    legal_basis: str
    retention_months: int | None
    retention_reason: str
    grants: Sequence[Grant] = ()
    expired: str | None = None
    persons: str = ""

    def __post_init__(self) -> None:
        if (self.retention_months is None) is not (self.expired is None):
            raise ValueError("a retention in months and the rows that it ends belong together")

    def grants_of(self, profile: Profile, purpose: Purpose) -> Sequence[Grant]:
        """The grants of a profile for a purpose; none if the table is denied to it."""
        return [g for g in self.grants if (g.profile, g.purpose) == (profile, purpose)]
