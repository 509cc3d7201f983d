"""All checks of all tables, with the result of the last evaluation.

What a check measured is exact in the pseudonymised zone (`check_result_exact`), and coarse in the published report.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster import AssetCheckKey, AssetKey

from chu_platform.tables.check_metadata import from_metadata
from chu_platform.tables.checks import Check, CheckCategory, CheckType, holds, one_of
from chu_platform.tables.columns import BOOLEAN, DOUBLE, STRING, Column, arrow_schema
from chu_platform.tables.rows import DECLARATIONS, EVENT_LOG, EVERY_ROW, Computed
from chu_platform.tables.side_figures import published_measure
from chu_platform.tables.table import Layer, Table, Zone

# Dagster's statuses of evaluated checks.
EVALUATED = ("SUCCEEDED", "FAILED")


def exact_check_results(instance: dg.DagsterInstance, tables: Sequence[Table]) -> pa.Table:
    """What each evaluated check has measured."""
    names = [c.name for c in check_result_exact.columns]
    rows = [{n: row[n] for n in names} for row, _ in _evaluated(instance, tables) if row["evaluated_at"]]
    return pa.Table.from_pylist(rows, arrow_schema(check_result_exact.columns))


def check_results(instance: dg.DagsterInstance, tables: Sequence[Table]) -> pa.Table:
    """One row per check, from its declaration and its last evaluation, with what may be published of its measure."""
    rows = []
    for row, is_public in _evaluated(instance, tables):
        measured = row["measured"]
        rows.append({**row, "measured": measured if measured is None or is_public else published_measure(measured)})
    return pa.Table.from_pylist(rows, arrow_schema(check_result.columns))


def _evaluated(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Iterator[tuple[dict[str, Any], bool]]:
    """One row per check, from its declaration and its last evaluation in Dagster's event log; whether its measure is public.

    Public is what is measured of published rows, of public sources and of references, and the age of the last event.
    """
    # The checks of reports run in the same run as this table, after it is made.
    checked = [table for table in tables if table.layer is not Layer.REPORTS]
    every = [made for table in checked for made in table.outputs]
    checks = [(made, check) for made in every for check in made.all_checks]
    groups = list(dict.fromkeys(_group_key(table, check) for table, check in checks))
    last = instance.event_log_storage.get_latest_asset_check_execution_by_key(groups)
    for table, check in checks:
        execution = last.get(_group_key(table, check))
        # A run may plan checks and end before it evaluates them.
        evaluation = execution.evaluation if execution and execution.status.value in EVALUATED else None
        metadata = {name: value.value for name, value in evaluation.metadata.items()} if evaluation else {}
        outcome = from_metadata(metadata).get(check.name)
        is_public = table.public_source is not None or table.zone is Zone.PUBLISHED or table.layer is Layer.REFERENCES
        yield (
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
                "status": ("passed" if outcome.passed else "failed") if outcome else "not run",
                "measured": outcome.measured if outcome else None,
                "evaluated_at": _moment(execution.create_timestamp) if execution and outcome else None,
                "run_id": execution.run_id if execution and outcome else None,
            },
            is_public or check.kind is CheckType.FRESHNESS,
        )


def _group_key(table: Table, check: Check) -> AssetCheckKey:
    """Key of the asset check in Dagster with the outcome of the check."""
    return AssetCheckKey(AssetKey([table.layer.value, table.name]), check.group)


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


check_result_exact = Table(
    name="check_result_exact",
    layer=Layer.REPORTS,
    zone=Zone.PSEUDONYMISED,
    grain="un contrôle d’une table qui a été évalué, avec sa dernière mesure",
    label="Mesures exactes des contrôles",
    owner="team:platform",
    columns=[
        Column("layer", STRING, "couche de la table", "Couche", key=True),
        Column("table", STRING, "nom de la table", "Table", key=True),
        Column("check", STRING, "nom du contrôle", "Contrôle", key=True),
        Column(
            "measured",
            DOUBLE,
            "ce qui a été mesuré, le plus souvent le nombre de lignes qui ne le respectent pas ; vide s’il n’y avait rien à mesurer",
            "Mesure",
        ),
        Column("evaluated_at", STRING, "moment de l’évaluation, UTC, ISO 8601", "Évalué le", nullable=False),
    ],
    rows=Computed(
        exact_check_results,
        given=("instance", "tables"),
        from_columns={
            EVERY_ROW: [DECLARATIONS, EVENT_LOG],
            **dict.fromkeys(("layer", "table", "check"), (DECLARATIONS,)),
            **dict.fromkeys(("measured", "evaluated_at"), (EVENT_LOG,)),
        },
    ),
)

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
            "ce qui a été mesuré, le plus souvent le nombre de lignes qui ne le respectent pas ; hors données publiques, à vingt "
            "près, et vide pour un nombre de 1 à 10 ou pour une part",
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
