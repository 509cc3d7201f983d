"""Every file seen in the delivered folder, and which table takes it.

Here: the declaration of this one table. Not here: reading deliveries (sources), acting on arrivals (automation).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa

from chu_platform.settings import Settings
from chu_platform.sources.arrivals import delivered_files, known_as
from chu_platform.sources.files import fingerprint
from chu_platform.tables.columns import BOOLEAN, LONG, STRING, Column, arrow_schema
from chu_platform.tables.table import DECLARATIONS, PACK, Computed, Layer, Table, Zone


def deliveries(settings: Settings, tables: Sequence[Table], before: pa.Table) -> pa.Table:
    """The files seen before, and those that are there now; a file is read again only when size or time changed."""
    seen = {row["path"]: {**row, "present": False} for row in before.to_pylist()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pack = settings.sources_folder
    for file in delivered_files(pack) if pack.is_dir() else ():
        path, status = file.relative_to(pack).as_posix(), file.stat()
        modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
        old = seen.get(path)
        same = old is not None and (old["bytes"], old["modified_at"]) == (status.st_size, modified)
        seen[path] = {
            "path": path,
            "bytes": status.st_size,
            "sha256": old["sha256"] if old and same else fingerprint(file),
            "modified_at": modified,
            "known_as": ", ".join(known_as(file.name, tables)) or None,
            "first_seen": old["first_seen"] if old else now,
            "present": True,
        }
    return pa.Table.from_pylist(list(seen.values()), arrow_schema(delivery.columns))


delivery = Table(
    name="delivery",
    layer=Layer.REPORTS,
    zone=Zone.RESTRICTED,
    grain="one path of the delivered folder, as it was seen the last time",
    label="Livraisons",
    owner="team:platform",
    columns=[
        Column("path", STRING, "path within the delivered folder", "Chemin", key=True),
        Column("bytes", LONG, "size", "Taille (octets)", nullable=False),
        Column("sha256", STRING, "fingerprint of the content", "Empreinte SHA-256", nullable=False),
        Column("modified_at", STRING, "last change of the file, UTC, ISO 8601", "Modifié le", nullable=False),
        Column("known_as", STRING, "source tables that take it; null for a file nobody knows", "Tables sources"),
        Column(
            "first_seen", STRING, "when it was seen first, UTC, ISO 8601", "Vu pour la première fois", nullable=False
        ),
        Column("present", BOOLEAN, "whether it is still there", "Présent", nullable=False),
    ],
    rows=Computed(
        deliveries,
        given=("settings", "tables", "before"),
        from_columns={
            **dict.fromkeys(("path", "bytes", "sha256", "modified_at", "first_seen", "present"), (PACK,)),
            "known_as": [PACK, DECLARATIONS],
        },
    ),
)
