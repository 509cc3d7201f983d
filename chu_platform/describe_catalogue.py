"""The catalogue described from the declarations: `python -m chu_platform.describe_catalogue [--write]`."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from chu_platform.catalogue import catalogue, declared_at
from chu_platform.description.described_tables import (
    DescribedCatalogue,
    DescribedCheck,
    DescribedColumn,
    DescribedOrigin,
    DescribedQuestion,
    DescribedTable,
)
from chu_platform.description.file import (
    PACKAGE,
    as_text,
    code_hash,
    lake_is_described,
    read_catalogue,
    write_catalogue,
)
from chu_platform.errors import ChuError
from chu_platform.indicators.indicator import Indicator, indicators
from chu_platform.lineage.table_lineage import ColumnOrigin, lineage_of
from chu_platform.settings import Settings, load_settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform.tables.checks import Check
from chu_platform.tables.column_origins import Field
from chu_platform.tables.columns import Column
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import Computed, DeliveredRows, Query
from chu_platform.tables.table import Table


def described_catalogue() -> DescribedCatalogue:
    """The catalogue of the declarations."""
    return describe(catalogue(), indicators())


def describe(tables: Iterable[Table], indicators: Iterable[Indicator]) -> DescribedCatalogue:
    """Tables with those that their steps make too, and the questions of indicators."""
    return DescribedCatalogue(
        code_hash(),
        [_table(made, step_table) for step_table in tables for made in step_table.outputs],
        [DescribedQuestion(_identifier(i.masked), _identifier(i.fact), i.question) for i in indicators],
    )


def _place(file: Path) -> str:
    """A file below the package; nothing but its name when a declaration lies elsewhere."""
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else file.name


def keep_described(settings: Settings) -> None:
    """Write the described catalogue into the lake, unless what is there describes these declarations."""
    root = lake_root(settings)
    try:
        there = read_catalogue(root, settings.work_folder)
    except ChuError:
        there = None
    declared = [(_identifier(made), made.code_version) for table in catalogue() for made in table.outputs]
    if (
        there is None
        or not lake_is_described(root)
        or declared != [(t.identifier, t.code_version) for t in there.tables]
    ):
        write_catalogue(as_text(described_catalogue()), root, settings.work_folder)


class _Making:
    """How rows are made: "query" with its SQL, "computed", or "delivered" with the delivery."""

    def visit_query(self, rows: Query) -> tuple[str, str | None, str | None]:
        """See `RowsVisitor`."""
        return "query", rows.sql, None

    def visit_computed(self, _rows: Computed) -> tuple[str, str | None, str | None]:
        """See `RowsVisitor`."""
        return "computed", None, None

    def visit_delivered(self, rows: DeliveredRows) -> tuple[str, str | None, str | None]:
        """See `RowsVisitor`."""
        return "delivered", None, rows.delivery


def _table(table: Table, step_table: Table) -> DescribedTable:
    """A table that the step of `step_table` makes."""
    file, line = declared_at(step_table)
    rows, query, delivery = table.rows.accept(_Making())
    lineage = lineage_of(table)
    return DescribedTable(
        name=table.name,
        layer=table.layer,
        zone=table.zone,
        folder=table.folder,
        grain=table.grain,
        label=table.label,
        owner=table.owner,
        columns=[_column(c) for c in table.columns],
        partition_by=table.partition_by,
        reads={name: _identifier(read) for name, read in table.reads.items()},
        needs=[_identifier(needed) for needed in table.needs],
        outputs=[_identifier(made) for made in step_table.outputs] if table is step_table else [_identifier(table)],
        checks=[_check(c) for c in table.all_checks],
        freshness=table.freshness.name,
        rows=rows,
        query=query,
        delivery=delivery,
        preview=table.preview,
        code_version=table.code_version,
        declared_at=f"{_place(file)}:{line}",
        column_origins={
            name: [_origin(origin, [kind]) for origin, kind in origins.items()]
            for name, origins in lineage.columns.items()
        },
        row_origins=[_origin(origin, sorted(kinds)) for origin, kinds in lineage.rows.items()],
        public_source=table.public_source,
        access=table.access,
    )


def _identifier(table: Table) -> str:
    return f"{table.layer}/{table.name}"


def _column(column: Column) -> DescribedColumn:
    return DescribedColumn(
        column.name,
        column.type,
        column.description,
        column.label,
        column.key,
        column.nullable,
        column.identifying,
        column.quasi_identifying,
        column.sensitive,
    )


def _check(check: Check) -> DescribedCheck:
    return DescribedCheck(
        name=check.name,
        type=check.kind,
        category=check.kind.category,
        description=check.description,
        column=check.column,
        minimum=check.minimum,
        maximum=check.maximum,
        threshold=check.threshold,
        blocking=check.blocking,
        refers_to=_identifier(check.refers_to) if check.refers_to else None,
    )


def _origin(origin: ColumnOrigin, kinds: Sequence[Influence]) -> DescribedOrigin:
    if isinstance(origin, Field):
        return DescribedOrigin(_identifier(origin.table), "", origin.column, kinds)
    return DescribedOrigin(None, origin.name, origin.column, kinds)


def main(
    write: Annotated[bool, typer.Option("--write", help="write it into the lake, whose zones are made for it")] = False,
) -> None:
    """Print the described catalogue as JSON, or write it into the lake."""
    if write:
        settings = load_settings()
        Lake(lake_root(settings)).prepare()
        keep_described(settings)
    else:
        sys.stdout.buffer.write(as_text(described_catalogue()))


if __name__ == "__main__":
    typer.run(main)
