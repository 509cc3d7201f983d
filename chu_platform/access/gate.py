"""The gate: the only way in which serving components read rows that are not public.

It asks the policy of the table whether the account may read it for a purpose, gives only the rows, columns and cells
that the grant opens, and writes each answer, denials included, to the access journal before it gives it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NoReturn, Protocol

import duckdb
import pyarrow as pa

from chu_platform.access.entries import Answer, Decision
from chu_platform.access.journal import Journal
from chu_platform.errors import ChuError
from chu_platform.identity.accounts import FINESS
from chu_platform.identity.principal import Held, Principal
from chu_platform.storage.duckdb_session import small_connection
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import AccessPolicy, Grant, Profile, Purpose, RowsOf
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.table import StoredTable

# The key of an establishment is this letter and its FINESS number (`dimensions.dim_establishment`).
FINESS_LETTER: Final = "F"
MAX_FILTER_LENGTH: Final = 2000


class GuardedTable(StoredTable, Protocol):
    """A declared or described table, with its access policy."""

    @property
    def access(self) -> AccessPolicy | None:
        """See `tables.table.Table`."""


class Denied(ChuError):
    """The account may not read what it asked for. The denial is in the journal."""

    def __init__(self, principal: Principal, table: StoredTable) -> None:
        super().__init__(
            f"the account {principal.name} has no grant that opens these rows of {table.layer}/{table.name}: no figure "
            "is shown, and the request is in the access journal"
        )


@dataclass(frozen=True)
class Request:
    """The rows of a table that are asked for: a condition in DuckDB SQL, and the values of its parameters by name.

    `version` is the Delta version to read; None for the current one. `about` is what else the journal says of them.
    """

    where: str = "true"
    values: Mapping[str, object] | None = None
    version: int | None = None
    about: str = ""

    @property
    def text(self) -> str:
        """The condition with its values, for the journal."""
        text = f"{self.about}: {self.where}" if self.about else self.where
        # The longest names first: one may be the beginning of another.
        for name, value in sorted((self.values or {}).items(), key=lambda item: -len(item[0])):
            text = text.replace(f"${name}", sql_text(str(value)))
        return text[:MAX_FILTER_LENGTH]


EVERYTHING: Final = Request()
# All rows of a table that an account may read, with the figures of small cells set to null.
MaskSmall = Callable[[pa.Table], pa.Table]


class Gate:
    """The gate of a lake, with its journal. `today` decides which grants have expired."""

    def __init__(self, lake: Lake, journal: Journal, today: Callable[[], date] = date.today) -> None:
        self._lake = lake
        self._journal = journal
        self._today = today

    def open_table(
        self,
        principal: Principal,
        table: GuardedTable,
        purpose: Purpose | None = None,
        request: Request = EVERYTHING,
        mask_small: MaskSmall | None = None,
        computed: Callable[[], pa.Table] | None = None,
    ) -> pa.Table:
        """The requested rows that the account may read, or Denied. One entry in the journal.

        `purpose` is None for any for which the account holds a profile. `mask_small` masks small cells; without it, a
        grant that masks them opens nothing. `computed` gives the rows of the table for other periods than those stored:
        the gate then reads these. Raises JournalError if the journal cannot be written, and ChuError if the table
        does not exist.
        """
        found = [
            (held, grant)
            for held, grant in self._grants(principal, table, purpose)
            if _condition(held, grant) and (mask_small or not grant.masks_small)
        ]
        if found:
            with small_connection() as connection:
                relation, version = self._relation(connection, table, request, computed)
                for held, grant in found:
                    rows = _granted(connection, relation, table, request, held, grant, mask_small)
                    if rows is not None:
                        answer = _answer(principal, table, request, version, held, rows.num_rows)
                        self._journal.append(answer)
                        return rows
        self._deny(principal, table, request)
        raise Denied(principal, table)

    def refuse(self, principal: Principal, table: GuardedTable, request: Request = EVERYTHING) -> NoReturn:
        """Write that an account may not read these rows, and raise Denied."""
        self._deny(principal, table, request)
        raise Denied(principal, table)

    def admit(self, principal: Principal, tables: Sequence[GuardedTable], what: str, rows: int = 0) -> None:
        """Write that the account reads all rows of these tables, for an answer that is made of them; or raise Denied.

        `what` describes the answer, and `rows` is the number of rows that it shows. One entry in the journal.
        """
        folders = ", ".join(table.folder for table in tables)
        held = [self.holds(principal, table) for table in tables]
        for table, one in zip(tables, held, strict=True):
            if one is None:
                self.refuse(principal, table, Request(what))
        profiles, purposes = (
            " ".join(sorted({str(name) for name in names}))
            for names in ([h.profile for h in held if h], [h.purpose for h in held if h])
        )
        self._journal.append(Answer(principal.name, profiles, purposes, folders, None, what, rows, Decision.ALLOWED))

    def has_grant(self, principal: Principal, table: GuardedTable, purpose: Purpose | None, masked: bool) -> bool:
        """Whether an account has a grant that may open rows of a table; `masked`: also one that masks small cells.

        This opens nothing and is not journalled: it says what can be offered.
        """
        return any(
            _condition(held, grant) and (masked or not grant.masks_small)
            for held, grant in self._grants(principal, table, purpose)
        )

    def holds(self, principal: Principal, table: GuardedTable) -> Held | None:
        """The profile by which the account may read all rows of a table as they are; None if there is none."""
        whole = (
            held
            for held, grant in self._grants(principal, table, None)
            if grant.rows is RowsOf.EVERYBODY and grant.columns is None and not grant.masks_small
        )
        return next(whole, None)

    def _grants(
        self, principal: Principal, table: GuardedTable, purpose: Purpose | None
    ) -> Iterator[tuple[Held, Grant]]:
        """The profiles of the account with the grants that they have, those that open most first.

        Everybody holds the profile `public`. A table without a policy has no grants.
        """
        if table.access is None:
            return
        today = self._today()
        everybody = Held(Profile.PUBLIC, Purpose.INFORMATION, date.max)
        found = [
            (held, grant)
            for held in (*principal.held, everybody)
            if held.expires >= today and purpose in (None, held.purpose)
            for grant in table.access.grants_of(held.profile, held.purpose)
        ]
        yield from sorted(found, key=lambda f: _closes(f[1]))

    def _relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: GuardedTable,
        request: Request,
        computed: Callable[[], pa.Table] | None,
    ) -> tuple[str, int | None]:
        if computed is not None:
            connection.register("computed", computed())
            return "computed", self._version(table)
        version = self._lake.require(table, request.version).version()
        return self._lake.relation(table, version), version

    def _version(self, table: GuardedTable) -> int | None:
        delta = self._lake.open(table)
        return None if delta is None else delta.version()

    def _deny(self, principal: Principal, table: GuardedTable, request: Request) -> None:
        profiles = " ".join(sorted({held.profile.value for held in principal.held}))
        denied = Answer(principal.name, profiles, "", table.folder, None, request.text, 0, Decision.DENIED)
        self._journal.append(denied)


def _closes(grant: Grant) -> tuple[bool, bool, bool]:
    """What a grant closes, for the order of grants."""
    return grant.masks_small, grant.rows is not RowsOf.EVERYBODY, grant.columns is not None


def _answer(
    principal: Principal, table: GuardedTable, request: Request, version: int | None, held: Held, rows: int
) -> Answer:
    return Answer(
        principal.name,
        held.profile.value,
        held.purpose.value,
        table.folder,
        version,
        request.text,
        rows,
        Decision.ALLOWED,
    )


def _granted(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    table: GuardedTable,
    request: Request,
    held: Held,
    grant: Grant,
    mask_small: MaskSmall | None,
) -> pa.Table | None:
    """The requested rows that a grant opens; None if it opens none of them, or no column."""
    readable = "*"
    if grant.columns is not None:
        readable = ", ".join(f'"{c.name}"' for c in table.columns if c.name in grant.columns)
        if not readable:
            return None
    condition = _condition(held, grant)
    values = dict(request.values or {})
    if grant.masks_small and mask_small is not None:
        # Small cells are masked among all rows of the grant: those beside a cell would tell it.
        own = connection.sql(f"SELECT * FROM {relation} WHERE {condition}").to_arrow_table()
        connection.register("granted", mask_small(own))
        granted = "granted"
    else:
        granted = f"(SELECT * FROM {relation} WHERE {condition})"
    rows = connection.sql(f"SELECT {readable} FROM {granted} WHERE {request.where}", params=values).to_arrow_table()
    # Whether there are such rows of others is not told either.
    return rows if rows.num_rows or grant.rows is RowsOf.EVERYBODY else None


def _condition(held: Held, grant: Grant) -> str | None:
    """The SQL condition of the rows that a grant opens to who holds it; None if it opens none."""
    if grant.rows is RowsOf.EVERYBODY:
        return "true"
    if own := own_keys(held):
        return f'"{grant.own}" IN ({", ".join(map(sql_text, own))})'
    return None


def own_rows(grant: Grant) -> str:
    """The SQL condition of the rows that a grant of own sites may open to one account or another."""
    return f"""regexp_full_match("{grant.own}", '{FINESS_LETTER}{FINESS.pattern}')"""


def own_keys(held: Held) -> Sequence[str]:
    """The values of the column `Grant.own` in the own rows of who holds a profile.

    They are the keys of own sites, and the pseudonym of the professional: no value is both.
    """
    return sorted([*map(establishment_key, held.establishments), *([held.professional] if held.professional else [])])


def establishment_key(finess: str) -> str:
    """The key of the establishment with a FINESS number."""
    return f"{FINESS_LETTER}{finess}"


def own_professional(principal: Principal, today: date) -> str | None:
    """The pseudonym of the professional that an account is bound to, if its grant has not expired."""
    return next((h.professional for h in principal.held if h.professional and h.expires >= today), None)


def own_sites(principal: Principal, today: date) -> Sequence[str]:
    """The FINESS numbers of the sites of an account whose grants have not expired."""
    return sorted({site for held in principal.held if held.expires >= today for site in held.establishments})
