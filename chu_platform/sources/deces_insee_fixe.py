"""INSEE register of deaths, in the fixed-width text files that INSEE publishes."""

from chu_platform.building_blocks.death_columns import INSEE_NAME, insee_table
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.fixed_width_format import FixedWidthFormat

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

deces_insee_fixe = insee_table(
    name="deces_insee_fixe",
    label="Décès en France (fichiers texte de l’Insee)",
    # Old files are written in ISO-8859-1, recent ones in UTF-8.
    reader=DeliveredFiles(
        INSEE_NAME + r"\.txt",
        {".txt": FixedWidthFormat(POSITIONS, fallback="iso-8859-1", complete_to="datedeces")},
        optional=True,
    ),
)
