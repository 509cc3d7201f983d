"""The `chu` command: arguments, printed output and exit status."""

import secrets
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from chu_platform.access.commands import app as journal
from chu_platform.command import go_on_as, run_command, user_and_machine
from chu_platform.errors import ChuError
from chu_platform.marts.commands import app as marts
from chu_platform.portal.commands import app as portal
from chu_platform.rights.commands import HELP_OF_ERASE, HELP_OF_KEYS, erase, keys
from chu_platform.scaling.command import app as benchmark
from chu_platform.serve import DEFAULT_PORT, READ_ONLY, REFRESH, portal_port_of, require_free_port
from chu_platform.settings import Settings, is_utf_8, load_settings
from chu_platform.signin.user_commands import app as user
from chu_platform.transport import require_safe_place

if TYPE_CHECKING:
    from chu_platform.automation.main_job import FailedAsset

DEMO_SCALE = 0.01
DEMO_SEED = 2023

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(portal, name="portal")
need = typer.Typer(no_args_is_help=True, short_help="Add a need of readers.", help="The register of needs of readers.")
app.add_typer(need, name="need")
app.add_typer(benchmark, name="benchmark")
app.add_typer(user, name="user")
app.add_typer(journal, name="journal")
app.add_typer(marts, name="marts")
app.add_typer(erase, name="erase", short_help=HELP_OF_ERASE)
app.add_typer(keys, name="keys", short_help=HELP_OF_KEYS)
access = typer.Typer(no_args_is_help=True, short_help="Review what accounts hold.", help="What accounts hold.")
app.add_typer(access, name="access")
Port = Annotated[int, typer.Option(min=1, max=65535, help="port of the Dagster UI on this machine")]
PortalPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="port of the portal on this machine; by default the port after --port"),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from chu_platform.version import PACKAGE_VERSION

        print(f"chu_platform {PACKAGE_VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """The platform of the group's health data: from delivered files to published indicators."""


@app.command(short_help="Make the whole graph, then serve it.")
def run(port: Port = DEFAULT_PORT, portal_port: PortalPort = None) -> None:
    """Make the whole graph, then start the servers. Without a given pack, write a demonstration pack first.

    If something is published already, it is served at once, and refreshed meanwhile.
    """
    settings = load_settings()
    log_progress = _progress_printer()
    require_safe_place(settings, settings.listen)
    require_free_port(settings.listen, port)
    require_free_port(settings.listen, portal_port_of(port, portal_port), "--portal-port")
    was_published = _make_first_lake(settings, log_progress)
    if not was_published:
        _print_figures(settings)
    _serve(settings, port, portal_port, REFRESH if was_published else None)


def _make_first_lake(settings: Settings, log_progress: Callable[[str], None]) -> bool:
    """Run the main job if nothing is published yet, on a demonstration pack if none is given; whether something was."""
    from chu_platform.graph.dagster_instance import exclusive
    from chu_platform.storage.edition_manifest import published_edition
    from chu_platform.storage.store import lake_root

    with exclusive(settings):
        if settings.sources is None and not settings.sources_folder.exists():
            from chu_platform.demo.pack import write_pack

            log_progress("no pack is given: writing a small synthetic pack (set CHU_SOURCES to use your own)")
            write_pack(settings.sources_folder, DEMO_SCALE, DEMO_SEED, log_progress)
        was_published = published_edition(lake_root(settings)) is not None
        if not was_published:
            _materialize(settings, "*", None, log_progress)
    return was_published


def _print_figures(settings: Settings) -> None:
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.store import lake_root
    from chu_platform.terminal_tables import print_indicators

    print_indicators(Lake(lake_root(settings)))


@app.command(short_help="Make the whole graph or a part of it.")
def materialize(
    select: Annotated[str, typer.Option(help="Dagster's asset selection syntax")] = "*",
    partitions: Annotated[
        str | None, typer.Option(help="years or months: KEY or FIRST...LAST, e.g. 2019 or 2019-01...2019-12")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="also make tables again that are up to date")] = False,
    figures: Annotated[bool, typer.Option("--figures", help="print published figures at the end")] = False,
) -> None:
    """Make the whole graph or a part of it, without servers. Tables that are up to date are left out."""
    from chu_platform.graph.dagster_instance import exclusive

    settings = load_settings()
    with exclusive(settings):
        _materialize(settings, select, partitions, _progress_printer(), force)
    if figures:
        _print_figures(settings)


@app.command(short_help="Copy new files from the servers.")
def land() -> None:
    """Copy new and changed files from the servers that CHU_SOURCES lists. `chu materialize` begins with it.

    Nothing is written on a server. A server that fails does not concern the others: exit status 1, after all were
    tried. A copy that was interrupted continues where it was.
    """
    from chu_platform.automation.landing_job import land_for_run

    log_progress = _progress_printer()
    land_for_run(load_settings(), log_progress, lambda warning: log_progress(f"WARNING {warning}"))


@app.command(short_help="Accept a delivery that was held back.")
def accept(
    source: Annotated[str | None, typer.Argument(help="source table, e.g. deces; without it, list what waits")] = None,
) -> None:
    """Accept a delivery that was held back because it has far fewer rows than before. The next run reads it.

    Who accepted it and when is recorded in the lake. It is valid for this delivery only, and refused if that is not
    there any more. Without SOURCE, the deliveries that are held back are listed.
    """
    from datetime import UTC, datetime

    from chu_platform.graph.held_back import accept_held, still_held
    from chu_platform.graph.run_resources import RunResources

    with RunResources(load_settings(), _progress_printer()) as resources:
        if source is None:
            waiting = still_held(resources)
            for held in waiting:
                print(f"{held.source}: held back since {held.at}: {', '.join(map(str, held.files))}")
            if not waiting:
                print("no delivery is held back")
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        acceptance = accept_held(resources, source.removeprefix("sources/"), user_and_machine(), now)
    for file in acceptance.files:
        fingerprint = f" (SHA-256 or snapshot {file.sha256})" if file.sha256 else ""
        print(f"accepted by {acceptance.by}: {file}{fingerprint}")
    print(f"make it now: chu materialize --select 'key:sources/{acceptance.source}+'")


@app.command(short_help="Restore a table to an earlier version.")
def restore(
    table: Annotated[str, typer.Argument(help="layer and table, e.g. facts/fact_death")],
    version: Annotated[int, typer.Argument(help="Delta version to restore")],
) -> None:
    """Restore a table to an earlier version, as a new version."""
    from chu_platform.graph.dagster_instance import open_instance
    from chu_platform.graph.restored_version import restore_table
    from chu_platform.graph.run_resources import RunResources

    settings = load_settings()
    with RunResources(settings, _progress_printer()) as resources, open_instance(settings) as instance:
        now = restore_table(resources, instance, table, version)
    print(f"version {version} of {table} is restored as version {now}")


@app.command(short_help="Release the next edition.")
def release(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only print what the next edition would change, and why")
    ] = False,
) -> None:
    """Release the next edition of the published indicators, of the tables as they are in the lake.

    The gate compares each figure with its last publication: what would disclose a change of 1 to 10 persons waits or is
    masked. Without a change, there is no new edition.
    """
    from chu_platform.automation.main_job import release_next
    from chu_platform.graph.dagster_instance import close_dead_runs, exclusive, open_instance
    from chu_platform.graph.run_resources import RunResources
    from chu_platform.storage.edition_manifest import published_edition

    settings, log_progress = load_settings(), _progress_printer()
    if dry_run:
        from chu_platform.graph.next_edition import changes_of_next_edition
        from chu_platform.storage.lake import Lake
        from chu_platform.storage.store import lake_root

        for line in changes_of_next_edition(Lake(lake_root(settings))):
            print(line)
        return
    with exclusive(settings), RunResources(settings, log_progress) as resources, open_instance(settings) as instance:
        close_dead_runs(instance)
        failed = release_next(resources, instance, log_progress)
        shown = published_edition(resources.lake.place)
    _print_failures(failed)
    if shown:
        print(f"readers see edition {shown.number} of {shown.date}")


@app.command(short_help="Bring an older lake to the present format.")
def upgrade() -> None:
    """Bring a lake of an earlier version to the present format. It can be interrupted, and started again."""
    from chu_platform.catalogue import catalogue
    from chu_platform.graph.dagster_instance import exclusive
    from chu_platform.ingest.delivered import is_delivered, quarantine_of
    from chu_platform.pseudonymisation.lake_key import lake_key
    from chu_platform.storage.key_record import KeyRecord, write_key_record
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.lake_format import format_of
    from chu_platform.storage.store import lake_root
    from chu_platform.storage.upgrades import upgrade_lake

    settings = load_settings()
    tables = [made for table in catalogue() for made in table.outputs]
    tables += [quarantine_of(table) for table in catalogue() if is_delivered(table)]
    lake = Lake(lake_root(settings))
    with exclusive(settings):
        if format_of(lake.place) is not None:
            key = lake_key(lake, settings.secrets_folder)
            write_key_record(lake, KeyRecord(key.fingerprint, key.identifier))
        before, after = upgrade_lake(lake, tables, _progress_printer())
    done = f"has format {after} already" if before == after else f"is upgraded from format {before} to {after}"
    print(f"the lake {settings.lake_place} {done}")
    if before != after:
        print("now run `chu materialize`: it makes again what the upgrade deleted")


@app.command(short_help="Trace a published figure to delivered lines.")
def trace(
    table: Annotated[str, typer.Argument(help="published indicator, e.g. published/kpis/kpi_deaths_by_region")],
    key: Annotated[list[str] | None, typer.Argument(help="the cell, e.g. year=2019 region_code=11")] = None,
    rows: Annotated[bool, typer.Option("--rows", help="also show the delivered rows; each access is logged")] = False,
    lines: Annotated[
        bool, typer.Option("--lines", help="list the numbers of all lines, also in files above 200 MB")
    ] = False,
    as_of: Annotated[
        int | None, typer.Option(help="edition (outside editions: version) to compare with the current one")
    ] = None,
) -> None:
    """Trace a published figure to the delivered lines, and recompute it from them: exit status 0 if equal."""
    from chu_platform.trace.trace_command import run_trace

    if not run_trace(load_settings(), table, key or [], rows, lines, as_of, print):
        raise typer.Exit(1)


@app.command(short_help="Compare figures and files with the records.")
def verify(
    sample: Annotated[
        int | None, typer.Option(min=1, help="number of published cells to draw at random; by default all cells")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the sample, to draw the same sample again")] = None,
    as_of: Annotated[
        int | None, typer.Option(help="edition whose figures to compare; by default the current one")
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="first make damaged tables again from their inputs")] = False,
) -> None:
    """Compare published figures, delivered files and table data with the records: exit status 0 if correct."""
    from chu_platform.trace.verify import verify as verify_all

    settings, log_progress = load_settings(), _progress_printer()
    failures = _repair(settings, log_progress) if repair else 0
    drawn = secrets.randbelow(10**6) if seed is None else seed
    result = verify_all(settings, sample, drawn, log_progress, as_of)
    for finding in result.findings:
        print(f"FOUND {finding}")
    checked = f"{result.cells} published cells, {result.files} delivered files, {result.tables} tables"
    print(f"{checked}: {len(result.findings) or 'no'} finding{'' if len(result.findings) == 1 else 's'}")
    if result.findings or failures:
        raise typer.Exit(1)


@app.command(short_help="Attack the published tables.")
def attack(
    only: Annotated[
        list[int] | None, typer.Option(min=1, max=10, help="number of an attack to run; by default all ten")
    ] = None,
    earlier: Annotated[
        list[Path] | None, typer.Option(help="folder with an earlier published zone, to attack both together")
    ] = None,
    insiders: Annotated[int, typer.Option(min=1, help="number of heads of establishments that attack")] = 50,
    full: Annotated[bool, typer.Option("--full", help="list the key of every disclosed cell, not of one")] = False,
) -> None:
    """Attack the published tables in ten ways: exit status 0 if no cell is disclosed. docs/attack.md explains them.

    For each attack, the number of cells tried and disclosed is printed, and the key of one disclosed cell, never its
    value. The older versions that the published zone still holds are attacked too.
    """
    from chu_platform.attack.attack_command import run_attack_command

    if not run_attack_command(load_settings(), only or [], earlier or [], insiders, full, _progress_printer(), print):
        raise typer.Exit(1)


@app.command(short_help="Rebuild a version of a table and compare.")
def rebuild(
    table: Annotated[str, typer.Argument(help="table, e.g. published/kpis/kpi_deaths_by_region or facts/fact_death")],
    as_of: Annotated[int | None, typer.Option(help="version to rebuild; by default the current version")] = None,
) -> None:
    """Rebuild a version of a table outside the lake from the records, and compare: exit status 0 if equal."""
    from chu_platform.trace.rebuild import rebuild as rebuild_version
    from chu_platform.trace.rebuild import result_lines

    result = rebuild_version(load_settings(), table, as_of, _progress_printer())
    for line in result_lines(result, table):
        print(line)
    if not result.equal:
        raise typer.Exit(1)


@app.command(short_help="Serve the portal and the Dagster UI.")
def serve(
    port: Port = DEFAULT_PORT,
    portal_port: PortalPort = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="for auditors: nothing can be changed")] = False,
) -> None:
    """Serve the portal and the Dagster UI for the current lake."""
    _serve(load_settings(), port, portal_port, READ_ONLY if read_only else None)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    short_help="Print exact figures of an indicator.",
)
def kpi(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="indicator, e.g. kpi_hospitalisation_rate")] = None,
    first: Annotated[str | None, typer.Option("--from", help="first month, e.g. 2019-01")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last month, included, e.g. 2020-06")] = None,
    as_known_today: Annotated[
        bool, typer.Option("--as-known-today", help="count events where their establishment is now, not where it was")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print exact figures of an indicator for any X and any range of whole months, from the facts of the secure zones.

    Each answer is written to the access journal. Rows that the account may not read are left out; if none is left, the
    exit status is 1.

    X is chosen by the options of the indicator, for instance --establishment 010000024, --department 2A, --region 11,
    --diagnosis J20, --sex F, --age-band 85+, --profession Médecin. Without NAME, all indicators are listed with their
    options.

    An event counts in the department and the region where its establishment was on that day, as far as deliveries have
    told. With --as-known-today it counts where the establishment is now.
    """
    from chu_platform.access.gate import Gate
    from chu_platform.access.journal import Journal
    from chu_platform.graph.run_resources import RunResources
    from chu_platform.identity.current_user import current_user
    from chu_platform.kpi_query import KpiRequest, indicator_options, kpi_rows
    from chu_platform.terminal_tables import print_rows, rows_as_json

    if name is None:
        for line in indicator_options():
            print(line)
        return
    request = KpiRequest(name, _extra_options(context.args), first, last, as_known_today)
    settings = load_settings()
    with RunResources(settings, lambda _: None) as resources:
        gate = Gate(resources.lake, Journal(settings.secrets_folder))
        rows = kpi_rows(resources, request, gate, current_user(settings))
    if as_json:
        print(rows_as_json(rows))
    else:
        print_rows(rows, title=name)


@app.command(short_help="Measure how easily rows lead to a person.")
def risk(
    table: Annotated[str | None, typer.Argument(help="table, e.g. facts/fact_hospitalisation; by default all")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print k-anonymity, l-diversity and t-closeness of the facts, as stored and generalised, without values of rows.

    The page docs/risk.md explains the figures.
    """
    from chu_platform.access.gate import Gate
    from chu_platform.access.journal import Journal
    from chu_platform.identity.current_user import current_user
    from chu_platform.risk.french_rows import french_rows, plain_rows
    from chu_platform.risk.table_risks import risks_by_table, tables_of
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.lake_format import require_known_format
    from chu_platform.storage.store import lake_root
    from chu_platform.terminal_tables import print_rows, rows_as_json

    settings = load_settings()
    lake = Lake(lake_root(settings))
    require_known_format(lake.place)
    gate = Gate(lake, Journal(settings.secrets_folder))
    gate.admit(current_user(settings), tables_of(table), "chu risk: risks of all rows")
    risks = risks_by_table(lake, table)
    if as_json:
        print(rows_as_json(plain_rows(risks)))
        return
    for measured, found in risks.items():
        print_rows(french_rows(found), title=measured.label)


@app.command(short_help="Write the dictionary and the lineage as files.")
def dictionary(
    folder: Annotated[Path, typer.Argument(help="folder to write; existing documents are replaced")],
) -> None:
    """Write the data dictionary, the lineage of every table and the quality report, in French: HTML, Markdown, SVG."""
    from chu_platform.description.file import current_catalogue
    from chu_platform.documents.site import Site
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.store import lake_root
    from chu_platform.urls import DICTIONARY

    settings = load_settings()
    root = lake_root(settings)
    catalogue = current_catalogue(root, settings.work_folder)
    written = Site(Lake(root), catalogue, in_ui=False).write(folder)
    print(f"{written} documents; open {folder / DICTIONARY}")


@app.command(short_help="Write or send the column lineage as OpenLineage.")
def lineage(
    openlineage: Annotated[
        Path | None,
        typer.Option("--openlineage", help="file to write, one event per line; without it, send to CHU_OPENLINEAGE"),
    ] = None,
) -> None:
    """Write the column lineage of every table as OpenLineage events, or send them to a catalogue.

    If CHU_OPENLINEAGE is set, each run of a step sends its events there by itself.
    """
    from chu_platform.catalogue import catalogue
    from chu_platform.lineage.openlineage import declared_event
    from chu_platform.lineage.transport import send, to_file, transport_of

    settings = load_settings()
    if openlineage:
        openlineage.unlink(missing_ok=True)
        transport, place = to_file(openlineage), str(openlineage)
    elif settings.openlineage:
        transport, place = transport_of(settings.openlineage.get_secret_value()), "the place of CHU_OPENLINEAGE"
    else:
        raise ChuError("name a file with --openlineage, or a place with CHU_OPENLINEAGE")
    tables = [made for table in catalogue() for made in table.outputs]
    for table in tables:
        send(transport, declared_event(table, settings.lake_place))
    transport.close()
    print(f"{len(tables)} events in {place}")


@app.command(short_help="Describe the figures for BI tools.")
def semantics(
    file: Annotated[Path, typer.Argument(help="file to write, in YAML; one that exists is replaced")],
) -> None:
    """Write measures, axes, labels and joins of the marts as one file in the form of MetricFlow, with French texts."""
    from chu_platform.errors import reason_of
    from chu_platform.marts.semantics import semantic_description

    try:
        file.write_text(semantic_description(), encoding="utf-8")
    except OSError as error:
        raise ChuError(f"{file} cannot be written: {reason_of(error)}") from None
    print(f"{file}: measures, axes, labels and joins of the marts (docs/marts.md)")


@app.command(short_help="Write the reports of the committee.")
def report(
    folder: Annotated[Path, typer.Argument(help="folder to write: a new or empty one, or one with earlier reports")],
    make_lake: Annotated[
        bool, typer.Option("--make-lake", help="if nothing is published yet, first make the lake as `chu run` does")
    ] = False,
) -> None:
    """Write the reports that a committee expects, in French: each as HTML, PDF and Markdown, and a check-list.

    Each figure in them has the command that gives it.
    """
    from chu_platform.committee.report_assets import make_reports

    settings, log_progress = load_settings(), _progress_printer()
    if make_lake:
        _make_first_lake(settings, log_progress)
    written = make_reports(settings, folder, log_progress)
    print(f"{len(written)} reports in {folder}, as PDF, HTML and Markdown; begin with {written[0]}")


@app.command(short_help="Write the documents of data protection.")
def governance(
    folder: Annotated[Path, typer.Argument(help="folder to write: a new or empty one, or one with earlier documents")],
) -> None:
    """Write the documents of data protection, in French, as HTML and Markdown, from the policies of the tables.

    Register of processing, draft of the impact assessment, access rights, retention, check-list of the CNIL with its
    evidence, procedure for incidents, backup and restoration. What is missing is said.
    """
    from datetime import date

    from chu_platform.governance.write import write_documents

    written = write_documents(load_settings(), folder, date.today())
    print(f"{len(written)} documents in {folder}, as HTML and Markdown; begin with {folder / f'{written[0]}.html'}")


@app.command(short_help="Show or delete what is kept for too long.")
def retention(
    apply: Annotated[
        bool, typer.Option("--apply", help="delete what the platform keeps; without it, only show")
    ] = False,
) -> None:
    """Show the rows that are kept for longer than their table declares; with --apply, delete them.

    Rows of a delivery would come again with the next reading: they are shown, and only their sender can remove them.
    Maintenance does the same.
    """
    from datetime import date

    from chu_platform.governance.retention import retention_lines
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.lake_format import require_known_format
    from chu_platform.storage.store import lake_root

    settings = load_settings()
    lake = Lake(lake_root(settings))
    require_known_format(lake.place)
    for line in retention_lines(settings, lake, date.today(), apply, _progress_printer()):
        print(line)


@app.command(short_help="Rehearse backup and restoration.")
def drill(
    folder: Annotated[Path, typer.Argument(help="folder on another disk: a new or empty one, or one of a drill")],
) -> None:
    """Back up the lake, the secrets and Dagster's storage, restore them into an empty home, and verify it.

    The backup is in FOLDER/backup and FOLDER/secrets, what is restored in FOLDER/home. The lake itself is only read.
    Exit status 0 if everything came back as it was. The folder then holds the key beside the lake: keep it safe, or
    delete it.
    """
    from chu_platform.governance.drill import drill as run_drill
    from chu_platform.graph.dagster_instance import exclusive, open_instance

    settings = load_settings()
    with exclusive(settings), open_instance(settings) as instance:
        found = run_drill(settings, instance, folder, _progress_printer())
    for line in found:
        print(f"FOUND {line}")
    if found:
        raise typer.Exit(1)
    print(f"everything came back as it was: {folder / 'home'}")


@app.command(short_help="Sign in, for the next commands.")
def login(
    name: Annotated[
        str | None, typer.Argument(help="account; without it, a code of the page /moi is asked for")
    ] = None,
) -> None:
    """Sign in, so that the next commands of this user of the system read as an account.

    The password, or the code of the page /moi of the portal, is asked for; without a terminal it is the first line of
    the standard input.
    """
    from chu_platform.signin.command_login import sign_in_to_commands

    principal = sign_in_to_commands(load_settings(), name)
    print(f"signed in as {principal.name}; end it with chu logout")


@app.command(short_help="End the sign-in of chu login.")
def logout() -> None:
    """End the sign-in of `chu login`."""
    from chu_platform.signin.command_login import sign_out_of_commands

    print("signed out" if sign_out_of_commands(load_settings()) else "nobody was signed in")


@access.callback()
def _of_access() -> None:
    """What accounts hold."""


@access.command("review", short_help="List grants to confirm or to remove.")
def review_access() -> None:
    """List the grants that nobody has confirmed for a year, and those that are over: exit status 1 if there are any.

    `chu user review NAME` confirms those of an account; those of groups have the date `reviewed` in groups.toml.
    """
    from datetime import date

    from chu_platform.governance.access_review import due, grants_of_all

    lines = list(due(grants_of_all(load_settings()), date.today()))
    print("\n".join(lines) or "every grant was confirmed within a year")
    if lines:
        raise typer.Exit(1)


@need.callback()
def _of_needs() -> None:
    """The register of needs of readers."""


@need.command("add", short_help="Add a need to the register.")
def add_need(
    who: Annotated[str, typer.Option(help="function of those who decide, e.g. « cadre de santé »; never a name")],
    decides: Annotated[str, typer.Option(help="what they decide")],
    question: Annotated[str, typer.Option(help="what they ask the data")],
    indicator: Annotated[
        str, typer.Option(help="indicators that answer, separated by spaces, e.g. kpi_hospitalisation_rate")
    ] = "",
    not_answerable: Annotated[str, typer.Option(help="why the data cannot answer")] = "",
) -> None:
    """Add a need of readers to the register, with the indicators that answer it, or the reason why none does.

    It is kept in CHU_HOME/needs.csv; the texts are shown to French readers.
    """
    from chu_platform.building_blocks.reader_needs import AddedNeed, add_need
    from chu_platform.indicators.indicator import indicators

    names = [indicator.masked.name for indicator in indicators()]
    added = AddedNeed(who, decides, question, indicator, not_answerable)
    number = add_need(load_settings().needs_file, added, names)
    print(f"added as {number}; show it to readers: chu materialize --select 'key:references/need'")


@app.command("demo-pack", short_help="Write a synthetic pack.")
def demo_pack(
    folder: Annotated[Path, typer.Argument(help="folder to write; it must not exist, or be empty")],
    scale: Annotated[float, typer.Option(help="1 is the full size, 10 the largest")] = DEMO_SCALE,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same bytes")] = DEMO_SEED,
) -> None:
    """Write a synthetic pack with the layout of a delivery, and the expected values of the indicators."""
    from chu_platform.demo.pack import write_pack

    if not is_utf_8(folder):
        raise ChuError("the name of the folder is not valid UTF-8: choose another one")
    write_pack(folder, scale, seed)


@app.command(short_help="List every setting.")
def settings() -> None:
    """List every setting with its value and meaning; secrets are hidden."""
    found = load_settings()
    rows = [
        (f"CHU_{name.upper()}", _shown(found, name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for name, value, meaning in rows:
        print(f"{name:{widths[0]}}  {value:{widths[1]}}  {meaning}")


def _shown(settings: Settings, name: str) -> str:
    """The effective value, without secrets: a password, or the token of a Spark Connect address."""
    value = getattr(settings, f"{name}_list", None) or getattr(settings, f"{name}_folder", None)
    value = value or getattr(settings, name)
    text = "-" if value is None else str(value).split(";")[0]
    return text if name in settings.model_fields_set else f"{text} (default)"


def _extra_options(arguments: Sequence[str]) -> dict[str, str]:
    """`--option value` and `--option=value` pairs. Raises ChuError for anything else."""
    options: dict[str, str] = {}
    remaining = iter(arguments)
    for argument in remaining:
        option, given, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not option:
            raise ChuError(f"{argument!r} is not an option: write --option value")
        found = value if given else next(remaining, None)
        if found is None:
            raise ChuError(f"--{option} needs a value")
        if option in options:
            raise ChuError(f"--{option} is given twice")
        options[option] = found
    return options


def _progress_printer() -> Callable[[str], None]:
    """A function that prints progress lines with the seconds since its creation."""
    begun = time.monotonic()

    def log_progress(message: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {message}", flush=True)

    return log_progress


def _materialize(
    settings: Settings,
    select: str,
    partitions: str | None,
    log_progress: Callable[[str], None],
    force: bool = False,
) -> None:
    """Run the main job. The caller holds its lock. Raises Exit with status 1 if an asset failed."""
    from chu_platform.automation.main_job import run_all
    from chu_platform.graph.dagster_instance import close_dead_runs, open_instance
    from chu_platform.graph.dagster_retention import clean_up
    from chu_platform.graph.interruption import interruptible_command
    from chu_platform.graph.run_resources import RunResources

    resources = RunResources(settings, log_progress, force=force)
    with open_instance(settings) as instance, interruptible_command(resources, instance), resources:
        if dead := close_dead_runs(instance):
            log_progress(f"marked {dead} unfinished run(s) of a killed process as failed")
        failed = run_all(resources, instance, select, partitions, log_progress)
        clean_up(instance, settings, time.time())
    # Again at the end, because a long run scrolls its first lines away.
    for warning in resources.warnings:
        print(f"WARNING {warning}")
    _print_failures(failed)
    log_progress(f"done; the lake is {settings.lake_place}")


def _print_failures(failed: "Sequence[FailedAsset]") -> None:
    """Print the failed assets with their causes. Raises Exit with status 1 if there are any."""
    for failure in failed:
        print(f"FAILED {failure.asset}: {' '.join(failure.cause.split())}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _repair(settings: Settings, log_progress: Callable[[str], None]) -> int:
    """Make damaged tables again, and print what was done; returns the number of failures."""
    from chu_platform.graph.dagster_instance import close_dead_runs, exclusive, open_instance
    from chu_platform.graph.interruption import interruptible_command
    from chu_platform.graph.run_resources import RunResources
    from chu_platform.trace.repair import repair

    resources = RunResources(settings, log_progress)
    with (
        exclusive(settings),
        open_instance(settings) as instance,
        interruptible_command(resources, instance),
        resources,
    ):
        close_dead_runs(instance)
        result = repair(resources, instance, log_progress)
    for line in (line for done in result.repairs for line in done.lines):
        print(line)
    for failure in result.failures:
        print(f"FAILED {failure.asset}: {' '.join(failure.cause.split())}")
    if not result.repairs:
        print("no table is damaged")
    return len(result.failures) + sum(done.failure is not None for done in result.repairs)


def _serve(settings: Settings, port: int, portal_port: int | None, option: str | None = None) -> NoReturn:
    """Prepare the servers, then go on as `chu_platform.serve` with the option."""
    from chu_platform.description.file import current_text
    from chu_platform.graph.dagster_instance import SERVED_TAG, close_dead_runs, open_instance
    from chu_platform.signin.sign_in import SignIn
    from chu_platform.storage.lake import Lake
    from chu_platform.storage.lake_format import require_known_format
    from chu_platform.storage.store import lake_root

    if option == READ_ONLY:
        require_known_format(lake_root(settings))
    else:
        Lake(lake_root(settings)).prepare()
    chosen_portal_port = portal_port_of(port, portal_port)
    require_safe_place(settings, settings.listen)
    require_free_port(settings.listen, port)
    require_free_port(settings.listen, chosen_portal_port, "--portal-port")
    SignIn(settings)  # its settings are complete
    with open_instance(settings) as instance:
        if option != READ_ONLY and (dead := close_dead_runs(instance, SERVED_TAG)):
            print(f"marked {dead} unfinished run(s) of killed servers as failed", flush=True)
    # What the portal and the documents show tables by.
    current_text(lake_root(settings), settings.work_folder)
    go_on_as("chu_platform.serve", str(port), str(chosen_portal_port), *([option] if option else []))


def main() -> None:
    """Run the command that the arguments of this process name."""
    run_command(lambda: app(standalone_mode=False))


if __name__ == "__main__":
    main()
