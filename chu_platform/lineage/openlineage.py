"""OpenLineage events of the tables: what is declared (JobEvent), and the runs of their steps (RunEvent).

Specification: https://openlineage.io/spec/2-0-2/OpenLineage.json; the classes are those of its Python client. A
JobEvent describes a job independently of its runs: the input columns of each column of the table. Datasets of the lake
are named as files or as objects of a store, as OpenLineage prescribes, so a catalogue can join them with events of
Spark or other engines about the same folders.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)
from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    dataset_version_dataset,
    documentation_dataset,
    documentation_job,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    schema_dataset,
    set_producer,
    sql_job,
)

from chu_platform.lineage.table_lineage import ColumnOrigin, lineage_of
from chu_platform.tables.column_origins import Field
from chu_platform.tables.columns import sql_type
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Table

# Namespace of jobs and of external sources.
NAMESPACE: Final = "chu_platform"
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

set_producer("https://chu-platform.invalid/chu_platform")


@dataclass(frozen=True)
class StepRun:
    """A run of the step of a table, inside a Dagster run.

    `attempt` is 0, or the number of the retry: each attempt is an OpenLineage run. `read` are the versions of the
    tables that it reads; None for a table without a version.
    """

    table: Table
    dagster_run: str
    dagster_job: str
    attempt: int
    read: Mapping[Table, int | None]

    @property
    def run_id(self) -> str:
        """The id of the OpenLineage run. The same attempt always has the same."""
        return str(uuid5(NAMESPACE_URL, f"{self.dagster_run}/{self.table.folder}/{self.attempt}"))


@dataclass(frozen=True)
class Written:
    """The version of a table after a step, and its rows, bytes and files, unless the step wrote none."""

    version: int
    rows: int | None = None
    size: int | None = None
    files: int | None = None


def declared_event(table: Table, lake: str) -> JobEvent:
    """The event of what a table declares; `lake` is the place of the lake (`Settings.lake_place`)."""
    names = dict.fromkeys(_datasets(lineage_of(table).origins, lake))
    names.pop(_dataset(table, lake), None)
    return JobEvent(
        eventTime=_now(),
        job=_job(table),
        inputs=[InputDataset(namespace=namespace, name=name) for namespace, name in names],
        outputs=[_declared_output(table, lake)],
    )


def started(run: StepRun, lake: str) -> RunEvent:
    """The event of the start of a step."""
    return _run_event(run, RunState.START, lake)


def completed(run: StepRun, lake: str, written: Mapping[Table, Written]) -> RunEvent:
    """The event of the end of a step that made or confirmed these versions."""
    outputs = [_declared_output(table, lake, made) for table, made in written.items()]
    return _run_event(run, RunState.COMPLETE, lake, outputs)


def failed(run: StepRun, lake: str, message: str) -> RunEvent:
    """The event of a step that failed; `message` must not contain values of rows."""
    return _run_event(run, RunState.FAIL, lake, message=message)


def aborted(run: StepRun, lake: str) -> RunEvent:
    """The event of a step that was interrupted."""
    return _run_event(run, RunState.ABORT, lake)


def _run_event(
    run: StepRun, state: RunState, lake: str, outputs: Sequence[OutputDataset] | None = None, message: str | None = None
) -> RunEvent:
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=run.dagster_run),
        job=parent_run.Job(namespace=NAMESPACE, name=run.dagster_job),
    )
    facets: dict[str, RunFacet] = {"parent": parent}
    if message is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=message, programmingLanguage="python")
    inputs = []
    for table, version in run.read.items():
        namespace, name = _dataset(table, lake)
        of_version: dict[str, DatasetFacet] = {} if version is None else {"version": _version(version)}
        inputs.append(InputDataset(namespace=namespace, name=name, facets=of_version))
    if outputs is None:
        named = [_dataset(table, lake) for table in run.table.outputs]
        outputs = [OutputDataset(namespace=namespace, name=name) for namespace, name in named]
    return RunEvent(
        eventTime=_now(),
        eventType=state,
        run=Run(runId=run.run_id, facets=facets),
        job=_job(run.table),
        inputs=inputs,
        outputs=list(outputs),
    )


def _job(table: Table) -> Job:
    facets: dict[str, JobFacet] = {
        "documentation": documentation_job.DocumentationJobFacet(description=table.full_description),
        "jobType": job_type_job.JobTypeJobFacet(processingType="BATCH", integration="CHU_PLATFORM", jobType="TABLE"),
    }
    if query := table.rows.declaration.get("query"):
        facets["sql"] = sql_job.SQLJobFacet(query=query, dialect="spark")
    return Job(namespace=NAMESPACE, name=f"{table.layer}/{table.name}", facets=facets)


def _declared_output(table: Table, lake: str, written: Written | None = None) -> OutputDataset:
    """The dataset of a table, with its columns and where they come from; and what a step wrote, if given."""
    lineage = lineage_of(table)
    fields = {
        name: column_lineage_dataset.Fields(inputFields=[_input(o, [kind], lake) for o, kind in origins.items()])
        for name, origins in lineage.columns.items()
    }
    rows = [_input(origin, sorted(kinds), lake) for origin, kinds in lineage.rows.items()]
    columns = [
        schema_dataset.SchemaDatasetFacetFields(name=c.name, type=sql_type(c.type), description=c.full_description)
        for c in table.columns
    ]
    facets: dict[str, DatasetFacet] = {
        "documentation": documentation_dataset.DocumentationDatasetFacet(description=table.full_description),
        "schema": schema_dataset.SchemaDatasetFacet(fields=columns),
        "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields, dataset=rows),
    }
    counts: dict[str, OutputDatasetFacet] = {}
    if written:
        facets["version"] = _version(written.version)
        if written.rows is not None:
            counts["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=written.rows, size=written.size, fileCount=written.files
            )
    namespace, name = _dataset(table, lake)
    return OutputDataset(namespace=namespace, name=name, facets=facets, outputFacets=counts)


def _version(version: int) -> dataset_version_dataset.DatasetVersionDatasetFacet:
    return dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(version))


def _input(origin: ColumnOrigin, kinds: Iterable[Influence], lake: str) -> column_lineage_dataset.InputField:
    ((namespace, name),) = _datasets([origin], lake)
    transformations = []
    for kind in kinds:
        type_, subtype = _TRANSFORMATIONS[kind]
        masking = kind is Influence.MASK
        transformations.append(column_lineage_dataset.Transformation(type=type_, subtype=subtype, masking=masking))
    field = origin.column or origin.name if isinstance(origin, ExternalSource) else origin.column
    return column_lineage_dataset.InputField(
        namespace=namespace, name=name, field=field, transformations=transformations
    )


def _datasets(origins: Iterable[ColumnOrigin], lake: str) -> Iterator[tuple[str, str]]:
    """Namespace and name of the dataset of each origin."""
    for origin in origins:
        if isinstance(origin, Field):
            yield _dataset(origin.table, lake)
        else:
            yield NAMESPACE, origin.name


def _dataset(table: Table, lake: str) -> tuple[str, str]:
    """Namespace and name of a table of the lake: the file system and a path, or the bucket and a prefix."""
    url = urlsplit(lake)
    if not url.netloc:
        return "file", f"{lake}/{table.folder}"
    return f"{url.scheme}://{url.netloc}", f"{url.path.strip('/')}/{table.folder}".lstrip("/")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
