"""Register of deaths of INSEE, as one CSV file of all years.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.csv_format import CsvFormat
from chu_platform.sources.delivered import Check, Delivered
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.slices import DEATH_YEARS
from chu_platform.tables.table import Layer, Table, Zone

deces = Table(
    name="deces",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one line of the register of deaths",
    label="Décès en France (Insee)",
    owner="team:registers",
    columns=[
        Column("nom", STRING, "family name", "Nom", identifying=True),
        Column("prenom", STRING, "first names", "Prénoms", identifying=True),
        Column("sexe", INTEGER, "1 male, 2 female", "Sexe"),
        Column(
            "date_naissance",
            STRING,
            "birth date, possibly partial (00, or a year only) or impossible",
            "Date de naissance",
            identifying=True,
        ),
        Column(
            "code_lieu_naissance",
            STRING,
            "INSEE code of the place of birth",
            "Code du lieu de naissance",
            identifying=True,
        ),
        Column("lieu_naissance", STRING, "place of birth", "Lieu de naissance", identifying=True),
        Column("pays_naissance", STRING, "country of birth", "Pays de naissance", identifying=True),
        Column(
            "date_deces",
            STRING,
            "date of death, day or month possibly 00",
            "Date de décès",
            identifying=True,
            nullable=False,
        ),
        Column(
            "code_lieu_deces",
            STRING,
            "INSEE code of the place of death",
            "Code du lieu de décès",
            identifying=True,
        ),
        Column(
            "numero_acte_deces",
            STRING,
            "number of the certificate",
            "Numéro de l’acte de décès",
            identifying=True,
        ),
        Column("death_year", STRING, "year of death", "Année du décès"),
    ],
    rows=Delivered(
        DeliveredFiles(r"deces\.csv", {".csv": CsvFormat(",")}),
        derived={"death_year": "left(date_deces, 4)"},
        checks=[
            # A day or a month that nobody knows is 00: the year of death is known all the same.
            Check(
                "not_a_date",
                "date_deces",
                # The pattern and >= '0' leave digits and dashes; a regular expression costs four times more.
                "date_deces LIKE '____-__-__' AND date_deces >= '0' AND ("
                "try_cast(date_deces AS DATE) IS NOT NULL "
                "OR regexp_full_match(date_deces, '\\d{4}-(0[1-9]|1[0-2])-00|\\d{4}-00-00'))",
            ),
        ],
    ),
    slicing=DEATH_YEARS,
)
