"""The portal as a process of its own, as `chu serve` starts it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chu_platform.description.file import as_text, write_catalogue
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Answer, answer_of, full_catalogue
from chu_platform_tests.ports import free_port

START = "import sys; {before}; sys.argv = ['portal', '{port}']; from chu_platform.portal.__main__ import run; run()"
MAX_WAIT = 600


@dataclass(frozen=True)
class PortalProcess:
    """A running portal."""

    port: int
    process: "subprocess.Popen[str]"

    def get(self, path: str, host: str = "127.0.0.1") -> Answer:
        """Ask for a path, from an address of this machine."""
        return answer_of(self.port, path, source=host)


@contextmanager
def portal_process(home: Home, before: str = "pass") -> Iterator[PortalProcess]:
    """The portal over the lake of a home, until the end of the block. `before` is Python code that runs first."""
    work = home.folder / "work"
    work.mkdir(exist_ok=True)
    write_catalogue(as_text(full_catalogue()), home.lake.place, work)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", START.format(before=before, port=port)], env=home.environment(), text=True
    )
    portal = PortalProcess(port, process)
    deadline = time.monotonic() + MAX_WAIT
    try:
        while True:
            assert process.poll() is None, "the portal has ended"
            assert time.monotonic() < deadline, "the portal does not answer"
            try:
                portal.get("/sante")
                break
            except OSError:
                time.sleep(0.05)
        yield portal
    finally:
        process.terminate()
        process.wait()
