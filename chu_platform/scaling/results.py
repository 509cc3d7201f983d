"""What is measured of a program of queries on Spark clusters of one machine (`chu benchmark elasticity`)."""

from pathlib import Path
from typing import Final

from chu_platform.building_blocks.measurement_file import MeasurementFile
from chu_platform.settings import Settings
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, STRING, Column

ONE_WORKER: Final = "one_worker"
TWO_WORKERS: Final = "two_workers"
DYNAMIC: Final = "dynamic"
CLUSTERS: Final = (ONE_WORKER, TWO_WORKERS, DYNAMIC)
# In place of a query: the whole program, with its pauses.
PROGRAM: Final = "program"
COLUMNS: Final = (
    Column("machine", STRING, "processeur, cœurs, mémoire et système", "Machine", key=True),
    Column("scale", DOUBLE, "décès du lac rapportés à 25 millions, à un chiffre significatif", "Échelle", key=True),
    Column(
        "cluster",
        STRING,
        "one_worker, two_workers : un ou deux processus de travail d’un cœur ; dynamic : de zéro à deux, selon la charge",
        "Grappe",
        key=True,
    ),
    Column("query", STRING, "requête, ou « program » pour tout le programme, pauses comprises", "Requête", key=True),
    Column("runs", LONG, "nombre d’exécutions mesurées", "Exécutions", nullable=False),
    Column("median_ms", DOUBLE, "temps médian, en millisecondes", "Médiane (ms)", nullable=False),
    Column(
        "low_ms", DOUBLE, "borne basse de la médiane à 95 % ; vide pour moins de six exécutions", "Borne basse (ms)"
    ),
    Column(
        "high_ms", DOUBLE, "borne haute de la médiane à 95 % ; vide pour moins de six exécutions", "Borne haute (ms)"
    ),
    Column("max_ms", DOUBLE, "temps de l’exécution la plus longue, en millisecondes", "Maximum (ms)", nullable=False),
    Column(
        "equal_rows", BOOLEAN, "les lignes du résultat sont celles que DuckDB trouve dans le lac", "Lignes égales",
        nullable=False,
    ),
    Column(
        "executor_seconds",
        DOUBLE,
        "secondes pendant lesquelles des exécuteurs d’un cœur étaient réservés, pour tout le programme",
        "Secondes d’exécuteur",
    ),
    Column(
        "executors",
        STRING,
        "nombre d’exécuteurs au fil du programme : « seconde:nombre », séparés par un espace",
        "Exécuteurs",
    ),
    Column(
        "others",
        DOUBLE,
        "part de la machine, de 0 à 1, que d’autres processus ont prise pendant le programme ; vide si inconnue",
        "Charge des autres",
    ),
    Column("engine_version", STRING, "version de Spark, et options de Java", "Version du moteur", nullable=False),
    Column("code", STRING, "commit de la plateforme, ou sa version", "Code", nullable=False),
    Column("measured_at", STRING, "fin du programme, UTC, ISO 8601", "Mesuré le", nullable=False),
)  # fmt: skip
MEASUREMENTS: Final = MeasurementFile(
    "scaling_benchmark",
    "Measurements by `chu benchmark elasticity`; one line per machine, scale, cluster and query",
    COLUMNS,
)


def results_file(settings: Settings) -> Path:
    """The measurements of this installation."""
    return settings.work_folder / "scaling" / f"{MEASUREMENTS.name}.csv"
