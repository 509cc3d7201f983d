"""Commands as processes that are forked from one that has imported everything, which takes them seconds otherwise.

Each command still has a process of its own, with its own environment, output, signals and exit status.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

SERVE = "from chu_platform_tests.pipeline.forked import serve; serve()"


def run(
    arguments: Sequence[str], environment: Mapping[str, str], timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run the command `chu` with these arguments and wait for its end."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        request = {
            "arguments": arguments,
            "environment": dict(environment),
            "outputs": [str(output) for output in outputs],
            "timeout": int(timeout_seconds),
        }
        server = _server()
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        stdout, stderr = (output.read_text(encoding="utf-8", errors="replace") for output in outputs)
    if status == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(["chu", *arguments], timeout_seconds, stdout, stderr)
    return subprocess.CompletedProcess(["chu", *arguments], status, stdout, stderr)


@cache
def _server() -> "subprocess.Popen[str]":
    """The process that forks the commands of this one. It ends with this one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHU_", "DAGSTER_"))}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=kept, text=True
    )

    def end() -> None:
        server.communicate()

    atexit.register(end)
    return server


def serve() -> None:
    """Import what the commands need; then fork a process for each request, and answer its exit status."""
    _import_everything()
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _import_everything() -> None:
    import dagster as dg
    import pyspark.sql.connect.session  # noqa: F401
    import sqlglot  # noqa: F401

    import chu_platform.documents.site
    import chu_platform.engine.engine
    import chu_platform.graph.dagster_retention
    import chu_platform.kpi_query
    import chu_platform.trace.repair
    import chu_platform.trace.verify  # noqa: F401
    from chu_platform.automation.build_definitions import build_defs
    from chu_platform.catalogue import catalogue
    from chu_platform.lineage.table_lineage import lineage_of

    # What is computed from the declarations, once for each process.
    for table in catalogue():
        for made in table.outputs:
            lineage_of(made)
    build_defs()
    dg.AssetSelection.from_string("key:x")


def _become(request: Mapping[str, Any]) -> None:
    """Become the process of a command, and run it. Does not return."""
    signal.alarm(request["timeout"])
    for number, name in enumerate((os.devnull, *request["outputs"])):
        opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["chu", *request["arguments"]]
    from chu_platform.cli import main

    main()
