"""National register of health establishments: one CSV file, with line breaks inside fields."""

from typing import Final

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, delivered_text
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import COMMUNE, FINESS, ORGANISATION, PLAIN, POSTAL_CODE, is_identifier
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import DELIVERED_PROFESSIONALS
from chu_platform.tables.table import Layer, Table, Zone

_CODE: Final = "^[^0-9A-Z]*({codes})([.,]0+)?[^0-9A-Z]*$"
# Pattern of a country in capitals: a name or a code, of INSEE (99134) or of ISO (ESP, ES, 724). Other numbers are none.
COUNTRIES: Final = "[A-Z]|" + _CODE.format(codes="99[0-9][0-9][0-9]|[0-9][0-9][0-9]")
# Pattern of the countries that an address in France has. Overseas regions are written as well.
FRENCH_COUNTRIES: Final = (
    "^[^0-9A-Z]*FR|FRAN.AISE|M.TROPOLE|GUADELOUPE|MARTINIQUE|GUYANE|R.UNION|MAYOTTE|CORSE|"
    + _CODE.format(
        codes="F|FX|GP|GLP|MQ|MTQ|GF|GUF|RE|REU|YT|MYT|99000|99100|000|100|250|312|474|254|638|175",
    )
)
_COUNTRY: Final = f"upper({delivered_text('pays')})"
# SQL that is true for an address in another country.
ABROAD: Final = (
    f"coalesce(regexp_matches({_COUNTRY}, '{COUNTRIES}') AND NOT regexp_matches({_COUNTRY}, '{FRENCH_COUNTRIES}'), "
    "false)"
)

etablissement_sante = Table(
    name="etablissement_sante",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une ligne du registre des établissements",
    label="Établissements de santé",
    owner="team:registers",
    access=DELIVERED_PROFESSIONALS,
    public_source="FINESS",
    columns=[
        Column("adresse", STRING, "adresse de l’établissement", "Adresse", identifying=True),
        Column("cedex", STRING, "code postal et ville du courrier d’entreprise", "Cedex"),
        Column("code_commune", STRING, "code Insee de la commune", "Code commune"),
        Column("code_postal", STRING, "code postal de l’établissement", "Code postal"),
        Column("commune", STRING, "commune, vide dans un tiers des lignes", "Commune"),
        Column("complement_destinataire", STRING, "destinataire", "Complément destinataire", identifying=True),
        Column(
            "complement_point_geographique",
            STRING,
            "adresse, deuxième ligne",
            "Complément d’adresse",
            identifying=True,
        ),
        Column("email", STRING, "adresse de courriel", "Courriel", identifying=True),
        Column("enseigne_commerciale_site", STRING, "enseigne commerciale", "Enseigne commerciale", identifying=True),
        Column("finess_etablissement_juridique", STRING, "numéro FINESS de l’entité juridique", "FINESS juridique"),
        Column("finess_site", STRING, "numéro FINESS du site, presque toujours vide", "FINESS du site"),
        Column(
            "identifiant_organisation",
            STRING,
            "identifiant de l’établissement ; certains reviennent plusieurs fois",
            "Identifiant de l’organisation",
            identifying=True,
            nullable=False,
        ),
        Column(
            "indice_repetition_voie", STRING, "indice de répétition du numéro", "Indice de répétition", identifying=True
        ),
        Column(
            "mention_distribution",
            STRING,
            "mention de distribution du courrier",
            "Mention de distribution",
            identifying=True,
        ),
        Column("numero_voie", STRING, "numéro dans la voie", "Numéro de voie", identifying=True),
        Column("pays", STRING, "pays de l’établissement", "Pays"),
        Column("raison_sociale_site", STRING, "nom du site", "Raison sociale", identifying=True),
        Column("siren_site", STRING, "numéro SIREN", "SIREN", identifying=True),
        Column("siret_site", STRING, "numéro SIRET", "SIRET", identifying=True),
        Column("telecopie", STRING, "numéro de télécopie", "Télécopie", identifying=True),
        Column("telephone", STRING, "numéro de téléphone", "Téléphone", identifying=True),
        Column("telephone_2", STRING, "second numéro de téléphone", "Téléphone 2", identifying=True),
        Column("type_voie", STRING, "type de voie", "Type de voie", identifying=True),
        Column("voie", STRING, "nom de la voie", "Voie", identifying=True),
    ],
    rows=Delivered(
        DeliveredFiles(r"etablissement_sante\.csv", {".csv": CsvFormat()}),
        typing={
            "code_commune": COMMUNE,
            # A postal code of four digits is that of a neighbouring country, or has lost its zero.
            "code_postal": f"CASE WHEN {ABROAD} THEN {PLAIN} ELSE {POSTAL_CODE} END",
            "finess_etablissement_juridique": FINESS,
            "finess_site": FINESS,
            "identifiant_organisation": ORGANISATION,
        },
        understood={"code_postal": is_identifier("{text}")},
    ),
)
