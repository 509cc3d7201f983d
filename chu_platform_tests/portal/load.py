"""Readers of a running portal, each of which asks for the next page as soon as it has one."""

import asyncio
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from statistics import quantiles

from chu_platform_tests.portal.processes import PortalProcess
from chu_platform_tests.portal.served import QUESTIONS

LINK = re.compile(r'href="(/questions/[^"#/]+)"')
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
SEARCHES = ("hopital", "clinique", "paris", "750712184", "asthme", "J45", "fracture", "tumeur maligne")
REQUEST = "GET {} HTTP/1.1\r\nHost: portal\r\nAccept-Encoding: gzip\r\n\r\n"


@dataclass
class Load:
    """What readers have measured: the milliseconds of each answer, and answers that were no page."""

    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def p95(self) -> float:
        """So many milliseconds take 95 % of the answers at most."""
        return quantiles(self.milliseconds, n=20)[-1]

    @property
    def text(self) -> str:
        """A line with the figures."""
        pages, found = len(self.milliseconds), quantiles(self.milliseconds, n=100)
        return (
            f"{pages} pages, p50 {found[49]:.1f} ms, p95 {found[94]:.1f} ms, p99 {found[98]:.1f} ms, "
            f"{1000 * self.cpu_seconds / pages:.2f} ms of CPU time each, {len(self.failures)} failures"
        )


def addresses_of(portal: PortalProcess) -> Sequence[str]:
    """Pages that readers ask for, as often as they do: a third of them home, story, method, searches."""
    views: dict[str, None] = {}
    for question in QUESTIONS:
        views |= dict.fromkeys(unescape(a) for a in LINK.findall(portal.get(f"/questions/{question.slug}").text))
    searches = [f"/recherche/{k}?q={w}" for k in ("etablissements", "diagnostics") for w in SEARCHES]
    others = ["/", "/", "/", "/recit", "/methode", *(random.choice(searches).replace(" ", "%20") for _ in range(3))]
    return [*views, *(others * (len(views) // 16 + 1))]


def measure(portal: PortalProcess, readers: int, goes_on: Callable[[float], bool]) -> Load:
    """Let readers ask for pages as long as `goes_on` says, given the seconds since the begin."""
    addresses, load = addresses_of(portal), Load()
    begun, before = time.monotonic(), cpu_seconds(portal.process.pid)

    async def all_readers() -> None:
        await asyncio.gather(*(_reader(portal.port, addresses, load, begun, goes_on, n) for n in range(readers)))

    asyncio.run(all_readers())
    load.cpu_seconds = cpu_seconds(portal.process.pid) - before
    return load


async def _reader(
    port: int, addresses: Sequence[str], load: Load, begun: float, goes_on: Callable[[float], bool], number: int
) -> None:
    draw = random.Random(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    while goes_on(time.monotonic() - begun):
        address = draw.choice(addresses)
        asked = time.perf_counter()
        writer.write(REQUEST.format(address).encode())
        header = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(header)
        assert length, header
        await reader.readexactly(int(length[1]))
        load.milliseconds.append(1000 * (time.perf_counter() - asked))
        # A search that finds one place leads to its page.
        if header.split(b" ", 2)[1] not in (b"200", b"303"):
            load.failures.append(f"{address}: {header[:20]!r}")
    writer.close()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process until now, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
