"""The measurements of layouts: their columns, the packaged ones, and those of this installation."""

from pathlib import Path
from typing import Final

from chu_platform.building_blocks.measurement_file import MeasurementFile
from chu_platform.settings import Settings
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, STRING, Column

COLD: Final = "cold"
WARM: Final = "warm"
# The rows of `fact_death` at scale 1.
FULL_SIZE: Final = 25e6
COLUMNS: Final = (
    Column("machine", STRING, "processeur, cœurs, mémoire et système", "Machine", key=True),
    Column("scale", DOUBLE, "décès du lac rapportés à 25 millions, à un chiffre significatif", "Échelle", key=True),
    Column("engine", STRING, "moteur : sail, spark, duckdb, polars ou delta-rs", "Moteur", key=True),
    Column(
        "layout", STRING, "disposition des tables, par son nom dans « chu benchmark layouts »", "Disposition", key=True
    ),
    Column("query", STRING, "requête, par son nom dans « chu benchmark layouts »", "Requête", key=True),
    Column(
        "state",
        STRING,
        "cold : fichiers sortis de la mémoire du système, tables ouvertes à nouveau ; warm : répétée sur les tables ouvertes",
        "État",
        key=True,
    ),
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
        "cpu_ms",
        DOUBLE,
        "temps de processeur moyen d’une exécution, en millisecondes : celui du moteur et de ses processus ; il dépend peu de la charge ; vide s’il n’est pas compté",
        "Processeur (ms)",
    ),
    Column("result_rows", LONG, "nombre de lignes du résultat, égal pour tous les moteurs", "Lignes", nullable=False),
    Column("table_rows", LONG, "nombre de lignes des tables de la requête", "Lignes des tables", nullable=False),
    Column("files", LONG, "nombre de fichiers de données des tables de la requête", "Fichiers", nullable=False),
    Column(
        "files_kept",
        LONG,
        "fichiers que le journal Delta n’écarte pas, d’après partitions et statistiques ; vide sans journal Delta",
        "Fichiers retenus",
    ),
    Column("size_bytes", LONG, "octets des fichiers de données sur le disque", "Octets sur disque", nullable=False),
    Column(
        "read_bytes",
        LONG,
        "médiane des octets que le moteur a lus du disque à froid, comptés par le noyau ; vide s’ils ne le sont pas",
        "Octets lus",
    ),
    Column("exchanges", LONG, "échanges de lignes (shuffle) dans le plan de Spark ; vide ailleurs", "Échanges"),
    Column(
        "left_cache",
        BOOLEAN,
        "à froid, vrai si tous les fichiers avaient quitté la mémoire du système",
        "Froid vérifié",
    ),
    Column(
        "others",
        DOUBLE,
        "part de la machine, de 0 à 1, que d’autres processus ont prise pendant la mesure ; vide si elle n’est pas connue",
        "Charge des autres",
    ),
    Column("engine_version", STRING, "version du moteur", "Version du moteur", nullable=False),
    Column("code", STRING, "commit de la plateforme, ou sa version", "Code", nullable=False),
    Column(
        "data",
        STRING,
        "empreinte des tables lues, du texte de la requête et de la disposition",
        "Empreinte",
        nullable=False,
    ),
    Column("measured_at", STRING, "fin de la mesure, UTC, ISO 8601", "Mesuré le", nullable=False),
)
MEASUREMENTS: Final = MeasurementFile(
    "layout_benchmark",
    "Measurements by `chu benchmark layouts`; one line per machine, scale, engine, layout, query and state",
    COLUMNS,
)


def results_file(settings: Settings) -> Path:
    """The measurements of this installation."""
    return settings.work_folder / "layouts" / f"{MEASUREMENTS.name}.csv"
