"""History of the professionals of the care database, without names: profession and speciality, between which days."""

from chu_platform.building_blocks.delivered_history import history_of
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante

professionnel_de_sante_history = history_of(
    professionnel_de_sante,
    "Identifiant",
    ["Categorie_professionnelle", "Profession", "Code_specialite", "Type_identifiant"],
    of_persons=True,
)
