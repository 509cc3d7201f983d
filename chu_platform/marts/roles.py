"""The roles of the marts: a group for each profile, a login for each account, and what the account holds.

A login exists for an account that has a password for the marts (`chu marts password`). The password itself is shown
once, and kept nowhere: CHU_SECRETS/marts/logins.json holds what the server verifies it with (SCRAM-SHA-256).
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Final

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 the name of a class
from psycopg2.extensions import encrypt_password

from chu_platform.access.gate import own_keys
from chu_platform.errors import ChuError, reason_of
from chu_platform.identity.accounts import Accounts, valid_on
from chu_platform.identity.principal import Held
from chu_platform.marts.content import PROFILES
from chu_platform.settings import Settings
from chu_platform.storage.durable import write_bytes_whole
from chu_platform.tables.access_policy import Profile

# Names of accounts have no colon: no account is named as a group.
GROUP_PREFIX: Final = "chu:"
# The schema of what the roles hold. Only the owner reads its tables.
RIGHTS: Final = "acces"
PASSWORD_BYTES: Final = 32
# PostgreSQL shortens longer names.
MAX_NAME_BYTES: Final = 63
# The settings of a login. Readers write nothing, and hold no lock for ever: a load could not remove the former edition.
LOGIN_SETTINGS: Final[Mapping[str, str]] = {
    "default_transaction_read_only": "on",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "10min",
}
CONNECTIONS: Final = 20


@dataclass(frozen=True)
class Login:
    """A login: the name of its account, how the server verifies its password, and what the account holds today."""

    name: str
    verifier: str
    held: Sequence[Held]

    @property
    def groups(self) -> Sequence[str]:
        """The groups of the profiles that it holds. Everybody holds `public`."""
        held = {Profile.PUBLIC, *(one.profile for one in self.held)}
        return [group_of(profile) for profile in served_profiles() if profile in held]


def group_of(profile: Profile) -> str:
    """The group role of a profile."""
    return f"{GROUP_PREFIX}{profile}"


def served_profiles() -> Sequence[Profile]:
    """The profiles for which there are marts."""
    return [profile for profiles in PROFILES.values() for profile in profiles]


def logins(settings: Settings) -> Sequence[Login]:
    """The logins that there should be: accounts with a password for the marts, and with a grant that is not over."""
    kept = _kept(settings)
    found = []
    for account in Accounts(settings.accounts_folder).every():
        one = kept.get(account.name)
        held = valid_on(date.today(), (grant.held for grant in account.grants))
        # The password of an account that was removed is not that of a later one with its name.
        if one and one.account == account.number and held:
            found.append(Login(account.name, one.verifier, held))
    return found


def new_password(settings: Settings, connection: Connection, name: str) -> str:
    """Give an account a new password for the marts, and its login. Raises ChuError if it holds nothing, or cannot."""
    account = next((a for a in Accounts(settings.accounts_folder).every() if a.name == name), None)
    if account is None:
        raise ChuError(f"there is no account {name}: `chu user list` lists them, `chu user add` creates one")
    if not valid_on(date.today(), (grant.held for grant in account.grants)):
        raise ChuError(f"what the account {name} held is over: `chu user add` gives it a grant")
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (name,))
        if name.startswith("pg_") or len(name) > MAX_NAME_BYTES or cursor.fetchall() == [(True,)]:
            raise ChuError(f"PostgreSQL has no login {name}, its name is reserved or too long: add another account")
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    verifier = encrypt_password(password, name, connection, "scram-sha-256")
    _keep(settings, {**_kept(settings), name: _Kept(account.number, verifier)})
    follow_accounts(settings, connection)
    return password


def prepare_roles(connection: Connection) -> None:
    """Make the groups, and the tables of rights. Nobody may do anything else in the databases of the server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", (f"{GROUP_PREFIX}%",))
        there = {name for (name,) in cursor.fetchall()}
        for profile in served_profiles():
            if group_of(profile) not in there:
                cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group_of(profile))))
        cursor.execute("SELECT datname, datname = current_database() FROM pg_database WHERE datallowconn")
        for database, is_own in cursor.fetchall():
            cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            if is_own:
                cursor.execute(
                    sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), _everybody())
                )
        cursor.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        # Large objects are the one thing that a role without any right could still write.
        cursor.execute("SELECT oid::regprocedure::text FROM pg_proc WHERE proname ~ '^lo_(creat|from)'")
        for (function,) in cursor.fetchall():
            cursor.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(sql.SQL(function)))
        cursor.execute(sql.SQL(RIGHTS_SQL).format(everybody=_everybody()))


# What each login holds; the functions tell a session what it holds itself, by the name with which it has signed in.
RIGHTS_SQL: Final = f"""
CREATE SCHEMA IF NOT EXISTS {RIGHTS};
CREATE TABLE IF NOT EXISTS {RIGHTS}.tenu (
    compte text NOT NULL, profil text NOT NULL, finalite text NOT NULL, fin date NOT NULL, cles text[] NOT NULL,
    PRIMARY KEY (compte, profil, finalite)
);
CREATE TABLE IF NOT EXISTS {RIGHTS}.chargement (
    une_ligne boolean PRIMARY KEY DEFAULT true CHECK (une_ligne),
    edition integer NOT NULL, jour date NOT NULL, contenu text NOT NULL, lignes bigint NOT NULL,
    secondes double precision NOT NULL, charge_le timestamptz NOT NULL
);
CREATE OR REPLACE FUNCTION {RIGHTS}.tient(profil text, finalite text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (SELECT FROM {RIGHTS}.tenu t WHERE t.compte = session_user AND t.profil = $1 AND t.finalite = $2
        AND t.fin >= current_date) $$;
CREATE OR REPLACE FUNCTION {RIGHTS}.cles(profil text, finalite text) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce((SELECT t.cles FROM {RIGHTS}.tenu t WHERE t.compte = session_user AND t.profil = $1
        AND t.finalite = $2 AND t.fin >= current_date), '{{{{}}}}') $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {RIGHTS} FROM PUBLIC;
GRANT USAGE ON SCHEMA {RIGHTS} TO {{everybody}};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {RIGHTS} TO {{everybody}};
"""


def follow_accounts(settings: Settings, connection: Connection) -> Sequence[Login]:
    """Make the logins those of the accounts, in one transaction; returns them. A login without its account is dropped.

    It takes effect at the next query of open connections too.
    """
    wanted = logins(settings)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            cursor.execute(
                "SELECT m.rolname FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid "
                "JOIN pg_roles m ON m.oid = a.member WHERE g.rolname = %s",
                (group_of(Profile.PUBLIC),),
            )
            there = {name for (name,) in cursor.fetchall()}
            cursor.execute(f"DELETE FROM {RIGHTS}.tenu")
            for name in there - {login.name for login in wanted}:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,))
                cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
            for login in wanted:
                _make(connection, login, login.name in there)
                for held in login.held:
                    cursor.execute(
                        f"INSERT INTO {RIGHTS}.tenu VALUES (%s, %s, %s, %s, %s)",
                        (login.name, held.profile.value, held.purpose.value, held.expires, list(own_keys(held))),
                    )
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")
    return wanted


def _make(connection: Connection, login: Login, is_there: bool) -> None:
    role = sql.Identifier(login.name)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT {} "
                "PASSWORD {} VALID UNTIL {}"
            ).format(
                sql.SQL("ALTER" if is_there else "CREATE"),
                role,
                sql.Literal(CONNECTIONS),
                sql.Literal(login.verifier),
                sql.Literal(f"{_last_day(login)} 23:59:59"),
            )
        )
        for name, value in LOGIN_SETTINGS.items():
            cursor.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.SQL(name), sql.Literal(value)))
        for profile in served_profiles():
            group = group_of(profile)
            statement = "GRANT {} TO {}" if group in login.groups else "REVOKE {} FROM {}"
            cursor.execute(sql.SQL(statement).format(sql.Identifier(group), role))


def _last_day(login: Login) -> date:
    return max(held.expires for held in login.held)


def _everybody() -> sql.Identifier:
    return sql.Identifier(group_of(Profile.PUBLIC))


def _file(settings: Settings) -> Path:
    return settings.secrets_folder / "marts" / "logins.json"


@dataclass(frozen=True)
class _Kept:
    """What is kept of a password: the number of its account, and how the server verifies it."""

    account: int
    verifier: str


def _kept(settings: Settings) -> Mapping[str, _Kept]:
    """What is kept of each password, by the name of its account. Raises ChuError if the file is damaged."""
    file = _file(settings)
    try:
        return {name: _Kept(**one) for name, one in json.loads(file.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ChuError(f"{file} cannot be read: {reason_of(error)}") from None
    except (ValueError, TypeError, AttributeError):
        raise ChuError(f"{file} is damaged: restore it from a backup, or delete it and give new passwords") from None


def _keep(settings: Settings, kept: Mapping[str, _Kept]) -> None:
    file = _file(settings)
    text = json.dumps({name: asdict(one) for name, one in kept.items()}, indent=1, sort_keys=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_bytes_whole(file, f"{text}\n".encode(), 0o600)
    except OSError as error:
        raise ChuError(f"{file} cannot be written: {reason_of(error)}") from None
