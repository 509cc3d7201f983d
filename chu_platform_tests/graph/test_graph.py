"""The graph is the reviewed one, and every table has the metadata that the UI shows."""

import json
import os
import subprocess
import sys
from graphlib import TopologicalSorter

import dagster as dg
import pytest

from chu_platform.catalogue import catalogue, declared_at
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.maintenance_assets import GROUP
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.graph.built import repository
from chu_platform_tests.graph.golden import GOLDEN, graph

EVERY = [made for table in catalogue() for made in table.outputs]


@pytest.mark.unit
def test_the_graph_is_the_reviewed_graph() -> None:
    """After an intended change, run `python -m chu_platform_tests.graph.golden`."""
    assert graph() == json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.unit
@pytest.mark.parametrize("table", EVERY, ids=lambda t: f"{t.layer}/{t.name}")
def test_every_table_has_an_owner_a_freshness_policy_and_a_check(table: Table) -> None:
    node = repository().asset_graph.get(key_of(table))
    assert all(owner.startswith("team:") for owner in node.owners)
    assert len(node.owners) == 1
    assert isinstance(node.freshness_policy, dg.FreshnessPolicy)
    assert repository().asset_graph.get_check_keys_for_assets({key_of(table)})


# The packages that declare the tables of a layer, if their names differ from the layer.
FOLDERS = {
    Layer.PSEUDONYMS: ("pseudonymisation",),
    Layer.DIMENSIONS: ("dimensions", "periods"),
    Layer.FACTS: ("facts", "periods"),
    Layer.CANDIDATES: ("kpis",),
    Layer.DISCLOSURE: ("masks", "kpis", "periods", "release"),
    Layer.EDITIONS: ("masks", "kpis", "release"),
    # The masked table of an indicator is declared in the same module as its exact table.
    Layer.PUBLISHED: ("kpis", "release"),
}


@pytest.mark.unit
@pytest.mark.parametrize("table", EVERY, ids=lambda t: f"{t.layer}/{t.name}")
def test_the_ui_shows_the_metadata_of_a_table(table: Table) -> None:
    node = repository().asset_graph.get(key_of(table))
    assert node.group_name == table.layer.value
    assert node.description
    assert node.kinds >= {"deltalake"}
    schema = node.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    columns = schema.columns
    assert [c.name for c in columns] == [c.name for c in table.columns]
    assert all(c.description and c.tags["sensitivity"] for c in columns)
    identifying = {c.name for c in columns if c.tags["sensitivity"] == "identifying"}
    assert identifying == {c.name for c in table.columns if c.identifying}
    about_persons = {c.name for c in columns if c.tags["sensitivity"] in ("quasi-identifying", "sensitive")}
    assert about_persons == {
        c.name for c in table.columns if (c.quasi_identifying or c.sensitive) and not c.identifying
    }
    assert {"partition_by", "z_order_by", "dagster/code_references", "dagster/table_name"} <= node.metadata.keys()


@pytest.mark.unit
@pytest.mark.parametrize("table", catalogue(), ids=lambda t: f"{t.layer}/{t.name}")
def test_the_link_to_the_code_points_at_the_declaration(table: Table) -> None:
    file, number = declared_at(table)
    declaration = file.read_text(encoding="utf-8").splitlines()[number - 1]
    variable, _, made = declaration.partition(" = ")
    assert made
    # Most modules declare one table, with the name of the module. Some also declare a variant of it.
    assert variable.isidentifier()
    named_after_it = table.name.lower().startswith(file.stem.removesuffix("_scratch"))
    released_forms = (
        *("consultation_by_speciality", "follow_up_by_outcome", "use_by_group", "attendance_of_regions"),
        *("cycle_by_step", "prescription_by_group"),
    )
    assert named_after_it or table.name.startswith(released_forms), "the released forms of some indicators"
    assert file.parent.name in FOLDERS.get(table.layer, (table.layer.value,))


@pytest.mark.unit
def test_each_layer_has_one_asset_of_maintenance_after_its_tables() -> None:
    assets = repository().asset_graph
    found = {key.path[1]: assets.get(key).parent_keys for key in assets.get_all_asset_keys() if key.path[0] == GROUP}
    assert found == {layer.value: {key_of(t) for t in EVERY if t.layer is layer} for layer in {t.layer for t in EVERY}}


@pytest.mark.unit
def test_the_groups_have_an_order() -> None:
    """Collapsed, the graph has no cycle: if tables of one group need those of another, then never the other way."""
    needed: dict[str, set[str]] = {}
    for node in repository().asset_graph.asset_nodes:
        parents = {repository().asset_graph.get(key).group_name for key in node.parent_keys}
        needed.setdefault(node.group_name, set()).update(parents - {node.group_name})
    assert list(TopologicalSorter(needed).static_order())


@pytest.mark.unit
def test_rejects_depend_on_their_source_alone() -> None:
    rejects = [(t, table) for table in catalogue() for t in table.outputs if t is not table]
    assert rejects
    assert all(repository().asset_graph.get(key_of(t)).parent_keys == {key_of(table)} for t, table in rejects)


@pytest.mark.integration
def test_the_code_location_loads_without_services() -> None:
    """It loads without engine, database, pack and lake, and prints no warning."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CHU_", "DAGSTER_"))}
    nowhere = {
        "CHU_HOME": "/nowhere",
        "CHU_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none",
        "CHU_ENGINE": "spark",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", "import chu_platform.definitions"],
        env={**environment, **nowhere, "CHU_ENGINE": "spark", "CHU_SPARK_REMOTE": "sc://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
