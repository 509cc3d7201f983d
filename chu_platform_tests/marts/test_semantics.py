"""The semantic description: MetricFlow's own parser and rules accept it, and it says all that the marts hold."""

from pathlib import Path

import pytest
import yaml
from dbt_semantic_interfaces.parsing.dir_to_model import parse_yaml_file_paths_to_semantic_manifest
from dbt_semantic_interfaces.validations.semantic_manifest_validator import SemanticManifestValidator

from chu_platform.indicators.indicator import indicators
from chu_platform.marts.content import Mart, every_mart_table, mart_tables
from chu_platform.marts.semantics import semantic_description
from chu_platform.tables.access_policy import Profile
from chu_platform.tables.table import Layer, Zone

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def description() -> str:
    return semantic_description()


def test_metricflow_accepts_it_without_a_warning(description: str, tmp_path: Path) -> None:
    file = tmp_path / "chu.yml"
    file.write_text(description, encoding="utf-8")
    parsed = parse_yaml_file_paths_to_semantic_manifest([str(file)])
    found = SemanticManifestValidator().validate_semantic_manifest(parsed.semantic_manifest)
    assert [issue.as_readable_str() for issue in (*parsed.issues.all_issues, *found.all_issues)] == []
    assert len(parsed.semantic_manifest.metrics) > len(indicators())


def test_every_column_of_the_marts_is_an_axis_or_a_measure(description: str) -> None:
    models = {}
    for document in yaml.safe_load_all(description):
        if model := document.get("semantic_model"):
            relation = model["node_relation"]
            models[relation["schema_name"], relation["alias"]] = model
    for table in every_mart_table():
        model = models[table.mart.value, table.name]
        described = [d["expr"] for d in (*model["dimensions"], *model.get("measures", []))]
        columns = [c.name for c in table.readable]
        assert sorted(d.removeprefix("make_date(").removesuffix(", 1, 1)") for d in described) == sorted(columns)
        # Its own cell, and each axis that it shares with other tables.
        joined = {"period_grain": "periode", "code": "rubrique", "region_label": "region"}
        expected = {name for column, name in joined.items() if column in columns}
        prefix = "" if table.mart is Mart.PUBLISHED else f"{table.mart}_"
        assert {e["name"] for e in model["entities"][:-1]} == {f"{prefix}{name}" for name in expected}


def test_every_figure_that_a_question_shows_is_a_metric_with_its_french_label(description: str) -> None:
    labels = [d["metric"]["label"] for d in yaml.safe_load_all(description) if "metric" in d]
    for indicator in indicators():
        for measure in indicator.question.measures:
            assert f"{measure.label} ({indicator.question.short}, publie)" in labels


def test_a_mart_holds_what_the_policies_open_and_nothing_else() -> None:
    published = [t.table for t in mart_tables(Mart.PUBLISHED)]
    assert {t.zone for t in published} == {Zone.PUBLISHED} and {i.masked for i in indicators()} <= {*published}
    readers = {Mart.DIRECTORS: {Profile.HEAD}, Mart.PRACTITIONERS: {Profile.CLINICIAN, Profile.PRACTITIONER}}
    for mart, profiles in readers.items():
        exact = {t.table for t in mart_tables(mart)}
        granted = {
            i.exact
            for i in indicators()
            if i.exact.access and any(g.profile in profiles for g in i.exact.access.grants)
        }
        assert exact == granted and {t.layer for t in exact} == {Layer.KPIS}
        assert all(t.own for t in mart_tables(mart))
    kinds = [(t.masks_small, t.of_professionals) for t in mart_tables(Mart.PRACTITIONERS)]
    assert sorted(kinds) == [(False, True), (True, False)]
