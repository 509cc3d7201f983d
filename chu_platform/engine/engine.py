"""A Spark Connect session that runs the declared queries: Spark SQL over Delta tables."""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pyarrow as pa
from dagster_pyspark import LazyPySparkResource
from grpc import RpcError
from pyspark.errors import PySparkException
from pyspark.sql.connect.client.retries import DefaultPolicy

from chu_platform.compat.spark_connect import answers, disconnect, interrupt_all
from chu_platform.engine.in_batches import in_batches
from chu_platform.engine.plain_paths import PlainPaths
from chu_platform.engine.spark_address import checked_address
from chu_platform.engine.spark_connect_server import Server
from chu_platform.errors import ChuError, TransientError, cause_in_text
from chu_platform.settings import Settings
from chu_platform.storage.store import LakePath
from chu_platform.storage.store_path import REFUSED, StorePath, StoreUnavailable
from chu_platform.tables.columns import sql_type
from chu_platform.tables.partitions import NULL_PARTITION
from chu_platform.tables.table import Table, Zone
from chu_platform.watchdog import watched

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


# The client waits 50 ms, then four times as long after each attempt: with three, about one second for a dead server.
MAX_RETRIES: Final = 3
DEFAULT_PORT: Final = 15002
CONNECT_TIMEOUT_SECONDS: Final = 5
# With this setting, its default, Delta refuses a version that was made longer ago than the retention of replaced files,
# whenever it was replaced.
ONLY_YOUNG_VERSIONS: Final = "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration"
# Column of the order of the rows while a table is written. No table has a column of this name.
ROW_NUMBER: Final = "row_number_in_partition"
# These loggers print error messages, which may contain values of rows. A filter is used instead of `disabled`, because
# a later configuration of logging, as Dagster does, enables all loggers again.
for _name in ("SQLQueryContextLogger", "pyspark.sql.connect.logging", "pyspark.sql.connect"):
    logging.getLogger(_name).addFilter(lambda _record: False)
# The client warns of a dead server, besides the error that it raises.
warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]")


def _require_answer(address: str) -> None:
    """Raise ChuError if no server listens at a Spark Connect address. The client itself would retry for a minute."""
    found = urlsplit(address)
    try:
        where = (found.hostname or "", found.port or DEFAULT_PORT)
        socket.create_connection(where, timeout=CONNECT_TIMEOUT_SECONDS).close()
    except (OSError, ValueError):
        raise ChuError(
            f"no Spark Connect server answers at {found.hostname}:{found.port or DEFAULT_PORT}: start it, correct "
            "CHU_SPARK_REMOTE (sc://host:port), or unset it"
        ) from None


class Engine:
    """The engine chosen by the settings. Its server and session start at the first query; `starts` while they do.

    PySpark gives the session that this process has already, whatever server it is of. With `own_session`, it makes a
    new one, so that one process can use two engines.
    """

    def __init__(self, settings: Settings, own_session: bool = False) -> None:
        self._settings = settings
        self._own_session = own_session
        self._server: Server | None = None
        self._session: SparkSession | None = None
        self._unresponsive = False
        self._paths = PlainPaths()
        self.starts = False

    @property
    def session(self) -> "SparkSession":
        """The Spark Connect session."""
        if self._session is None:
            self.starts = True
            try:
                self._session = self._opened_session()
            finally:
                self.starts = False
        return self._session

    def _opened_session(self) -> "SparkSession":
        address = self._settings.spark_remote if self._settings.engine == "spark" else None
        if address is not None:
            address = checked_address(address, self._settings)
            _require_answer(address)
        else:
            # One server reads all zones, so it has the options of the zone that the fewest may read.
            in_store = self._settings.lake_url is not None
            options = self._settings.store_options.get(Zone.RESTRICTED, {}) if in_store else None
            self._server = Server(self._settings.engine, self._settings.work_folder / "engine", options)
            address = self._server.address
        with self._errors("opening a session"):
            session = self._session_of(address)
            session.client.set_retry_policies([DefaultPolicy(max_retries=MAX_RETRIES)])
            if self._settings.engine == "spark":
                session.conf.set(ONLY_YOUNG_VERSIONS, "false")
        return session

    def _session_of(self, address: str) -> "SparkSession":
        if self._own_session:
            from pyspark.sql import SparkSession

            return SparkSession.builder.remote(address).create()
        session: SparkSession = LazyPySparkResource(spark_config={"spark.remote": address}).spark_session
        return session

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        """Raise ChuError for an error of the engine. Its message may contain values of rows, so it is only logged.

        Raises TransientError if the engine has ended, does not answer, or has ended the session.
        """
        try:
            with watched(self._answers, self._give_up, self._settings.engine_patience):
                yield
        except (PySparkException, RpcError, ValueError) as error:
            if isinstance(error, ValueError) and not isinstance(error, PySparkException) and not self._unresponsive:
                raise
            log = self._settings.logs_folder / "engine-errors.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as stream:
                stream.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {action}: {error}\n\n")
            if self._unresponsive:
                seconds = f"{self._settings.engine_patience:g} s"
                raise TransientError(
                    f"the engine did not answer for {seconds} while {action}, and was stopped"
                ) from None
            if self._server is not None and not self._server.alive:
                raise TransientError(
                    f"the engine stopped while {action} (out of memory?); its log: {self._server.log}"
                ) from None
            if not self._answers(CONNECT_TIMEOUT_SECONDS):
                raise TransientError(f"the engine has stopped or has ended the session while {action}") from None
            if self._settings.lake_url and REFUSED.search(str(error)):
                raise StoreUnavailable(
                    self._settings.lake_url, f"the credentials of the engine are refused while {action}"
                ) from None
            if cause := cause_in_text(type(error).__name__, str(error)):
                raise ChuError(f"the engine failed while {action}: {cause}") from None
            condition = error.getCondition() if isinstance(error, PySparkException) else None
            raise ChuError(
                f"the engine failed while {action} ({condition or type(error).__name__}); details: {log}"
            ) from None

    def _answers(self, seconds: float) -> bool:
        """Whether the server answers within this time.

        Always true while a session is opened, because that has its own timeout.
        """
        return self._session is None or answers(self._session.client, seconds)

    def _give_up(self) -> None:
        """Kill the server, or close the connection to a remote server, so that the waiting query fails."""
        self._unresponsive = True
        if self._server is not None:
            self._server.kill()
        elif self._session is not None:
            disconnect(self._session.client)

    def interrupt(self) -> None:
        """Stop the running query, from another thread. The server ends too if this object has started it."""
        server, session = self._server, self._session
        if server is not None:
            server.kill()
        elif session is not None:
            interrupt_all(session.client, CONNECT_TIMEOUT_SECONDS)

    def read(self, path: LakePath, version: int) -> "DataFrame":
        """A Delta table at a version."""
        return self.session.read.format("delta").option("versionAsOf", version).load(self._address(path))

    def _address(self, path: LakePath) -> str:
        """The path as the engine knows it: Spark uses the scheme `s3a` for S3; a folder has a plain name."""
        if not isinstance(path, StorePath):
            # The machines of a remote engine do not have our links.
            return str(path if self._is_remote else self._paths.of(path))
        return str(path).replace("s3://", "s3a://", 1) if self._settings.engine == "spark" else str(path)

    @property
    def _is_remote(self) -> bool:
        return self._settings.engine == "spark" and self._settings.spark_remote is not None

    def query(self, sql: str, inputs: "Mapping[str, DataFrame]") -> "DataFrame":
        """The result of a declared query over its inputs, not computed yet."""
        with self._errors("planning"):
            return self.session.sql(sql, **dict[str, Any](inputs))

    def finished(self, table: Table, rows: "DataFrame", finish: Callable[[pa.Table], pa.Table]) -> "DataFrame":
        """The rows completed by the `finish` function of a query, with the declared columns. Not computed yet.

        The engine calls the function with one batch of rows after the other, in its own Python processes.
        """
        columns = ", ".join(f"`{c.name}` {sql_type(c.type)}" for c in table.columns)
        with self._errors("planning"):
            return rows.mapInArrow(in_batches(finish, table), columns)

    def declared(self, table: Table, rows: "DataFrame", condition: str | None) -> "DataFrame":
        """The rows that meet the condition, with the declared columns in their order and types.

        Columns of the query that are not declared are dropped.
        """
        with self._errors("planning"):
            chosen = rows.where(condition) if condition else rows
            # Unlike `session.sql`, this asks nothing of the server: it would plan the query once more each time.
            return chosen.selectExpr(*(f"CAST(`{c.name}` AS {sql_type(c.type)}) AS `{c.name}`" for c in table.columns))

    def write(self, rows: "DataFrame", table: Table, folder: LakePath) -> None:
        """Add Parquet files with new names to `folder`, in Hive-style folders of the table's partition columns.

        A partition is one file; a table without partitions is one or a few. Files are sorted as the layout declares.
        """
        partition_by, order = table.partition_by, table.layout.z_order_by
        if nullable := [c.name for c in table.columns if c.name in partition_by and not c.required]:
            # Sail writes null into a folder without a value, which is read as an empty text.
            named = {c: f"coalesce(`{c}`, '{NULL_PARTITION}') AS `{c}`" for c in nullable}
            rows = rows.selectExpr(*(named.get(c.name, f"`{c.name}`") for c in table.columns))
        if order and table.layout.sorted_writes:
            # Sail ignores a sort before a write, but keeps the order of a window whose number is used.
            partition = f"PARTITION BY {', '.join(partition_by)} " if partition_by else ""
            number = f"row_number() OVER ({partition}ORDER BY {', '.join(order)})"
            numbered = rows.selectExpr("*", f"{number} AS {ROW_NUMBER}").where(f"{ROW_NUMBER} > 0")
            rows = numbered.selectExpr(*(f"`{c.name}`" for c in table.columns))
        elif not partition_by:
            rows = rows.repartition(1)
        elif self._settings.engine == "spark":
            # Spark writes one file for each task and partition: put each partition into one task. Sail always does so.
            rows = rows.repartition(*partition_by)
        with self._errors("writing"):
            rows.write.mode("append").partitionBy(*partition_by).parquet(self._address(folder))

    def arrow(self, rows: "DataFrame") -> pa.Table:
        """Rows as an Arrow table in this process."""
        with self._errors("computing"):
            return rows.toArrow()

    def command(self, statement: str, conf: Mapping[str, str]) -> None:
        """Run a statement that changes a table, with temporary session settings."""
        with self._errors("maintaining"):
            for name, value in conf.items():
                self.session.conf.set(name, value)
            try:
                self.session.sql(statement).collect()
            finally:
                for name in conf:
                    self.session.conf.unset(name)

    def close(self) -> None:
        """End the session, and the server if this object has started it."""
        if self._session is not None:
            # A stopped server cannot release the session: only close the client then.
            session: Any = self._session
            session.release_session_on_close = not self._unresponsive and (self._server is None or self._server.alive)
            session.stop()
            self._session = None
        if self._server is not None:
            self._server.close()
            self._server = None
        self._paths.close()
