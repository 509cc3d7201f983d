"""INSEE register of deaths, as one CSV file that covers all years."""

from chu_platform.building_blocks.death_columns import (
    BIRTH_UNDERSTOOD,
    DATE_DECES,
    DATE_NAISSANCE,
    DEATH_YEAR,
    INSEE_NAME,
    NOM,
    PRENOM,
    SEXE,
    absent_words,
    birth_is_spelled,
    code_lieu_deces,
    code_lieu_naissance,
    lieu_naissance,
    numero_acte,
    pays_naissance,
    persons_of_deaths,
    valid_death_date,
)
from chu_platform.building_blocks.death_dates import ISO_DATE
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import CERTIFICATE, COMMUNE
from chu_platform.ingest.names import NAME
from chu_platform.sources.opposition_deces import withdrawn_deaths
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.policies import DELIVERED_DEATHS
from chu_platform.tables.table import Layer, Table, Zone

deces = Table(
    name="deces",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une ligne du registre des décès",
    label="Décès en France (Insee)",
    owner="team:registers",
    access=DELIVERED_DEATHS,
    public_source="Insee",
    columns=[
        NOM,
        PRENOM,
        SEXE,
        DATE_NAISSANCE,
        code_lieu_naissance("code_lieu_naissance"),
        lieu_naissance("lieu_naissance"),
        pays_naissance("pays_naissance"),
        DATE_DECES,
        code_lieu_deces("code_lieu_deces"),
        numero_acte("numero_acte_deces"),
        DEATH_YEAR,
    ],
    rows=Delivered(
        DeliveredFiles(r"deces\.csv", {".csv": CsvFormat()}, instead=INSEE_NAME + r"\.(?:txt|csv)"),
        typing={
            **dict.fromkeys(("nom", "prenom", "lieu_naissance", "pays_naissance"), NAME),
            "date_naissance": ISO_DATE,
            "code_lieu_naissance": COMMUNE,
            "date_deces": ISO_DATE,
            "code_lieu_deces": COMMUNE,
            "numero_acte_deces": CERTIFICATE,
        },
        derived={"death_year": "left(date_deces, 4)"},
        understood={"date_naissance": BIRTH_UNDERSTOOD},
        row_warnings=[birth_is_spelled("date_naissance")],
        absent=absent_words(
            *("sexe", "date_naissance", "code_lieu_naissance", "lieu_naissance", "pays_naissance"),
            *("date_deces", "code_lieu_deces", "numero_acte_deces"),
        ),
        withdrawals=withdrawn_deaths("code_lieu_deces", "numero_acte_deces"),
        persons=persons_of_deaths("code_lieu_deces", "numero_acte_deces"),
        row_checks=valid_death_date("date_deces"),
    ),
    partition_scheme=DEATH_YEARS,
)
