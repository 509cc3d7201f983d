"""The operations on a Delta table that make no rows: by delta-rs in this process, or by SQL on Spark.

Table properties, checkpoints and the clean-up of the log are delta-rs's on both: Spark has no SQL for the last two.

Here: how each is done. Not here: when (maintenance), what to check before (restore), who holds the table (lock).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError

from chu_platform.errors import ChuError
from chu_platform.storage.provenance import with_metadata

if TYPE_CHECKING:
    from chu_platform.engine.engine import Engine

# Values of the partition columns, None for null; empty for a table without any.
Partition = Mapping[str, str | None]
ZSTD: Final = WriterProperties(compression="ZSTD")


class Operations(Protocol):
    """What is done to the table in a folder; each commit carries `metadata` as its user metadata."""

    def optimize(
        self, path: Path, partitions: Sequence[Partition], z_order: Sequence[str], target_size: int, metadata: str
    ) -> None:
        """Rewrite the files of the partitions, in Z-order of the columns if any, to files of about `target_size` bytes.

        Raises ChuError when the table was written meanwhile: the table is then as that writer left it.
        """

    def vacuum(self, path: Path, metadata: str) -> None:
        """Delete the files that no version within the retention of the table's properties names, orphans included."""

    def restore(self, path: Path, version: int, metadata: str) -> None:
        """Make the rows and columns of a version those of a new one."""


class DeltaRs:
    """By delta-rs, in this process."""

    def optimize(
        self, path: Path, partitions: Sequence[Partition], z_order: Sequence[str], target_size: int, metadata: str
    ) -> None:
        """As Operations says."""
        for conjunction in _conjunctions(partitions):
            optimizer = DeltaTable(path).optimize
            common: dict[str, Any] = {
                "partition_filters": conjunction or None,
                "target_size": target_size,
                "writer_properties": ZSTD,
                "commit_properties": with_metadata(metadata),
            }
            try:
                if z_order:
                    optimizer.z_order(z_order, **common)
                else:
                    optimizer.compact(**common)
            except CommitFailedError:
                raise ChuError(
                    f"{path.name} was written while it was optimised, and is as that writer left it: "
                    "run its maintenance again"
                ) from None

    def vacuum(self, path: Path, metadata: str) -> None:
        """As Operations says."""
        DeltaTable(path).vacuum(dry_run=False, full=True, commit_properties=with_metadata(metadata))

    def restore(self, path: Path, version: int, metadata: str) -> None:
        """As Operations says."""
        DeltaTable(path).restore(version, commit_properties=with_metadata(metadata))


class SparkSql:
    """By SQL, on a Spark engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def optimize(
        self, path: Path, partitions: Sequence[Partition], z_order: Sequence[str], target_size: int, metadata: str
    ) -> None:
        """As Operations says."""
        condition = " OR ".join(f"({_sql_condition(p)})" for p in partitions if p)
        where = f" WHERE {condition}" if condition else ""
        order = f" ZORDER BY ({', '.join(f'`{c}`' for c in z_order)})" if z_order else ""
        sizes = {
            "spark.databricks.delta.optimize.maxFileSize": str(target_size),
            "spark.databricks.delta.optimize.minFileSize": str(target_size),
            "spark.sql.parquet.compression.codec": "zstd",
        }
        self._run(f"OPTIMIZE {_sql_name(path)}{where}{order}", metadata, sizes)

    def vacuum(self, path: Path, metadata: str) -> None:
        """As Operations says."""
        conf = {
            # Without it, Spark keeps no record of a VACUUM on a local file system.
            "spark.databricks.delta.vacuum.logging.enabled": "true",
            # By default it lists the folders in 10 000 tasks.
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": "16",
        }
        self._run(f"VACUUM {_sql_name(path)}", metadata, conf)

    def restore(self, path: Path, version: int, metadata: str) -> None:
        """As Operations says."""
        self._run(f"RESTORE TABLE {_sql_name(path)} TO VERSION AS OF {version}", metadata, {})

    def _run(self, statement: str, metadata: str, conf: Mapping[str, str]) -> None:
        self._engine.command(statement, {"spark.databricks.delta.commitInfo.userMetadata": metadata, **conf})


def _conjunctions(partitions: Sequence[Partition]) -> Iterator[list[tuple[str, str, str | list[str]]]]:
    """Filters of delta-rs that together select exactly the partitions, as few as it can express: each is a commit.

    delta-rs takes the empty text for null, but not within a list.
    """
    listed: dict[tuple[tuple[tuple[str, str | None], ...], str], list[str]] = {}
    for partition in partitions:
        items = list(partition.items())
        last, value = items[-1] if items else ("", None)
        if value is None:
            yield [(column, "=", text or "") for column, text in items]
        else:
            listed.setdefault((tuple(items[:-1]), last), []).append(value)
    for (leading, last), values in listed.items():
        yield [*((column, "=", text or "") for column, text in leading), (last, "in", values)]


def _sql_name(path: Path) -> str:
    return f"delta.`{path}`"


def _sql_condition(partition: Partition) -> str:
    return " AND ".join(f"`{c}` IS NULL" if v is None else f"`{c}` = '{v}'" for c, v in partition.items())
