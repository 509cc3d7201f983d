"""The processes of a command and all its descendants, in any session, found in /proc."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres

NO_FOLDER = Path("/nowhere")


def processes_of(root: int, folder: Path) -> set[tuple[int, str]]:
    """`root`, its descendants, and all processes with `folder` in the command line, as (pid, start time)."""
    found: dict[int, tuple[int, str, bool]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            # The fields after the name in brackets: state, parent, ...; the start time is the 22nd field of the file.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(entry.name)] = (int(fields[1]), fields[19], str(folder) in command)
    selected = {pid for pid, (_, _, named) in found.items() if named or pid == root}
    while children := {pid for pid, (parent, _, _) in found.items() if parent in selected} - selected:
        selected |= children
    return {(pid, found[pid][1]) for pid in selected & found.keys()}


def cpu_seconds(processes: set[tuple[int, str]]) -> float:
    """CPU time of processes until now, user and system."""
    ticks = 0
    for pid, _ in processes:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def wait_until_gone(processes: set[tuple[int, str]], folder: Path, seconds: float) -> set[tuple[int, str]]:
    """The processes of `processes`, and others with `folder` in the command line, that still run after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        still_running = (processes & _running(processes)) | processes_of(-1, folder)
        if not still_running or time.monotonic() > deadline:
            return still_running
        time.sleep(0.1)


def _running(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
    running = set()
    for pid, started in processes:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and fields[19] == started:
            running.add((pid, started))
    return running


@contextmanager
def stopped(root: int) -> Iterator[None]:
    """Stop a process and its descendants. They keep their connections, and the kernel takes new ones for them."""
    processes = processes_of(root, NO_FOLDER)
    try:
        for pid, _ in processes:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid, _ in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def main_process(server: EmbeddedPostgres) -> int:
    """The process of a running PostgreSQL server that starts all others."""
    return int((server.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
