"""Functions over Arrow tables as functions over batches of rows, for the Python processes of the engine."""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.cloudpickle import register_pickle_by_value

import chu_platform
from chu_platform.tables.table import Table

# Functions of this package are sent to the engine as code, not as names. So the engine runs the code of this process,
# which is the code that the commit records, and its machines need only the libraries that the functions use.
register_pickle_by_value(chu_platform)  # type: ignore[no-untyped-call]


def in_batches(
    function: Callable[[pa.Table], pa.Table], table: Table
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function applied to each batch. The result has the declared columns of the table in their order and types.

    If the function fails, the message has the type of the error and the line, but not its text, which may contain
    values of rows. PySpark writes this message to the logs of the engine.
    """
    # Only names and types go to the engine, not the declaration.
    schema = pa.schema([pa.field(c.name, c.type) for c in table.columns])
    name = f"{table.layer}/{table.name}"

    def finish(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            failure = ""
            try:
                rows = function(pa.Table.from_batches([batch])).select(schema.names).cast(schema)
            except Exception as error:
                frame = error.__traceback__
                while frame is not None and frame.tb_next is not None:
                    frame = frame.tb_next
                where = f"{frame.tb_frame.f_code.co_name}, line {frame.tb_lineno}" if frame else "unknown"
                failure = f"finishing {name} failed with {type(error).__name__} in {where}"
            if failure:
                # Outside of the except block, so that the error with its text is not attached to this one.
                raise RuntimeError(failure)
            yield from rows.to_batches()

    return finish
