"""Erasure of persons: from the request to the signed certificate. It can be killed at any step, and run again.

A request becomes a case, a private file. The texts of its persons go to the opposition list, the main job makes again
what their rows touch, and what old versions, copies and temporary files hold is deleted. Then everything is searched. A
certificate is written only if nothing is found. The case is deleted last, so each step may be done twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from chu_platform.care_database.opposed_persons import forget_copies
from chu_platform.errors import ChuError
from chu_platform.graph.dagster_instance import exclusive, open_instance
from chu_platform.ingest.dump_files import the_dump
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.ingest.persons import Kind
from chu_platform.private_folders import ONLY_OWNER
from chu_platform.pseudonymisation.lake_oppositions import lake_oppositions
from chu_platform.rights.case import Case, cases_folder, close_case, keep_case, open_cases
from chu_platform.rights.certificate import sign
from chu_platform.rights.main_job import run_main_job
from chu_platform.rights.person_in_lake import case_of
from chu_platform.rights.purge import purge_history, purge_temporary, tables_of_kinds
from chu_platform.rights.requests import Request
from chu_platform.rights.scan import Scanned, Sought, scan_folder, scan_lake, scan_storage
from chu_platform.settings import Settings
from chu_platform.storage.edition_manifest import published_edition
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import is_database_table
from chu_platform.storage.store import lake_root
from chu_platform.version import PACKAGE_VERSION

CERTIFICATES = "certificates"


def erase(settings: Settings, request: Request | None, by: str, report: Callable[[str], None]) -> Sequence[Path]:
    """Fulfil a request, after those that were interrupted; returns the files of the certificates.

    Without a request, only interrupted ones are fulfilled. Raises ChuError if a table cannot be made, if the persons
    are still found somewhere, or if the list of earlier requests is gone.
    """
    lake = Lake(lake_root(settings))
    with exclusive(settings):
        lake.prepare()
        # A new list would hide that the one of earlier requests is gone.
        lake_oppositions(lake, settings.secrets_folder)
        if request is not None:
            _enter(settings, lake, request, by)
        cases = open_cases(settings)
        if not cases:
            report("no request is open")
            return []
        return [_fulfil(settings, lake, case, report) for case in cases]


def _enter(settings: Settings, lake: Lake, request: Request, by: str) -> None:
    """Make a case of a request, unless the same request is open. Its persons are looked for before anything changes."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    case = case_of(lake, request, uuid4().hex[:16], by, now)
    open_texts = [{kind: set(texts) for kind, texts in c.texts.items()} for c in open_cases(settings)]
    if not any(_covers(texts, case.texts) for texts in open_texts):
        cases_folder(settings).mkdir(parents=True, exist_ok=True, mode=ONLY_OWNER)
        keep_case(settings, case)


def _covers(texts: Mapping[str, set[str]], others: Mapping[str, Sequence[str]]) -> bool:
    """Whether a case has all texts of another one. Of the rows that are gone already, the other one knows nothing."""
    return all(texts.get(kind, set()) >= set(found) for kind, found in others.items())


def _fulfil(settings: Settings, lake: Lake, case: Case, report: Callable[[str], None]) -> Path:
    certificate = certificate_file(settings, case.request)
    if not certificate.exists():
        report(f"request {case.request}: adding it to the opposition list")
        texts = [(Kind(kind), text) for kind, found in case.texts.items() for text in found]
        Oppositions(settings.secrets_folder).add(case.request, texts, case.at)
        run_main_job(settings, report)
        purged = purge_history(lake, tables_of_kinds(case.kinds), report)
        forget_copies(settings, report)
        purge_temporary(settings, lake)
        if not case.held:
            report(
                "WARNING no row of the lake is of the persons of this request: either they were erased before, or the "
                "number or the name is wrong"
            )
        searched, holders = _search(settings, lake, case, report)
        statement = _statement(settings, lake, case, purged, searched, holders)
        sign(settings.secrets_folder, statement, certificate)
    close_case(settings, case)
    return certificate


def certificate_file(settings: Settings, request: str) -> Path:
    """The file of the certificate of a request."""
    return settings.home.resolve() / CERTIFICATES / f"{request}.json"


def _search(
    settings: Settings, lake: Lake, case: Case, report: Callable[[str], None]
) -> tuple[Mapping[str, int], Sequence[str]]:
    """Search all places: numbers of searched files by place, and the deliveries that hold the persons.

    Files of the work folder in which something is found are deleted. Raises ChuError if something is found elsewhere.
    """
    sought = Sought(case)
    home, pack = settings.home.resolve(), settings.sources_folder
    report("searching the lake, CHU_HOME and the storage of Dagster")
    of_lake = scan_lake(lake, sought)
    apart = [
        cases_folder(settings),
        pack,
        settings.landing_folder,
        *([] if settings.lake_url else [settings.lake_folder]),
    ]
    of_home = scan_folder(home, sought, apart)
    if deletable := [Path(f) for f in of_home.found if _can_be_deleted(settings, Path(f))]:
        for file in deletable:
            file.unlink(missing_ok=True)
        report(f"{len(deletable)} files of {settings.work_folder} deleted")
        of_home = replace(of_home, found=[f for f in of_home.found if Path(f) not in deletable])
    of_secrets = Scanned(0, [])
    if not settings.secrets_folder.is_relative_to(home):
        of_secrets = scan_folder(settings.secrets_folder, sought, apart)
    with open_instance(settings) as instance:
        of_storage = scan_storage(instance, sought)
    if found := [*of_lake.found, *of_home.found, *of_secrets.found, *of_storage.found]:
        raise ChuError(
            f"request {case.request}: something of the persons is still in {len(found)} places, so no certificate is "
            f"written: {'; '.join(found[:10])}; delete it there, then run `chu erase resume`"
        )
    deliveries = scan_folder(pack, sought, [])
    landed = scan_folder(settings.landing_folder, sought, [pack])
    holders = [*case.files, *(Path(f).relative_to(pack).as_posix() for f in deliveries.found), *landed.found]
    if any(is_database_table(name) for name in case.files):
        holders.append("the care database of CHU_POSTGRES_URL" if settings.postgres_url else the_dump(pack).name)
    counted = {
        "lake": of_lake.files,
        "home": of_home.files + of_secrets.files,
        "dagster_tables": of_storage.files,
        "deliveries": deliveries.files + landed.files,
    }
    return counted, sorted(set(holders))


def _can_be_deleted(settings: Settings, file: Path) -> bool:
    """Whether a file can be deleted at any time: one of the work folder, but none of the embedded server."""
    work = settings.work_folder
    return file.is_relative_to(work) and not file.is_relative_to(work / "postgres")


def _statement(
    settings: Settings,
    lake: Lake,
    case: Case,
    purged: int,
    searched: Mapping[str, int],
    holders: Sequence[str],
) -> Mapping[str, Any]:
    """What a certificate says. It has no text of a person."""
    edition = published_edition(lake.place)
    return {
        "request": case.request,
        "requested_at": case.at,
        "requested_by": case.by,
        "erased_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "package": PACKAGE_VERSION,
        "lake": settings.lake_place,
        "opposition_entries": sum(map(len, case.texts.values())),
        "rows_erased": dict(case.held),
        "tables_without_old_versions": purged,
        "searched_files": dict(searched),
        "found": 0,
        "names_shared_with_others": len(case.shared_names),
        "still_held_by": holders,
        "published_edition": edition.number if edition else None,
    }
