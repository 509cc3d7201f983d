"""The commands of the access journal: `chu journal ...`."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    short_help="Verify the access journal.",
    help="The access journal: who was shown which exact figures, for which purpose.",
)


@app.callback()
def _of_journal() -> None:
    """The access journal."""


@app.command(short_help="Print number and hash of the last entry.")
def head() -> None:
    """Print NUMBER:HASH of the last entry. Keep it outside this machine: `chu journal verify --kept` compares it.

    So it is seen, too, if journal, seal and lake are set back together. Each clean-up writes it into its log.
    """
    from chu_platform.access.journal import Journal
    from chu_platform.settings import load_settings

    print(Journal(load_settings().secrets_folder).head() or "there is no access journal yet")


@app.command(short_help="Find changed or missing entries.")
def verify(
    kept: Annotated[
        str | None, typer.Option(help="NUMBER:HASH that chu journal head has printed earlier, kept elsewhere")
    ] = None,
) -> None:
    """Check every entry of the access journal, in its file and in the lake: exit status 0 if all are as written.

    Changed, deleted, swapped and added entries are named, and so is an end that was cut off.
    """
    from chu_platform.access.journal import Journal
    from chu_platform.access.verification import Head, verify_journal
    from chu_platform.settings import load_settings
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.store import lake_root

    settings = load_settings()
    known = Head.of_text(kept) if kept else None
    result = verify_journal(Lake(lake_root(settings)), Journal(settings.secrets_folder), known)
    for finding in result.findings:
        print(f"FOUND {finding}")
    reach = f", {result.first} to {result.last}" if result.entries else ""
    count = len(result.findings)
    print(f"{result.entries} entries{reach}: {count or 'no'} finding{'' if count == 1 else 's'}")
    if result.findings:
        raise typer.Exit(1)
