"""The documents in the read-only webserver, with links from the assets. In the other: `test_ordinary_webserver`."""

import urllib.request

import pytest

from chu_platform_tests.deployment.webservers import Webserver

pytestmark = pytest.mark.integration

ASSETS = """
{ assetNodes { assetKey { path } metadataEntries { label ... on UrlMetadataEntry { url } } } }
"""


def links(server: Webserver) -> dict[str, dict[str, str]]:
    """The addresses in the metadata of each asset, by asset and label."""
    return {
        "/".join(node["assetKey"]["path"]): {e["label"]: e["url"] for e in node["metadataEntries"] if "url" in e}
        for node in server.graphql(ASSETS)["data"]["assetNodes"]
    }


def test_the_documents_open_from_the_metadata_of_an_asset(read_only: Webserver) -> None:
    open_documents(read_only)


def open_documents(server: Webserver) -> None:
    """Open documents by the links of assets."""
    found = links(server)
    tables = {
        asset: of for asset, of in found.items() if not asset.startswith(("maintenance/", "committee/", "serving/"))
    }
    assert all("lineage_page" in of for of in tables.values())
    for name, heading in (
        ("published/kpi_deaths_by_region", "Décès par région (publié)"),
        ("sources/Consultation", "Consultations"),
        ("reports/column_source", "Sources des colonnes"),
    ):
        status, body = server.get(found[name]["lineage_page"])
        assert status == 200 and f"<h1>{heading}</h1>" in body.decode()
        assert b"<svg " in body
    for label, heading in (("data_dictionary", "Dictionnaire des données"), ("quality_report", "Rapport qualité")):
        status, body = server.get(found["facts/fact_death"][label])
        assert status == 200 and f"<h1>{heading}</h1>" in body.decode()


def test_a_page_loads_no_external_resource_and_no_script(read_only: Webserver) -> None:
    assert_alone(read_only)


def assert_alone(server: Webserver) -> None:
    """Assert that a document loads nothing from elsewhere, and no script."""
    with urllib.request.urlopen(server.request("/documents/")) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe-inline" not in policy
    assert server.get("/documents/style.css")[0] == 200
    body = server.get("/documents/tables/published/kpi_deaths_by_region.html")[1].decode()
    assert "<script" not in body and ' style="' not in body
    assert body.replace('xmlns="http://www.w3.org/2000/svg"', "").count("://") == 0


@pytest.mark.parametrize(
    "path", ["nothing.html", "tables/published/nothing.html", "../etc/passwd", "%2e%2e/settings.py"]
)
def test_an_unknown_document_is_not_found(read_only: Webserver, path: str) -> None:
    status, body = read_only.get(f"/documents/{path}")
    assert (status, body.decode()) == (404, "Aucun document à cette adresse.\n")


def test_documents_accept_no_post_request(read_only: Webserver) -> None:
    assert read_only.post("/documents/", b"{}")[0] == 405
