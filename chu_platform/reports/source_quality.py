"""Quality of the last delivery of each source: rejected rows, their share, and the blocking threshold.

Of sources that are not public, the numbers of delivered and kept rows are not published, and other counts are coarse
(`tables.side_figures`). The register of deliveries in the restricted zone has the exact ones.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.reports.readings import last_materializations
from chu_platform.tables.checks import MISUNDERSTOOD_WARNING, one_of
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column, arrow_schema
from chu_platform.tables.policies import REPORTS
from chu_platform.tables.rows import DECLARATIONS, EVENT_LOG, EVERY_ROW, Computed
from chu_platform.tables.side_figures import published_count
from chu_platform.tables.table import Layer, Table, Zone

READ: Final = "read"
STOPPED: Final = "stopped"
NOT_READ: Final = "not_read"


def source_qualities(instance: dg.DagsterInstance, tables: Sequence[Table]) -> pa.Table:
    """One row per source, from the metadata of its last materialization."""
    rows = []
    for table, (materialization, stopped) in last_materializations(instance, delivered_tables(tables)).items():
        metadata = materialization.metadata if materialization else {}

        def count(name: str, table: Table = table, metadata: Mapping[str, Any] = metadata) -> int | None:
            exact = metadata.get(name)
            return exact if exact is None or table.public_source else published_count(exact)

        # The rows of the group's tables are its patients and their events: with published totals, differences of few.
        rows_in = metadata.get("delivery_rows_in") if table.public_source else None
        rows_kept = metadata.get("delivery_rows_kept") if table.public_source else None
        rejected = count("delivery_rows_rejected")
        rows.append(
            {
                "source": table.name,
                "label": table.label,
                "state": STOPPED if stopped else READ if materialization else NOT_READ,
                "deliveries": len(materialization.deliveries) if materialization else None,
                "rows_in": rows_in,
                "rows_kept": rows_kept,
                "rows_rejected": rejected,
                "rows_withdrawn": count("delivery_rows_withdrawn"),
                "rejected_share": rejected / rows_in if rows_in and rejected is not None else None,
                "threshold": delivered_rows(table).max_rejected_share,
                "open_rejects": rejected,
                "mended_rejects": count("delivery_rows_mended"),
                "undeclared_columns": metadata.get("delivery_columns_undeclared"),
                "left_out": _left_out(table, metadata.get("delivery_files_left_out") or ()),
                "not_understood": _not_understood(table, metadata.get("delivery_columns_misunderstood") or ()),
                "delta_version": metadata.get("delta_version"),
                "read_at": materialization.at if materialization else None,
            }
        )
    return pa.Table.from_pylist(rows, arrow_schema(source_quality.columns))


def _left_out(table: Table, files: Sequence[Mapping[str, str]]) -> str | None:
    """The files that were not read, with the cause; None without any, or for sources that are not public."""
    return " ; ".join(file["why"] for file in files) or None if table.public_source else None


def _not_understood(table: Table, columns: Sequence[Mapping[str, Any]]) -> str | None:
    """The columns with values that were not understood, in French; None without any. Exact only for public sources."""
    texts = []
    for column in columns:
        share = f"{100 * column['wrong'] / column['values']:.1f}".replace(".", ",")
        exact = f"{column['wrong']} sur {column['values']} ({share} %)"
        many = exact if table.public_source else f"plus de {100 * MISUNDERSTOOD_WARNING:g} % des valeurs"
        texts.append(f"{column['column']} : {many}, de la forme « {column['shape']} »")
    return " ; ".join(texts) or None


EVENT_LOG_COLUMNS: Final = (
    *("state", "deliveries", "rows_in", "rows_kept", "rows_rejected", "rows_withdrawn"),
    *("rejected_share", "open_rejects"),
    *("mended_rejects", "undeclared_columns", "left_out", "not_understood", "delta_version", "read_at"),
)

source_quality = Table(
    name="source_quality",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="une source et sa dernière livraison lue ; hors sources publiques, sans le nombre de lignes livrées et gardées, les autres nombres à vingt près et vides de 1 à 10",
    label="Qualité des livraisons",
    owner="team:platform",
    access=REPORTS,
    columns=[
        Column("source", STRING, "table source", "Source", key=True),
        Column("label", STRING, "son nom pour les lecteurs", "Intitulé", nullable=False),
        Column(
            "state",
            STRING,
            "read : lue ; stopped : arrêtée, une exécution ultérieure n’a rien enregistré ; not_read : aucune exécution ne l’a lue",
            "État",
            nullable=False,
        ),
        Column("deliveries", LONG, "nombre de fichiers ou de tables de la base de données lus", "Livraisons lues"),
        Column("rows_in", LONG, "nombre de lignes livrées", "Lignes livrées"),
        Column("rows_kept", LONG, "nombre de lignes gardées", "Lignes gardées"),
        Column("rows_rejected", LONG, "nombre de lignes rejetées", "Lignes rejetées"),
        Column(
            "rows_withdrawn",
            LONG,
            "nombre de lignes retirées, parce qu’une liste livrée le demande",
            "Lignes retirées",
        ),
        Column("rejected_share", DOUBLE, "lignes rejetées / lignes livrées, de 0 à 1", "Part rejetée"),
        Column(
            "threshold",
            DOUBLE,
            "part, de 0 à 1, au-dessus de laquelle rien n’est enregistré",
            "Seuil bloquant",
            nullable=False,
        ),
        Column(
            "open_rejects",
            LONG,
            "nombre de lignes rejetées de la dernière livraison",
            "Rejets ouverts",
        ),
        Column(
            "mended_rejects",
            LONG,
            "nombre de lignes rejetées qu’une livraison ultérieure a corrigées, ou ne contient plus",
            "Rejets clos",
        ),
        Column("undeclared_columns", LONG, "colonnes non déclarées, mises en quarantaine", "Colonnes non déclarées"),
        Column(
            "left_out",
            STRING,
            "fichiers de sources publiques absents ou illisibles, et la cause ; les autres fichiers de la source sont lus",
            "Fichiers non lus",
        ),
        Column(
            "not_understood",
            STRING,
            "colonnes dont des valeurs n’ont pas été comprises : leur nombre, leur part, la forme de l’une d’elles (a : lettre, 9 : chiffre)",
            "Valeurs non comprises",
        ),
        Column("delta_version", LONG, "version Delta de la table après la lecture", "Version Delta"),
        Column("read_at", STRING, "moment de la lecture, UTC, ISO 8601", "Lu le"),
    ],
    rows=Computed(
        source_qualities,
        given=("instance", "tables"),
        from_columns={
            EVERY_ROW: [DECLARATIONS],
            **dict.fromkeys(("source", "label", "threshold"), (DECLARATIONS,)),
            **dict.fromkeys(EVENT_LOG_COLUMNS, (EVENT_LOG,)),
        },
    ),
    preview="""
        SELECT "source", state, rows_in, rows_kept, rows_rejected, rows_withdrawn,
               printf('%.4f %%', 100 * rejected_share) AS rejected_share,
               printf('%.0f %%', 100 * threshold) AS threshold, open_rejects, mended_rejects, undeclared_columns,
               left_out, not_understood
        FROM {this} ORDER BY state = 'read', rejected_share DESC NULLS LAST, "source" LIMIT 100
    """,
    checks=[one_of("state", [READ, STOPPED, NOT_READ])],
)
