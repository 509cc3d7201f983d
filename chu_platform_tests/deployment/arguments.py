"""Plausible arguments for all fields of a GraphQL schema, chosen by their types and names."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    is_required_input_field,
)

from chu_platform_tests.deployment.webservers import Webserver

REGION = {"path": ["references", "region"]}
# Optional fields of input objects that are given; their alternatives are left out.
OPTIONAL = {
    "executionParams": ("selector", "mode", "runConfigData"),
    "reexecutionParams": ("parentRunId", "strategy"),
    "backfillParams": ("allPartitions", "assetSelection"),
    "selector": ("jobName", "assetSelection"),
}


class Arguments:
    """Arguments for one server: with the ids of its runs and the names of its code location."""

    def __init__(self, server: Webserver, reading: bool = False) -> None:
        self._known: Mapping[str, Any] = {
            "repositoryLocationName": "chu_platform",
            "locationName": "chu_platform",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [REGION],
            "assetKey": REGION,
            "assetKeys": [REGION],
            "path": REGION["path"],
            # Queries are about the failed run.
            "runId": server.failed_run if reading else server.started_run,
            "runIds": [server.started_run],
            "parentRunId": server.failed_run,
            "runConfigData": {},
            "mode": "default",
            "strategy": "ALL_STEPS",
            "allPartitions": True,
            "terminatePolicy": "MARK_AS_CANCELED_IMMEDIATELY",
            "partitionsDefName": "dynamic",
            "partitionKeys": ["one"],
            "partitionKey": "two",
            "concurrencyKey": "limited",
            "limit": 7,
            "eventType": "ASSET_MATERIALIZATION",
        }

    def of(self, field: GraphQLField, optional: bool) -> dict[str, Any]:
        """The values of the arguments of a field; with `optional`, also of the optional arguments."""
        return {
            name: self._value(name, argument.type)
            for name, argument in field.args.items()
            if optional or is_required_input_field(argument)  # type: ignore[arg-type]
        }

    def _value(self, name: str, type_: GraphQLInputType) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value(name, type_.of_type)
        if isinstance(type_, GraphQLList):
            return self._known.get(name) or [self._value(name, type_.of_type)]
        if isinstance(type_, GraphQLInputObjectType):
            if type_.name in ("AssetKeyInput",):
                return REGION
            wanted = OPTIONAL.get(name, ())
            return {
                n: self._value(n, f.type) for n, f in type_.fields.items() if n in wanted or is_required_input_field(f)
            }
        if name in self._known:
            return self._known[name]
        if isinstance(type_, GraphQLEnumType):
            return next(iter(type_.values))
        assert isinstance(type_, GraphQLScalarType)
        return {"Int": 1, "Float": 1.0, "Boolean": True}.get(type_.name, "x")
