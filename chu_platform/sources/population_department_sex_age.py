"""Population of each department on 1 January, by sex and five-year age group, if a file replaces the packaged one."""

from typing import Final

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, RowCheck
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.columns import INTEGER, LONG, STRING, Column
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.spark_sql import POPULATION_AGES
from chu_platform.tables.table import Layer, Table, Zone

GROUPS: Final = [str(age) for age in POPULATION_AGES]

population_department_sex_age = Table(
    name="population_department_sex_age",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un département, un sexe et une année",
    label="Population livrée (Insee)",
    owner="team:references",
    access=WITHOUT_PERSONS,
    public_source="Insee",
    columns=[
        Column("year", INTEGER, "année du 1er janvier", "Année", key=True),
        Column("department_code", STRING, "code Insee du département : 01, 2A, 974", "Code département", key=True),
        Column("sex", STRING, "F ou M", "Sexe", key=True),
        *(
            Column(
                group,
                LONG,
                "habitants au 1er janvier, dans la tranche de cinq ans qui commence à cet âge ; 90 : 90 ans et plus",
                f"Tranche d’âge {group}",
                nullable=False,
            )
            for group in GROUPS
        ),
    ],
    rows=Delivered(
        DeliveredFiles(r"population_department_sex_age\.csv", {".csv": CsvFormat()}, optional=True),
        # A spreadsheet program removes the leading zero of a code.
        typing={
            "department_code": "regexp_replace(upper(trim({text})), '^([0-9])$', '0\\1')",
            "sex": "upper(trim({text}))",
        },
        row_checks=[
            RowCheck("out_of_range", "year", "year BETWEEN 1900 AND 2100"),
            RowCheck("unknown_value", "sex", "sex IN ('F', 'M')"),
            *(RowCheck("out_of_range", group, f"{sql_name(group)} >= 0") for group in GROUPS),
        ],
        max_rejected_share=0,
    ),
)
