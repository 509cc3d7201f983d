"""Table "Medicaments" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.identifiers import PLAIN
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

medicaments = Table(
    name="Medicaments",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un médicament de la base de données publique des médicaments",
    label="Médicaments",
    owner="team:care-data",
    access=WITHOUT_PERSONS,
    columns=[
        Column("Code_CIS", STRING, "code CIS du médicament", "Code CIS", key=True),
        Column("Denomination", STRING, "dénomination du médicament", "Dénomination"),
        Column("Forme_pharmaceutique", STRING, "forme pharmaceutique", "Forme pharmaceutique"),
        Column("Voies_d_administration", STRING, "voies d’administration", "Voies d’administration"),
        Column(
            "Statut_administratif", STRING, "statut de l’autorisation de mise sur le marché", "Statut administratif"
        ),
        Column("Type_de_procedure", STRING, "type de procédure d’autorisation", "Type de procédure"),
        Column("Etat_de_commercialisation", STRING, "état de commercialisation", "État de commercialisation"),
        Column("Date_AMM", STRING, "date de l’autorisation de mise sur le marché, telle que livrée", "Date d’AMM"),
        Column("StatutBdm", STRING, "statut dans la base de données publique des médicaments", "Statut BdM"),
        Column(
            "Num_autorisation_europeenne",
            STRING,
            "numéro de l’autorisation européenne",
            "Numéro d’autorisation européenne",
        ),
        Column("Titulaire", STRING, "titulaire de l’autorisation de mise sur le marché", "Titulaire"),
        Column("Surveillance_renforcee", STRING, "surveillance renforcée ou non", "Surveillance renforcée"),
    ],
    rows=Delivered(CareTable("Medicaments"), typing={"Code_CIS": PLAIN}),
)
