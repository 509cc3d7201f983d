"""Health professionals, without identifying columns, each in its newest version."""

from chu_platform.building_blocks.newest_versions import newest_versions
from chu_platform.dimensions.dim_speciality import dim_speciality
from chu_platform.dimensions.professional_history import professional_history
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.sources.specialites import specialites
from chu_platform.tables.checks import USUALLY_MISSING, foreign_key, mostly_found, usually_found
from chu_platform.tables.table import Layout

dim_professional = newest_versions(
    professional_history,
    name="dim_professional",
    key="professional_key",
    grain="un professionnel connu d’une source, et le membre inconnu",
    label="Professionnels (pseudonymisés)",
    checks=[
        foreign_key("speciality_key", dim_speciality),
        # Most professionals have no speciality: only the codes that are there are looked for.
        mostly_found("speciality", "Code_specialite", professionnel_de_sante, "Code_specialite", specialites),
        usually_found(
            "speciality", "Code_specialite", professionnel_de_sante, "Code_specialite", specialites, USUALLY_MISSING
        ),
        # The register names the professions of those who are not in the care database.
        mostly_found("register", "identifiant", activite_professionnel_sante, "identifiant", professionnel_sante),
        usually_found(
            "register", "identifiant", activite_professionnel_sante, "identifiant", professionnel_sante, USUALLY_MISSING
        ),
    ],
    layout=Layout(z_order_by=["professional_key"]),
)
