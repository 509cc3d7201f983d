"""Test whether a Spark Connect server answers, disconnect from one that does not, and interrupt its queries.

PySpark's client waits without limit for a server that hangs, and no public method sends a request with a timeout
(https://github.com/apache/spark/pull/55402 would add timeouts; closed). So these functions send a request over a
separate channel. They read the private session, user and channel of the client for it.
"""

from contextlib import suppress
from typing import Any

import pyspark.sql.connect.proto as proto
from grpc import RpcError
from pyspark.sql.connect.proto import SparkConnectServiceStub


def answers(client: Any, seconds: float) -> bool:
    """Whether the server of a session's client returns its version within this number of seconds."""
    request = proto.AnalyzePlanRequest(session_id=client._session_id)
    request.user_context.user_id = client._user_id or ""
    request.spark_version.SetInParent()
    try:
        with client._builder.toChannel() as channel:
            metadata = client._builder.metadata()
            stub: Any = SparkConnectServiceStub(channel)  # type: ignore[no-untyped-call]
            stub.AnalyzePlan(request, timeout=seconds, metadata=metadata)
    except RpcError:
        return False
    return True


def interrupt_all(client: Any, seconds: float) -> None:
    """Interrupt all queries of a session, if the server answers within this number of seconds."""
    request = proto.InterruptRequest(session_id=client._session_id)
    request.user_context.user_id = client._user_id or ""
    request.interrupt_type = proto.InterruptRequest.INTERRUPT_TYPE_ALL
    with suppress(RpcError), client._builder.toChannel() as channel:
        stub: Any = SparkConnectServiceStub(channel)  # type: ignore[no-untyped-call]
        stub.Interrupt(request, timeout=seconds, metadata=client._builder.metadata())


def disconnect(client: Any) -> None:
    """Close the client's connection at once, so that all waiting calls fail.

    The public `client.close()` first waits up to ten seconds for the server.
    """
    client._channel.close()
