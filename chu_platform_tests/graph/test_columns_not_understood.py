"""A column whose values all become null, or unknown, blocks its source, whether it is a file or a database table."""

from pathlib import Path

import psycopg2
import pytest
from pydantic import SecretStr

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import BlockingCheckFailed, run_step
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces
from chu_platform.sources.patient import patient
from chu_platform.tables.checks import VALUES_UNDERSTOOD
from chu_platform.tables.table import Layer, Table

pytestmark = pytest.mark.integration

DEATHS = "nom,prenom,sexe,date_naissance,code_lieu_naissance,lieu_naissance,pays_naissance,date_deces,code_lieu_deces,numero_acte_deces\n"  # noqa: E501


def read(settings: Settings, table: Table) -> int | None:
    """Read a table; returns the number of its rows."""
    with RunResources(settings, lambda _: None) as resources:
        every = table.partition_scheme.every() if table.partition_scheme else None
        return run_step(resources, table, every, "run").commits[table].table_rows


def test_every_source_has_the_check() -> None:
    with_check = {t for t in catalogue() if any(c.name == "columns_are_understood" for c in t.all_checks)}
    assert with_check == {t for t in catalogue() if t.layer is Layer.SOURCES}
    assert all(c.blocking for t in with_check for c in t.all_checks if c.name == "columns_are_understood")
    assert with_check == {t for t in catalogue() if any(c.name == VALUES_UNDERSTOOD for c in t.all_checks)}


def deaths(birth: str = "1980-07-25", sex: str = "1") -> str:
    """Thirty deaths, of which a part has a birth date or a sex."""
    rows = [(birth if i % 3 else "", sex if i < 12 else "") for i in range(30)]
    return DEATHS + "".join(f"N{i},P,{s},{b},01004,A,,2019-05-01,01004,{i}\n" for i, (b, s) in enumerate(rows))


@pytest.mark.parametrize(
    ("wrong", "column"),
    [
        (
            deaths(birth="7 messidor"),
            "20 values of the column 'date_naissance' is understood .not_understood, shape",
        ),
        (deaths(sex="CANARI"), "12 values of the column 'sexe' is understood .not_a_whole_number, shape aaaaaa"),
    ],
)
def test_a_column_of_a_file(tmp_path: Path, wrong: str, column: str) -> None:
    settings = Settings(_env_file=None, home=tmp_path, sources=tmp_path)
    file = tmp_path / "deces.csv"
    file.write_text(deaths())
    assert read(settings, deces) == 30
    file.write_text(wrong)
    with pytest.raises(BlockingCheckFailed, match=rf"1 columns break it.*deces.csv: none of the {column}") as raised:
        read(settings, deces)
    assert "CANARI" not in str(raised.value) and "messidor" not in str(raised.value)
    file.write_text(deaths())
    assert read(settings, deces) == 30


def test_a_column_of_a_database_table(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    # Connections of earlier tests may not be closed yet, and a template must have none.
    postgres._psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'care'")
    postgres._psql("CREATE DATABASE odd TEMPLATE care")
    settings = Settings(_env_file=None, home=tmp_path, postgres_url=SecretStr(postgres.url("odd")))
    connection = psycopg2.connect(postgres.url("odd"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("""UPDATE "Patient" SET "Date" = 'CANARI'""")
        with pytest.raises(BlockingCheckFailed, match=r"of the column 'Date' is understood .*ask for the former type"):
            read(settings, patient)
        with connection.cursor() as cursor:
            cursor.execute("""ALTER TABLE "Patient" ALTER "Age" TYPE interval USING make_interval(days => "Age")""")
        with pytest.raises(ChuError, match=r"of the column 'Age' is understood .not_a_whole_number"):
            read(settings, patient)
    finally:
        connection.close()
        postgres.drop_database("odd")
