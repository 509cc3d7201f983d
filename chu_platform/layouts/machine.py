"""The machine of a measurement: what it is, what its other processes take meanwhile, and its cache of files.

What the kernel counts is read from /proc: on a system without it, these figures are None.
"""

import ctypes
import mmap
import os
import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_LIBC = ctypes.CDLL(None)


def machine_text() -> str:
    """Processor, cores that this process may use, memory, and system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{_processor()}, {cores()} cœurs, {memory:.0f} Go, {platform.system()} {platform.release()}"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    with suppress(OSError):
        for line in (PROC / "cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


@dataclass(frozen=True)
class Activity:
    """What happened until a moment: bytes read from disks by this process and its descendants, CPU seconds.

    `busy` are the CPU seconds of the whole machine, `own` those of this process and its descendants, `total` what all
    cores could have given.
    """

    disk_bytes: int
    own: float
    busy: float
    total: float

    def others_since(self, before: "Activity") -> float:
        """The share of the machine, from 0 to 1, that other processes took since a moment."""
        total = self.total - before.total
        others = self.busy - before.busy - (self.own - before.own)
        return min(1.0, max(0.0, others / total)) if total > 0 else 0.0


def activity() -> Activity | None:
    """The activity until now; None where the kernel does not count it."""
    try:
        ticks = os.sysconf("SC_CLK_TCK")
        busy, total = machine_ticks()
        processes = family(os.getpid())
        return Activity(
            sum(_disk_bytes(pid) for pid in processes),
            sum(cpu_ticks(pid) or 0 for pid in processes) / ticks,
            busy / ticks,
            total / ticks,
        )
    except (OSError, ValueError, IndexError):
        return None


def machine_ticks() -> tuple[int, int]:
    """The busy and the whole time of all cores, in ticks. Raises OSError, ValueError or IndexError without them."""
    fields = [int(f) for f in (PROC / "stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def family(root: int) -> Sequence[int]:
    """The process and its descendants."""
    found = [root]
    for pid in found:
        with suppress(OSError):
            for task in (PROC / str(pid) / "task").iterdir():
                with suppress(OSError):
                    found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def _disk_bytes(pid: int) -> int:
    """Bytes that the process let the disks read; 0 for a process that has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in (PROC / str(pid) / "io").read_text(encoding="ascii").splitlines():
            if line.startswith("read_bytes:"):
                return int(line.split()[1])
    return 0


def cpu_ticks(pid: int) -> int | None:
    """CPU time of the process, in ticks; None for one that has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        # The name of the program, in brackets, may have blanks.
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return None


def files_below(folders: Iterable[Path]) -> Sequence[Path]:
    """All files of these folders."""
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


def make_durable(files: Iterable[Path]) -> None:
    """Write files to the disk: the cache cannot drop what is only there."""
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def drop_from_cache(files: Iterable[Path]) -> bool:
    """Ask the kernel to drop files from its cache, which their reader may do; whether all of them have left it.

    Files of a file system in memory never leave it, and not every system can be asked.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    dropped = True
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            dropped &= not _is_cached(descriptor)
        finally:
            os.close(descriptor)
    return dropped


def _is_cached(descriptor: int) -> bool:
    """Whether a page of a file is in the cache. Reading without waiting (RWF_NOWAIT) would not do: it reads ahead."""
    size = os.fstat(descriptor).st_size
    if not size:
        return False
    # A private copy, because ctypes wants a buffer that it could write. No page of it is touched.
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        failed = _LIBC.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), pages)
        del first
    return bool(failed) or any(page & 1 for page in pages)
