"""A month that fails a check is not committed by any run, and the tables made from it do not change."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.graph.asset_keys import key_of
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import kpi_consultation_rate_by_diagnosis
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.pseudonymisation.stay_surrogate import stay_surrogate
from chu_platform.reports.check_result import check_result
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.table import Table
from chu_platform_tests.pipeline.changes import Changeable, changeable
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, rows

pytestmark = pytest.mark.integration

MONTH = "2019-03"
NOBODY = "99999999"
OF_CONSULTATIONS = [consultation, fact_consultation, kpi_consultation_rate_by_diagnosis.exact]
OF_STAYS = [hospitalisations, stay_surrogate, dim_diagnosis, fact_hospitalisation, kpi_hospitalisation_rate.exact]
SERVED = [*OF_CONSULTATIONS, fact_hospitalisation, kpi_hospitalisation_rate.exact]


@dataclass(frozen=True)
class FailedCheck:
    """A check that the month fails, its error message, and a table made from the checked table."""

    table: Table
    check: str
    message: str
    downstream: Table


FAILED_CHECKS = [
    FailedCheck(
        consultation,
        "columns_are_understood",
        "values of the column 'Heure_fin' is understood (not_understood, shape aaaa aaaa)",
        fact_consultation,
    ),
    FailedCheck(
        fact_hospitalisation,
        "attached_patient_key",
        'facts/fact_hospitalisation: "at most 90 % of the rows have no row of dim_patient '
        '(patient_key = inconnu), in total and in each partition": 1, not 0 to 0.9',
        kpi_hospitalisation_rate.exact,
    ),
    FailedCheck(
        fact_hospitalisation,
        "found_establishment",
        "of Hospitalisations do not exist in dim_establishment.establishment_key, in total and for each value of "
        'month": 1, not 0 to 0.9',
        kpi_hospitalisation_rate.exact,
    ),
]


def materialize(changed: Changeable, *tables: Table, month: str | None = MONTH) -> tuple[int, str]:
    """Make the month of these tables (all months of them, even if up to date, when None), and the report of checks."""
    keys = " or ".join(f"key:{t.layer}/{t.name}" for t in tables)
    partitions = ("--partitions", month) if month else ("--force",)
    done = changed.home.chu("materialize", "--select", f"{keys} or key:reports/check_result", *partitions)
    return done.returncode, done.stdout + done.stderr


def checks(home: Home) -> Mapping[str, tuple[str, str, bool]]:
    """The last result of each of the checks: of its group in Dagster's log, and in the report.

    The third value is whether the last run of its table has failed, as the report says.
    """
    groups = {check.name: check.group for b in FAILED_CHECKS for check in b.table.all_checks}
    keys = {b.check: dg.AssetCheckKey(key_of(b.table), groups[b.check]) for b in FAILED_CHECKS}
    with home.instance() as instance:
        last = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys.values()))
    found = rows(home.lake, check_result).to_pylist()
    report = {(r["table"], r["check"]): (r["status"], r["last_failure_at"] is not None) for r in found}
    for failed in FAILED_CHECKS:
        evaluation = last[keys[failed.check]].evaluation
        assert evaluation
        named = failed.check in (evaluation.description or "")
        assert named == (last[keys[failed.check]].status.value == "FAILED")
    return {b.check: (last[keys[b.check]].status.value, *report[b.table.name, b.check]) for b in FAILED_CHECKS}


def made_by_runs(home: Home, table: Table) -> int:
    """The number of runs that have made the table."""
    with home.instance() as instance:
        return len({record.run_id for record in instance.fetch_materializations(key_of(table), limit=1000).records})


def retries(home: Home) -> int:
    """The number of retries of steps."""
    with home.instance() as instance:
        logs = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    return sum(entry.dagster_event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY for entry in logs)


def assert_unchanged(made: Home, home: Home) -> None:
    """Check that the tables of SERVED have their version and rows of before."""
    for table in SERVED:
        assert home.lake.version(table) == made.lake.version(table), table.folder
        assert differences(rows(made.lake, table), rows(home.lake, table)) == [], table.folder


def test_a_month_that_fails_checks_is_not_committed(made: Home, postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    changed = changeable(made, postgres, tmp_path, "checks")
    home = changed.home
    # The hours of the consultations are written in words.
    changed.sql('CREATE TABLE hours AS SELECT "Num_consultation", "Heure_fin" FROM "Consultation"')
    changed.sql("""ALTER TABLE "Consultation" ALTER "Heure_fin" TYPE text USING 'vers midi'""")
    originals = changed.edit_stays(MONTH, lambda _: {"Id_patient": NOBODY, "identifiant_organisation": "ORG1"})

    before = {b.downstream: made_by_runs(home, b.downstream) for b in FAILED_CHECKS}
    # Two commands: dim_diagnosis needs both sources, so the facts of stays would be left as they were.
    runs = [materialize(changed, *tables) for tables in (OF_STAYS, OF_CONSULTATIONS)]
    assert [status for status, _ in runs] == [1, 1]
    output = "".join(printed for _, printed in runs)
    for failed in FAILED_CHECKS:
        assert failed.message in output
        (left,) = (
            ln
            for ln in output.splitlines()
            if f"left as it was: {failed.downstream.layer}/{failed.downstream.name}," in ln
        )
        assert f"{failed.table.layer}/{failed.table.name}" in left.partition("which needs")[2]
        # Dagster shows the last evaluation, the report the one of the rows that are served.
        assert checks(home)[failed.check] == ("FAILED", "passed", True)
        assert made_by_runs(home, failed.downstream) == before[failed.downstream]
    assert_unchanged(made, home)
    assert retries(home) == 0, "a failed check must not be retried"

    # Another run makes the downstream tables: they get the rows of before.
    status, output = materialize(changed, fact_consultation, kpi_hospitalisation_rate.exact, month=None)
    assert status == 0, output
    assert all(made_by_runs(home, b.downstream) == before[b.downstream] + 1 for b in FAILED_CHECKS)
    assert all(checks(home)[b.check] == ("FAILED", "passed", True) for b in FAILED_CHECKS)
    assert_unchanged(made, home)

    changed.sql("""UPDATE "Consultation" c SET "Heure_fin" = h."Heure_fin" FROM hours h
        WHERE h."Num_consultation" = c."Num_consultation" """)
    changed.sql("DROP TABLE hours")
    stays = {stay["Num_Hospitalisation"]: stay for stay in originals}
    changed.edit_stays(MONTH, lambda stay: stays[stay["Num_Hospitalisation"]])
    status, output = materialize(changed, *OF_STAYS, *OF_CONSULTATIONS)
    assert status == 0, output
    assert all(checks(home)[b.check] == ("SUCCEEDED", "passed", False) for b in FAILED_CHECKS)
    assert_unchanged(made, home)
