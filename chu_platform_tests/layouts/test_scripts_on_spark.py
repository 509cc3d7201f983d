"""On Spark: the scripts of the archive in order on a lake, and a damaged warehouse."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from chu_platform.layouts.archive import ARCHIVE, RUNNER, archive
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
