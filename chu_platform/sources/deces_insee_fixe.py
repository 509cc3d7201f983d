"""INSEE register of deaths, in the fixed-width text files that INSEE publishes."""

from chu_platform.building_blocks.death_columns import FIRST_DEATH_YEAR, INSEE_NAME, insee_table
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
# Some lines are shifted: a name or a town with accents was padded to its length in bytes. Dates tell the shift: one digit
# further, they would have impossible years. A line with another date, or without sex, stays as it is.
ANCHORS = (
    Anchor(
        ("sexe", "datenaiss"),
        "left({text}, 1) IN ('1', '2') AND (try_cast(substr({text}, 2) AS INTEGER) BETWEEN 14000000 AND 20991231 "
        "AND try_cast(substr({text}, 2) AS INTEGER) % 10000 <= 1231 OR substr({text}, 2) = '00000000')",
        ("sexe", "datenaiss", "lieunaiss", "commnaiss"),
    ),
    Anchor(
        ("datedeces",),
        f"try_cast({{text}} AS INTEGER) BETWEEN {FIRST_DEATH_YEAR}0000 AND 20991231 "
        "AND try_cast({text} AS INTEGER) % 100 <= 31",
        ("paysnaiss", "datedeces", "lieudeces", "actedeces"),
    ),
)

deces_insee_fixe = insee_table(
    name="deces_insee_fixe",
    label="Décès en France (fichiers texte de l’Insee)",
    # Old files are written in ISO-8859-1, recent ones in UTF-8.
    reader=DeliveredFiles(
        INSEE_NAME + r"\.txt",
        {".txt": FixedWidthFormat(POSITIONS, "iso-8859-1", "datedeces", ANCHORS)},
        optional=True,
    ),
    commune=COMMUNE_OF_FIXED_WIDTH,
    # A line may be cut in the date. If a place follows, the date is whole, with blanks for an unknown month or day.
    uncut_date="length(datedeces) = 8 OR (length(datedeces) IN (4, 6) AND lieudeces IS NOT NULL)",
    withdrawals=withdrawn_deaths("lieudeces", "actedeces"),
)
