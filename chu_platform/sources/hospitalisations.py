"""Hospital stays: one CSV file."""

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, RowCheck
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.row_sql import FRENCH_DATE
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.table import Layer, Table, Zone

hospitalisations = Table(
    name="Hospitalisations",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un séjour hospitalier",
    label="Séjours hospitaliers",
    owner="team:registers",
    columns=[
        Column("Num_Hospitalisation", INTEGER, "numéro du séjour", "Numéro d’hospitalisation", key=True),
        Column("Id_patient", INTEGER, "numéro du patient", "Identifiant du patient", identifying=True),
        Column(
            "identifiant_organisation",
            STRING,
            "établissement : F et numéro FINESS, quelques-uns suivis d’une date",
            "Identifiant de l’organisation",
        ),
        Column("Code_diagnostic", STRING, "code CIM-10 sans le point", "Code diagnostic"),
        Column("Suite_diagnostic_consultation", STRING, "libellé du diagnostic", "Libellé du diagnostic"),
        Column("Date_Entree", DATE, "jour d’entrée", "Date d’entrée", nullable=False),
        Column(
            "Jour_Hospitalisation",
            INTEGER,
            "durée du séjour, en jours",
            "Durée de séjour (jours)",
            nullable=False,
        ),
        Column("month", STRING, "mois d’entrée, AAAA-MM", "Mois"),
    ],
    rows=Delivered(
        # The labels contain commas and apostrophes; no field is quoted.
        DeliveredFiles(r"hospitalisations\.csv", {".csv": CsvFormat(";", quote="", fallback="cp1252")}),
        typing={"Date_Entree": FRENCH_DATE},
        derived={"month": "strftime(\"Date_Entree\", '%Y-%m')"},
        row_checks=[RowCheck("negative_length_of_stay", "Jour_Hospitalisation", '"Jour_Hospitalisation" >= 0')],
    ),
    partition_scheme=MONTHLY,
)
