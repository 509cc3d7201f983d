"""Mortality tables by sex and year of age, if a file replaces the packaged one."""

from typing import Final

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, RowCheck
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

AGES: Final = [str(age) for age in range(100)]

mortality_quotients_sex_age = Table(
    name="mortality_quotients_sex_age",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un sexe et une année",
    label="Tables de mortalité livrées (Insee)",
    owner="team:references",
    access=WITHOUT_PERSONS,
    public_source="Insee",
    columns=[
        Column("year", INTEGER, "dernière des trois années dont la table est la moyenne", "Année", key=True),
        Column("sex", STRING, "F ou M", "Sexe", key=True),
        *(
            Column(
                age,
                INTEGER,
                "décès dans l’année pour 100 000 personnes qui atteignent cet âge",
                f"Quotient à {age} ans",
                nullable=False,
            )
            for age in AGES
        ),
    ],
    rows=Delivered(
        DeliveredFiles(r"mortality_quotients_sex_age\.csv", {".csv": CsvFormat()}, optional=True),
        typing={"sex": "upper(trim({text}))"},
        row_checks=[
            RowCheck("out_of_range", "year", "year BETWEEN 1900 AND 2100"),
            RowCheck("unknown_value", "sex", "sex IN ('F', 'M')"),
            *(RowCheck("out_of_range", age, f"{sql_name(age)} BETWEEN 1 AND 99999") for age in AGES),
        ],
        max_rejected_share=0,
    ),
)
