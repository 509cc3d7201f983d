"""INSEE's opposition list: deaths that whoever publishes the register must leave out, at the request of the family."""

from typing import Final

from chu_platform.building_blocks.death_columns import (
    DATE_DECES,
    DATEDECES,
    DEATH_YEAR,
    absent_words,
    certificate_number,
    code_lieu_deces,
    full_date,
    insee_date,
    numero_acte,
    valid_death_date,
    withdrawal_key,
)
from chu_platform.building_blocks.death_dates import COMPACT_DATE_DAY_FIRST
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, RowCheck, Withdrawals
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import CERTIFICATE, COMMUNE, is_identifier
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import OPPOSITIONS
from chu_platform.tables.table import Layer, Table, Zone

# INSEE's name is fichier-opposition-deces and a date. People name it in other words too, in another order.
_LINKS: Final = "(?:(?:aux?|a|la|les|des?|du|d|l|insee|publication)-)*"
NAME: Final = (
    rf"(?P<period>(?:(?:fichiers?|listes?|insee)-)*{_LINKS}oppositions?-{_LINKS}deces(?:[-_].*)?"
    rf"|(?:(?:fichiers?|listes?|insee)-)*{_LINKS}deces-{_LINKS}oppositions?(?:[-_].*)?|fichier-opposition-deces)"
)
LIST_FILE: Final = "fichier-opposition-deces.csv"
# No family may have objected yet.
LIST_FORMAT: Final = CsvFormat(may_be_empty=True)

opposition_deces = Table(
    name="opposition_deces",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un décès que la famille a fait retirer du registre publié",
    label="Oppositions à la publication d’un décès (Insee)",
    owner="team:registers",
    access=OPPOSITIONS,
    columns=[
        DATEDECES,
        code_lieu_deces("lieudeces"),
        numero_acte("actedeces"),
        Column("periode", STRING, "date de la liste, d’après le nom du fichier ; vide sans date", "Date de la liste"),
        DATE_DECES,
        DEATH_YEAR,
        Column(
            "death_key",
            STRING,
            "date, lieu et numéro d’acte, sous la forme commune à tous les fichiers de décès",
            "Clé du décès",
            identifying=True,
            nullable=False,
        ),
    ],
    rows=Delivered(
        # Each list replaces the one before. If several are delivered, the deaths of all of them are withdrawn.
        DeliveredFiles(
            NAME + r"\.(?:txt|csv)",
            {".csv": LIST_FORMAT, ".txt": LIST_FORMAT},
            optional=True,
            several=True,
        ),
        typing={"datedeces": COMPACT_DATE_DAY_FIRST, "lieudeces": COMMUNE, "actedeces": CERTIFICATE},
        spellings={
            "datedeces": ("Date de décès", "Date de deces", "date_deces"),
            "lieudeces": ("Code du lieu de décès", "Code du lieu de deces", "code_lieu_deces"),
            "actedeces": (
                "Numéro d'acte de décès",
                "Numéro d’acte de décès",
                "Numero d'acte de deces",
                "numero_acte_deces",
            ),
        },
        derived={
            "periode": "nullif(regexp_extract(period, '\\d+([-_]?\\d+)*'), '')",
            "date_deces": insee_date("datedeces"),
            "death_year": "left(datedeces, 4)",
            "death_key": withdrawal_key("date_deces", "lieudeces", "actedeces"),
        },
        absent=absent_words("datedeces", "lieudeces", "actedeces"),
        row_checks=[
            *valid_death_date("datedeces"),
            # Without both, all deaths of a day would be withdrawn.
            RowCheck("missing", "actedeces", f"coalesce(lieudeces, {certificate_number('actedeces')}) IS NOT NULL"),
            # A town, or a code that was rewritten as a number.
            RowCheck(
                "not_a_place", "lieudeces", "lieudeces IS NULL OR regexp_full_match(lieudeces, '\\d[0-9A-Z]{0,4}')"
            ),
            # 3,000 may be 3 or 3000.
            RowCheck(
                "not_a_certificate", "actedeces", f"actedeces IS NULL OR {is_identifier('actedeces')} IS NOT NULL"
            ),
        ],
    ),
)


def withdrawn_deaths(place: str, number: str) -> Withdrawals:
    """The deaths of the opposition list among the rows of a table: its columns of the place and of the certificate."""
    return Withdrawals(
        opposition_deces,
        "death_key",
        key=withdrawal_key("date_deces", place, number),
        wider_keys=[withdrawal_key("date_deces", place, "NULL"), withdrawal_key("date_deces", "NULL", number)],
        incomplete=f"lieudeces IS NULL OR {certificate_number('actedeces')} IS NULL",
        group=full_date("date_deces"),
    )
