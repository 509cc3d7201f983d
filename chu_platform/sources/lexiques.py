"""Lexicons of the satisfaction and care-quality files: the meaning of each column."""

from chu_platform.building_blocks.care_quality import HAS_FORMATS, spellings
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

lexiques = Table(
    name="lexiques",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une variable d’un lexique",
    label="Lexiques des enquêtes",
    owner="team:surveys",
    access=WITHOUT_PERSONS,
    public_source="HAS",
    columns=[
        Column("enquete", STRING, "enquête, d’après le nom du fichier", "Enquête", key=True),
        Column("recueil", STRING, "année de la campagne, d’après le nom du fichier", "Année de campagne", key=True),
        Column("NAME", STRING, "nom d’une colonne des fichiers de l’enquête", "Nom de la variable", key=True),
        Column(
            "LABEL", STRING, "ce que la colonne signifie ; certains libellés ne disent rien", "Libellé de la variable"
        ),
    ],
    rows=Delivered(
        DeliveredFiles(
            # A year in the day of a file is not that of the campaign.
            r"(?P<stem>lexique[-_].*[a-z][-_]?(?:20\d\d[-_])?20\d\d|.*\d{4}.*[-_]lexique)\.(?:csv|xlsx)",
            HAS_FORMATS,
            optional=True,
            apart=True,
        ),
        derived={
            # lexique-iqss-open-data-2019, ete-ortho-ipaqss-2017-2018-lexique, dan_mco_recueil2016_donnee2015_lexique,
            # lexique-iqss-esatis48h-mco-open-data-2022
            "enquete": "replace(regexp_replace(regexp_replace(lower(stem), '^lexique[-_](iqss[-_](esatis))?', '\\2'), "
            "'[-_](recueil|ipaqss|open).*$', ''), '-', '_')",
            "recueil": "coalesce(nullif(regexp_extract(lower(stem), 'recueil(\\d{4})', 1), ''), "
            "regexp_extract(stem, '.*(\\d{4})', 1))",
        },
        spellings=spellings(("NAME", "LABEL")),
    ),
)
