"""The commands of the marts: `chu marts ...`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    short_help="Load the marts for BI tools, and give passwords.",
    help="The marts: the PostgreSQL tables for BI tools (docs/marts.md). CHU_MARTS=1 fills and serves them.",
)


@app.command(short_help="Load the marts now.")
def load(
    force: Annotated[bool, typer.Option("--force", help="load again what is loaded already")] = False,
) -> None:
    """Load the edition that readers see, and the exact tables, and let the logins follow the accounts.

    Every cell is compared with the lake before readers see it. `chu materialize` and `chu release` end with it.
    """
    from chu_platform.marts.load import load_marts
    from chu_platform.settings import load_settings
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.lake_format import require_known_format
    from chu_platform.storage.store import lake_root

    settings = load_settings()
    lake = Lake(lake_root(settings))
    require_known_format(lake.place)
    loaded = load_marts(settings, lake, print, force)
    edition = f"edition {loaded.edition.number} of {loaded.edition.date}"
    if not loaded.tables:
        print(f"the marts hold {edition} already; {len(loaded.logins)} login(s) follow the accounts")
        return
    rows, cells = (sum(getattr(t, what) for t in loaded.tables) for what in ("rows", "cells"))
    write, compare = (sum(getattr(t, f"{what}_seconds") for t in loaded.tables) for what in ("write", "compare"))
    print(f"{edition}: {len(loaded.tables)} tables, {rows} rows, {cells} cells, each as in the lake")
    print(f"{loaded.seconds:.1f} s, of which {write:.1f} s for writing and {compare:.1f} s for comparing")


@app.command(short_help="Show what is loaded, and who may connect.")
def status() -> None:
    """Show the address of the marts, what is loaded, and the logins with their profiles."""
    from chu_platform.marts.load import last_load
    from chu_platform.marts.roles import logins
    from chu_platform.marts.server import connected, mart_server, reader_address
    from chu_platform.settings import load_settings

    settings = load_settings()
    with mart_server(settings) as url, connected(url) as connection:
        last = last_load(connection)
    print(f"address  {reader_address(settings)}")
    if last is None:
        print("loaded   nothing: run `chu marts load`")
    else:
        print(f"loaded   edition {last.edition} of {last.day}, {last.rows} rows, on {last.loaded_at:%Y-%m-%d %H:%M}")
    for login in logins(settings):
        print(f"login    {login.name}: {', '.join(group.partition(':')[2] for group in login.groups)}")


@app.command(short_help="Give an account a password for the marts.")
def password(
    name: Annotated[
        str, typer.Argument(help="account; one of `public` alone is for a BI server that several people share")
    ],
) -> None:
    """Give an account a new password for the marts, and print it once. It is kept nowhere; the former one ends.

    It is not the password of the portal, because BI tools store it.
    """
    from chu_platform.marts.roles import new_password, prepare_roles
    from chu_platform.marts.server import connected, explained, mart_server, reader_address
    from chu_platform.settings import load_settings

    settings = load_settings()
    with mart_server(settings) as url, connected(url) as connection, explained():
        prepare_roles(connection)
        secret = new_password(settings, connection, name)
    print(f"address   {reader_address(settings)}")
    print(f"user      {name}")
    print(f"password  {secret}")
    print("It is shown this once. Rows of a clinician's site that is new come with the next `chu marts load`.")


@app.command(short_help="Write a dashboard of all questions for Apache Superset.")
def dashboard(
    file: Annotated[Path, typer.Argument(help="the ZIP file to write")],
    user: Annotated[str, typer.Option("--user", help="the account that Superset connects as")] = "bi-server",
) -> None:
    """Write a dashboard for Apache Superset, to import there: the trend and the rows of each question.

    It reads the released figures. Superset asks for the password of the account (`chu marts password`).
    """
    from chu_platform.marts.dashboard import dashboard_file
    from chu_platform.marts.server import reader_address
    from chu_platform.settings import load_settings

    file.write_bytes(dashboard_file(reader_address(load_settings()), user))
    print(f"{file}: import it in Superset (Dashboards, Import dashboards); it asks for the password of {user}")
