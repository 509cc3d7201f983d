"""European standard population of 2013, if a file replaces the packaged one."""

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, RowCheck
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.columns import INTEGER, LONG, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.spark_sql import POPULATION_AGES
from chu_platform.tables.table import Layer, Table, Zone

european_standard_population_2013 = Table(
    name="european_standard_population_2013",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une tranche d’âge de cinq ans",
    label="Population type livrée (Eurostat)",
    owner="team:references",
    access=WITHOUT_PERSONS,
    public_source="Eurostat",
    columns=[
        Column("age", INTEGER, "premier âge de la tranche de cinq ans ; 90 : 90 ans et plus", "Âge", key=True),
        Column("weight", LONG, "personnes de cette tranche, sur 100 000", "Poids", nullable=False),
    ],
    rows=Delivered(
        DeliveredFiles(r"european_standard_population_2013\.csv", {".csv": CsvFormat()}, optional=True),
        row_checks=[
            RowCheck("unknown_value", "age", f"age IN {POPULATION_AGES}"),
            RowCheck("out_of_range", "weight", "weight > 0"),
        ],
        max_rejected_share=0,
    ),
)
