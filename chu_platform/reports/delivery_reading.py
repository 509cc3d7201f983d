"""Readings of delivered files and database tables: encoding, separator, row counts, table versions made from them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from chu_platform.ingest.delivered import delivered_tables
from chu_platform.reports.readings import Materialization, last_materializations, materializations_since
from chu_platform.tables.checks import CheckType, holds
from chu_platform.tables.columns import LONG, STRING, Column, arrow_schema
from chu_platform.tables.policies import DELIVERIES
from chu_platform.tables.rows import DECLARATIONS, EVENT_LOG, EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone


def delivery_readings(instance: dg.DagsterInstance, tables: Sequence[Table], before: pa.Table) -> pa.Table:
    """The rows of `before`, and the readings recorded in the event log since then."""
    rows = {(r["table"], r["path"], r["sha256"]): r for r in before.to_pylist()}
    for row in rows.values():
        # Rows of earlier versions of the table have no number of withdrawn rows: none was withdrawn.
        row["rows_withdrawn"] = row.get("rows_withdrawn") or 0
    for table, (newest, _) in last_materializations(instance, delivered_tables(tables)).items():
        name = f"{table.layer}/{table.name}"
        last = max((r["last_read"] for r in rows.values() if r["table"] == name), default=None)
        if newest is None or newest.at == last:
            continue
        for materialization in materializations_since(instance, table, last):
            for delivery in materialization.deliveries:
                key = name, delivery["name"], delivery["sha256"]
                rows[key] = _row(name, delivery, materialization, rows.get(key))
    return pa.Table.from_pylist(list(rows.values()), arrow_schema(delivery_reading.columns))


def _row(
    table: str, delivery: Mapping[str, Any], materialization: Materialization, old: Mapping[str, Any] | None
) -> dict[str, Any]:
    version = materialization.metadata["delta_version"]
    versions = {*(int(v) for v in old["versions"].split(", ")), version} if old else {version}
    return {
        "path": delivery["name"],
        "sha256": delivery["sha256"],
        "table": table,
        "bytes": delivery["bytes"],
        "modified_at": delivery["modified"],
        "encoding": delivery["encoding"],
        "separator": delivery["separator"],
        "undeclared": ", ".join(delivery["undeclared"]) or None,
        "rows_in": delivery["rows"]["in"],
        "rows_kept": delivery["rows"]["kept"],
        "rows_rejected": delivery["rows"]["rejected"],
        "rows_withdrawn": delivery["rows"].get("withdrawn", 0),
        "versions": ", ".join(str(v) for v in sorted(versions)),
        "first_read": old["first_read"] if old else materialization.at,
        "last_read": materialization.at,
    }


EVENT_LOG_COLUMNS: Final = (
    *("path", "sha256", "bytes", "modified_at", "encoding", "separator", "undeclared", "versions"),
    *("rows_in", "rows_kept", "rows_rejected", "rows_withdrawn", "first_read", "last_read"),
)

delivery_reading = Table(
    name="delivery_reading",
    layer=Layer.REPORTS,
    zone=Zone.RESTRICTED,
    grain="un fichier livré ou une table de la base de données, tels qu’une table source les a lus",
    label="Lectures des livraisons",
    owner="team:platform",
    access=DELIVERIES,
    columns=[
        Column(
            "path", STRING, "chemin dans le dossier livré, ou table de la base de données", "Fichier ou table", key=True
        ),
        Column(
            "sha256",
            STRING,
            "SHA-256 du fichier, ou de la sauvegarde restaurée ; pour un serveur, identifiant de l’instantané",
            "Empreinte SHA-256 ou instantané",
            key=True,
        ),
        Column("table", STRING, "table source qui l’a lu", "Table source", key=True),
        Column(
            "bytes",
            LONG,
            "taille, en octets ; pour une table de la base de données, taille du fichier temporaire de ses lignes",
            "Taille (octets)",
        ),
        Column("modified_at", STRING, "dernière modification du fichier, UTC, ISO 8601", "Modifié le"),
        Column("encoding", STRING, "encodage d’un texte", "Encodage"),
        Column("separator", STRING, "séparateur de ses champs", "Séparateur"),
        Column("undeclared", STRING, "colonnes non déclarées, mises en quarantaine", "Colonnes non déclarées"),
        Column("rows_in", LONG, "nombre de lignes livrées", "Lignes livrées", nullable=False),
        Column("rows_kept", LONG, "nombre de lignes gardées", "Lignes gardées", nullable=False),
        Column("rows_rejected", LONG, "nombre de lignes rejetées", "Lignes rejetées", nullable=False),
        Column(
            "rows_withdrawn",
            LONG,
            "nombre de lignes retirées, parce qu’une liste livrée le demande",
            "Lignes retirées",
            nullable=False,
        ),
        Column("versions", STRING, "versions Delta de la table après la lecture", "Versions Delta", nullable=False),
        Column("first_read", STRING, "première lecture, UTC, ISO 8601", "Première lecture", nullable=False),
        Column("last_read", STRING, "dernière lecture, UTC, ISO 8601", "Dernière lecture", nullable=False),
    ],
    rows=Computed(
        delivery_readings,
        given=("instance", "tables", "before"),
        from_columns={
            EVERY_ROW: [EVENT_LOG],
            **dict.fromkeys(EVENT_LOG_COLUMNS, (EVENT_LOG,)),
            "table": [EVENT_LOG, DECLARATIONS],
        },
    ),
    checks=[
        holds(
            "rows_in_are_kept_or_rejected",
            "rows_in = rows_kept + rows_rejected + rows_withdrawn",
            "lignes livrées = lignes gardées + lignes rejetées + lignes retirées",
            CheckType.RECONCILIATION,
        )
    ],
)
