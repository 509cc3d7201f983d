"""The file of the dashboard for Superset; the part `superset` of the system tests opens it there."""

import io
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from chu_platform.indicators.indicator import indicators
from chu_platform.marts.content import Mart, mart_tables
from chu_platform.marts.dashboard import connection_file, dashboard_file
from chu_platform.marts.schema import view_name
from chu_platform.marts.server import ReaderAddress

pytestmark = pytest.mark.unit


def files(address: ReaderAddress) -> dict[str, Any]:
    """The documents of the file, by their names without the folder."""
    with ZipFile(io.BytesIO(dashboard_file(address, "bi"))) as packed:
        return {name.partition("/")[2]: yaml.safe_load(packed.read(name)) for name in packed.namelist()}


def test_each_question_has_a_dataset_with_the_columns_of_its_view_and_two_charts() -> None:
    found = files(ReaderAddress("marts.example", 5432, "chu_marts", encrypted=True))
    views = [view_name(table) for table in mart_tables(Mart.PUBLISHED) if table.indicator]
    assert len(views) == len(indicators())
    charts = {name: document for name, document in found.items() if name.startswith("charts/")}
    assert len(charts) == 2 * len(views)
    for view in views:
        dataset = found[f"datasets/chu_marts/{view}.yaml"]
        columns = {column["column_name"] for column in dataset["columns"]}
        for kind in ("trend", "rows"):
            chart = charts[f"charts/{view}_{kind}.yaml"]
            assert chart["dataset_uuid"] == dataset["uuid"]
            used = {f["subject"] for f in chart["params"]["adhoc_filters"]}
            used |= {*chart["params"].get("all_columns", []), *chart["params"].get("groupby", [])}
            used |= {m["column"]["column_name"] for m in chart["params"].get("metrics", [])}
            assert used <= columns
    (dashboard,) = (document for name, document in found.items() if name.startswith("dashboards/"))
    placed = [p["meta"]["uuid"] for p in dashboard["position"].values() if isinstance(p, dict) and p["type"] == "CHART"]
    assert sorted(placed) == sorted(chart["uuid"] for chart in charts.values())


def test_the_connection_has_no_password_and_verifies_a_server_elsewhere() -> None:
    remote, local = (
        files(ReaderAddress(host, 5432, "chu_marts", encrypted))[connection_file()]["sqlalchemy_uri"]
        for host, encrypted in (("marts.example", True), ("127.0.0.1", False))
    )
    assert remote == "postgresql+psycopg2://bi:XXXXXXXXXX@marts.example:5432/chu_marts?sslmode=verify-full"
    assert local == "postgresql+psycopg2://bi:XXXXXXXXXX@127.0.0.1:5432/chu_marts"
    address = ReaderAddress("127.0.0.1", 5432, "chu_marts", encrypted=False)
    assert dashboard_file(address, "bi") == dashboard_file(address, "bi")
