"""Webservers of the deployment's shape as tests see them: started by their commands, asked over HTTP."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg2
from graphql import GraphQLSchema, build_client_schema, get_introspection_query

PATIENCE = 60


@dataclass(frozen=True)
class Webserver:
    """A running webserver, the database of its instance, and an unfinished and a failed run that are in it."""

    port: int
    database: str
    started_run: str
    failed_run: str

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a page."""
        return self._ask(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def post(self, path: str, content: bytes, kind: str = "application/json") -> tuple[int, bytes]:
        """Status and body of what is answered to a content."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, {"Content-Type": kind})
        return self._ask(request)

    def graphql(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer to a GraphQL document, whatever its status."""
        _, body = self.post("/graphql", json.dumps({"query": query, "variables": variables}).encode())
        found: dict[str, Any] = json.loads(body)
        return found

    @cached_property
    def schema(self) -> GraphQLSchema:
        """The schema, as the server tells it."""
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
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@contextmanager
def running(server: Webserver, process: "subprocess.Popen[str]") -> Iterator[Webserver]:
    """The webserver of a process that was just started, once it answers."""
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if server.get("/server_info")[0] == 200:
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()  # or its output would never end
                    raise AssertionError(process.communicate()[0]) from None
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
