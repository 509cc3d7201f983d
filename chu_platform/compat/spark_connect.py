"""Whether a Spark Connect server still answers, and giving up one that does not.

PySpark's client waits for ever on a server that is stuck, and no public method asks a server anything with a time limit
(https://github.com/apache/spark/pull/55402 would add time limits; closed). So the question is asked here over a channel
of its own, with the session of the client; for that, the client's private session, user and channel are read.
"""

from typing import Any

import pyspark.sql.connect.proto as proto
from grpc import RpcError
from pyspark.sql.connect.proto import SparkConnectServiceStub


def answers(client: Any, seconds: float) -> bool:
    """Whether the server of a session's client says within this time which version it is."""
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


def disconnect(client: Any) -> None:
    """End the client's connection at once: whatever waits for the server fails.

    The public `client.close()` first waits for the server, up to ten seconds.
    """
    client._channel.close()
