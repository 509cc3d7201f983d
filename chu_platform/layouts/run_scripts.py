"""Runs the scripts of the archive in order, on a fresh Spark with Delta on this machine. It needs nothing else.

    pip install pyspark==4.2.0 delta-spark==4.4.0      (and Java 17 or 21)
    python executer.py LAC --entrepot DOSSIER

LAC is the folder of a lake of the platform; it is only read. The warehouse is written to DOSSIER, with its catalogue,
so that single scripts can be run again: `--scripts sql/04_verification.sql`. The exit status is 1 if a statement fails.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DELTA = "io.delta:delta-spark_4.2_2.13"
# What a statement answers is printed for these, of the others only that they succeeded.
SHOWN = ("SELECT", "EXPLAIN", "DESCRIBE")
ROWS_SHOWN = 20
# A statement with an assertion answers the name of what it has verified.
ASSERTION = "assert_true("


def main(arguments: Sequence[str]) -> int:
    """Run the scripts; 1 if a statement failed. After the first failure, only a verification goes on."""
    parser = argparse.ArgumentParser(description="Exécute les scripts du livrable 2 sur un Spark neuf avec Delta.")
    parser.add_argument("lac", type=Path, help="dossier du lac de la plateforme (lu seulement)")
    parser.add_argument("--entrepot", type=Path, default=Path("entrepot"), help="dossier de l’entrepôt à écrire")
    parser.add_argument("--scripts", type=Path, nargs="+", help="scripts à exécuter (tous, dans l’ordre)")
    parser.add_argument("--conf", action="append", default=[], metavar="NOM=VALEUR", help="réglage de Spark")
    given = parser.parse_args(arguments)
    scripts = given.scripts or sorted((HERE / "sql").glob("*.sql"))
    if missing := [str(path) for path in (given.lac, *scripts) if not path.exists()]:
        print(f"ERREUR : {missing[0]} n’existe pas", file=sys.stderr)
        return 1
    session = spark_session(given.entrepot.resolve(), dict(pair.split("=", 1) for pair in given.conf))
    session.conf.set("chu.lac", str(given.lac.resolve()))
    failures = 0
    for script in scripts:
        begun = time.monotonic()
        found = list(statements(script.read_text(encoding="utf-8")))
        print(f"== {script.name} : {len(found)} instructions", flush=True)
        failed = 0
        for statement in found:
            if message := _run(session, statement):
                print(f"ÉCHEC {message}", flush=True)
                failed += 1
                if "verification" not in script.name:
                    break
        print(f"== {script.name} : {failed or 'aucun'} échec, {time.monotonic() - begun:.0f} s", flush=True)
        failures += failed
        if failed:
            break
    session.stop()
    return int(failures > 0)


def spark_session(warehouse: Path, conf: Mapping[str, str]) -> Any:
    """A session with Delta, whose warehouse and catalogue are in a folder."""
    from pyspark.sql import SparkSession

    warehouse.mkdir(parents=True, exist_ok=True)
    found = re.match(r"[\d.]+", version("delta-spark"))
    assert found
    catalogue = f"jdbc:derby:;databaseName={warehouse / 'catalogue'};create=true"
    settings = {
        "spark.jars.packages": f"{DELTA}:{found.group()}",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(warehouse / "tables"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": catalogue,
        "spark.driver.extraJavaOptions": f"-Dderby.stream.error.file={warehouse / 'derby.log'}",
        "spark.driver.memory": "4g",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.ui.enabled": "false",
        "spark.log.level": "ERROR",
        # Joins of large tables are to be seen, not avoided by sending the smaller one to all tasks.
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        **conf,
    }
    builder = SparkSession.builder.master("local[*]").appName("livrable2")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def statements(text: str) -> Iterator[str]:
    """The statements of a script: each ends with a semicolon at the end of a line."""
    for statement in re.split(r";[ ]*\n", text):
        lines = [line for line in statement.strip().splitlines() if line.strip()]
        if any(not line.startswith("--") for line in lines):
            yield "\n".join(lines)


def _run(session: Any, statement: str) -> str | None:
    """Run a statement, and print what it answers. The message of its failure: it contains no row."""
    from pyspark.errors import PySparkException

    sql = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
    try:
        answer = session.sql(sql)
        if ASSERTION in sql:
            print("\n".join(str(row[0]) for row in answer.collect()), flush=True)
        elif sql.startswith(SHOWN):
            print("\n".join(line for line in statement.splitlines() if line.startswith("--")))
            answer.show(ROWS_SHOWN, truncate=False)
    except PySparkException as error:
        raised = (error.getMessageParameters() or {}).get("errorMessage") if error.getCondition() else None
        return f"{sql.splitlines()[0][:120]} : {raised or error.getCondition() or type(error).__name__}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
