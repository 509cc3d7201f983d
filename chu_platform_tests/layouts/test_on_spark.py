"""On Spark: the scripts of the archive in order on a lake, a damaged warehouse, and the whole benchmark."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from chu_platform.layouts.archive import ARCHIVE, RUNNER, archive
from chu_platform.layouts.benchmark import Request, measure_layouts
from chu_platform.layouts.declarations import LAYOUTS
from chu_platform.layouts.engines import ENGINES
from chu_platform.layouts.queries import QUERIES
from chu_platform.layouts.results import MEASUREMENTS, WARM, results_file
from chu_platform.settings import Settings
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system

# Jars that the tests on Spark share.
IVY = f"spark.jars.ivy={Path.home() / '.ivy2.chu'}"
DAMAGE = """
MERGE INTO chu_facts.`fact_consultation` t
USING (SELECT min(consultation_key) AS least FROM chu_facts.`fact_consultation`) s ON t.consultation_key = s.least
WHEN MATCHED THEN DELETE;
UPDATE chu_dimensions.`dim_region` SET region_label = 'autre' WHERE region_key = '11';
INSERT INTO chu_dimensions.`dim_date` SELECT * FROM chu_dimensions.`dim_date` LIMIT 1;
"""


def run_scripts(folder: Path, made: Home, *scripts: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the archive, as a user does who has unpacked it."""
    chosen = ("--scripts", *scripts) if scripts else ()
    command = [sys.executable, RUNNER, str(made.lake.root), "--entrepot", "entrepot", "--conf", IVY, *chosen]
    environment = {**os.environ, "JDK_JAVA_OPTIONS": JAVA_OPTIONS}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=3000, check=False
    )


def test_the_scripts_run_in_order_and_a_damaged_table_is_found(made: Home, tmp_path: Path) -> None:
    require_java()
    (tmp_path / ARCHIVE).write_bytes(archive())
    with ZipFile(tmp_path / ARCHIVE) as packed:
        packed.extractall(tmp_path)
    folder = tmp_path / "livrable2"
    assert (folder / "jobs" / "automation" / "jobs.py").is_file()
    done = run_scripts(folder, made)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    names = [path.name for path in sorted((folder / "sql").iterdir())]
    assert [line.split()[1] for line in done.stdout.splitlines() if "aucun échec" in line] == names
    assert len(names) == 6
    # The join of bucketed tables exchanges rows for its groups only, the other one for both of its sides as well.
    flat, bucketed = done.stdout.split("-- Plan de la grande jointure")[1:]
    assert flat.count("Exchange hashpartitioning(consultation_key") == 2
    assert bucketed.count("Exchange hashpartitioning(consultation_key") == 0
    assert "SortMergeJoin" in bucketed

    (folder / "sql" / "degats.sql").write_text(DAMAGE, encoding="utf-8")
    whole = (folder / "sql" / "04_verification.sql").read_text(encoding="utf-8")
    looked_at = ("dimensions.dim_", "facts.fact_consultation'", "kpis.")
    some = [s for s in whole.split(";\n") if any(f"SELECT '{name}" in s for name in looked_at)]
    assert 10 < len(some) < 60
    (folder / "sql" / "verification_en_partie.sql").write_text(";\n".join([*some, ""]), encoding="utf-8")
    damaged = run_scripts(folder, made, "sql/degats.sql", "sql/verification_en_partie.sql")
    assert damaged.returncode == 1
    failures = [line for line in damaged.stdout.splitlines() if line.startswith("ÉCHEC")]
    found = {line.split("'")[1]: line for line in failures}
    assert {*found} == {"dimensions.dim_date", "dimensions.dim_region", "facts.fact_consultation"}
    assert len(found) == len(failures)
    assert "nombre de lignes" in found["facts.fact_consultation"] and "empreinte" in found["dimensions.dim_region"]


def test_every_query_is_answered_alike_on_every_layout_and_engine(made: Home, tmp_path: Path) -> None:
    require_java()
    settings = Settings(home=tmp_path / "home", lake=made.lake.root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", JAVA_OPTIONS)
        done = measure_layouts(settings, Request(runs=1), print)
    assert done.failures == [] and done.left_out == []
    rows = MEASUREMENTS.read(results_file(settings))
    assert len(rows) == 2 * done.cells
    assert {row["engine"] for row in rows} == {*ENGINES}
    assert {row["layout"] for row in rows} == {layout.name for layout in LAYOUTS}
    assert {row["query"] for row in rows} == {query.name for query in QUERIES}
    exchanges = {r["layout"]: r["exchanges"] for r in rows if (r["engine"], r["query"]) == ("spark", "large_join")}
    assert exchanges["flat"] - exchanges["spark_buckets"] == 2
    kept = {(r["layout"], r["query"]): (r["files_kept"], r["files"]) for r in rows if r["state"] == WARM}
    assert kept["buckets", "one_consultation"] == (1, 16)
    assert kept["region", "deaths_of_one_region"][0] == 1 < kept["region", "deaths_of_one_region"][1]
