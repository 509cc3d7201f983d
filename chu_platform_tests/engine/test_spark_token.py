"""The token of a Spark server that the platform starts: who does not know it is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession

from chu_platform.engine.spark_connect_server import Server, with_token
from chu_platform_tests.java import require_java

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    require_java()
    found = Server("spark", tmp_path_factory.mktemp("spark"), None)
    yield found
    found.close()


def answer(address: str) -> object:
    """What the server at an address answers to a client."""
    session = SparkSession(connection=address)
    try:
        return session.sql("SELECT 6 * 7").collect()[0][0]
    finally:
        session.client.close()


def test_the_process_that_started_it_is_answered(server: Server) -> None:
    assert answer(server.address) == 42


@pytest.mark.parametrize("token", [None, "", "wrong", "Bearer"])
def test_nobody_else_is(server: Server, token: str | None) -> None:
    bare = server.address.partition("/;")[0]
    with pytest.raises(PySparkException, match=r"(?i)unauthenticated|token"):
        answer(bare if token is None else with_token(bare, token))


def test_the_token_is_in_no_log_and_no_list_of_processes(server: Server) -> None:
    token = server.address.rpartition("token=")[2]
    assert len(token) > 30
    assert token not in server.log.read_text(errors="replace")
    commands = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(token.encode() in command for command in commands)
