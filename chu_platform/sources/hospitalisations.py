"""Hospital stays: one CSV file."""

from typing import Final

from chu_platform.building_blocks.event_checks import LATEST, MAX_IMPLAUSIBLE_SHARE, dated_event
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.date_forms import FRENCH_DATE
from chu_platform.ingest.delivered import Delivered, RowCheck
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import DIAGNOSIS, ORGANISATION
from chu_platform.ingest.number_forms import COUNT
from chu_platform.ingest.persons import by_number
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.policies import dated_care
from chu_platform.tables.table import Layer, Table, Zone

# No stay lasts a century.
MAX_STAY_DAYS: Final = 36_525

hospitalisations = Table(
    name="Hospitalisations",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un séjour hospitalier",
    label="Séjours hospitaliers",
    owner="team:registers",
    access=dated_care("Date_Entree"),
    columns=[
        Column("Num_Hospitalisation", INTEGER, "numéro du séjour", "Numéro d’hospitalisation", key=True),
        Column("Id_patient", INTEGER, "numéro du patient", "Identifiant du patient", identifying=True),
        Column(
            "identifiant_organisation",
            STRING,
            "établissement : F et numéro FINESS, quelques-uns suivis d’une date",
            "Identifiant de l’organisation",
        ),
        Column("Code_diagnostic", STRING, "code CIM-10 sans le point", "Code diagnostic", sensitive=True),
        Column(
            "Suite_diagnostic_consultation", STRING, "libellé du diagnostic", "Libellé du diagnostic", sensitive=True
        ),
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
        DeliveredFiles(r"hospitalisations\.csv", {".csv": CsvFormat()}),
        typing={
            **dict.fromkeys(("Num_Hospitalisation", "Id_patient", "Jour_Hospitalisation"), COUNT),
            "identifiant_organisation": ORGANISATION,
            "Code_diagnostic": DIAGNOSIS,
            "Date_Entree": FRENCH_DATE,
        },
        derived={"month": "strftime(\"Date_Entree\", '%Y-%m')"},
        persons=[by_number("Id_patient")],
        row_checks=[
            dated_event("Date_Entree"),
            RowCheck("negative_length_of_stay", "Jour_Hospitalisation", '"Jour_Hospitalisation" >= 0'),
            # Stays of more than a year are ordinary in psychiatry and in long-term care.
            RowCheck(
                "stay_ends_after_delivery",
                "Jour_Hospitalisation",
                f'"Date_Entree" + least("Jour_Hospitalisation", {MAX_STAY_DAYS}) <= {LATEST} '
                f'AND "Jour_Hospitalisation" <= {MAX_STAY_DAYS}',
            ),
        ],
        max_rejected_share=MAX_IMPLAUSIBLE_SHARE,
    ),
    partition_scheme=MONTHLY,
)
