"""All checks of all tables, with their results for the version that is served.

A failed run does not change what is served: its results stay in Dagster, and the table says when it failed. What a
check measured is exact in the pseudonymised zone (`check_result_exact`), and coarse in the published report.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster import AssetCheckKey, AssetKey

from chu_platform.compat.check_evaluations import evaluations_by
from chu_platform.tables.check_metadata import from_metadata
from chu_platform.tables.checks import Check, CheckCategory, CheckType, holds, one_of
from chu_platform.tables.columns import BOOLEAN, DOUBLE, STRING, Column, arrow_schema
from chu_platform.tables.policies import EXACT_MEASURES, REPORTS
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
    """One row per check, from its declaration and its evaluation, with what may be published of its measure."""
    rows = []
    for row, is_public in _evaluated(instance, tables):
        measured = row["measured"]
        rows.append({**row, "measured": measured if measured is None or is_public else published_measure(measured)})
    return pa.Table.from_pylist(rows, arrow_schema(check_result.columns))


def _evaluated(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Iterator[tuple[dict[str, Any], bool]]:
    """One row per check, from its declaration and Dagster's event log, and whether its measure is public.

    The results of a table are those of the run that has made it last. A table that was never made has those of the last
    run that evaluated them.

    Public is what is measured of published rows, of public sources and of references, and the age of the last event.
    """
    # The checks of reports run in the same run as this table, after it is made.
    checked = [table for table in tables if table.layer is not Layer.REPORTS]
    every = [made for table in checked for made in table.outputs]
    checks = [(made, check) for made in every for check in made.all_checks]
    groups = list(dict.fromkeys(_group_key(table, check) for table, check in checks))
    runs = _runs(instance, every)
    results = evaluations_by(instance, groups, {key: made_by for key, (made_by, _) in runs.items() if made_by})
    unsuccessful = {key: planned for key, (made_by, planned) in runs.items() if planned and planned != made_by}
    ends = _ends_of_failed(instance, set(unsuccessful.values()))
    for table, check in checks:
        execution = results.get(_group_key(table, check))
        failed_at = ends.get(unsuccessful.get(AssetKey([table.layer.value, table.name]), ""))
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
                "last_failure_at": _moment(failed_at) if failed_at else None,
            },
            is_public or check.kind is CheckType.FRESHNESS,
        )


def _runs(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Mapping[AssetKey, tuple[str | None, str | None]]:
    """Of each table, the run that has made it last, and the last run that should have; None where there is none."""
    keys = [AssetKey([table.layer.value, table.name]) for table in tables]
    entries = [record.asset_entry for record in instance.get_asset_records(keys)]
    made = {e.asset_key: e.last_materialization_record for e in entries}
    return {e.asset_key: (m.run_id if (m := made[e.asset_key]) else None, e.last_run_id) for e in entries}


def _ends_of_failed(instance: dg.DagsterInstance, runs: Iterable[str]) -> Mapping[str, float]:
    """The time of the end, in seconds since 1970, of those of the runs that have failed."""
    records = filter(None, (instance.get_run_record_by_id(run) for run in runs))
    failed = [r for r in records if r.dagster_run.status is dg.DagsterRunStatus.FAILURE]
    return {r.dagster_run.run_id: r.end_time or r.update_timestamp.timestamp() for r in failed}


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
    access=EXACT_MEASURES,
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
    access=REPORTS,
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
        Column(
            "last_failure_at",
            STRING,
            "moment où le dernier calcul de la table a échoué, UTC, ISO 8601 ; vide s’il a réussi",
            "Dernier échec le",
        ),
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
            **dict.fromkeys(("status", "measured", "evaluated_at", "run_id", "last_failure_at"), (EVENT_LOG,)),
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
