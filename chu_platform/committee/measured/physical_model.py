"""The chapters of the scripts: physical model, creation and loading, verification, partitions and buckets, queries."""

from collections.abc import Iterator

from chu_platform import french
from chu_platform.committee.document import (
    Block,
    Bullets,
    Cell,
    Chapter,
    Code,
    Column,
    Heading,
    Listing,
    Missing,
    Paragraph,
    Table,
)
from chu_platform.committee.inputs import NOTHING, Inputs
from chu_platform.committee.measured.benchmark_rows import NO_ROWS, benchmark_rows, of_newest
from chu_platform.committee.measured.pictures import NAMES, ROW_LABELS
from chu_platform.layouts.archive import ARCHIVE, JOB_MODULES, RUNNER
from chu_platform.layouts.declarations import BUCKETS, LARGE_TABLES, LAYOUTS, TARGET_SIZE
from chu_platform.layouts.queries import QUERIES
from chu_platform.layouts.results import WARM
from chu_platform.layouts.scripts import Script, scripts
from chu_platform.storage.delta_properties import statistics_columns
from chu_platform.storage.lake import active_files

ARCHIVE_COMMAND = f"chu benchmark scripts {ARCHIVE}"
RUN_COMMAND = f"python {RUNNER} LAC --entrepot DOSSIER"
# How much of a long statement is shown; the archive has all.
LINES_SHOWN = 24


def _physical_model(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Chaque table déclarée est une table Delta : des fichiers Parquet compressés (zstd) et un journal. Ses partitions, "
        "l’ordre de ses lignes et les colonnes dont le journal garde les bornes suivent de la déclaration."
    )
    rows: list[list[Cell]] = []
    for table in LARGE_TABLES:
        delta = inputs.lake.open(table)
        files = active_files(delta) if delta else []
        rows.append(
            [
                Code(table.name),
                Code(", ".join(table.partition_by) or NOTHING),
                Code(", ".join(table.layout.z_order_by) or NOTHING),
                Code(", ".join(statistics_columns(table))),
                french.number(len(files)),
                french.amount(sum(f["size_bytes"] for f in files) / 1e6, "Mo"),
            ]
        )
    yield Table(
        "Les grandes tables de faits, dans ce lac",
        [
            Column("Table", 2),
            Column("Partitions", 1.4),
            Column("Ordre", 2),
            Column("Bornes au journal", 3),
            Column("Fichiers", number=True),
            Column("Taille", number=True),
        ],
        rows,
        f"python -c \"from deltalake import DeltaTable; print(len(DeltaTable('LAC/{LARGE_TABLES[0].folder}').file_uris()))\"",
    )
    yield Paragraph(
        f"Le DDL de toutes les tables est dans `{ARCHIVE}`, script `sql/01_creation.sql`. Celui des consultations :"
    )
    creation = scripts()[0]
    statement = next(s for s in creation.statements if "chu_facts.`fact_consultation`" in s)
    yield Listing(statement, "sql", "Création de chu_facts.fact_consultation")


def _scripts(_inputs: Inputs) -> Iterator[Block]:
    made = scripts()
    yield Paragraph(
        "Les scripts sont produits à partir des déclarations. Une seule commande les exécute dans l’ordre, sur un Spark neuf "
        f"avec Delta : `{RUN_COMMAND}`. Le test du système `layouts` l’exécute sur le jeu de démonstration, abîme ensuite "
        "une table, et exige que la vérification échoue (`make test-system PARTS=layouts`). Tant que "
        "`docs/system-tests.json` n’en a pas de relevé, les scripts ne sont pas démontrés en entier."
    )
    yield Table(
        "Scripts",
        [Column("Script", 2.4), Column("Contenu", 4), Column("Instructions", number=True)],
        [[Code(f"sql/{s.name}"), s.purpose, french.number(len(s.statements))] for s in made],
        ARCHIVE_COMMAND,
    )
    for script, title, wanted in (
        (made[1], "Chargement de chu_facts.fact_prescription", "chu_facts.`fact_prescription`"),
        (made[2], "Peuplement : les premières lignes du script", ""),
        (made[3], "Vérification de chu_dimensions.dim_region", "'dimensions.dim_region'"),
    ):
        yield Listing(_excerpt(script, wanted), "sql", title)
    yield Heading("Ce que la vérification compare")
    yield Bullets(
        [
            "Le nombre de lignes, et le nombre de clés distinctes.",
            "La somme de chaque colonne de nombres ; celles de nombres à virgule à un milliardième près.",
            "Une empreinte de toutes les colonnes exactes : une valeur changée la change.",
            "Des exemples de lignes sont lus par `sql/03_peuplement.sql`, sauf ceux de la zone restreinte.",
        ]
    )
    yield Heading("Les jobs")
    yield Paragraph(
        f"`{ARCHIVE}` contient aussi les jobs de Dagster ({french.listed([f'`{m}`' for m in JOB_MODULES])}). Ils "
        "s’exécutent dans la plateforme installée."
    )


def _excerpt(script: Script, wanted: str) -> str:
    """The first statement with a text, cut after some lines."""
    lines = next(s for s in script.statements if wanted in s).splitlines()
    return "\n".join([*lines[:LINES_SHOWN], *(["-- …"] if len(lines) > LINES_SHOWN else [])])


def _partitions(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Neuf dispositions sont comparées. Spark avec Delta refuse `CLUSTERED BY … INTO n BUCKETS` : les compartiments de "
        "hachage sont donc une colonne générée, le premier chiffre d’une clé déjà hachée, qui est colonne de partition ; à "
        f"côté, de vrais compartiments de Spark (`bucketBy`), {BUCKETS} fichiers Parquet par table. L’ordre Z et le "
        f"regroupement visent des fichiers de {french.amount(TARGET_SIZE / 2**20, 'Mio', 0)}."
    )
    rows: list[list[Cell]] = []
    for layout in LAYOUTS:
        for table, declared in layout.tables.items():
            rows.append(
                [
                    layout.label if table is next(iter(layout.tables)) else "",
                    Code(table.name),
                    Code(", ".join(declared.partition_by) or NOTHING),
                    Code(", ".join([*declared.order_by, *([declared.buckets] if declared.buckets else [])]) or NOTHING),
                ]
            )
    yield Table(
        "Dispositions",
        [
            Column("Disposition", 2.5),
            Column("Table", 2),
            Column("Partitions", 2),
            Column("Ordre ou compartiments", 2.5),
        ],
        rows,
        ARCHIVE_COMMAND,
    )
    script = next(s for s in scripts() if s.name.startswith("05"))
    for name in ("fact_prescription_buckets", "fact_prescription_spark_buckets"):
        yield Listing(next(s for s in script.statements if f"{name}`" in s), "sql", f"Création de {name}")
    yield Heading("La jointure qui perd son échange")
    scales = [r["scale"] for r in benchmark_rows(inputs) if r["query"] == "large_join" and r["exchanges"] is not None]
    if not scales:
        yield Missing("Aucune mesure de Spark n’est dans le lac : le plan de la jointure n’est pas comparé.")
        return
    measured = "reports.layout_benchmark"
    yield inputs.table(
        f"Grande jointure avec Spark, échelle {french.measured(max(scales))}, à chaud",
        [Column("Disposition", 3), Column("Échanges du plan", number=True), Column("Médiane (ms)", number=True)],
        f"SELECT layout, exchanges, median_ms FROM {measured} WHERE {of_newest(measured)} AND query = 'large_join' "
        f"AND exchanges IS NOT NULL AND state = '{WARM}' AND scale = {max(scales):g} ORDER BY median_ms",
        lambda row: [ROW_LABELS[row[0]], french.number(row[1]), french.measured(row[2])],
    )
    yield Paragraph(
        "Les échanges (`Exchange hashpartitioning`) sont comptés dans le plan physique. Ceux qui restent avec des "
        "compartiments de Spark sont ceux du regroupement par âge, et non ceux de la jointure."
    )


def _queries(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Chaque requête est un seul texte SQL pour tous les moteurs "
        f"({french.listed(list(NAMES.values()))}). Les valeurs choisies (un patient, un établissement) suivent du lac. Les "
        "taux divisent ces nombres par une base, une petite table à part."
    )
    rows = benchmark_rows(inputs)
    if not rows:
        yield Missing(NO_ROWS)
    for query in QUERIES:
        yield Heading(query.label)
        sql = query.sql({}, {}).format_map(
            {name: f"{table.layer}.{table.name}" for name, table in query.tables.items()}
        )
        for word in (" FROM ", " JOIN ", " ON ", " WHERE ", " GROUP BY ", " AND "):
            sql = sql.replace(word, f"\n {word.strip()} ")
        yield Listing(sql, "sql")


PHYSICAL_MODEL = Chapter("modele-physique", "Le modèle physique", ["L2.1"], _physical_model)
SCRIPTS = Chapter("scripts", "Créer, charger, peupler, vérifier", ["L2.2", "L2.3", "L2.4", "L2.8"], _scripts)
PARTITIONS = Chapter("partitions-et-compartiments", "Partitions et compartiments", ["L2.5"], _partitions)
EVIDENCE = Chapter("requetes", "Requêtes faisant foi", ["L2.7"], _queries)
