"""`chu attack`: runs the attacks on a lake and reports the results."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chu_platform.attack.findings import Result
from chu_platform.attack.reading import read_inputs
from chu_platform.attack.run import ATTACKS, not_understood, run_attacks
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import require_known_format
from chu_platform.storage.store import lake_root


def run_attack_command(
    settings: Settings,
    only: Sequence[int],
    earlier: Sequence[Path],
    insiders: int,
    full: bool,
    log_progress: Callable[[str], None],
    report: Callable[[str], None],
) -> bool:
    """Run the attacks, all or those in `only`, and report each; returns whether all cells are proved to be safe."""
    lake = Lake(lake_root(settings))
    require_known_format(lake.place)
    inputs = read_inputs(lake, earlier, insiders, log_progress)
    for name in not_understood(inputs):
        report(f"NOT ATTACKED {name}: no attack knows this table")
    disclosed = undecided = 0
    for result in run_attacks(inputs, only or tuple(ATTACKS), log_progress):
        disclosed += result.disclosed
        undecided += result.undecided
        for line in result_lines(result, full):
            report(line)
    report(f"{disclosed or 'no'} disclosed cell{'' if disclosed == 1 else 's'}")
    if undecided:
        report(f"not proven: {undecided} undecided cell{'' if undecided == 1 else 's'}")
    return disclosed == undecided == 0


def result_lines(result: Result, full: bool) -> Iterator[str]:
    """The lines of one result: its numbers, an example or all keys, and what was left out."""
    undecided = f", {result.undecided} undecided" if result.undecided else ""
    yield f"{result.number:2} {result.title}: {result.tried} cells tried, {result.disclosed} disclosed{undecided}"
    for finding in result.found if full else result.found[:1]:
        yield f"   {'DISCLOSED' if full else 'for example'} {finding}"
    for reason in result.left_out:
        yield f"   left out: {reason}"
