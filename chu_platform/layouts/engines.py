"""The engines that answer the evidence queries: Sail, Spark, DuckDB, Polars and delta-rs.

A session opens tables and answers queries on them. `{name}` in the SQL stands for a table in all of them.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, Literal

import duckdb
import pyarrow as pa
from deltalake import QueryBuilder

from chu_platform.errors import ChuError
from chu_platform.layouts.copies import Source, bucketed_name
from chu_platform.layouts.declarations import Kind
from chu_platform.settings import Settings

if TYPE_CHECKING:
    from chu_platform.engine.engine import Engine

# The platform cuts plans, because logs have them.
PLAN_LENGTH: Final = "spark.sql.maxPlanStringLength"
Run = Callable[[str], pa.Table]


class BenchmarkedEngine(ABC):
    """One engine. `package` is that of its version."""

    name: str
    package: str
    reads_buckets = False

    @property
    def missing(self) -> str | None:
        """Why the engine cannot run here; None if it can."""
        try:
            version(self.package)
        except PackageNotFoundError:
            return f"the package {self.package} is not installed (make install-tests)"
        return None

    @property
    def version(self) -> str:
        """Version of the engine."""
        return version(self.package)

    @abstractmethod
    def session(self, sources: Mapping[str, Source]) -> AbstractContextManager[Run]:
        """Open the tables, by their names in queries. The function answers a query, with its rows in this process."""

    def exchanges(self, _sources: Mapping[str, Source], _sql: str) -> int | None:
        """How often the plan of a query exchanges rows between tasks; None if the engine does not tell."""
        return None


class DuckDb(BenchmarkedEngine):
    """DuckDB over the Parquet files that the Delta log lists, as the platform reads them."""

    name = "duckdb"
    package = "duckdb"

    @contextmanager
    def session(self, sources: Mapping[str, Source]) -> Iterator[Run]:
        """See the class of all engines."""
        with duckdb.connect() as connection:
            relations = {name: source.relation for name, source in sources.items()}
            yield lambda sql: connection.sql(sql.format_map(relations)).to_arrow_table()


class Polars(BenchmarkedEngine):
    """Polars: scan_delta, and its own SQL."""

    name = "polars"
    package = "polars"

    @contextmanager
    def session(self, sources: Mapping[str, Source]) -> Iterator[Run]:
        """See the class of all engines."""
        import polars as pl

        names = {name: f"{name}_rows" for name in sources}
        with pl.SQLContext({names[n]: pl.scan_delta(str(s.folder)) for n, s in sources.items()}) as context:
            yield lambda sql: context.execute(sql.format_map(names), eager=True).to_arrow()


class DeltaRs(BenchmarkedEngine):
    """delta-rs: its own query engine, DataFusion."""

    name = "delta-rs"
    package = "deltalake"

    @contextmanager
    def session(self, sources: Mapping[str, Source]) -> Iterator[Run]:
        """See the class of all engines."""
        names = {name: f"{name}_rows" for name in sources}
        builder = QueryBuilder()
        for name, source in sources.items():
            builder = builder.register(names[name], source.delta())
        yield lambda sql: pa.table(builder.execute(sql.format_map(names)))


class PlatformEngine(BenchmarkedEngine):
    """An engine of the platform, a server that starts at the first session, and stays."""

    kind: Literal["embedded", "spark"]

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.model_copy(update={"engine": self.kind, "spark_remote": None})
        self._engine: Engine | None = None

    @property
    def engine(self) -> "Engine":
        """The engine."""
        if self._engine is None:
            # The import of PySpark takes half a second.
            from chu_platform.engine.engine import Engine

            self._engine = Engine(self._settings, own_session=True)
        return self._engine

    @contextmanager
    def session(self, sources: Mapping[str, Source]) -> Iterator[Run]:
        """See the class of all engines: the server is the same, the tables are opened again."""
        engine = self.engine
        frames = {
            name: (
                engine.session.table(bucketed_name(source.table))
                if source.kind is Kind.BUCKETED
                else engine.read(source.folder, source.version)
            )
            for name, source in sources.items()
        }
        yield lambda sql: engine.arrow(engine.query(sql, frames))

    def close(self) -> None:
        """End the server."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


class Sail(PlatformEngine):
    """Sail, the embedded engine of the platform."""

    name = "sail"
    package = "pysail"
    kind = "embedded"


class Spark(PlatformEngine):
    """Apache Spark with Delta, the cluster engine of the platform, on this machine."""

    name = "spark"
    package = "pyspark"
    kind = "spark"
    reads_buckets = True

    @property
    def missing(self) -> str | None:
        """See the class of all engines: Spark needs Java as well."""
        if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            return "Java 17 or 21 is not installed"
        return super().missing

    def exchanges(self, sources: Mapping[str, Source], sql: str) -> int | None:
        """See the class of all engines: counted in the physical plan, before it adapts to the rows."""
        conf = self.engine.session.conf
        conf.set(PLAN_LENGTH, "1000000")
        with self.session(sources) as run:
            plan = str(run(f"EXPLAIN {sql}").column(0)[0])
        conf.unset(PLAN_LENGTH)
        return plan.count("Exchange hashpartitioning")


ENGINES: Final = ("sail", "spark", "duckdb", "polars", "delta-rs")


def engines_named(names: Sequence[str], settings: Settings) -> Sequence[BenchmarkedEngine]:
    """The engines of these names; all without a name. Raises ChuError with the list of engines."""
    if wrong := [name for name in names if name not in ENGINES]:
        raise ChuError(f"there is no engine {wrong[0]!r}; there are {', '.join(ENGINES)}")
    every: Sequence[BenchmarkedEngine] = (Sail(settings), Spark(settings), DuckDb(), Polars(), DeltaRs())
    return [engine for engine in every if not names or engine.name in names]
