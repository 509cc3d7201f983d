"""Export of the lineage as OpenLineage events: one JobEvent per table, from the declarations.

Specification: https://openlineage.io/spec/2-0-2/OpenLineage.json. A JobEvent describes a job independently of its
runs: here, the input columns of each column of the table. Datasets of the lake are named as files, as OpenLineage
prescribes, so a catalogue can join them with events of Spark or other engines about the same folders.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from chu_platform.lineage.table_lineage import ColumnOrigin, lineage_of
from chu_platform.tables.column_origins import Field
from chu_platform.tables.columns import sql_type
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Table

PRODUCER: Final = "https://chu-platform.invalid/chu_platform"
SPEC: Final = "https://openlineage.io/spec"
# Namespace of jobs and of external sources.
NAMESPACE: Final = "chu_platform"
LAKE_NAMESPACE: Final = "file"
_TRANSFORMATIONS: Final[Mapping[Influence, tuple[str, str]]] = {
    Influence.IDENTITY: ("DIRECT", "IDENTITY"),
    Influence.TRANSFORMATION: ("DIRECT", "TRANSFORMATION"),
    Influence.AGGREGATION: ("DIRECT", "AGGREGATION"),
    Influence.CONDITION: ("INDIRECT", "CONDITIONAL"),
    Influence.MASK: ("INDIRECT", "CONDITIONAL"),
    Influence.JOIN: ("INDIRECT", "JOIN"),
    Influence.FILTER: ("INDIRECT", "FILTER"),
    Influence.GROUPING: ("INDIRECT", "GROUP_BY"),
}

Json = dict[str, Any]


def write_events(tables: Iterable[Table], lake: str, file: Path) -> int:
    """Write one event per table, one per line. Returns the number of events."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [json.dumps(event_of(table, lake, now), ensure_ascii=False) for table in tables]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def event_of(table: Table, lake: str, time: str) -> Json:
    """The JobEvent of a table of the lake, at a time in ISO 8601."""
    inputs = {name: {"namespace": space, "name": name} for space, name in _datasets(lineage_of(table).origins, lake)}
    inputs.pop(_name(table, lake), None)
    job: Json = {"documentation": _facet("1-1-0", "DocumentationJobFacet", description=table.full_description)}
    if query := table.rows.declaration.get("query"):
        job["sql"] = _facet("1-1-0", "SQLJobFacet", query=query, dialect="spark")
    return {
        "eventTime": time,
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/JobEvent",
        "job": {"namespace": NAMESPACE, "name": f"{table.layer}/{table.name}", "facets": job},
        "inputs": list(inputs.values()),
        "outputs": [_output(table, lake)],
    }


def _output(table: Table, lake: str) -> Json:
    lineage = lineage_of(table)
    columns = {
        name: {"inputFields": [_input_field(origin, [kind], lake) for origin, kind in origins.items()]}
        for name, origins in lineage.columns.items()
    }
    rows = [_input_field(origin, sorted(kinds), lake) for origin, kinds in lineage.rows.items()]
    fields = [{"name": c.name, "type": sql_type(c.type), "description": c.full_description} for c in table.columns]
    return {
        "namespace": LAKE_NAMESPACE,
        "name": _name(table, lake),
        "facets": {
            "documentation": _facet("1-1-0", "DocumentationDatasetFacet", description=table.full_description),
            "schema": _facet("1-2-0", "SchemaDatasetFacet", fields=fields),
            "columnLineage": _facet("1-2-0", "ColumnLineageDatasetFacet", fields=columns, dataset=rows),
        },
    }


def _input_field(origin: ColumnOrigin, kinds: Iterable[Influence], lake: str) -> Json:
    (namespace, name), *_ = _datasets([origin], lake)
    transformations = []
    for kind in kinds:
        type_, subtype = _TRANSFORMATIONS[kind]
        transformations.append({"type": type_, "subtype": subtype, "masking": kind is Influence.MASK})
    field = origin.column or origin.name if isinstance(origin, ExternalSource) else origin.column
    return {"namespace": namespace, "name": name, "field": field, "transformations": transformations}


def _datasets(origins: Iterable[ColumnOrigin], lake: str) -> Iterator[tuple[str, str]]:
    """Namespace and name of the dataset of each origin."""
    for origin in origins:
        if isinstance(origin, Field):
            yield LAKE_NAMESPACE, _name(origin.table, lake)
        else:
            yield NAMESPACE, origin.name


def _name(table: Table, lake: str) -> str:
    return f"{lake}/{table.folder}"


def _facet(version: str, name: str, **content: object) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{version}/{name}.json#/$defs/{name}", **content}
