"""What the documents are made from: the policies of the tables, the lake, and one date."""

import datetime
from collections.abc import Mapping, Sequence
from functools import cached_property

from chu_platform import french
from chu_platform.committee.document import Block, Document, MadeChapter
from chu_platform.description.described_tables import DescribedTable
from chu_platform.description.file import current_catalogue
from chu_platform.documents.table_status import State
from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.storage.edition_manifest import published_edition
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import format_of
from chu_platform.storage.store import lake_root
from chu_platform.tables.access_policy import AccessPolicy
from chu_platform.version import PACKAGE_VERSION

COMMAND = "chu governance DOSSIER"


class Inputs:
    """What the documents read. `today` is the date that they state.

    Raises ChuError if a table does not declare its purpose, its legal basis and its retention.
    """

    def __init__(self, settings: Settings, today: datetime.date) -> None:
        self.settings = settings
        self.today = today
        self.lake = Lake(lake_root(settings))
        self.has_lake = format_of(self.lake.place) is not None
        self.catalogue = current_catalogue(self.lake.place, settings.work_folder)
        self.policies = require_policies(self.catalogue.tables)

    @cached_property
    def state(self) -> State:
        """What the lake holds: the last results of the checks."""
        return State(self.lake, self.catalogue)

    @property
    def stated(self) -> str:
        """When and from what the documents are made."""
        of_lake = "qui n’existe pas encore"
        if self.has_lake:
            edition = published_edition(self.lake.place)
            of_lake = (
                f"qui publie l’édition n° {edition.number} du {french.day(edition.day)}"
                if edition
                else "qui ne publie aucune édition"
            )
        return (
            f"Établi le {french.day(self.today)} par la commande `chu governance`, version {PACKAGE_VERSION} de la "
            f"plateforme, à partir des déclarations de {len(self.policies)} tables et du lac `{self.settings.lake_place}`, "
            f"{of_lake}. Projet à relire et à compléter par le délégué à la protection des données."
        )

    def document(self, name: str, title: str, subtitle: str, chapters: Mapping[str, Sequence[Block]]) -> Document:
        """A document of these chapters, by title."""
        made = [
            MadeChapter(f"c{number}", number, title, blocks)
            for number, (title, blocks) in enumerate(chapters.items(), 1)
        ]
        return Document(name, title, subtitle, self.stated, made)


def require_policies(tables: Sequence[DescribedTable]) -> Mapping[DescribedTable, AccessPolicy]:
    """The policy of each table. Raises ChuError with the first table that does not declare all of it."""
    found = {}
    for table in tables:
        policy = table.access
        if policy is None:
            raise _undeclared(table, "no access policy (`access`)")
        if not policy.purpose:
            raise _undeclared(table, "no purpose")
        if not policy.legal_basis.strip():
            raise _undeclared(table, "no legal basis")
        if not policy.retention_reason.strip():
            raise _undeclared(table, "no reason of its retention")
        found[table] = policy
    return found


def _undeclared(table: DescribedTable, what: str) -> ChuError:
    return ChuError(f"{table.identifier} declares {what}: add it at {table.declared_at}; no document was written")
