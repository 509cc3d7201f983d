"""Marts on a server of a test: the accounts that the tests connect as, their passwords, and what they read."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.marts.roles import new_password, prepare_roles
from chu_platform.marts.server import DATABASE, HOST, connected, mart_server
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import Profile, Purpose

EXACT = kpi_consultation_rate_by_establishment.exact
NEXT_YEAR = date.today() + timedelta(days=365)


@dataclass
class Served:
    """The marts of a lake: settings, the two sites of the accounts, and the passwords of the accounts."""

    settings: Settings
    lake: Lake
    sites: Sequence[str]
    passwords: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        name: str,
        profile: Profile,
        purpose: Purpose,
        *sites: str,
        password: bool = True,
        professional: str | None = None,
    ) -> None:
        """Add an account, or a grant, and by default give it a password for the marts."""
        held = Held(profile, purpose, NEXT_YEAR, frozenset(sites), professional)
        Accounts(self.settings.accounts_folder).add(name, held)
        if password:
            with self.owner() as connection:
                prepare_roles(connection)
                self.passwords[name] = new_password(self.settings, connection, name)

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        """A connection of the owner."""
        with mart_server(self.settings) as url, connected(url) as connection:
            yield connection

    @contextmanager
    def as_(self, name: str, **more: Any) -> Iterator[Connection]:
        """A connection of an account, over TCP with its password, as of a BI tool."""
        port = more.pop("port", self.settings.marts_port)
        given = {
            "host": HOST,
            "port": port,
            "dbname": DATABASE,
            "user": name,
            "password": self.passwords.get(name, "x"),
        }
        with closing(psycopg2.connect(**(given | more))) as connection:
            connection.autocommit = True
            yield connection

    def rows(self, name: str, query: str) -> list[tuple[Any, ...]]:
        """What an account reads."""
        with self.as_(name) as connection:
            return rows(connection, query)


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def two_sites(lake: Lake) -> Sequence[str]:
    """The FINESS numbers of the sites with the most and with the fewest consultations in the exact table."""
    found = lake.arrow(EXACT, ["code", "consultations"], condition="level = 'establishment' AND period_grain = 'all'")
    ordered = sorted(zip(found["consultations"].to_pylist(), found["code"].to_pylist(), strict=True))
    finess = [code.removeprefix("F") for _, code in ordered if code.startswith("F")]
    return [finess[-1], finess[0]]


def settings_of(home: Path, lake: Path, port: int, **more: Any) -> Settings:
    """Settings of a home of its own for a lake."""
    return Settings(home=home, lake=str(lake), marts=True, marts_port=port, **more)
