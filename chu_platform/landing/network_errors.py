"""Causes of lost connections, in words."""

import socket


def network_cause(error: Exception) -> str:
    """Why a server cannot be reached, or why a connection was lost."""
    if isinstance(error, socket.gaierror):
        return "its host is unknown; check `url` and the network"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; check `url`, or wait until the server is up"
    if isinstance(error, TimeoutError):
        return "it does not answer; check `url` and the network"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ConnectionError):
        return f"{error.strerror.lower()}; check `url` and the network"
    return "the connection was lost"
