"""The processes of a command: all that it started, in whatever session, by what /proc says."""

import os
import time
from pathlib import Path


def processes_of(root: int, folder: Path) -> set[tuple[int, str]]:
    """The descendants of `root` and whatever names `folder` in its command line, as (pid, start time)."""
    found: dict[int, tuple[int, str, bool]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            # Fields after the name, which is in brackets: state, parent, ... and start time as the 22nd of all.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(entry.name)] = (int(fields[1]), fields[19], str(folder) in command)
    ours = {pid for pid, (_, _, named) in found.items() if named or pid == root}
    grown = True
    while grown:
        more = {pid for pid, (parent, _, _) in found.items() if parent in ours} - ours
        ours |= more
        grown = bool(more)
    return {(pid, found[pid][1]) for pid in ours & found.keys()}


def wait_until_gone(processes: set[tuple[int, str]], folder: Path, seconds: float) -> set[tuple[int, str]]:
    """Those of `processes`, and of others that name `folder`, that still run after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        left = (processes & _running(processes)) | processes_of(-1, folder)
        if not left or time.monotonic() > deadline:
            return left
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
