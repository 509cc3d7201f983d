"""A Spark Connect server as a child process that never outlives its parent.

Run as a module, this file is the child: it serves until its standard input closes, which the kernel does for a
parent that ends in whatever way. `Server` is the parent's side.

Here: processes, ports, logs. Not here: sessions and queries.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from chu_platform.errors import ChuError

HOST = "127.0.0.1"
START_TIMEOUT = 180.0
# A session ends when nothing was asked of it for so long. A large file is read without the engine, for longer than the
# quarter of an hour, or hour, that servers wait; these servers have one client, and end with it.
SESSION_SECONDS = 7 * 24 * 3600
SPARK_SUBMIT_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13"
SPARK_CONF = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.connect.grpc.binding.address": HOST,
    "spark.connect.session.manager.defaultSessionTimeout": f"{SESSION_SECONDS}s",
    "spark.driver.bindAddress": HOST,
    "spark.driver.host": HOST,
    "spark.driver.memory": "4g",
    # Tables of this size are slowed by more tasks than cores.
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.ui.enabled": "false",
    # Values of rows are not for logs: neither plans with literals nor failed casts.
    "spark.sql.maxPlanStringLength": "1000",
}


class Server:
    """A running server of this process's own: `address` for clients, its `log`, `close` to stop it."""

    def __init__(self, kind: Literal["embedded", "spark"], folder: Path) -> None:
        """Start the server and wait until its port answers; its log goes to `folder`.

        Raises ChuError when it does not come up, with what to do about it.
        """
        if kind == "spark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            raise ChuError(
                "CHU_ENGINE=spark needs Java 17 or 21: install it, set CHU_SPARK_REMOTE, or use CHU_ENGINE=embedded"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{kind}-server.log"
        port = _free_port()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chu_platform.engine.spark_connect_server", kind, str(port), str(folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "SAIL_SPARK__SESSION_TIMEOUT_SECS": str(SESSION_SECONDS)},
            )
        self.address = f"sc://{HOST}:{port}"
        deadline = time.monotonic() + START_TIMEOUT
        while not _answers(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise ChuError(f"the {kind} engine did not start: see {self.log}")
            time.sleep(0.05)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the server at once, whatever it does: for one that answers nothing."""
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _serve_embedded(port: int) -> None:
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(HOST, port)
    server.start(background=True)
    sys.stdin.read()


def _serve_spark(port: int, folder: Path) -> None:
    spec = find_spec("pyspark")
    assert spec and spec.submodule_search_locations
    home = Path(spec.submodule_search_locations[0])
    delta = re.match(r"[\d.]+", version("delta-spark"))
    assert delta
    conf = {
        **SPARK_CONF,
        "spark.connect.grpc.binding.port": str(port),
        "spark.jars.ivy": str(Path.home() / ".ivy2.chu"),
    }
    options = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    command = [
        str(home / "bin" / "spark-submit"),
        *(
            "--class",
            SPARK_SUBMIT_CLASS,
            "--master",
            "local[*]",
            "--packages",
            f"{DELTA_PACKAGE}:{delta.group()}",
        ),
        *options,
        "spark-internal",
    ]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_DIRS": str(folder / "spark")}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, cwd=folder)
    import threading

    threading.Thread(target=lambda: (child.wait(), os._exit(child.returncode)), daemon=True).start()
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
        _serve_spark(int(sys.argv[2]), Path(sys.argv[3]))
    os._exit(0)
