"""Livrable 1: the jobs that feed the decision schema, what they do on failure, and what runs in parallel."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import dagster as dg

from chu_platform import french
from chu_platform.automation.build_definitions import ASSET_JOBS, OTHER_JOBS, SCHEDULES, SENSORS
from chu_platform.committee.document import (
    WIDE_WIDTH,
    Block,
    Cell,
    Chapter,
    Code,
    Column,
    Figure,
    Figures,
    Heading,
    Missing,
    Paragraph,
    Picture,
    Table,
)
from chu_platform.committee.drawing import LINE, SMALL, SOFT, Point, line, picture, text
from chu_platform.committee.inputs import Inputs
from chu_platform.committee.last_run import COMMAND, MainJob, Step, last_main_job
from chu_platform.documents.french_labels import LAYERS, number
from chu_platform.tables.table import Layer

JOBS_COMMAND: Final = "dagster job list -m chu_platform.definitions"
DEFINITIONS_COMMAND: Final = "dagster schedule list -m chu_platform.definitions"
# Recorded times of a main job with 1 and 2 workers; the file is written by the command that it names. None yet: no file.
WORKERS: Final = Path(__file__).parent.parent / "data" / "workers.csv"
# What jobs, schedules and sensors do, in French; a test fails if one is missing.
JOBS: Final = {
    "main_job": "toutes les tables sans partition du graphe, dans l’ordre des dépendances (`chu materialize`)",
    "main_job_by_month": "les mêmes, avec les tables partitionnées par mois",
    "main_job_by_death_year": "les mêmes, avec les tables partitionnées par année de décès",
    "main_job_by_year": "les mêmes, avec les tables partitionnées par année",
    "care_database": "lit toutes les tables de la base de soins, dans un même instantané",
    "read_files": "lit les fichiers arrivés des tables sans partition",
    "read_files_by_month": "lit les fichiers arrivés des tables par mois (séjours)",
    "read_files_by_death_year": "lit les fichiers arrivés des tables par année de décès",
    "read_files_by_year": "lit les fichiers arrivés des tables par campagne (e-Satis, qualité)",
    "reports": "refait les tables sur la plateforme : contrôles, registre des livraisons, lignage",
    "release": "publie l’édition suivante des indicateurs, après sa porte de contrôle",
    "marts": "charge chaque édition, et les chiffres exacts des profils, dans la base PostgreSQL des outils du groupe",
    "maintenance": "compacte, ordonne (Z-order) et purge les tables selon leurs seuils",
    "follow": "fait ce qui suit d’un changement, tables sans partition, puis les rapports",
    "follow_by_month": "fait ce qui suit d’un changement, tables par mois",
    "follow_by_death_year": "fait ce qui suit d’un changement, tables par année de décès",
    "follow_by_year": "fait ce qui suit d’un changement, tables par année",
    "fingerprints": "calcule l’empreinte des gros fichiers arrivés",
    "clean_up": "supprime les vieilles exécutions et raccourcit les journaux",
    "rolling_backfill": "refait les derniers mois, en un rattrapage",
    "land_files": "copie les fichiers nouveaux des serveurs SFTP et FTPS",
}
STARTERS: Final = {
    "care_database_nightly": "lit la base de soins chaque nuit",
    "clean_up_daily": "supprime chaque jour les vieilles exécutions",
    "maintenance_weekly": "fait chaque semaine la maintenance due",
    "release_monthly": "publie chaque mois l’édition suivante",
    "rolling_backfill_nightly": "refait chaque nuit les derniers mois",
    "arriving_files": "lit un fichier dès qu’il est complet et nouveau, et fait ce qui en dépend",
    "arriving_on_servers": "fait copier les fichiers complets et nouveaux des serveurs",
    "dead_runs": "marque les exécutions d’un processus tué, et libère leurs verrous",
    "failed_runs_again": "essaie de nouveau ce qui a échoué, après une attente croissante",
    "follow_upstream": "fait les tables plus vieilles que leurs entrées, puis les rapports",
}
FAILURES: Final[Sequence[Sequence[Cell]]] = (
    (
        "Une ligne livrée n’a pas la forme déclarée",
        "Elle est gardée comme rejet, avec fichier, ligne, colonne et raison ; les autres lignes sont lues. Au-delà du seuil de sa source, rien n’est enregistré.",
    ),
    (
        "Un contrôle bloquant échoue",
        "L’étape s’arrête avant l’enregistrement : les lecteurs gardent la version précédente. Les tables qui en dépendent ne sont pas faites.",
    ),
    (
        "Une livraison a bien moins de lignes que la précédente",
        "Elle est retenue jusqu’à ce que quelqu’un l’accepte (`chu accept`), et le reste continue.",
    ),
    (
        "Le moteur, la base ou le disque ne répond pas",
        "L’étape est essayée trois fois, puis le capteur `failed_runs_again` attend une minute, cinq, trente… jusqu’à neuf essais.",
    ),
    (
        "Le processus est tué, ou la machine s’arrête",
        "Aucune version ne nomme les fichiers à moitié écrits ; l’exécution suivante reprend ce qui manque et laisse ce qui est à jour.",
    ),
    (
        "Deux entrées d’une table viennent de lignes différentes",
        "La table reste comme elle est, et les métadonnées disent pourquoi ; l’exécution suivante la fait.",
    ),
    (
        "Une publication révélerait une personne",
        "La porte de l’édition masque ou fait attendre la cellule ; si elle échoue, rien n’est publié.",
    ),
)
ROW_HEIGHT: Final = 27.0
LABELS: Final = 150.0


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Chaque table est un **asset** de Dagster, et une étape la fait toujours de la même façon : écrire, contrôler, enregistrer d’un seul commit Delta. L’ordre n’est pas programmé : il suit des dépendances déclarées."
    )
    counts = Counter(t.layer for t in inputs.catalogue.tables)
    yield Table(
        "Tables par couche",
        [Column("Couche", 2), Column("Tables", number=True), Column("dont partitionnées", number=True)],
        [
            [LAYERS[layer], str(counts[layer]), str(_partitioned(inputs, layer))]
            for layer in reversed(list(LAYERS))
            if counts[layer]
        ],
        "chu dictionary DOSSIER",
    )
    yield Heading("Les jobs")
    jobs = sorted([*(job.name for job in ASSET_JOBS), *(job.name for job in OTHER_JOBS)])
    yield Table(
        "Jobs de Dagster",
        [Column("Job", 1.5), Column("Ce qu’il fait", 4)],
        [[Code(name), JOBS[name]] for name in jobs],
        JOBS_COMMAND,
    )
    yield Heading("Planifications et capteurs")
    yield Table(
        "Ce qui démarre une exécution",
        [Column("Nom", 1.6), Column("Quand", 1.4), Column("Ce qu’il fait", 3.4), Column("Au départ", 0.9)],
        list(_starters()),
        DEFINITIONS_COMMAND,
    )
    yield Heading("Partitions")
    yield Paragraph(
        "Les soins et les séjours sont partitionnés par mois, les décès par année, les enquêtes par campagne, les indicateurs par année de leurs périodes. Une correction ne refait que les partitions qu’elle touche : l’identité des lignes de chaque partition (nombre et sommes de hachages) dit lesquelles ont changé."
    )
    yield Heading("Ce que fait chaque job en cas d’échec")
    yield Table(
        "Échecs et réponses",
        [Column("Ce qui arrive", 1.3), Column("Ce que fait la plateforme", 3)],
        FAILURES,
        "make test (dossiers automation, graph et storage)",
    )
    yield Heading("Ce qui peut s’exécuter en parallèle")
    job = last_main_job(inputs.instance, inputs.catalogue)
    if job is None:
        yield Missing("le journal de Dagster n’a aucune exécution du job principal : `chu materialize` en fait une.")
        return
    yield from _parallel(job)
    yield from _workers()


def _starters() -> Iterator[Sequence[Cell]]:
    for schedule in SCHEDULES:
        when = _when(str(schedule.cron_schedule))
        yield Code(schedule.name), when, STARTERS[schedule.name], _state(schedule.default_status)
    for sensor in SENSORS:
        when = f"toutes les {sensor.minimum_interval_seconds} s"
        yield Code(sensor.name), when, STARTERS[sensor.name], _state(sensor.default_status)


def _partitioned(inputs: Inputs, layer: Layer) -> int:
    return sum(bool(t.partition_by) for t in inputs.catalogue.tables if t.layer is layer)


def _when(cron: str) -> str:
    """A daily, weekly or monthly cron expression in words."""
    minute, hour, day, _, weekday = cron.split()
    at = f"{int(hour)} h {minute.zfill(2)}"
    return f"le {day} du mois, {at}" if day != "*" else f"le dimanche, {at}" if weekday != "*" else f"chaque jour, {at}"


def _state(status: dg.DefaultScheduleStatus | dg.DefaultSensorStatus) -> str:
    return "active" if status.value == "RUNNING" else "arrêtée"


def _parallel(job: MainJob) -> Iterator[Block]:
    critical = sum(step.seconds for step in job.critical_path)
    yield Paragraph(
        "Deux étapes peuvent s’exécuter en même temps quand aucune n’a besoin de l’autre. Le rang d’une étape est le nombre d’étapes sur le plus long chemin qui y mène : **celles d’un même rang sont indépendantes**. Le chemin critique est la chaîne d’étapes la plus longue : aucun nombre de travailleurs ne descend au-dessous. Une commande `chu materialize` fait ses étapes l’une après l’autre, et chacune emploie tous les cœurs du moteur ; les exécutions lancées depuis l’interface ou les capteurs sont jusqu’à deux à la fois, et un verrou par table empêche deux écritures de la même."
    )
    yield Figures(
        [
            Figure("Étapes du dernier job principal complet", str(len(job.steps)), COMMAND),
            Figure("Durée de toutes les étapes, ensemble", f"{number(round(job.work, 1))} s", COMMAND),
            Figure(
                "Durée du chemin critique",
                f"{number(round(critical, 1))} s, en {len(job.critical_path)} étapes",
                COMMAND,
            ),
            Figure(
                "Accélération possible au plus, quel que soit le nombre de travailleurs",
                f"{number(round(job.work / critical, 1))} fois",
                COMMAND,
            ),
        ]
    )
    yield Picture(
        _gantt(job),
        "Diagramme de Gantt du dernier job principal complet, par couche ; en orange, le chemin critique.",
        COMMAND,
        wide=True,
        text="Les étapes de chaque couche sur l’axe du temps ; le tableau qui suit donne le chemin critique.",
    )
    yield Table(
        "Chemin critique",
        [Column("Étape", 3), Column("Début (s)", number=True), Column("Durée (s)", number=True)],
        [
            [Code(s.name.replace("__", "/")), number(round(s.start, 1)), number(round(s.seconds, 2))]
            for s in job.critical_path
        ],
        COMMAND,
    )
    ranks: dict[int, list[Step]] = defaultdict(list)
    for step in job.steps:
        ranks[job.ranks[step.name]].append(step)
    yield Table(
        "Étapes indépendantes, rang par rang",
        [
            Column("Rang", 0.5, number=True),
            Column("Étapes", 0.6, number=True),
            Column("Secondes", 0.8, number=True),
            Column("Les plus longues", 4),
        ],
        [
            [
                str(rank),
                str(len(steps)),
                number(round(sum(s.seconds for s in steps), 1)),
                ", ".join(s.name.replace("__", "/") for s in sorted(steps, key=lambda s: -s.seconds)[:3]),
            ]
            for rank, steps in sorted(ranks.items())
        ],
        COMMAND,
    )


def _gantt(job: MainJob) -> str:
    order = [
        layer.value
        for layer in (
            Layer.SOURCES,
            Layer.HISTORY,
            Layer.REFERENCES,
            Layer.PSEUDONYMS,
            Layer.DIMENSIONS,
            Layer.FACTS,
            Layer.KPIS,
            Layer.CANDIDATES,
            Layer.DISCLOSURE,
            Layer.EDITIONS,
            Layer.PUBLISHED,
            Layer.REPORTS,
        )
    ]
    layers = [layer for layer in order if any(step.layer == layer for step in job.steps)]
    critical = {step.name for step in job.critical_path}
    width = WIDE_WIDTH - LABELS - 20
    scale = width / job.length
    bottom = ROW_HEIGHT * len(layers) + 8
    parts = []
    for second in _ticks(job.length):
        x = LABELS + second * scale
        parts += [
            line(Point(x, 4), Point(x, bottom), "#dbe2e6", 1),
            text(x, bottom + 15, f"{french.number(second)} s", SMALL, anchor="middle", colour=SOFT),
        ]
    for place, layer in enumerate(layers):
        y = 8 + ROW_HEIGHT * place
        steps = [step for step in job.steps if step.layer == layer]
        label = LAYERS[Layer(layer)].split(",")[0]
        parts.append(text(2, y + 13, f"{label} ({len(steps)})", SMALL))
        for step in sorted(steps, key=lambda s: s.name in critical):
            colour = "#a3440b" if step.name in critical else "#0b5d78"
            parts.append(
                f'<rect x="{LABELS + step.start * scale:.1f}" y="{y}" width="{max(step.seconds * scale, 0.8):.1f}" height="18" fill="{colour}" fill-opacity="0.85"/>'
            )
    parts.append(line(Point(LABELS, bottom), Point(LABELS + width, bottom), LINE))
    return picture(WIDE_WIDTH, bottom + 22, "Étapes du job principal sur l’axe du temps", parts)


def _ticks(length: float) -> Sequence[int]:
    """Round seconds, at most about ten."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if length / s <= 10)
    return range(0, int(length) + 1, step)


def _workers() -> Iterator[Block]:
    yield Heading("Accélération mesurée avec un et deux travailleurs", 3)
    if not WORKERS.exists():
        yield Missing(
            "aucune mesure n’est enregistrée avec un et deux travailleurs ; elle le sera par une commande, et jamais estimée."
        )
        return
    with WORKERS.open(encoding="utf-8", newline="") as lines:
        rows: Sequence[Mapping[str, str]] = list(csv.DictReader(lines))
    yield Table(
        f"Mesuré le {rows[0]['recorded_on']} ({rows[0]['machine']})",
        [Column("Travailleurs", number=True), Column("Secondes", number=True)],
        [[row["workers"], row["seconds"]] for row in rows],
        rows[0]["command"],
    )


jobs: Final = Chapter("jobs", "Les jobs d’alimentation", ("L1.2", "L1.4", "M.1"), _blocks)
