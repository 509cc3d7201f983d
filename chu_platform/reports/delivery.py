"""Register of deliveries: every file seen in the delivered folder, and every snapshot read from a database server."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_tables
from chu_platform.ingest.dump_files import registered_fingerprint
from chu_platform.ingest.files import changed_at, modified_at
from chu_platform.ingest.pack_contents import (
    COPY,
    EMPTY,
    NOT_A_DELIVERY,
    OTHER,
    PART,
    REFUSED,
    TAKEN,
    UNKNOWN,
    UNREADABLE,
    UNUSED,
    FileStatus,
    file_statuses,
)
from chu_platform.landing.arrangement import Origin, origins
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.reports.readings import Refusal, files_left_out, refusals
from chu_platform.settings import Settings
from chu_platform.storage.held_deliveries import HeldDeliveries
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import is_database_table
from chu_platform.storage.store import lake_root
from chu_platform.tables.checks import CheckType, holds, none_in, one_of
from chu_platform.tables.columns import BOOLEAN, LONG, STRING, Column, arrow_schema
from chu_platform.tables.policies import DELIVERIES
from chu_platform.tables.rows import ACCEPTANCES, DECLARATIONS, EVENT_LOG, EVERY_ROW, PACK, Computed
from chu_platform.tables.table import Layer, Table, Zone

FILE: Final = "file"
SERVER: Final = "server"
SERVER_PATH: Final = "PostgreSQL"
READ: Final = "read"
NOT_READ_YET: Final = "not_read_yet"
# Replaces the fingerprint of a file that cannot be read.
NO_FINGERPRINT: Final = "-"
ROW_COUNTS: Final = ("rows_in", "rows_kept", "rows_rejected", "rows_withdrawn")

Row = dict[str, Any]


def deliveries(
    settings: Settings, instance: dg.DagsterInstance, tables: Sequence[Table], readings: pa.Table, before: pa.Table
) -> pa.Table:
    """Merge the rows of `before`, the current files of the pack, and the readings of each delivery."""
    refused = refusals(instance, delivered_tables(tables))
    left_out = files_left_out(instance, delivered_tables(tables))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    read = readings.to_pylist()
    rows = {(r["path"], r["sha256"]): {**r, "kind": r["kind"] or FILE, "present": False} for r in before.to_pylist()}
    pack = settings.sources_folder
    copies = origins(settings)
    statuses = file_statuses(pack, tables, settings.postgres_url is not None) if pack.is_dir() else {}
    for file, status in statuses.items():
        if row := _current_row(file, file.relative_to(pack).as_posix(), status, refused, left_out):
            old = rows.get((row["path"], row["sha256"]), {})
            rows[row["path"], row["sha256"]] = {**old, **row, **_origin(copies.get(row["path"])), "last_seen": now}
    fed = _readings_by_delivery(rows.values(), read)
    servers = [sha256 for path, sha256 in fed if path == SERVER_PATH]
    last = max(servers, key=lambda s: max(r["last_read"] for r in fed[SERVER_PATH, s]), default=None)
    for key in fed:
        # Includes files that were delivered and removed between two reports.
        kind = SERVER if key[0] == SERVER_PATH else FILE
        present = kind == SERVER and settings.postgres_url is not None and key[1] == last
        rows.setdefault(key, {"path": key[0], "sha256": key[1], "present": present})["kind"] = kind
        rows[key]["present"] |= present
    _add_acceptances(rows, settings)
    completed = [_completed(row, fed.get(key, ()), now) for key, row in rows.items()]
    return pa.Table.from_pylist(completed, arrow_schema(delivery.columns))


def _current_row(
    file: Path,
    path: str,
    status: FileStatus,
    refused: Mapping[str, Refusal],
    left_out: Mapping[tuple[str, str], Refusal],
) -> Row | None:
    """Row of a file that is in the pack now. The file is hashed only if its fingerprint is not known."""
    try:
        is_file = file.is_file()
        attributes = file.stat(follow_symlinks=is_file)
        # Reading a pipe would wait for ever.
        sha256 = registered_fingerprint(file) if is_file else NO_FINGERPRINT
        state = status.state
    except OSError:
        return None
    except ChuError:
        sha256, state = NO_FINGERPRINT, UNREADABLE
    modified = modified_at(attributes)
    # If the file changed after the failed run, that run did not read it. The modification time says nothing: it may
    # have been set, also to the future.
    refusing = {t: left_out.get((t, path), refused.get(t)) for t in status.tables if state in (TAKEN, REFUSED)}
    causes = {t: r.cause for t, r in refusing.items() if r and changed_at(attributes) <= r.at}
    return {
        "kind": FILE,
        "path": path,
        "sha256": sha256,
        "bytes": attributes.st_size,
        "modified_at": modified,
        "present": True,
        "state": REFUSED if causes else state,
        "reason": "; ".join(f"{t} : {cause}" for t, cause in causes.items()) or None,
        "known_as": ", ".join(status.tables) or None,
    }


def _origin(origin: Origin | None) -> Row:
    """Columns of a copy of a file on a server; none for a file of this machine."""
    return {"server": origin.server, "server_path": origin.path, "gone_at": origin.gone_at} if origin else {}


def _readings_by_delivery(rows: Iterable[Row], read: Sequence[Row]) -> Mapping[tuple[str, str], Sequence[Row]]:
    """Readings by path and fingerprint of the delivery.

    Readings of database tables belong to the dump from which the database was restored, or to the server's snapshot.
    """
    # Of several copies, use the one that is read. A dump that was read stays a file when a server replaces it.
    dumps = {r["sha256"]: r["path"] for r in sorted(rows, key=lambda r: r.get("state") in (TAKEN, READ))}
    by_delivery: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for reading in read:
        of_database = reading["modified_at"] is None
        path = dumps.get(reading["sha256"], SERVER_PATH) if of_database else reading["path"]
        by_delivery[path, reading["sha256"]].append(reading)
    return by_delivery


def _add_acceptances(rows: Mapping[tuple[str, str], Row], settings: Settings) -> None:
    """Add who accepted a delivery that was held back. The row of a file that is gone is its last one.

    A database table belongs to the dump, or to the snapshot of the server.
    """
    dumps = {sha256: path for path, sha256 in rows}
    for given in HeldDeliveries(Lake(lake_root(settings))).acceptances():
        for file in given.files:
            if file.sha256:
                path = dumps.get(file.sha256, SERVER_PATH) if is_database_table(file.name) else file.name
                found = [rows[path, file.sha256]] if (path, file.sha256) in rows else []
            else:
                gone = [row for (path, _), row in rows.items() if path == file.name and not row["present"]]
                found = sorted(gone, key=lambda row: row.get("last_seen") or "")[-1:]
            for row in found:
                row |= {"accepted_by": given.by, "accepted_at": given.at}


def _completed(row: Row, readings: Sequence[Row], now: str) -> Row:
    """Add the results of its readings to a row."""
    first = min((r["first_read"] for r in readings), default=now)
    last = max((r["last_read"] for r in readings), default=None)
    row["first_seen"] = row.get("first_seen") or first
    row["last_seen"] = row.get("last_seen") or last or row["first_seen"]
    if row["kind"] == SERVER:
        row["last_seen"] = last
    if readings:
        row["state"], row["reason"] = READ, None
        row["known_as"] = ", ".join(sorted({r["table"].rpartition("/")[2] for r in readings}))
        row["encoding"] = readings[0]["encoding"]
        row["separator"] = readings[0]["separator"]
        row["undeclared"] = ", ".join(dict.fromkeys(r["undeclared"] for r in readings if r["undeclared"])) or None
        row |= {name: sum(r[name] for r in readings) for name in ROW_COUNTS}
        row["fed"] = "; ".join(sorted(f"{r['table']} {r['versions']}" for r in readings))
        if row["kind"] == FILE and row.get("bytes") is None:
            row["bytes"], row["modified_at"] = readings[0]["bytes"], readings[0]["modified_at"]
    elif row.get("state") in (None, TAKEN):
        row["state"] = NOT_READ_YET
    return row


delivery = Table(
    name="delivery",
    layer=Layer.REPORTS,
    zone=Zone.RESTRICTED,
    grain="un contenu d’un chemin du dossier livré, ou un instantané d’un serveur de base de données",
    label="Registre des livraisons",
    owner="team:platform",
    access=DELIVERIES,
    columns=[
        Column("path", STRING, "chemin dans le dossier livré ; PostgreSQL pour un serveur", "Chemin", key=True),
        Column(
            "sha256",
            STRING,
            "SHA-256 du contenu ; pour un serveur, identifiant de l’instantané ; - pour un fichier illisible",
            "Empreinte SHA-256 ou instantané",
            key=True,
        ),
        Column("kind", STRING, "file (fichier) ou server (serveur)", "Nature", nullable=False),
        Column("server", STRING, "serveur de fichiers d’où il a été copié ; vide pour un dossier local", "Serveur"),
        Column("server_path", STRING, "chemin sur ce serveur", "Chemin sur le serveur"),
        Column(
            "gone_at",
            STRING,
            "moment où il n’était plus sur ce serveur, UTC, ISO 8601 ; sa copie est gardée",
            "Disparu du serveur le",
        ),
        Column("bytes", LONG, "taille d’un fichier, en octets", "Taille (octets)"),
        Column("modified_at", STRING, "dernière modification du fichier, UTC, ISO 8601", "Modifié le"),
        Column(
            "first_seen",
            STRING,
            "moment où il a été vu pour la première fois, UTC, ISO 8601",
            "Vu pour la première fois",
            nullable=False,
        ),
        Column(
            "last_seen",
            STRING,
            "moment où il a été vu pour la dernière fois, UTC, ISO 8601",
            "Vu pour la dernière fois",
            nullable=False,
        ),
        Column("present", BOOLEAN, "vrai s’il est là actuellement, avec ce contenu", "Présent", nullable=False),
        Column("state", STRING, "read (lu), ou pourquoi aucune table ne l’a lu", "État", nullable=False),
        Column(
            "reason",
            STRING,
            "pourquoi la dernière exécution l’a refusé, dans les mots de l’erreur (en anglais) ; vide sinon",
            "Motif du refus",
        ),
        Column(
            "accepted_by",
            STRING,
            "qui l’a accepté par « chu accept », bien qu’il ait bien moins de lignes qu’avant ou ait disparu",
            "Accepté par",
        ),
        Column("accepted_at", STRING, "moment de cet accord, UTC, ISO 8601", "Accepté le"),
        Column("known_as", STRING, "tables sources qui le prennent ; vide pour un fichier inconnu", "Tables sources"),
        Column("encoding", STRING, "encodage d’un texte", "Encodage"),
        Column("separator", STRING, "séparateur de ses champs", "Séparateur"),
        Column("undeclared", STRING, "colonnes non déclarées, mises en quarantaine", "Colonnes non déclarées"),
        Column("rows_in", LONG, "nombre de lignes livrées, pour toutes les tables qui le lisent", "Lignes livrées"),
        Column("rows_kept", LONG, "nombre de lignes gardées", "Lignes gardées"),
        Column("rows_rejected", LONG, "nombre de lignes rejetées", "Lignes rejetées"),
        Column(
            "rows_withdrawn",
            LONG,
            "nombre de lignes retirées, parce qu’une liste livrée le demande",
            "Lignes retirées",
        ),
        Column(
            "fed", STRING, "tables qu’il a alimentées, avec leurs versions Delta après sa lecture", "Tables et versions"
        ),
    ],
    reads={"readings": delivery_reading},
    rows=Computed(
        deliveries,
        given=("settings", "instance", "tables", "before"),
        from_columns={
            EVERY_ROW: [PACK, "readings.path", "readings.sha256"],
            "kind": ["readings.path"],
            "path": [PACK, "readings.path"],
            "sha256": [PACK, "readings.sha256"],
            **{name: [PACK] for name in ("server", "server_path", "gone_at")},
            "bytes": [PACK, "readings.bytes"],
            "modified_at": [PACK, "readings.modified_at"],
            "first_seen": [PACK, "readings.first_read"],
            "last_seen": [PACK, "readings.last_read"],
            "present": [PACK],
            "state": [PACK, DECLARATIONS, EVENT_LOG, "readings.path"],
            "reason": [EVENT_LOG],
            "accepted_by": [ACCEPTANCES],
            "accepted_at": [ACCEPTANCES],
            "known_as": [PACK, DECLARATIONS, "readings.table"],
            **{name: [f"readings.{name}"] for name in ("encoding", "separator", "undeclared")},
            **{name: [f"readings.{name}"] for name in ROW_COUNTS},
            "fed": ["readings.table", "readings.versions"],
        },
    ),
    checks=[
        one_of("kind", [FILE, SERVER]),
        one_of(
            "state",
            [READ, NOT_READ_YET, COPY, OTHER, PART, REFUSED, NOT_A_DELIVERY, EMPTY, UNUSED, UNKNOWN, UNREADABLE],
        ),
        none_in(
            "every_file_is_known",
            f"SELECT count(*) FROM {{this}} WHERE present AND state = '{UNKNOWN}'",
            "tout fichier de données livré est lu par une source ; sinon, son nom n’est pas connu",
            blocking=False,
        ),
        holds(
            "rows_in_are_kept_or_rejected",
            "rows_in = rows_kept + rows_rejected + rows_withdrawn",
            "lignes livrées = lignes gardées + lignes rejetées + lignes retirées",
            CheckType.RECONCILIATION,
        ),
    ],
)
