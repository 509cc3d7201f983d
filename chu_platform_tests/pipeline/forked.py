"""Commands as processes that are forked from one that has imported everything, which takes them seconds otherwise.

Each command still has a process of its own, with its own environment, output, signals and exit status. A command may
take as long as the machine needs. It is ended when it stalls: when it prints nothing and uses no CPU time.
"""

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from chu_platform_tests.pipeline.processes import cpu_seconds, processes_of

SERVE = "from chu_platform_tests.pipeline.forked import serve; serve()"


# A command that prints nothing and uses less CPU time in so many seconds has stalled; one that waits uses a little.
STALL_SECONDS = 600
STALL_CPU_SECONDS = 10
LOOK_SECONDS = 5


def run(arguments: Sequence[str], environment: Mapping[str, str], begin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command `chu` with these arguments and wait for its end. Raises TimeoutExpired if it stalls.

    `begin` is Python code that runs before the package is imported.
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        request = {
            "arguments": arguments,
            "environment": dict(environment),
            "outputs": [str(output) for output in outputs],
            "stall": STALL_SECONDS,
        }
        server = _server(begin)
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        stdout, stderr = (output.read_text(encoding="utf-8", errors="replace") for output in outputs)
    if status == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(["chu", *arguments], STALL_SECONDS, stdout, stderr)
    return subprocess.CompletedProcess(["chu", *arguments], status, stdout, stderr)


@cache
def _server(begin: str) -> "subprocess.Popen[str]":
    """The process that forks the commands of this one, after the code `begin`. It ends with this one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHU_", "DAGSTER_"))}
    server = subprocess.Popen(
        [sys.executable, "-c", f"{begin}\n{SERVE}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=kept, text=True
    )

    def end() -> None:
        server.communicate()

    atexit.register(end)
    return server


def serve() -> None:
    """Import what the commands need; then fork a process for each request, and answer its exit status."""
    _import_everything()
    # Otherwise each forked process looks through what was imported, and thereby copies it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
        ended = threading.Event()
        threading.Thread(target=_end_if_stalled, args=(pid, request, ended), daemon=True).start()
        _, status = os.waitpid(pid, 0)
        ended.set()
        print(os.waitstatus_to_exitcode(status), flush=True)


def _end_if_stalled(pid: int, request: Mapping[str, Any], ended: threading.Event) -> None:
    """End the process of a command when it makes no progress."""
    folder = Path(request["environment"]["CHU_HOME"])
    progress, since = (0, 0.0), time.monotonic()
    while not ended.wait(min(LOOK_SECONDS, request["stall"] / 2)):
        printed = sum(Path(output).stat().st_size for output in request["outputs"] if Path(output).exists())
        cpu = cpu_seconds(processes_of(pid, folder))
        if printed != progress[0] or abs(cpu - progress[1]) >= STALL_CPU_SECONDS:
            progress, since = (printed, cpu), time.monotonic()
        elif time.monotonic() - since > request["stall"]:
            os.kill(pid, signal.SIGALRM)


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
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number, name in enumerate((os.devnull, *request["outputs"])):
        opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["chu", *request["arguments"]]
    from chu_platform.cli import main

    main()
