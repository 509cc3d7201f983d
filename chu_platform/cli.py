"""The `chu` command.

Here: arguments, exit status, what is printed. Not here: the work.
"""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from chu_platform.errors import ChuError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def materialize(
    select: Annotated[str, typer.Option(help="Dagster's asset selection syntax")] = "*",
    partitions: Annotated[str | None, typer.Option(help="KEY or FIRST...LAST, e.g. 2019-01...2019-12")] = None,
) -> None:
    """Make the whole graph, or a part of it, without any server."""
    import dagster as dg

    from chu_platform.graph.instance import open_instance
    from chu_platform.graph.platform import Platform
    from chu_platform.graph.runs import run_all
    from chu_platform.settings import load_settings

    begun = time.monotonic()
    settings = load_settings()

    def say(message: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {message}", flush=True)

    with Platform(settings, say) as platform, open_instance(settings) as instance:
        assert isinstance(instance, dg.DagsterInstance)
        failed = run_all(platform, instance, select, partitions, say)
    for failure in failed:
        print(f"FAILED {failure.asset}: {failure.cause}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)
    say(f"done; the lake is {settings.lake_folder}")


@app.command("demo-pack")
def demo_pack(
    folder: Path,
    scale: Annotated[float, typer.Option(help="1 is the full size")] = 0.01,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 2023,
) -> None:
    """Write a synthetic pack, laid out as delivered, and beside it what the indicators must give."""
    from chu_platform.demo.pack import write_pack

    write_pack(folder, scale, seed)


def main() -> None:
    """Run the command; a mistake of the user is one line, never a traceback."""
    try:
        app(standalone_mode=False)
    except ChuError as error:
        print(f"chu: {error}", file=sys.stderr)
        sys.exit(1)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
