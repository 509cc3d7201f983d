"""Comparison of a delivery with the last commit: a delivery with far fewer rows is held back until it is accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.delivered import Reader, delivered_rows
from chu_platform.ingest.file_names import plain_groups
from chu_platform.ingest.files import scan_pack
from chu_platform.ingest.reading import Reading
from chu_platform.storage.held_deliveries import (
    Acceptance,
    Held,
    HeldDeliveries,
    Shrunk,
    accepted,
    shrunk_files,
    shrunk_lists,
)
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class Shrinkage:
    """The delivered files of a source that have far fewer rows than at the commit of the run `after`."""

    after: str | None = None
    rows_in: int = 0
    held: Sequence[Shrunk] = ()
    accepted: Sequence[tuple[Shrunk, Acceptance]] = ()

    @staticmethod
    def of(
        resources: RunResources, table: Table, last_commit: Mapping[str, Any], reading: Reading | None
    ) -> "Shrinkage":
        """The shrinkage of a reading of the table; none if the table is not delivered."""
        if reading is None:
            return Shrinkage()
        source = delivered_rows(table)
        now = [d.metadata for d in reading.deliveries]
        # Commits of the first versions have no counts of single files. A file that is left out has its own warning.
        left_out = {file.groups for file in reading.left_out}
        of_commit = last_commit.get("files", ())
        before = [f for f in of_commit if "rows" in f and _groups(source.reader, f["name"]) not in left_out]
        after = last_commit.get("run")
        of_server = source.reader.database is not None and resources.settings.postgres_url is not None
        acceptances = HeldDeliveries(resources.lake).acceptances()
        found = [
            (file, accepted(acceptances, table.name, after, file, of_server))
            for file in shrunk_files(before, now, source.max_decrease)
        ]
        if source.withdrawals:
            listed = delivered_rows(source.withdrawals.listed)
            # Older commits have no counts.
            lists = shrunk_lists(
                [f for f in last_commit.get("lists", ()) if "rows" in f],
                [applied.metadata for applied in reading.lists],
                listed.max_decrease,
            )
            found += [(file, accepted(acceptances, table.name, after, file, of_server)) for file in lists]
        return Shrinkage(
            after, reading.rows_in, [f for f, given in found if not given], [(f, given) for f, given in found if given]
        )

    def record(self, resources: RunResources, table: Table) -> None:
        """Record in the lake which files are held back."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        held = Held(table.name, self.after, self.held, now, self.rows_in)
        HeldDeliveries(resources.lake).hold(held)

    def advice(self, resources: RunResources, table: Table) -> str:
        """What to do about the files that are held back."""
        if not self.held:
            return ""
        files = ", ".join(_described(resources.settings.sources_folder, file) for file in self.held)
        return (
            f"{files}; if the delivery is incomplete, ask for it again; if it is right, accept it: "
            f"`chu accept {table.name}`, then run again"
        )

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its entry in commit metadata: what was accepted, by whom and when."""
        if not self.accepted:
            return {}
        return {
            "accepted": [
                {"name": f.name, "sha256": f.sha256, "rows_before": f.rows_before, "by": given.by, "at": given.at}
                for f, given in self.accepted
            ]
        }


def _groups(reader: Reader, name: str) -> tuple[str, ...] | None:
    """What a file is a delivery of; None if its source does not read such a file any more."""
    match = reader.match(PurePosixPath(name).name)
    return plain_groups(match.groups()) if match else None


def _described(pack: Path, file: Shrunk) -> str:
    """A file with its rows and, if it is gone, why."""
    if file.sha256 is not None:
        return str(file)
    former = pack / file.name
    absence = scan_pack(pack).absence(lambda name: name.lower() == former.name.lower(), former.parent)
    return f"{file}{absence and f' ({absence})'}"
