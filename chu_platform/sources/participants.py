"""Sites that took part in the care-quality campaigns: one file per survey."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    category,
    finess,
    region,
    responded,
    site_name,
    spellings,
)
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import FINESS
from chu_platform.ingest.number_forms import COUNT
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

NAMES = ("sources", "finess", "raison_sociale", "libelle_region", "cat")

participants = Table(
    name="participants",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un site dans une campagne d’une enquête",
    label="Participants aux campagnes de qualité",
    owner="team:surveys",
    access=WITHOUT_PERSONS,
    columns=[
        Column("enquete", STRING, "enquête, d’après le nom du fichier", "Enquête", key=True),
        Column("recueil", STRING, "année de la campagne, d’après le nom du fichier", "Année de campagne", key=True),
        Column("sources", INTEGER, "année des données", "Année des données"),
        finess(),
        site_name("raison_sociale"),
        region("libelle_region"),
        category("cat"),
        responded(),
    ],
    rows=Delivered(
        DeliveredFiles(
            r"(?P<survey>\w+)_recueil(?P<campaign>\d{4})_donnee\d{4}_table_participant\.(?:xlsx|csv)",
            HAS_FORMATS,
            optional=True,
        ),
        derived={"enquete": "replace(lower(survey), '-', '_')", "recueil": "campaign"},
        typing={"sources": COUNT, "finess": FINESS},
        spellings=spellings(NAMES),
    ),
)
