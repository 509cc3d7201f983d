"""The read-only webserver refuses all changes. The ordinary one accepts them: `test_ordinary_webserver`."""

import json
from collections.abc import Iterator

import pytest
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from chu_platform.read_only_webserver import REFUSAL
from chu_platform_tests.deployment.arguments import Arguments
from chu_platform_tests.deployment.webservers import Webserver

pytestmark = pytest.mark.integration

# These mutations end or reload the code location, so they are the last ones.
LAST = ("reloadWorkspace", "reloadRepositoryLocation", "shutdownRepositoryLocation")
REPORTS = ("report_asset_materialization", "report_asset_check", "report_asset_observation")


def mutations(server: Webserver) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Every mutation of the schema: name, document, variables."""
    root = server.schema.mutation_type
    assert isinstance(root, GraphQLObjectType)
    for name in sorted(root.fields, key=lambda n: (n in LAST, n)):
        field = root.fields[name]
        yield name, _document(name, field), Arguments(server).of(field, optional=True)


def _document(name: str, field: GraphQLField) -> str:
    declared = ", ".join(f"${a}: {argument.type}" for a, argument in field.args.items())
    given = ", ".join(f"{a}: ${a}" for a in field.args)
    answer = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"mutation M{f'({declared})' if declared else ''} {{ {name}{f'({given})' if given else ''}{answer} }}"


def test_every_mutation_is_refused_and_nothing_changes(read_only: Webserver) -> None:
    before = read_only.stored()
    assert len(before["runs"]) > 1 and before["dynamic_partitions"]
    answers = {name: read_only.graphql(document, given) for name, document, given in mutations(read_only)}
    assert len(answers) > 35
    assert {n: a for n, a in answers.items() if a["data"] or [e["message"] for e in a["errors"]] != [REFUSAL]} == {}
    assert read_only.stored() == before


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("/graphql", b"mutation { setAutoMaterializePaused(paused: true) }", "application/graphql"),
        ("/graphql?query=mutation%20%7B%20setNuxSeen%20%7D", b"", "text/plain"),
        (
            "/graphql",
            json.dumps({"query": "query A { version } mutation B { setNuxSeen }", "operationName": "A"}).encode(),
            "application/json",
        ),
    ],
)
def test_other_forms_of_a_mutation_are_refused(read_only: Webserver, path: str, content: bytes, kind: str) -> None:
    status, body = read_only.post(path, content, kind)
    assert status == 400
    assert REFUSAL in body.decode()


def test_a_mutation_by_get_is_refused(read_only: Webserver) -> None:
    assert read_only.get("/graphql?query=%7Bversion%7D")[0] == 200
    status, body = read_only.get("/graphql?query=mutation%20%7B%20setNuxSeen%20%7D")
    assert status == 400
    assert REFUSAL in body.decode()


def test_mutations_by_websocket_are_refused(read_only: Webserver) -> None:
    before = read_only.stored()
    protocol = [Subprotocol("graphql-ws")]
    address = f"ws://127.0.0.1:{read_only.port}/graphql"
    with connect(address, subprotocols=protocol, additional_headers=read_only.headers) as socket:
        for name, document, given in mutations(read_only):
            payload = {"query": document, "variables": given}
            socket.send(json.dumps({"type": "start", "id": name, "payload": payload}))
            answer = json.loads(socket.recv(timeout=30))
            assert (answer["type"], answer["id"]) == ("error", name), answer
    assert read_only.stored() == before


@pytest.mark.parametrize("report", REPORTS)
def test_reports_on_assets_are_refused(read_only: Webserver, report: str) -> None:
    before = read_only.stored()
    content = json.dumps({"check_name": "unique", "passed": True, "data_version": "1"}).encode()
    assert read_only.post(f"/{report}/references/region", content)[0] == 405
    assert read_only.stored() == before


def test_readers_can_read_the_instance(read_only: Webserver) -> None:
    asked = "{ canPermissions: permissions { permission value } runsOrError { ... on Runs { results { runId } } } }"
    answer = read_only.graphql(asked)
    assert "errors" not in answer, answer
    data = answer["data"]
    assert {r["runId"] for r in data["runsOrError"]["results"]} >= {read_only.started_run, read_only.failed_run}
    assert not any(p["value"] for p in data["canPermissions"])
    assert read_only.get("/")[0] == 200
