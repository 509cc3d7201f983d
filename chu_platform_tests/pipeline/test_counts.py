"""In every source table, rows in = rows kept + rows rejected, also if the rows are counted by other libraries."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import psycopg2
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from python_calamine import CalamineWorkbook

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import delivered_rows as rows_of
from chu_platform.ingest.delivered import delivered_tables, rejects_of
from chu_platform.tables.table import Table
from chu_platform_tests.conftest import CARE
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

# For each table that is read from files: the files in the pack, their separator and quote character.
FILES = {
    "deces": ("DECES EN FRANCE/deces.csv", ",", '"'),
    "Hospitalisations": ("Hospitalisation/Hospitalisations.csv", ";", None),
    "etablissement_sante": ("Etablissement de SANTE/etablissement_sante.csv", ";", '"'),
    "professionnel_sante": ("Etablissement de SANTE/professionnel_sante.csv", ";", '"'),
    "activite_professionnel_sante": ("Etablissement de SANTE/activite_professionnel_sante.csv", ";", '"'),
    "esatis48h_mco": ("Satisfaction/**/*ESATIS48H*", ";", '"'),
    "esatisca_mco": ("Satisfaction/**/*ESATISCA*", ";", '"'),
    "dpa_ssr_2014": ("Satisfaction/2014/DPA_SSR*_es.csv", ";", '"'),
    "rcp_mco_2014": ("Satisfaction/2014/RCP_MCO*_es.csv", ";", '"'),
    "hpp_mco_2015": ("Satisfaction/2015/hpp_mco*", ";", '"'),
    "idm_mco_2015": ("Satisfaction/2015/idm_mco*", ";", '"'),
    "dan_mco_2016": ("Satisfaction/2016/dan_mco*", ",", '"'),
    "dpa_had_2016": ("Satisfaction/2016/dpa_had*.csv", ",", '"'),
    "dpa_had_2016_classeur": ("Satisfaction/2016/dpa_had*.xlsx", ",", '"'),
    "dpa_ssr_2018": ("Satisfaction/2017-2018/dpa-ssr*", ";", '"'),
    "ete_ortho_2018": ("Satisfaction/2017-2018/ete-ortho*", ";", '"'),
    "rcp_mco_2018": ("Satisfaction/2017-2018/rcp-mco*", ";", '"'),
    "iqss_2019": ("Satisfaction/2019/*iqss*", ";", '"'),
    "iqss_2020": ("Satisfaction/2020/*iqss*", ";", '"'),
    "participants": ("Satisfaction/2014/*participant.csv", ";", '"'),
    "lexiques": ("Satisfaction/**/*lexique*", ";", '"'),
    "deces_insee_fixe": ("DECES EN FRANCE/*.txt", ";", None),
    "deces_insee_csv": ("DECES EN FRANCE/deces_*.csv", ";", '"'),
    "opposition_deces": ("DECES EN FRANCE/fichier-opposition-deces*.csv", ";", '"'),
    "population_department_sex_age": ("**/population_department_sex_age.csv", ",", '"'),
    "mortality_quotients_sex_age": ("**/mortality_quotients_sex_age.csv", ",", '"'),
    "european_standard_population_2013": ("**/european_standard_population_2013.csv", ",", '"'),
}
DELIVERED = delivered_tables(catalogue())


def files_of(pack: Path, pattern: str) -> Sequence[Path]:
    expression = re.compile(re.escape(pattern).replace(r"\*\*/", ".*").replace(r"\*", ".*"), re.IGNORECASE)
    found = (f for f in sorted(pack.rglob("*")) if expression.fullmatch(f.relative_to(pack).as_posix()))
    lexicons = "lexique" in pattern
    wanted = (f for f in found if f.stat().st_size and not f.name.startswith("~$"))
    return [f for f in wanted if ("lexique" in f.name.lower()) == lexicons]


def records(file: Path, separator: str, quote: str | None) -> int:
    """The rows below the header, counted by Python's csv module."""
    if file.suffix == ".xlsx":
        return len(CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0).to_python()) - 1
    # To count rows, any single-byte encoding can be used.
    with file.open(encoding="latin-1", newline="") as stream:
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        return len([row for row in csv.reader(stream, delimiter=separator, quoting=quoting) if row]) - 1


def delivered_rows(pack: Path, postgres: EmbeddedPostgres, table: Table) -> int:
    if rows_of(table).reader.database:
        connection = psycopg2.connect(postgres.url(CARE))
        with connection, connection.cursor() as cursor:
            cursor.execute(f'SELECT count(*) FROM "{table.name}"')
            return int(cursor.fetchall()[0][0])
    pattern, separator, quote = FILES[table.name]
    return sum(records(file, separator, quote) for file in files_of(pack, pattern))


@pytest.mark.parametrize("table", DELIVERED, ids=lambda t: t.name)
def test_no_row_of_a_delivery_is_lost(made: Home, postgres: EmbeddedPostgres, table: Table) -> None:
    delta = DeltaTable(made.lake.path(table))
    counts = json.loads(delta.history(1)[0]["userMetadata"])["rows"]
    kept = delta.to_pyarrow_dataset().count_rows()
    rejects = DeltaTable(made.lake.path(rejects_of(table))).to_pyarrow_dataset()
    rejected = rejects.count_rows(pc.field("mended_by").is_null())
    assert rejected == rejects.count_rows(), "a first delivery corrects no earlier reject"
    assert counts == {"in": kept + rejected, "kept": kept, "rejected": rejected, "withdrawn": 0}
    assert counts["in"] == delivered_rows(made.pack, postgres, table)


def test_the_output_shows_the_counts_of_rows(made: Home, tmp_path: Path) -> None:
    home = made.copy(tmp_path / "home")
    printed = home.materialize("--select", "key:sources/deces", "--force").stdout
    found = re.search(r"sources/deces: ([\d ]+) rows in = ([\d ]+) kept \+ ([\d ]+) rejected", printed)
    assert found
    rows_in, kept, rejected = (int(n.replace(" ", "")) for n in found.groups())
    assert rows_in == kept + rejected
    assert rejected > 0, "the pack must contain rows to reject, otherwise the test is empty"
