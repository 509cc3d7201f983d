"""Whether the connection to a PostgreSQL server is encrypted, or stays on this machine."""

import os

import psycopg2
from psycopg2.extensions import parse_dsn

from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.transport import needs_tls

# Modes of libpq that give up rather than connect without TLS.
ENCRYPTED = ("require", "verify-ca", "verify-full")


def require_encryption(address: str, settings: Settings, name: str = "CHU_POSTGRES_URL") -> None:
    """Raise ChuError if an address leads to another machine without TLS. `address` is a URL or a text of libpq.

    `name` is the setting that holds it.
    """
    try:
        given = parse_dsn(address)
    except psycopg2.Error:
        return  # the driver tells what is wrong with it
    if given.get("sslmode", os.environ.get("PGSSLMODE")) in ENCRYPTED:
        return
    hosts = given.get("hostaddr") or given.get("host") or os.environ.get("PGHOST", "")
    # Without a host, or with a folder, the server is reached by a socket of this machine.
    remote = [host for host in hosts.split(",") if host and not host.startswith(("/", "@"))]
    if "service" in given and not remote:
        remote = ["the server of its service"]
    for host in remote:
        if needs_tls(host, settings):
            raise ChuError(
                f"{name} leads to {host} without TLS: add sslmode=verify-full (and sslrootcert), or, if a "
                "network of its own leads there, name the host in CHU_LOCAL_HOSTS"
            )
