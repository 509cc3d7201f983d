"""Whether a server of this machine answers, whatever its answer is."""

import http.client
import ssl
from pathlib import Path


def http_status(host: str, port: int, path: str, seconds: float, tls: bool = False) -> int | None:
    """The status of the answer to a GET request; None if none comes within `seconds`. Certificates are not verified."""
    connection = (
        http.client.HTTPSConnection(host, port, timeout=seconds, context=_any_certificate())
        if tls
        else http.client.HTTPConnection(host, port, timeout=seconds)
    )
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


def code_server_answers(socket: Path, seconds: float) -> bool:
    """Whether the code server of Dagster at this socket answers to a health check of gRPC within `seconds`."""
    import grpc  # not at the start of every command
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"unix:{socket}") as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="DagsterApi"), seconds)
        except grpc.RpcError as error:
            return error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    return True
