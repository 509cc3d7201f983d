"""Whether a server of this machine answers, whatever its answer is.

`python -m chu_platform.server_health SOCKET` tells it by its exit status of a server at a socket, for health checks.
"""

import http.client
import socket
import ssl
import sys
from pathlib import Path


class SocketConnection(http.client.HTTPConnection):
    """A connection to a server that listens on a socket of this machine."""

    def __init__(self, file: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._file = file

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._file))


def http_status(host: str, port: int, path: str, seconds: float, tls: bool = False) -> int | None:
    """The status of the answer to a GET request; None if none comes within `seconds`. Certificates are not verified."""
    connection = (
        http.client.HTTPSConnection(host, port, timeout=seconds, context=_any_certificate())
        if tls
        else http.client.HTTPConnection(host, port, timeout=seconds)
    )
    return _status(connection, path)


def socket_answers(file: Path, path: str, seconds: float) -> bool:
    """Whether a server at a socket answers to a GET request within `seconds`."""
    return _status(SocketConnection(file, seconds), path) is not None


def _status(connection: http.client.HTTPConnection, path: str) -> int | None:
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _any_certificate() -> ssl.SSLContext:
    """A server of our own is asked whether it answers: its certificate is for other names than this machine's."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def code_server_answers(file: Path, seconds: float) -> bool:
    """Whether the code server of Dagster at this socket answers to a health check of gRPC within `seconds`."""
    import grpc  # not at the start of every command
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"unix:{file}") as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="DagsterApi"), seconds)
        except grpc.RpcError as error:
            return error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    return True


if __name__ == "__main__":
    sys.exit(0 if socket_answers(Path(sys.argv[1]), "/sante", 3.0) else 1)
