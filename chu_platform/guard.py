"""The guard of a server: `python guard.py MODULE ARGUMENTS...` runs a Python module until it ends.

The standard input is a pipe from the process that started the guard. When that process ends for any reason, the kernel
closes the pipe; the guard then ends the module and all processes that it has started. It prints the number of the
process that it guards. It never polls, and imports the standard library alone: there is one for each server, for as
long as it serves.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Final

STOP_TIMEOUT: Final = 10.0


def signal_group(group: int, sign: int) -> bool:
    """Send the signal `sign` (0 sends none) to all processes of the group. Returns whether there are any."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    return True


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    """Stop the group of the child with SIGTERM, then with SIGKILL."""
    deadline = time.monotonic() + STOP_TIMEOUT
    signal_group(child.pid, signal.SIGTERM)
    while signal_group(child.pid, 0) and time.monotonic() < deadline:
        child.poll()  # reaps the child, which would otherwise still count as a process of the group
        time.sleep(0.05)
    signal_group(child.pid, signal.SIGKILL)


def _end_after_input(child: "subprocess.Popen[bytes]") -> None:
    sys.stdin.buffer.read()
    _end_group(child)


def _guard(command: list[str]) -> None:
    # Standard output is for the process that started the guard.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    print(child.pid, flush=True)
    threading.Thread(target=_end_after_input, args=(child,), daemon=True).start()
    child.wait()
    _end_group(child)


if __name__ == "__main__":
    _guard([sys.executable, "-m", *sys.argv[1:]])
    os._exit(0)  # a thread may still be waiting for standard input
