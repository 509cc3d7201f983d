"""INSEE register of deaths, in the fixed-width text files that INSEE publishes."""

from typing import Final

from chu_platform.building_blocks.death_columns import INSEE_NAME, insee_table, persons_of_deaths
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.fixed_width_format import Anchor, FixedWidthFormat
from chu_platform.ingest.identifiers import COMMUNE_OF_FIXED_WIDTH
from chu_platform.sources.opposition_deces import withdrawn_deaths

POSITIONS = {
    "nomprenom": (1, 80),
    "sexe": (81, 81),
    "datenaiss": (82, 89),
    "lieunaiss": (90, 94),
    "commnaiss": (95, 124),
    "paysnaiss": (125, 154),
    "datedeces": (155, 162),
    "lieudeces": (163, 167),
    "actedeces": (168, 176),
}
# Some lines are shifted: a name or a town with accents was padded to its length in bytes. What follows the name or the
# country is a row of digits, whose first one tells the shift: no digit stands before it, and one digit further, the
# date would have an impossible year.
_MONTH: Final = r"(?:0\d|1[0-2])"
_DAY: Final = r"[0-3]\d"
_PLACE: Final = r"\d[\dABab]\d{3}"
_BIRTH_YEAR: Final = r"(?:1[4-9]|20)\d\d"
_DEATH_YEAR: Final = r"(?:18[89]|19\d|20\d)\d"
_NO_PLACE: Final = " {5}"
ANCHORS: Final = (
    Anchor(
        ("sexe", "datenaiss", "lieunaiss"),
        certain=rf"\D[12](?:0{{8}}|{_BIRTH_YEAR}{_MONTH}{_DAY})(?:{_NO_PLACE}|{_PLACE})",
        # A line without sex, or one with a damaged date or place of birth.
        possible=rf"\D(?:.{_BIRTH_YEAR}.{{9}}"
        rf"|\d(?:\d{{8}}| {{8}}|\d{{4}} {{4}}|\d{{6}} {{2}})(?:{_NO_PLACE}|{_PLACE}|[\dABab]{{1,4}} *))",
        moves=("sexe", "datenaiss", "lieunaiss", "commnaiss"),
    ),
    Anchor(
        ("datedeces", "lieudeces"),
        # Blanks behind a year or a month: the rest of the date is unknown.
        certain=rf"\D{_DEATH_YEAR}(?:{_MONTH}{_DAY}(?:{_NO_PLACE}|{_PLACE})|(?:{_MONTH} {{2}}| {{4}}){_PLACE})",
        # A date that the checks of rows reject, or a line that ends in the place.
        possible=r"\D(?:[^ ].*| {8}.*)?",
        moves=("paysnaiss", "datedeces", "lieudeces", "actedeces"),
    ),
)

deces_insee_fixe = insee_table(
    name="deces_insee_fixe",
    label="Décès en France (fichiers texte de l’Insee)",
    # Old files are written in ISO-8859-1, of which CP1252 has all letters, recent ones in UTF-8.
    reader=DeliveredFiles(
        INSEE_NAME + r"\.txt",
        {".txt": FixedWidthFormat(POSITIONS, "cp1252", "datedeces", ANCHORS)},
        optional=True,
    ),
    commune=COMMUNE_OF_FIXED_WIDTH,
    # A line may be cut in the date. If a place follows, the date is whole, with blanks for an unknown month or day.
    uncut_date="length(datedeces) = 8 OR (length(datedeces) IN (4, 6) AND lieudeces IS NOT NULL)",
    withdrawals=withdrawn_deaths("lieudeces", "actedeces"),
    persons=persons_of_deaths("lieudeces", "actedeces"),
)
