"""Exports of the lineage: tables of the lake, Dagster metadata, OpenLineage events."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.reports.column_lineage import column_lineage
from chu_platform.reports.column_source import column_source
from chu_platform.tables.table import Table
from chu_platform_tests import small_duckdb
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

EVERY = {f"{made.layer}/{made.name}": made for table in catalogue() for made in table.outputs}


def rows(made: Home, table: Table, select: str, where: str) -> list[tuple[object, ...]]:
    query = f"SELECT {select} FROM {made.lake.relation(table)} WHERE {where} ORDER BY ALL"
    return small_duckdb.connect().execute(query).fetchall()


def test_direct_origins_are_in_a_table(made: Home) -> None:
    days = "layer = 'editions' AND \"table\" = 'kpi_hospitalisation_rate' AND \"column\" = 'days'"
    assert rows(made, column_lineage, "from_layer, from_table, from_column, kind, direct", days) == [
        ("candidates", "kpi_hospitalisation_rate", "days", "transformation", True),
        ("editions", "stay_mask_release", "state", "mask", False),
    ]
    delivered = "layer = 'sources' AND \"table\" = 'Patient' AND \"column\" = 'Nom'"
    assert rows(made, column_lineage, "from_layer, from_table, from_column, kind", delivered) == [
        ("outside", "PostgreSQL « Patient »", "Nom", "identity")
    ]


def test_delivered_origins_are_in_a_table(made: Home) -> None:
    days = "layer = 'published' AND \"table\" = 'kpi_hospitalisation_rate' AND \"column\" = 'days' AND direct"
    assert rows(made, column_source, "source_layer, source_table, source_column, delivery, delivered_as", days) == [
        ("sources", "Hospitalisations", "Jour_Hospitalisation", "hospitalisations.csv", "Jour_Hospitalisation")
    ]


def test_the_tables_contain_names_and_no_data(made: Home) -> None:
    names = {n for t in EVERY.values() for n in (t.layer.value, t.name, *(c.name for c in t.columns))}
    columns = 'layer, "table", source_layer, source_table, source_column, "column"'
    assert {n for row in rows(made, column_source, columns, "true") for n in row} <= names


def test_each_materialization_has_the_column_lineage(made: Home) -> None:
    key = dg.AssetKey(["editions", "kpi_hospitalisation_rate"])
    with made.instance() as instance:
        event = instance.get_latest_materialization_event(key)
    assert event and event.asset_materialization
    lineage = event.asset_materialization.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert {(d.asset_key.to_user_string(), d.column_name) for d in lineage.deps_by_column["days"]} == {
        ("candidates/kpi_hospitalisation_rate", "days"),
        ("editions/stay_mask_release", "state"),
    }


@pytest.fixture(scope="module")
def events(made: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    file = tmp_path_factory.mktemp("events") / "events.jsonl"
    done = made.chu("lineage", "--openlineage", str(file))
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {event["job"]["name"]: event for event in found}


def test_openlineage_events_cover_every_table_and_column(events: dict[str, dict[str, Any]], made: Home) -> None:
    assert events.keys() == EVERY.keys()
    for name, event in events.items():
        # Required by the specification for a JobEvent, its datasets and facets.
        assert {"eventTime", "producer", "schemaURL", "job", "inputs", "outputs"} == event.keys()
        assert str(event["schemaURL"]).endswith("/2-0-2/OpenLineage.json#/$defs/JobEvent")
        (output,) = event["outputs"]
        assert output["name"] == str(made.lake.path(EVERY[name]))
        columns = [c.name for c in EVERY[name].columns]
        assert [f["name"] for f in output["facets"]["schema"]["fields"]] == columns
        lineage = output["facets"]["columnLineage"]
        assert lineage["fields"].keys() == {*columns}
        for facet in output["facets"].values():
            assert facet["_producer"] and facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
        used = [*(i for f in lineage["fields"].values() for i in f["inputFields"]), *lineage["dataset"]]
        known = {(d["namespace"], d["name"]) for d in [*event["inputs"], output]}
        assert {(i["namespace"], i["name"]) for i in used} <= known
        assert all(i["field"] and i["transformations"] for i in used)


def test_openlineage_events_show_masks(events: dict[str, dict[str, Any]], made: Home) -> None:
    (output,) = events["editions/kpi_hospitalisation_rate"]["outputs"]
    masked = output["facets"]["columnLineage"]["fields"]["days"]["inputFields"]
    assert [(Path(i["name"]).name, i["field"], i["transformations"]) for i in masked] == [
        ("kpi_hospitalisation_rate", "days", [{"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": False}]),
        ("stay_mask_release", "state", [{"type": "INDIRECT", "subtype": "CONDITIONAL", "masking": True}]),
    ]
