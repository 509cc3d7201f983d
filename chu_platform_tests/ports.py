"""A port of this machine for a server that a test starts."""

import random
import socket
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
LOWEST: Final = 10_240
RANGE_OF_CLIENTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Where a system does not say from which port on it gives ports to clients (RFC 6335).
FIRST_OF_CLIENTS: Final = 49_152


def free_port() -> int:
    """A port on which nothing listens, below those that the system gives to clients.

    The system may give any other port to a client before the server has it. A client that waits for the server may
    even get the port of the server, and then it is connected to itself.
    """
    end = int(RANGE_OF_CLIENTS.read_text().split()[0]) if RANGE_OF_CLIENTS.exists() else FIRST_OF_CLIENTS
    while True:
        port = random.SystemRandom().randrange(LOWEST, end)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
