"""Readers of a running portal, each of which asks for the next page as soon as it has one."""

import asyncio
import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from statistics import quantiles
from urllib.parse import quote

from chu_platform.portal.funnels import Subject
from chu_platform_tests.portal.processes import PortalProcess
from chu_platform_tests.portal.served import QUESTIONS

VIEW = re.compile(r'href="(/questions/[^"#/]+)"')
PLACE = re.compile(r'href="/profil\?lieu=([^"#&]+)"')
CONTROL = re.compile(r'href="(/controle/[^"#]+)"')
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
SEARCHES = ("hopital", "clinique", "paris", "750712184", "asthme", "J45", "fracture", "tumeur maligne")
REQUEST = "GET {} HTTP/1.1\r\nHost: portal\r\nAccept-Encoding: gzip\r\n\r\n"


@dataclass
class Load:
    """What readers have measured: the milliseconds of each answer, and answers that were no page."""

    milliseconds: list[float] = field(default_factory=list)
    by_kind: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def p95(self) -> float:
        """So many milliseconds take 95 % of the answers at most."""
        return quantiles(self.milliseconds, n=20)[-1]

    @property
    def text(self) -> str:
        """A line with the figures, and a line for each kind of page."""
        pages, found = len(self.milliseconds), quantiles(self.milliseconds, n=100)
        return (
            f"{pages} pages, p50 {found[49]:.1f} ms, p95 {found[94]:.1f} ms, p99 {found[98]:.1f} ms, "
            f"{1000 * self.cpu_seconds / pages:.2f} ms of CPU time each, {len(self.failures)} failures"
            + "".join(
                f"\n  {kind}: {len(ms)}, p95 {quantiles(ms, n=20)[-1]:.1f} ms" for kind, ms in self.by_kind.items()
            )
        )


# Of ten pages that readers ask for, how many are of each kind.
SHARES = {"questions": 5, "profiles": 3, "others": 2}
# Of each level so many places are also asked for beside three others.
COMPARED = 20


def addresses_of(portal: PortalProcess) -> Mapping[str, Sequence[str]]:
    """Pages that readers ask for, by their kind: those that links and searches of the portal lead to."""
    views: dict[str, None] = {}
    for question in QUESTIONS:
        views |= dict.fromkeys(_links(portal, VIEW, f"/questions/{question.slug}"))
    searches = [f"/recherche{k}?q={quote(w)}" for k in ("", "/etablissements", "/diagnostics") for w in SEARCHES]
    funnels = [f"/entonnoir?sujet={subject.slug}" for subject in Subject]
    quality = ["/qualite", *(f"/qualite?q={quote(w)}" for w in SEARCHES[:4])]
    controls = _links(portal, CONTROL, "/dernier-mois")
    often = ["/", "/recit", "/methode", "/dernier-mois", "/registre", "/profil"] * 10
    return {
        "questions": list(views),
        "profiles": _profiles(portal),
        "others": [*often, *searches, *funnels, *quality, *controls],
    }


def _profiles(portal: PortalProcess) -> Sequence[str]:
    """The profiles of all regions and departments and of the sites of some searches, and some beside three others."""
    asked = ["/profil", *(f"/profil?q={quote(w)}" for w in SEARCHES[:3])]
    places = list(dict.fromkeys(place for page in asked for place in _links(portal, PLACE, page)))
    draw = random.Random(0)
    compared: list[list[str]] = []
    for level in ("region", "department", "establishment"):
        same = [place for place in places if place.startswith(level)]
        assert len(same) > COMPARED or level == "region", f"{level}: {len(same)} places"
        compared += [draw.sample(same, 4) for _ in range(COMPARED)]
    return [f"/profil?lieu={p}" for p in places] + [f"/profil?lieu={p}&avec={','.join(q)}" for p, *q in compared]


def _links(portal: PortalProcess, link: "re.Pattern[str]", address: str) -> Sequence[str]:
    """What a page links to."""
    return [unescape(found) for found in link.findall(portal.get(address).text)]


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
    port: int,
    addresses: Mapping[str, Sequence[str]],
    load: Load,
    begun: float,
    goes_on: Callable[[float], bool],
    number: int,
) -> None:
    draw = random.Random(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    while goes_on(time.monotonic() - begun):
        (kind,) = draw.choices(list(SHARES), list(SHARES.values()))
        address = draw.choice(addresses[kind])
        asked = time.perf_counter()
        writer.write(REQUEST.format(address).encode())
        header = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(header)
        assert length, header
        await reader.readexactly(int(length[1]))
        load.milliseconds.append(1000 * (time.perf_counter() - asked))
        load.by_kind.setdefault(kind, []).append(load.milliseconds[-1])
        # A search that finds one place leads to its page.
        if header.split(b" ", 2)[1] not in (b"200", b"303"):
            load.failures.append(f"{address}: {header[:20]!r}")
    writer.close()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process until now, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
