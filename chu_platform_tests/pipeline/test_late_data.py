"""One month is corrected in a file and in the care database: only its partitions are written again."""

import json
from dataclasses import dataclass

import pyarrow.compute as pc
import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.ingest.delivered import rejects_of
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import kpi_consultation_rate_by_diagnosis
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.pseudonymisation.consultation_surrogate import consultation_surrogate
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.table import Layer, Table
from chu_platform_tests import small_duckdb
from chu_platform_tests.pipeline.changes import STAYS, Changeable, changeable
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, every_table, needed_by, rows
from chu_platform_tests.pipeline.steps import make_again, resources_of

pytestmark = pytest.mark.integration

MONTH = "2019-03"
DAY = f"{MONTH}-11"
BY_PERIOD = [kpi_consultation_rate_by_diagnosis.exact, kpi_consultation_rate_by_establishment.exact]
# One more consultation has one more surrogate; the corrected stay keeps its own.
CORRECTED = [consultation, hospitalisations, consultation_surrogate, fact_consultation, fact_hospitalisation]


# What the correction concerns, and tables that it does not concern: without sources and facts, which take most of the
# time. Masks and what is made from them, which are made as a whole: `test_corrections`.
WHOLE = (Layer.CANDIDATES, Layer.DISCLOSURE, Layer.EDITIONS, Layer.PUBLISHED, Layer.REPORTS)
AGAIN = "(key:sources/Consultation+ or key:sources/Hospitalisations+ or {}) and not ({})".format(
    " or ".join(f"group:{layer}" for layer in (Layer.PSEUDONYMS, Layer.REFERENCES, Layer.DIMENSIONS, Layer.KPIS)),
    " or ".join(f"group:{layer}" for layer in WHOLE),
)


@dataclass(frozen=True)
class Corrected:
    """The lake before and after the correction. `code` is the diagnosis that was corrected."""

    before: Home
    after: Changeable
    code: str


@pytest.fixture(scope="module")
def corrected(made: Home, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Corrected:
    """A stay gets longer, a consultation gets another diagnosis, one is added; the dependent tables are made again."""
    after = changeable(made, postgres, tmp_path_factory.mktemp("late"), "late")
    after.edit_stay(MONTH, lambda stay: {"Jour_Hospitalisation": str(int(stay["Jour_Hospitalisation"]) + 3)})
    (number, old), *_ = after.sql(
        f'SELECT "Num_consultation", "Code_diag" FROM "Consultation" WHERE "Date" = \'{DAY}\' ORDER BY 1 LIMIT 1'
    )
    leaves = rows(made.lake, kpi_consultation_rate_by_diagnosis.exact)
    known = leaves.filter((pc.field("level") == "leaf") & (pc.field("code") != old))["code"].to_pylist()
    code = max(sorted(set(known)), key=known.count)
    after.sql(f'UPDATE "Consultation" SET "Code_diag" = \'{code}\' WHERE "Num_consultation" = {number}')
    after.sql(f"""
        CREATE TEMPORARY TABLE late AS SELECT * FROM "Consultation" WHERE "Num_consultation" = {number};
        UPDATE late SET "Num_consultation" = (SELECT max("Num_consultation") + 1 FROM "Consultation");
        INSERT INTO "Consultation" SELECT * FROM late""")
    after.home.materialize("--select", AGAIN)
    return Corrected(made, after, str(code))


def touched(corrected: Corrected, table: Table) -> set[str]:
    """The partition folders of the files that the Delta log has added or removed since the correction."""
    lake = corrected.after.home.lake
    found = set()
    for version in range(corrected.before.lake.version(table) + 1, lake.version(table) + 1):
        log = lake.path(table) / "_delta_log" / f"{version:020}.json"
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        files = [a[kind]["path"] for a in actions for kind in ("add", "remove") if kind in a]
        found |= {path.rpartition("/")[0] for path in files}
    return found


def test_only_the_corrected_month_of_each_table_is_rewritten(corrected: Corrected) -> None:
    folders = {t: touched(corrected, t) for t in every_table() if t.partition_scheme is MONTHLY}
    assert all(folders[t] == {f"month={MONTH}"} for t in CORRECTED), folders
    assert {t.folder: f for t, f in folders.items() if t not in CORRECTED and f} == {}


@pytest.mark.parametrize("table", BY_PERIOD, ids=lambda table: table.name)
def test_only_its_periods_of_the_indicators_are_rewritten(corrected: Corrected, table: Table) -> None:
    quarter, year = f"{MONTH[:4]}-01-01", f"{MONTH[:4]}-01-01"
    starts = {"month": f"{MONTH}-01", "quarter": quarter, "year": year, "all": "2015-06-01"}
    assert touched(corrected, table) == {f"period_grain={g}/period_start={s}" for g, s in starts.items()}


def test_a_forced_run_would_make_the_same_tables(corrected: Corrected) -> None:
    """What was left alone has the rows that it would have if it were made again."""
    with resources_of(corrected.after.home) as resources:
        forced = make_again(resources, [*CORRECTED, *BY_PERIOD])
    assert {t.folder: step.commits[t].changed for t, step in forced.items() if step.commits[t].changed} == {}


def test_tables_that_do_not_depend_on_it_have_no_new_version(corrected: Corrected) -> None:
    before, after = corrected.before.lake, corrected.after.home.lake
    # The rejects table of the corrected file records which file was read.
    follows = {consultation, hospitalisations, rejects_of(hospitalisations)}
    unrelated = [t for t in every_table() if t.layer is not Layer.REPORTS and not needed_by(t) & follows]
    assert len(unrelated) > 40
    assert [t.folder for t in unrelated if before.version(t) != after.version(t)] == []


def test_the_figures_of_stays_are_updated(corrected: Corrected) -> None:
    patients = ", ".join(str(n) for (n,) in corrected.after.sql('SELECT "Id_patient" FROM "Patient"'))
    with small_duckdb.connect() as connection:
        expected = connection.execute(
            f"""
            SELECT count(*), sum(Jour_Hospitalisation::INT),
                   count(DISTINCT Id_patient) FILTER (Id_patient::INT IN ({patients}))
            FROM read_csv('{corrected.after.home.pack / STAYS}', delim = ';', quote = '', all_varchar = true)
            WHERE strftime(strptime(Date_Entree, '%d/%m/%Y'), '%Y-%m') = '{MONTH}'"""
        ).fetchall()
    before, after = (figures(home, kpi_hospitalisation_rate.exact) for home in (corrected.before, corrected.after.home))
    assert [(r["events"], r["days"], r["patients"]) for r in after] == expected
    assert [r["days"] + 3 for r in before] == [r["days"] for r in after]


def test_the_figures_of_consultations_are_updated(corrected: Corrected) -> None:
    counted = f"""
        SELECT count(*), count(DISTINCT c."Id_patient") FILTER (WHERE p."Id_patient" IS NOT NULL)
        FROM "Consultation" c LEFT JOIN "Patient" p USING ("Id_patient")
        WHERE to_char(c."Date", 'YYYY-MM') = '{MONTH}'"""
    total = figures(corrected.after.home, kpi_consultation_rate_by_establishment.exact, level="total")
    assert [r["patients"] for r in total] == [corrected.after.sql(counted)[0][1]]
    assert [r["events"] for r in total] == pytest.approx([corrected.after.sql(counted)[0][0]])
    of_code = corrected.after.sql(f"{counted} AND c.\"Code_diag\" = '{corrected.code}'")
    leaf = figures(corrected.after.home, kpi_consultation_rate_by_diagnosis.exact, level="leaf", code=corrected.code)
    assert [(r["events"], r["patients"]) for r in leaf] == of_code
    earlier = figures(corrected.before, kpi_consultation_rate_by_diagnosis.exact, level="leaf", code=corrected.code)
    assert sum(r["events"] for r in earlier) + 2 == leaf[0]["events"]


@pytest.mark.parametrize(
    "table", [kpi_hospitalisation_rate.exact, kpi_consultation_rate_by_diagnosis.exact], ids=lambda table: table.name
)
def test_the_figures_of_other_months_do_not_change(corrected: Corrected, table: Table) -> None:
    others = (pc.field("period_grain") == "month") & (pc.field("period_start").cast("string") != f"{MONTH}-01")
    before, after = (rows(home.lake, table).filter(others) for home in (corrected.before, corrected.after.home))
    assert len(after) > 10
    assert differences(before, after) == []


def figures(home: Home, table: Table, **wanted: str) -> list[dict[str, float]]:
    """The rows of the corrected month."""
    found = rows(home.lake, table).to_pylist()
    month = [r for r in found if (r["period_grain"], f"{r['period_start']}") == ("month", f"{MONTH}-01")]
    return [r for r in month if all(r[name] == value for name, value in wanted.items())]
