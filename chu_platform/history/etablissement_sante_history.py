"""History of the register of establishments: where each was, between which days.

Only what the dimension needs is kept; of private practices, which are often named after a person, not the name.
"""

from chu_platform.building_blocks.delivered_history import history_of
from chu_platform.sources.etablissement_sante import etablissement_sante

etablissement_sante_history = history_of(
    etablissement_sante,
    "identifiant_organisation",
    ["raison_sociale_site", "commune", "cedex", "code_commune", "code_postal", "pays"],
    only_if={"raison_sociale_site": "identifiant_organisation LIKE 'F%'"},
)
