"""Benchmark of growth: `chu materialize` on demonstration packs of several scales, each into an empty CHU_HOME.

    python benchmarks/growth.py 0.02 0.05 0.1 0.2

prints, as Markdown, what each run took (time, CPU time, most memory of it and its descendants, bytes of the lake), and
the tables that take the longest in the largest run, with their growth: the exponent of seconds over scale between the
first and the last run (1: ten times the rows take ten times as long). CPU time is of the whole run. Seconds are those
of the clock: other work on the machine makes them longer. Packs and lakes are in a temporary folder (TMPDIR).
"""

import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LINE: Final = re.compile(r"\[ *[\d.]+ s\] (?P<table>[\w/]+): .*, (?P<seconds>[\d.]+) s$")
SHOWN: Final = 15
SAMPLE_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Run:
    """What one run took. `peak` is in bytes, `tables` has the seconds of each table."""

    scale: float
    seconds: float
    cpu_seconds: float
    peak: int
    pack: int
    lake: int
    tables: Mapping[str, float]


class Peak(threading.Thread):
    """Samples the memory of a process and its descendants; what several processes share counts in parts."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self._peak = 0
        self.start()

    def run(self) -> None:
        """Sample until the end."""
        while not self._ended.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, sum(map(_memory, _descendants(self._pid))))

    def end(self) -> int:
        """The highest sum, in bytes."""
        self._ended.set()
        self.join()
        return self._peak


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
        peak = Peak(process.pid)
        printed, _ = process.communicate()
    seconds, after = time.monotonic() - begun, os.times()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "chu materialize", printed)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    found = (LINE.match(line) for line in printed.splitlines())
    tables = {match["table"]: float(match["seconds"]) for match in found if match}
    return Run(scale, seconds, cpu, peak.end(), _size(pack), _size(home / "lake"), tables)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def growth(first: float, last: float, scales: float) -> float:
    """The exponent of a measure over the scale, between two runs whose scales have this ratio."""
    return math.log(max(last, 0.1) / max(first, 0.1)) / math.log(scales)


def report(runs: Sequence[Run]) -> str:
    """The measurements as Markdown."""
    first, last = runs[0], runs[-1]
    ratio = last.scale / first.scale
    lines = ["| scale | pack (MB) | seconds | CPU seconds | most memory (GB) | lake (MB) |", "| --" * 6 + " |"]
    lines += [
        f"| {r.scale:g} | {r.pack / 1e6:.0f} | {r.seconds:.0f} | {r.cpu_seconds:.0f} | {r.peak / 1e9:.1f} | "
        f"{r.lake / 1e6:.0f} |"
        for r in runs
    ]
    scales = " | ".join(f"{r.scale:g}" for r in runs)
    lines += ["", f"| table (seconds at scale) | {scales} | growth |", "| --" * (len(runs) + 2) + " |"]
    for table in sorted(last.tables, key=lambda t: -last.tables[t])[:SHOWN]:
        seconds = " | ".join(f"{r.tables.get(table, 0):.1f}" for r in runs)
        exponent = growth(first.tables.get(table, 0), last.tables[table], ratio)
        lines.append(f"| {table} | {seconds} | {exponent:.2f} |")
    whole = growth(first.cpu_seconds, last.cpu_seconds, ratio), growth(first.peak, last.peak, ratio)
    lines += ["", f"Growth of the CPU time: {whole[0]:.2f}; of the most memory: {whole[1]:.2f}."]
    return "\n".join(lines)


def main(scales: Sequence[float]) -> None:
    """Measure each scale, and print the report."""
    runs = []
    for scale in scales:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(measure(scale, Path(folder)))
        print(f"scale {scale:g}: {runs[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    print(report(runs))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("name two scales or more, the smallest first")
    main([float(scale) for scale in sys.argv[1:]])
