"""All checks of all tables, with the result of the last evaluation."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa
from dagster import AssetCheckKey, AssetKey

from chu_platform.tables.checks import CheckCategory, holds, one_of
from chu_platform.tables.columns import BOOLEAN, DOUBLE, STRING, Column, arrow_schema
from chu_platform.tables.rows import DECLARATIONS, EVENT_LOG, Computed
from chu_platform.tables.table import Layer, Table, Zone

# Dagster's statuses of evaluated checks.
STATUSES = {"SUCCEEDED": "passed", "FAILED": "failed"}


def check_results(instance: dg.DagsterInstance, tables: Sequence[Table]) -> pa.Table:
    """One row per check, from its declaration and its last evaluation in Dagster's event log."""
    # The checks of reports run in the same run as this table, after it is made.
    checked = [table for table in tables if table.layer is not Layer.REPORTS]
    every = [made for table in checked for made in table.outputs]
    checks = {AssetCheckKey(AssetKey([t.layer.value, t.name]), r.name): (t, r) for t in every for r in t.all_checks}
    last = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    rows = []
    for key, (table, check) in checks.items():
        execution = last.get(key)
        # A run may plan a check and end before it evaluates the check.
        evaluated = execution if execution and execution.status.value in STATUSES else None
        measured = evaluated.evaluation.metadata.get("measured") if evaluated and evaluated.evaluation else None
        rows.append(
            {
                "layer": table.layer.value,
                "table": table.name,
                "check": check.name,
                "type": check.kind.value,
                "column": check.column,
                "category": check.kind.category.value,
                "threshold": check.threshold,
                "minimum": check.minimum,
                "maximum": check.maximum,
                "severity": "error" if check.blocking else "warning",
                "blocking": check.blocking,
                "description": check.description,
                "status": STATUSES[evaluated.status.value] if evaluated else "not run",
                "measured": float(measured.value) if measured else None,  # type: ignore[arg-type]
                "evaluated_at": _moment(evaluated.create_timestamp) if evaluated else None,
                "run_id": evaluated.run_id if evaluated else None,
            }
        )
    return pa.Table.from_pylist(rows, arrow_schema(check_result.columns))


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


check_result = Table(
    name="check_result",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="un contrôle d’une table, avec son dernier résultat",
    label="Contrôles qualité",
    owner="team:platform",
    columns=[
        Column("layer", STRING, "couche de la table", "Couche", key=True),
        Column("table", STRING, "nom de la table", "Table", key=True),
        Column("check", STRING, "nom du contrôle", "Contrôle", key=True),
        Column("type", STRING, "nature du contrôle", "Type de contrôle", nullable=False),
        Column(
            "category",
            STRING,
            "completeness (complétude), conformance (conformité) ou plausibility (plausibilité)",
            "Catégorie",
            nullable=False,
        ),
        Column("column", STRING, "colonne ou colonnes examinées", "Colonne"),
        Column("threshold", STRING, "bornes admises", "Seuil", nullable=False),
        Column("minimum", DOUBLE, "plus petite mesure admise", "Minimum admis", nullable=False),
        Column("maximum", DOUBLE, "plus grande mesure admise", "Maximum admis", nullable=False),
        Column("severity", STRING, "error (erreur) ou warning (avertissement)", "Gravité", nullable=False),
        Column(
            "blocking",
            BOOLEAN,
            "vrai si un échec empêche l’enregistrement de la table",
            "Bloquant",
            nullable=False,
        ),
        Column("description", STRING, "ce qui doit être vrai", "Description", nullable=False),
        Column(
            "status",
            STRING,
            "passed (respecté), failed (non respecté) ou not run (pas encore évalué)",
            "Résultat",
            nullable=False,
        ),
        Column(
            "measured",
            DOUBLE,
            "ce qui a été mesuré, le plus souvent le nombre de lignes qui ne le respectent pas",
            "Mesure",
        ),
        Column("evaluated_at", STRING, "moment de l’évaluation, UTC, ISO 8601", "Évalué le"),
        Column("run_id", STRING, "exécution Dagster", "Exécution"),
    ],
    rows=Computed(
        check_results,
        given=("instance", "tables"),
        from_columns={
            **dict.fromkeys(
                (
                    "layer",
                    "table",
                    "check",
                    "type",
                    "column",
                    "category",
                    "threshold",
                    "minimum",
                    "maximum",
                    "severity",
                    "blocking",
                    "description",
                ),
                (DECLARATIONS,),
            ),
            **dict.fromkeys(("status", "measured", "evaluated_at", "run_id"), (EVENT_LOG,)),
        },
    ),
    preview="""
        SELECT status, "layer", "table", "check", measured, threshold, severity FROM (
            SELECT '**all**' AS "layer", count(DISTINCT concat("layer", "table")) || ' tables' AS "table",
                   count(*) || ' checks' AS "check",
                   count(*) FILTER (status = 'failed' AND blocking) || ' failed, '
                   || count(*) FILTER (status = 'failed' AND NOT blocking) || ' warnings, ' || count(*) FILTER (status = 'not run') || ' not run' AS status,
                   NULL AS severity, NULL AS threshold, NULL AS measured, 0 AS place
            FROM {this}
            UNION ALL
            SELECT "layer", "table", "check", status, severity, threshold, measured, 1 FROM {this} WHERE status <> 'passed'
        ) ORDER BY place, status, "layer", "table", "check" LIMIT 100
    """,
    checks=[
        one_of("status", ["passed", "failed", "not run"]),
        one_of("severity", ["error", "warning"]),
        one_of("category", list(CheckCategory)),
        holds("bounds_in_order", "minimum <= maximum", "le minimum ne dépasse pas le maximum"),
    ],
)
