"""A Spark Connect server in a child process that ends when its parent ends.

`Server` is used by the parent. Run as a module, this file is the child: it serves until its standard input is closed.
The kernel closes it when the parent ends for any reason.

The server chooses a free port itself, and the child tells the parent its number over a pipe. A number chosen by the
parent could be taken by another process, which the parent would then talk to.
"""

import os
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote

from chu_platform.errors import ChuError, TransientError

HOST = "127.0.0.1"
# To this name alone PySpark sends a token without TLS.
LOCALHOST = "localhost"
# Spark reads from it what each request of a client must bring.
TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105 a name
# Argument of the child: the lake is in an object store.
OBJECT_STORE = "object-store"
START_TIMEOUT_SECONDS = 180.0
# Exit status of a process that a signal has ended, less the number of the signal.
SIGNALLED = 128
# A session without requests ends after this time. The default of the servers is 15 or 60 minutes, but reading a large
# file without the engine takes longer. The servers have one client and end with it, so a long timeout does no harm.
SESSION_TIMEOUT_SECONDS = 7 * 24 * 3600
SPARK_SUBMIT_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13"
# Reads and writes s3a://. Its version is that of the Hadoop client in PySpark.
STORE_PACKAGE = "org.apache.hadoop:hadoop-aws"
# What Spark writes into its log when it listens.
SPARK_LISTENS = re.compile(rb"Spark Connect server started at: \S+:(\d+)")
HADOOP_CLIENT = re.compile(r"hadoop-client-api-([\d.]+)\.jar")
SPARK_CONF = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.connect.grpc.binding.address": HOST,
    "spark.connect.grpc.binding.port": "0",
    "spark.connect.session.manager.defaultSessionTimeout": f"{SESSION_TIMEOUT_SECONDS}s",
    "spark.driver.bindAddress": HOST,
    "spark.driver.host": HOST,
    "spark.driver.memory": "4g",
    # For tables of this size, more tasks than cores would be slower.
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    # A broadcast join collects the rows of its small side in the driver.
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    # The server tells its port in a line of this level.
    "spark.log.level": "INFO",
    "spark.ui.enabled": "false",
    # Logs must not contain values of rows, which long plans and failed casts may show.
    "spark.sql.maxPlanStringLength": "1000",
}


class Server:
    """A server started by this process: `address` for clients, `log` file, `close` to stop it."""

    def __init__(self, kind: Literal["embedded", "spark"], folder: Path, options: Mapping[str, str] | None) -> None:
        """Start the server and wait until its port answers. Its log file is in `folder`.

        `options` are those of the object store of the lake; None for a lake in a folder.

        Raises ChuError, with a remedy, when the server does not start; TransientError when it was killed meanwhile, or
        when it takes too long.
        """
        if kind == "spark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            raise ChuError(
                "CHU_ENGINE=spark needs Java 17 or 21: install it, set CHU_SPARK_REMOTE, or use CHU_ENGINE=embedded"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{kind}-server.log"
        # Without it, whoever reaches the port reads what this user may read. Sail knows no token.
        token = secrets.token_urlsafe(32) if kind == "spark" else None
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as told, os.fdopen(writer, "wb"), self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "chu_platform.engine.spark_connect_server", kind, str(writer), str(self.log)),
                    *([OBJECT_STORE] if options is not None else []),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(writer,),
                start_new_session=True,
                env={
                    **_store_environment(options or {}),
                    "SAIL_SPARK__SESSION_TIMEOUT_SECS": str(SESSION_TIMEOUT_SECONDS),
                    **({TOKEN: token} if token else {}),
                },
            )
            try:
                port = self._wait_for_port(told, kind)
                self.address = with_token(f"sc://{LOCALHOST}:{port}", token) if token else f"sc://{HOST}:{port}"
            except BaseException:
                self.kill()
                raise

    def _wait_for_port(self, told: IO[bytes], kind: str) -> int:
        """The port that the child has told, when it answers."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        port = 0
        while not port or not _answers(port):
            status = self._process.poll()
            if status is not None and (status < 0 or status > SIGNALLED):
                raise TransientError(f"the {kind} engine was killed while it started (out of memory?): see {self.log}")
            if status is not None:
                raise ChuError(f"the {kind} engine did not start: see {self.log}")
            if time.monotonic() > deadline:
                raise TransientError(f"the {kind} engine did not start in {START_TIMEOUT_SECONDS:g} s: see {self.log}")
            if not port and select.select([told], [], [], 0.05)[0]:
                port = int(told.readline())
            elif port:
                time.sleep(0.05)
        return port

    @property
    def alive(self) -> bool:
        """Whether the server process is running."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the server immediately, for a server that does not answer."""
        with suppress(ProcessLookupError):  # ended already
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Stop the server."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def with_token(address: str, token: str) -> str:
    """The address of a server with a token."""
    base, separator, options = address.partition(";")
    return f"{base.rstrip('/')}/;token={quote(token, safe='')}{separator}{options}"


def _store_environment(options: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with options of an object store, which Sail and Spark read from it.

    Sail knows the endpoint by another name than delta-rs. Options are secrets: they are never on a command line.
    """
    environment = {**os.environ, **{name.upper(): value for name, value in options.items()}}
    if "AWS_ENDPOINT_URL" in environment:
        environment["AWS_ENDPOINT"] = environment["AWS_ENDPOINT_URL"]
    return environment


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _tell(writer: int, port: int) -> None:
    with os.fdopen(writer, "w") as stream:
        stream.write(f"{port}\n")


def _serve_embedded(writer: int) -> None:
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(HOST, 0)
    server.start(background=True)
    address = server.listening_address
    assert address
    _tell(writer, address[1])
    sys.stdin.read()


def _store_conf() -> Mapping[str, str]:
    """Settings of Spark for an object store. Spark itself reads endpoint and credentials from the environment."""
    virtual_hosted = os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "false").lower() == "true"
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return {
        "spark.hadoop.fs.s3a.path.style.access": str(not virtual_hosted).lower(),
        # Rows that wait for their upload stay in memory instead of a file in /tmp.
        "spark.hadoop.fs.s3a.fast.upload.buffer": "bytebuffer",
        "spark.hadoop.fs.s3a.multipart.size": "16M",
        **({"spark.hadoop.fs.s3a.endpoint.region": region} if region else {}),
    }


def _serve_spark(writer: int, log: Path, object_store: bool) -> None:
    spec = find_spec("pyspark")
    assert spec and spec.submodule_search_locations
    home = Path(spec.submodule_search_locations[0])
    delta = re.match(r"[\d.]+", version("delta-spark"))
    assert delta
    packages = [f"{DELTA_PACKAGE}:{delta.group()}"]
    if object_store:
        (hadoop,) = (found for jar in (home / "jars").iterdir() if (found := HADOOP_CLIENT.fullmatch(jar.name)))
        packages.append(f"{STORE_PACKAGE}:{hadoop.group(1)}")
    conf = {
        **SPARK_CONF,
        **(_store_conf() if object_store else {}),
        "spark.jars.ivy": str(Path.home() / ".ivy2.chu"),
    }
    options = [argument for name, value in conf.items() for argument in ("--conf", f"{name}={value}")]
    command = [
        str(home / "bin" / "spark-submit"),
        *(
            "--class",
            SPARK_SUBMIT_CLASS,
            "--master",
            "local[*]",
            "--packages",
            ",".join(packages),
        ),
        *options,
        "spark-internal",
    ]
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_DIRS": str(log.parent / "spark"),
        # Functions of queries run in this Python, which has their libraries.
        "PYSPARK_PYTHON": sys.executable,
    }
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, cwd=log.parent)

    def watch() -> None:
        status = child.wait()
        os._exit(SIGNALLED - status if status < 0 else status)

    def tell() -> None:
        while not (found := SPARK_LISTENS.search(log.read_bytes())):
            time.sleep(0.1)
        _tell(writer, int(found[1]))

    for target in (watch, tell):
        threading.Thread(target=target, daemon=True).start()
    sys.stdin.read()
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    if sys.argv[1] == "embedded":
        _serve_embedded(int(sys.argv[2]))
    else:
        _serve_spark(int(sys.argv[2]), Path(sys.argv[3]), OBJECT_STORE in sys.argv[4:])
    os._exit(0)
