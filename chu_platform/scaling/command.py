"""The command `chu benchmark elasticity`."""

import time
from typing import Annotated

import typer

from chu_platform.layouts.command import app
from chu_platform.settings import load_settings

__all__ = ["app"]


@app.command(short_help="Measure one, two, and as many workers as needed.")
def elasticity(
    runs: Annotated[int, typer.Option(min=1, max=1000, help="runs of each query")] = 7,
    pause: Annotated[float, typer.Option(min=0, max=3600, help="seconds without a query, twice")] = 60,
) -> None:
    """Measure a program of queries on Spark clusters of this machine: one worker of one core, two, and up to two.

    The last one reserves workers when tasks wait, and gives them back when none do. The lake is only read. The asset
    reports/scaling_benchmark takes the results.
    """
    from chu_platform.scaling.measure import measure_elasticity

    begun = time.monotonic()

    def log_progress(message: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {message}", flush=True)

    file = measure_elasticity(load_settings(), runs, pause, log_progress)
    print(f"the results are in {file}")
    print("add them to the lake: chu materialize --select key:reports/scaling_benchmark")
