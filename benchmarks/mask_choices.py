"""The two choices of secondary cells, and the one that is kept: what each shows, and what it takes.

    python benchmarks/mask_choices.py 0.01=LAKE full=LAKE ...

makes the masks of each lake again from its candidates, once by the greedy choice alone and once by the better one of
both (`Released.better`). Prints, as Markdown, the events in visible cells, their share of those in cells that are safe
by themselves, the CPU seconds of the mask, and the most memory of its process. LAKE is the folder `lake` below a
CHU_HOME; nothing is written to it.
"""

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from chu_platform.masks.consultation_mask import consultation_mask
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.sdc.family import Released
from chu_platform.storage.lake import Lake
from chu_platform.tables.rows import Computed

FAMILIES: Final = {family.name: family for family in (consultation_mask, stay_mask)}
Mask = NDArray[np.bool_]
CHOICES: Final[Mapping[str, Callable[[Released, Mask], Mask]]] = {
    "greedy": lambda _, greedy: greedy,
    "the better one": Released.better,
}


def main(arguments: Sequence[str]) -> None:
    """Print the table; each argument is NAME=LAKE."""
    print("| lake | mask | choice | cells | visible events | of the safe ones | CPU (s) | memory (MB) |")
    print("| -- | -- | -- | --: | --: | --: | --: | --: |")
    for name, _, lake in (argument.partition("=") for argument in arguments):
        for family in FAMILIES:
            for choice in CHOICES:
                # A process of its own, so that its memory is that of this choice.
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    figures = process.submit(measured, Path(lake), family, choice).result()
                print(f"| {name} | {family} | {choice} | {figures} |", flush=True)


def measured(lake: Path, family: str, choice: str) -> str:
    """The mask of one family by one choice: cells, visible events, their share of the safe ones, CPU and memory."""
    table = FAMILIES[family].table
    assert isinstance(table.rows, Computed)
    stored = Lake(lake)
    inputs = {name: stored.arrow(read, [c.name for c in read.columns]) for name, read in table.reads.items()}
    before = time.process_time()
    with patch.object(Released, "better", CHOICES[choice]):
        mask = table.rows.function(**inputs)
    seconds = time.process_time() - before
    weight, masked = mask["weight"].to_numpy(), mask["is_masked"].to_numpy(zero_copy_only=False)
    safe = np.isin(mask["reason"].fill_null("secondary").to_numpy(zero_copy_only=False), ["secondary"])
    visible = weight[~masked].sum()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{len(mask)} | {visible:.0f} | {visible / weight[safe].sum():.4f} | {seconds:.1f} | {memory:.0f}"


if __name__ == "__main__":
    main(sys.argv[1:])
