"""Benchmark of growth: `chu materialize` on demonstration packs of several scales, each into an empty CHU_HOME.

    python benchmarks/growth.py 0.25 0.5 1

prints, as Markdown:

- what each run took: time, CPU time, most memory of it and its descendants, bytes of the pack and of the lake;
- the tables that take the longest, and those that need most memory, in the largest run, with their growth: the exponent
  over the scale between the last two runs (1: ten times the rows take ten times as much);
- what follows for 1, 10, 100 and 1 000 times the volume of scale 1, which is today's, and which table is the first that
  needs more memory than this machine has. A projection is the larger of two that continue the last two runs: a
  straight line, and a power of the scale. It is no measurement.

CPU time is of the whole run. Seconds are those of the clock: other work on the machine makes them longer. The memory of
a table is the most while it is made, so it includes what earlier steps keep. Packs and lakes are in a temporary folder
(TMPDIR).
"""

import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chu_platform.building_blocks.growth import Growth

LINE: Final = re.compile(r"\[ *[\d.]+ s\] (?P<table>[\w/]+): .*, (?P<seconds>[\d.]+) s$")
SHOWN: Final = 12
SAMPLE_SECONDS: Final = 0.25
VOLUMES: Final = (1, 10, 100, 1000)
GB: Final = 1e9
# Below, seconds and bytes are the resolution of the measurement.
LEAST_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Run:
    """What one run took. `peak` and `memory` (of each table) are the most bytes; `tables` has the seconds of each."""

    scale: float
    seconds: float
    cpu_seconds: float
    peak: int
    pack: int
    lake: int
    tables: Mapping[str, float]
    memory: Mapping[str, int]


class Memory(threading.Thread):
    """Samples the memory of a process and its descendants; what several processes share counts in parts."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self._samples: list[tuple[float, int]] = []
        self.start()

    def run(self) -> None:
        """Sample until the end."""
        while not self._ended.wait(SAMPLE_SECONDS):
            self._samples.append((time.monotonic(), sum(map(_memory, _descendants(self._pid)))))

    def end(self) -> None:
        """Sample no more."""
        self._ended.set()
        self.join()

    def most(self, begin: float = 0, end: float = math.inf) -> int:
        """The highest sum in a time, in bytes; 0 if the time is shorter than the samples are apart."""
        return max((b for at, b in self._samples if begin <= at <= end), default=0)


def _descendants(root: int) -> Sequence[int]:
    found = [root]
    for pid in found:
        try:
            tasks = Path(f"/proc/{pid}/task").iterdir()
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def measure(scale: float, folder: Path) -> Run:
    """Write a pack and make its lake. Raises CalledProcessError if the run fails."""
    pack, home = folder / "pack", folder / "home"
    chu = [sys.executable, "-m", "chu_platform.cli"]
    subprocess.run([*chu, "demo-pack", str(pack), "--scale", str(scale)], check=True, stdout=subprocess.DEVNULL)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHU_")}
    environment = {**inherited, "CHU_HOME": str(home), "CHU_SOURCES": str(pack)}
    before, begun = os.times(), time.monotonic()
    with subprocess.Popen([*chu, "materialize"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        memory = Memory(process.pid)
        printed = [(time.monotonic(), line.rstrip("\n")) for line in process.stdout]
    seconds, after = time.monotonic() - begun, os.times()
    memory.end()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "chu materialize", "\n".join(p for _, p in printed))
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    made = [(at, match) for at, line in printed if (match := LINE.match(line))]
    tables = {match["table"]: float(match["seconds"]) for _, match in made}
    most = {match["table"]: memory.most(at - tables[match["table"]], at) for at, match in made}
    return Run(scale, seconds, cpu, memory.most(), _size(pack), _size(home / "lake"), tables, most)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def growth(runs: Sequence[Run], first: float, last: float, least: float) -> Growth:
    """The growth of a measure between the last two runs."""
    return Growth((runs[-2].scale, max(first, least)), (runs[-1].scale, max(last, least)))


def of_tables(runs: Sequence[Run]) -> tuple[Mapping[str, Growth], Mapping[str, Growth]]:
    """The growth of the seconds and of the memory of each table."""
    before, last = runs[-2:]
    seconds = {t: growth(runs, before.tables.get(t, 0), s, LEAST_SECONDS) for t, s in last.tables.items()}
    # A short step has no sample.
    sampled = {t: b for t, b in last.memory.items() if b and before.memory.get(t)}
    return seconds, {t: growth(runs, before.memory[t], b, 1) for t, b in sampled.items()}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (header, ["--"] * len(header), *rows)] + [""]


def report(runs: Sequence[Run], memory: float) -> str:
    """The measurements, and what follows from them on a machine with this memory (bytes), as Markdown."""
    before, last = runs[-2:]
    seconds, most = of_tables(runs)
    lines = table(
        ["scale", "pack (GB)", "seconds", "CPU seconds", "most memory (GB)", "lake (GB)"],
        (
            [
                *(f"{r.scale:g}", f"{r.pack / GB:.2f}", f"{r.seconds:.0f}", f"{r.cpu_seconds:.0f}"),
                *(f"{r.peak / GB:.1f}", f"{r.lake / GB:.2f}"),
            ]
            for r in runs
        ),
    )
    lines += table(
        ["table (seconds at scale)", *(f"{r.scale:g}" for r in runs), "growth"],
        (
            [t, *(f"{r.tables.get(t, 0):.1f}" for r in runs), f"{seconds[t].exponent:.2f}"]
            for t in sorted(seconds, key=lambda t: -last.tables[t])[:SHOWN]
        ),
    )
    lines += table(
        ["table (GB of memory at scale)", *(f"{r.scale:g}" for r in runs), "growth"],
        (
            [t, *(f"{r.memory.get(t, 0) / GB:.1f}" for r in runs), f"{most[t].exponent:.2f}"]
            for t in sorted(most, key=lambda t: -last.memory[t])[:SHOWN]
        ),
    )
    time_of_run = growth(runs, before.seconds, last.seconds, LEAST_SECONDS)
    cpu = growth(runs, before.cpu_seconds, last.cpu_seconds, LEAST_SECONDS)
    lake, pack = growth(runs, before.lake, last.lake, 1), growth(runs, before.pack, last.pack, 1)
    rows = []
    for volume in VOLUMES:
        longest = max(seconds, key=lambda t: seconds[t].at(volume))
        largest = max(most, key=lambda t: most[t].at(volume))
        rows.append(
            [
                *(f"{volume}", f"{pack.at(volume) / GB:.0f}", f"{lake.at(volume) / GB:.0f}"),
                *(f"{time_of_run.at(volume) / 3600:.1f}", f"{cpu.at(volume) / 3600:.1f}"),
                f"{longest} ({seconds[longest].at(volume) / 3600:.1f} h)",
                f"{largest} ({most[largest].at(volume) / GB:.0f} GB)",
            ]
        )
    header = ["times today", "pack (GB)", "lake (GB)", "hours", "CPU hours", "longest step", "step with most memory"]
    lines += table(header, rows)
    breaking = sorted(most, key=lambda t: most[t].reaches(memory))[:SHOWN]
    lines += table(
        [f"table that needs {memory / GB:.0f} GB", "at times today"],
        ([t, f"{most[t].reaches(memory):.0f}"] for t in breaking if most[t].reaches(memory) < VOLUMES[-1]),
    )
    lines.append(f"Growth of the CPU time: {cpu.exponent:.2f}.")
    return "\n".join(lines)


def main(scales: Sequence[float]) -> None:
    """Measure each scale, and print the report."""
    runs = []
    for scale in scales:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(measure(scale, Path(folder)))
        print(f"scale {scale:g}: {runs[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    print(report(runs, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("name two scales or more, the smallest first")
    main([float(scale) for scale in sys.argv[1:]])
