"""Maintenance operations on Delta tables, by SQL on a Spark engine."""

from collections.abc import Mapping, Sequence

from chu_platform.engine.engine import Engine
from chu_platform.storage.operations import PartitionValues
from chu_platform.storage.store import LakePath


class SparkSql:
    """The protocol `storage.operations.Operations`, implemented by SQL on a Spark engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def optimize(
        self,
        path: LakePath,
        partitions: Sequence[PartitionValues],
        z_order: Sequence[str],
        target_size: int,
        metadata: str,
    ) -> None:
        """Rewrite small files; see `Operations.optimize`."""
        condition = " OR ".join(f"({_sql_condition(p)})" for p in partitions if p)
        where = f" WHERE {condition}" if condition else ""
        order = f" ZORDER BY ({', '.join(f'`{c}`' for c in z_order)})" if z_order else ""
        sizes = {
            "spark.databricks.delta.optimize.maxFileSize": str(target_size),
            "spark.databricks.delta.optimize.minFileSize": str(target_size),
            "spark.sql.parquet.compression.codec": "zstd",
        }
        self._run(f"OPTIMIZE {_sql_name(path)}{where}{order}", metadata, sizes)

    def vacuum(self, path: LakePath, metadata: str) -> None:
        """Delete files past the retention; see `Operations.vacuum`."""
        conf = {
            # Without this setting, Spark does not log a VACUUM on a local file system.
            "spark.databricks.delta.vacuum.logging.enabled": "true",
            # By default Spark lists the folders in 10 000 tasks.
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": "16",
        }
        self._run(f"VACUUM {_sql_name(path)}", metadata, conf)

    def restore(self, path: LakePath, version: int, metadata: str) -> None:
        """Restore a version; see `Operations.restore`."""
        self._run(f"RESTORE TABLE {_sql_name(path)} TO VERSION AS OF {version}", metadata, {})

    def _run(self, statement: str, metadata: str, conf: Mapping[str, str]) -> None:
        self._engine.command(statement, {"spark.databricks.delta.commitInfo.userMetadata": metadata, **conf})


def _sql_name(path: LakePath) -> str:
    return f"delta.`{path}`"


def _sql_condition(partition: PartitionValues) -> str:
    return " AND ".join(f"`{c}` IS NULL" if v is None else f"`{c}` = {_sql_text(v)}" for c, v in partition.items())


def _sql_text(text: str) -> str:
    """A text as a literal of Spark SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
