"""The schema of OpenLineage 2-0-2 and of the facets that the platform sends, written from the published specification.

https://openlineage.io/spec/2-0-2/OpenLineage.json and https://openlineage.io/spec/facets/. It states what these require
and allow of the parts that are sent, and allows nothing else, so that a misspelt field or facet is found.
"""

from typing import Any, Final

Schema = dict[str, Any]


def _object(required: Schema, **optional: Any) -> Schema:
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _facet(version: str, name: str, required: Schema, **optional: Any) -> Schema:
    url = f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"
    return _object({"_producer": URI, "_schemaURL": {"const": url}, **required}, **optional)


def _facets(**known: Schema) -> Schema:
    return {"type": "object", "properties": known, "additionalProperties": False}


TEXT: Final = {"type": "string"}
COUNT: Final = {"type": "integer", "minimum": 0}
URI: Final = {"type": "string", "format": "uri", "pattern": "^https?://"}
TIME: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}
UUID: Final = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}
FIELD: Final = _object({"name": TEXT}, type=TEXT, description=TEXT, fields={"type": "array", "maxItems": 0})
INPUT_FIELD: Final = _object(
    {"namespace": TEXT, "name": TEXT, "field": TEXT},
    transformations={
        "type": "array",
        "items": _object({"type": {"enum": ["DIRECT", "INDIRECT"]}}, subtype=TEXT, masking={"type": "boolean"}),
    },
)
INPUT_FIELDS: Final = {"type": "array", "items": INPUT_FIELD}
PARENT: Final = _facet(
    "1-2-0",
    "ParentRunFacet",
    {
        "run": _object({"runId": UUID}, facets=_facets()),
        "job": _object({"namespace": TEXT, "name": TEXT}, facets=_facets()),
    },
)
RUN: Final = _object(
    {"runId": UUID},
    facets=_facets(
        parent=PARENT,
        errorMessage=_facet(
            "1-0-1", "ErrorMessageRunFacet", {"message": TEXT, "programmingLanguage": TEXT}, stackTrace=TEXT
        ),
    ),
)
JOB: Final = _object(
    {"namespace": TEXT, "name": TEXT},
    facets=_facets(
        documentation=_facet("1-1-0", "DocumentationJobFacet", {"description": TEXT}, contentType=TEXT),
        sql=_facet("1-1-0", "SQLJobFacet", {"query": TEXT}, dialect=TEXT),
        jobType=_facet(
            "2-0-4",
            "JobTypeJobFacet",
            {"processingType": {"enum": ["BATCH", "STREAMING", "SERVICE"]}, "integration": TEXT},
            jobType=TEXT,
        ),
    ),
)
VERSION: Final = _facet("1-0-1", "DatasetVersionDatasetFacet", {"datasetVersion": TEXT})
INPUT: Final = _object(
    {"namespace": TEXT, "name": TEXT},
    facets=_facets(version=VERSION),
    inputFacets=_facets(),
)
OUTPUT: Final = _object(
    {"namespace": TEXT, "name": TEXT},
    facets=_facets(
        version=VERSION,
        documentation=_facet("1-1-0", "DocumentationDatasetFacet", {"description": TEXT}, contentType=TEXT),
        schema=_facet("1-2-0", "SchemaDatasetFacet", {}, fields={"type": "array", "items": FIELD}),
        columnLineage=_facet(
            "1-2-0",
            "ColumnLineageDatasetFacet",
            {"fields": {"type": "object", "additionalProperties": _object({"inputFields": INPUT_FIELDS})}},
            dataset=INPUT_FIELDS,
        ),
    ),
    outputFacets=_facets(
        outputStatistics=_facet(
            "1-0-2", "OutputStatisticsOutputDatasetFacet", {}, rowCount=COUNT, size=COUNT, fileCount=COUNT
        )
    ),
)
DATASETS: Final = {"inputs": {"type": "array", "items": INPUT}, "outputs": {"type": "array", "items": OUTPUT}}
EVENT: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
JOB_EVENT: Final = _object(
    {"eventTime": TIME, "producer": URI, "schemaURL": {"const": f"{EVENT}JobEvent"}, "job": JOB}, **DATASETS
)
RUN_EVENT: Final = _object(
    {"eventTime": TIME, "producer": URI, "schemaURL": {"const": f"{EVENT}RunEvent"}, "run": RUN, "job": JOB},
    eventType={"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
    **DATASETS,
)
