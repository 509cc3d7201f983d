"""Wrong passwords: who enters too many waits longer each time, by account and by address of the client.

An attempt is counted before the password is looked at, so that many at once are not more than one after the other.
"""

import hashlib
import sqlite3
from ipaddress import IPv6Address, ip_address
from typing import Final

# Attempts without a wait; an address may be that of many people.
FREE_OF_ACCOUNT: Final = 5
FREE_OF_ADDRESS: Final = 30
FIRST_WAIT_SECONDS: Final = 30
MAX_WAIT_SECONDS: Final = 3600
FORGOTTEN_AFTER_SECONDS: Final = 24 * 3600
# Doublings after which a wait is the longest one for sure.
MAX_DOUBLINGS: Final = 10
# The network of one IPv6 customer, whose addresses anybody there may take one after the other.
IPV6_BITS: Final = 64


def count_attempt(connection: sqlite3.Connection, name: str, address: str, now: float) -> int:
    """Count an attempt to sign in, and return 0; or the seconds to wait, in which case it is not counted."""
    connection.execute("DELETE FROM failure WHERE last < ?", (int(now) - FORGOTTEN_AFTER_SECONDS,))
    counted = {_account(name): FREE_OF_ACCOUNT, _address(address): FREE_OF_ADDRESS}
    found = {
        what: connection.execute("SELECT count, until FROM failure WHERE what = ?", (what,)).fetchone() or (0, 0)
        for what in counted
    }
    wait: int = max(until for _, until in found.values()) - int(now)
    if wait > 0:
        return wait
    for what, free in counted.items():
        count = found[what][0] + 1
        until = int(now) + _wait(count - free) if count >= free else 0
        connection.execute("INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?)", (what, count, int(now), until))
    return 0


def forget_attempt(connection: sqlite3.Connection, name: str, address: str) -> None:
    """Forget an attempt that succeeded. Those that failed at other accounts of the address stay counted."""
    connection.execute("DELETE FROM failure WHERE what = ?", (_account(name),))
    connection.execute("UPDATE failure SET count = count - 1, until = 0 WHERE what = ?", (_address(address),))


def _wait(doublings: int) -> int:
    return min(FIRST_WAIT_SECONDS << min(doublings, MAX_DOUBLINGS), MAX_WAIT_SECONDS)


def _account(name: str) -> bytes:
    """What stands for a name. Some people enter their password as their name, so it is not stored."""
    return hashlib.sha256(f"account:{name}".encode(errors="replace")).digest()


def _address(address: str) -> bytes:
    try:
        parsed = ip_address(address)
        network = str(int(parsed) >> (128 - IPV6_BITS)) if isinstance(parsed, IPv6Address) else address
    except ValueError:  # a command, or a socket of the system
        network = address
    return hashlib.sha256(f"address:{network}".encode(errors="replace")).digest()
