"""The webservers of the deployment, started by their commands and used over HTTP."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import psycopg2
from graphql import GraphQLSchema, build_client_schema, get_introspection_query

ANSWER_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Webserver:
    """A running webserver, the database of its instance, and the ids of an unfinished and a failed run in it.

    `headers` are sent with each request: the cookie of a session.
    """

    port: int
    database: str
    started_run: str
    failed_run: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str) -> tuple[int, bytes]:
        """The status and body of a page."""
        return self._ask(self.request(path))

    def post(self, path: str, content: bytes, kind: str = "application/json") -> tuple[int, bytes]:
        """The status and body of the answer to a POST request."""
        return self._ask(self.request(path, content, {"Content-Type": kind}))

    def request(
        self, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> urllib.request.Request:
        """A request with the headers of this one."""
        given = {**self.headers, **(headers or {})}
        return urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, given)

    def graphql(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer to a GraphQL document, with any status."""
        _, body = self.post("/graphql", json.dumps({"query": query, "variables": variables}).encode())
        found: dict[str, Any] = json.loads(body)
        return found

    @cached_property
    def schema(self) -> GraphQLSchema:
        """The GraphQL schema, by introspection."""
        return build_client_schema(self.graphql(get_introspection_query())["data"])

    def stored(self) -> dict[str, list[str]]:
        """Every row of every table of the instance, as text."""
        connection = psycopg2.connect(self.database)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT relname FROM pg_stat_user_tables ORDER BY relname")
            rows = {}
            for (table,) in cursor.fetchall():
                cursor.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1')
                rows[str(table)] = [str(row) for (row,) in cursor.fetchall()]
        connection.close()
        return rows

    def _ask(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@contextmanager
def running(server: Webserver, process: "subprocess.Popen[str]") -> Iterator[Webserver]:
    """Wait until the webserver of a new process answers; the process ends with the context."""
    try:
        deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
        while True:
            try:
                if server.get("/sante")[0] == 200:
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()  # otherwise reading its output would not end
                    raise AssertionError(process.communicate()[0]) from None
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.communicate(timeout=ANSWER_TIMEOUT_SECONDS)
