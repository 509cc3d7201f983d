"""HTTP connections with limits for clients that send no whole request, or do not read the answer.

uvicorn limits only the time between two requests of a connection, and counts connections without a request for
`limit_concurrency`: 400 half-open connections gave 503 to everybody (encode/uvicorn#1325 asks for a limit of the time
for headers). Its protocol classes are given by name in the documentation of the setting `http`; their methods are not
documented.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Seconds until the header of a request must be complete: after the begin of the connection, or after the last answer.
REQUEST_SECONDS: Final = 10.0
# Seconds for an answer: to make it and to send it.
ANSWER_SECONDS: Final = 120.0
# Numbers of connections that wait for their client: from one address, and from all. Beyond, the oldest one is closed.
MAX_WAITING_OF_CLIENT: Final = 64
MAX_WAITING: Final = 400


class LimitedConnection(HttpToolsProtocol):
    """A connection that is closed when its client lets the server wait.

    A connection waits for its client while no whole header has come, between two requests, and while the client does
    not read. Of too many waiting connections the oldest is closed, never one whose request is being answered: also a
    client at the address of an attacker gets its answers.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waits_since: float | None = None
        self._timer: TimerHandle | None = None

    @property
    def host(self) -> str:
        """Address of the client, without its port."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: BaseTransport) -> None:
        """A client has connected."""
        super().connection_made(cast(Transport, transport))  # that of uvloop is no subclass
        self._wait()
        self._give_up_after(REQUEST_SECONDS)
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._give_up_after(None)
        self.waits_since = None
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """The header of a request is complete."""
        self.waits_since = None
        self._give_up_after(ANSWER_SECONDS)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The answer is made; what the client has not read yet is in a buffer."""
        super().on_response_complete()
        if not self.pipeline:
            self._wait()
            self._give_up_after(REQUEST_SECONDS)

    def pause_writing(self) -> None:
        """The client does not read what is sent."""
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if not self.cycle.response_complete:
            self.waits_since = None

    def give_up(self) -> None:
        """Close the connection at once, also if the client does not read."""
        self.waits_since = None
        self.transport.abort()

    def _wait(self) -> None:
        if self.waits_since is None:
            self.waits_since = self.loop.time()

    def _give_up_after(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.give_up)

    def _make_room(self) -> None:
        """Close the oldest waiting connection of this client, or of the client with the most, if there are too many."""
        waiting: dict[str, list[LimitedConnection]] = {}
        for one in self.connections:
            if isinstance(one, LimitedConnection) and one.waits_since is not None:
                waiting.setdefault(one.host, []).append(one)
        crowd = waiting[self.host]
        if len(crowd) <= MAX_WAITING_OF_CLIENT:
            if sum(map(len, waiting.values())) <= MAX_WAITING:
                return
            crowd = max(waiting.values(), key=len)
        min(crowd, key=lambda one: one.waits_since or 0.0).give_up()
