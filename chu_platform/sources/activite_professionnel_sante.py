"""Establishments where health professionals practise: one CSV file."""

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import ORGANISATION, PROFESSIONAL
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import DELIVERED_PROFESSIONALS
from chu_platform.tables.table import Layer, Table, Zone

activite_professionnel_sante = Table(
    name="activite_professionnel_sante",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une activité d’un professionnel dans un établissement",
    label="Activités des professionnels de santé",
    owner="team:registers",
    access=DELIVERED_PROFESSIONALS,
    public_source="RPPS",
    columns=[
        Column(
            "identifiant",
            STRING,
            "professionnel : numéro RPPS ou ADELI",
            "Identifiant",
            identifying=True,
            nullable=False,
        ),
        Column("identifiant_organisation", STRING, "identifiant de l’établissement", "Identifiant de l’organisation"),
        Column("mode_exercice", STRING, "mode d’exercice : salarié, libéral", "Mode d’exercice"),
    ],
    rows=Delivered(
        DeliveredFiles(r"activite_professionnel_sante\.csv", {".csv": CsvFormat()}),
        typing={"identifiant": PROFESSIONAL, "identifiant_organisation": ORGANISATION},
    ),
)
