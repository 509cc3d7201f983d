"""The command `chu benchmark layouts`."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from chu_platform.errors import ChuError
from chu_platform.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, short_help="Measure response times.", help="Measurements of response times.")


@app.callback()
def benchmark() -> None:
    """Measurements of response times."""


@app.command(short_help="Measure queries on layouts and engines.")
def layouts(
    scale: Annotated[
        float | None,
        typer.Option(min=0.0001, max=10, help="make a demonstration lake of this scale first; by default, your lake"),
    ] = None,
    layout: Annotated[list[str] | None, typer.Option(help="layout to measure; by default all")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="engine to measure; by default all")] = None,
    query: Annotated[list[str] | None, typer.Option(help="query to measure; by default all")] = None,
    runs: Annotated[int, typer.Option(min=1, max=1000, help="runs of each query, cold and warm")] = 7,
    again_above: Annotated[
        float,
        typer.Option(min=0, max=1, help="measure again where other processes took more than this share of the machine"),
    ] = 1.0,
) -> None:
    """Measure the evidence queries on each layout of the large tables and each engine, cold and warm.

    The lake is only read; layouts are written to CHU_HOME/work, one after the other. Started again after an interrupt,
    the command goes on with what has no result yet. The asset reports/layout_benchmark takes the results.
    """
    from chu_platform.layouts.benchmark import Request, measure_layouts

    begun = time.monotonic()

    def log_progress(message: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {message}", flush=True)

    settings = load_settings()
    if scale is not None:
        settings = settings.model_copy(update={"lake": _demonstration_lake(settings, scale, log_progress)})
    done = measure_layouts(settings, Request(layout or [], engine or [], query or [], runs, again_above), log_progress)
    for line in (*done.left_out, *done.failures):
        print(f"WARNING {line}")
    print(f"{done.cells} cells have results in {done.file}")
    print("add them to the lake: chu materialize --select key:reports/layout_benchmark")
    if done.failures:
        raise typer.Exit(1)


def _demonstration_lake(settings: Settings, scale: float, log_progress: Callable[[str], None]) -> Path:
    """The lake of a demonstration pack of this scale, made once. Raises ChuError if it cannot be made."""
    home = settings.work_folder / "layouts" / f"lake-{scale:g}"
    made = home / "made"
    if not made.exists():
        log_progress(f"making a demonstration lake of scale {scale:g} in {home}")
        others = {name: value for name, value in os.environ.items() if not name.startswith("CHU_")}
        environment = {**others, "CHU_HOME": str(home), "CHU_SOURCES": str(home / "pack")}
        commands = [["demo-pack", str(home / "pack"), "--scale", str(scale)], ["materialize"]]
        for command in commands[(home / "pack").exists() :]:
            if subprocess.run([sys.executable, "-m", "chu_platform.cli", *command], env=environment).returncode:
                raise ChuError(f"`chu {command[0]}` failed for scale {scale:g}: its messages are above")
        made.touch()
    return home / "lake"


@app.command(short_help="Write the scripts of the physical model.")
def scripts(file: Annotated[Path, typer.Argument(help="archive to write, e.g. livrable2.zip")]) -> None:
    """Write an archive with the SQL that creates, fills and verifies all tables on Spark with Delta, and the jobs.

    Unpacked, `python executer.py LAKE` runs the scripts in order.
    """
    from chu_platform.layouts.archive import archive

    if not file.parent.is_dir():
        raise ChuError(f"{file.parent} is not a folder: create it first")
    file.write_bytes(archive())
    print(f"{file}: unpack it, and read LISEZMOI.md")
