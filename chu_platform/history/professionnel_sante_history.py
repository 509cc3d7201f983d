"""History of the register of health professionals, without names: profession and speciality, between which days."""

from chu_platform.building_blocks.delivered_history import history_of
from chu_platform.sources.professionnel_sante import professionnel_sante

professionnel_sante_history = history_of(
    professionnel_sante,
    "identifiant",
    ["categorie_professionnelle", "profession", "specialite", "type_identifiant"],
    of_persons=True,
)
