"""The archive of the second report (`livrable2.zip`): the SQL scripts, what runs them, and the Dagster jobs."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from chu_platform.layouts import run_scripts
from chu_platform.layouts.scripts import scripts

ARCHIVE: Final = "livrable2.zip"
RUNNER: Final = "executer.py"
PACKAGE: Final = Path(__file__).parent.parent
# The jobs, schedules and sensors, and how a table becomes an asset.
JOB_MODULES: Final = ("automation/*.py", "definitions.py", "graph/assets.py", "graph/step.py")
# The same content gives the same bytes.
MOMENT: Final = (2026, 1, 1, 0, 0, 0)


def archive() -> bytes:
    """The archive, as bytes."""
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as made:
        for name, text in archive_files().items():
            made.writestr(ZipInfo(f"livrable2/{name}", MOMENT), text, ZIP_DEFLATED)
    return content.getvalue()


def archive_files() -> Mapping[str, str]:
    """The files of the archive by name."""
    jobs = [path for pattern in JOB_MODULES for path in sorted(PACKAGE.glob(pattern))]
    return {
        "LISEZMOI.md": _read_me(),
        RUNNER: Path(run_scripts.__file__).read_text(encoding="utf-8"),
        **{f"sql/{script.name}": script.text for script in scripts()},
        **{f"jobs/{path.relative_to(PACKAGE)}": path.read_text(encoding="utf-8") for path in jobs},
    }


def _read_me() -> str:
    listed = "\n".join(f"| `sql/{script.name}` | {script.purpose} |" for script in scripts())
    return f"""# Livrable 2 : scripts et jobs

Les scripts sont produits à partir des déclarations de la plateforme. Une commande les exécute dans l’ordre, sur un
Spark neuf avec Delta (Java 17 ou 21, `pip install pyspark==4.2.0 delta-spark==4.4.0`) :

    python {RUNNER} LAC --entrepot DOSSIER

`LAC` est le dossier d’un lac de la plateforme. Celui du jeu de démonstration est fait par `chu demo-pack DOSSIER`, puis
`CHU_SOURCES=DOSSIER chu materialize` ; il est alors dans `.chu/lake`. Il est seulement lu. Un script seul :
`--scripts sql/04_verification.sql`. La commande échoue (code 1) si une instruction échoue.

| script | contenu |
| -- | -- |
{listed}

Chaque table d’une couche L s’appelle `chu_L.nom`. Le chargement exécute les requêtes déclarées ; les tables que Python
remplit (livraisons, pseudonymes, intervalles de confiance) sont copiées du lac. La vérification compare chaque table
avec le lac : nombre de lignes, clés, sommes, empreinte de toutes les colonnes exactes.

`jobs/` contient les jobs de Dagster : `automation/jobs.py`, ses planifications (`schedules.py`), ses capteurs
(`arriving_files.py`, `follow_upstream.py`, `failed_runs.py`), et le code qui fait de chaque table un asset. Ils
s’exécutent dans la plateforme installée : `chu serve`.
"""
