"""Table "Medicaments" of the care database.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

medicaments = Table(
    name="Medicaments",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one medication of the public database",
    label="Médicaments",
    owner="team:care-data",
    columns=[
        Column("Code_CIS", STRING, "code of the medication", "Code CIS", key=True),
        Column("Denomination", STRING, "name", "Dénomination"),
        Column("Forme_pharmaceutique", STRING, "form", "Forme pharmaceutique"),
        Column("Voies_d_administration", STRING, "routes", "Voies d’administration"),
        Column("Statut_administratif", STRING, "status of the authorisation", "Statut administratif"),
        Column("Type_de_procedure", STRING, "kind of authorisation procedure", "Type de procédure"),
        Column("Etat_de_commercialisation", STRING, "whether it is sold", "État de commercialisation"),
        Column("Date_AMM", STRING, "date of authorisation as delivered", "Date d’AMM"),
        Column("StatutBdm", STRING, "status in the database", "Statut BdM"),
        Column(
            "Num_autorisation_europeenne",
            STRING,
            "European authorisation",
            "Numéro d’autorisation européenne",
        ),
        Column("Titulaire", STRING, "holder", "Titulaire"),
        Column("Surveillance_renforcee", STRING, "whether under closer watch", "Surveillance renforcée"),
    ],
    rows=Delivered(CareTable("Medicaments")),
)
