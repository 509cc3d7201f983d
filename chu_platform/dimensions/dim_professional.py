"""Health professionals, without identifying columns: from the care database, completed with the register."""

from chu_platform.dimensions.dim_speciality import dim_speciality
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.sources.specialites import specialites
from chu_platform.tables.checks import USUALLY_MISSING, foreign_key, mostly_found, usually_found
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import PSEUDONYMISED_PROFESSIONALS
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Layout, Table, Zone

dim_professional = Table(
    name="dim_professional",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un professionnel connu d’une source, et le membre inconnu",
    label="Professionnels (pseudonymisés)",
    owner="team:dimensions",
    access=PSEUDONYMISED_PROFESSIONALS,
    columns=[
        Column("professional_key", STRING, "pseudonyme du professionnel", "Professionnel", key=True),
        Column("category_label", STRING, "catégorie professionnelle", "Catégorie professionnelle", nullable=False),
        Column("profession_label", STRING, "profession", "Profession", nullable=False),
        Column("speciality_key", STRING, "code de la spécialité", "Spécialité", nullable=False),
        Column("speciality_label", STRING, "spécialité", "Libellé de la spécialité", nullable=False),
        Column("identifier_type", STRING, "RPPS ou ADELI", "Type d’identifiant"),
    ],
    reads={
        "pseudonym": professional_pseudonym,
        "care": professionnel_de_sante,
        "register": professionnel_sante,
        "speciality": specialites,
    },
    rows=Query(
        f"""
        WITH registered AS (
            -- An identifier may occur several times: the maximum of each column gives one row per identifier.
            SELECT identifiant, max(categorie_professionnelle) AS category, max(profession) AS profession,
                   max(specialite) AS speciality, max(type_identifiant) AS type
            FROM {{register}} GROUP BY identifiant
        )
        SELECT k.professional_key,
               coalesce(c.Categorie_professionnelle, r.category, '{UNKNOWN_LABEL}') AS category_label,
               coalesce(c.Profession, r.profession, '{UNKNOWN_LABEL}') AS profession_label,
               coalesce(s.Code_specialite, '{UNKNOWN}') AS speciality_key,
               coalesce(s.Specialite, r.speciality, '{UNKNOWN_LABEL}') AS speciality_label,
               coalesce(c.Type_identifiant, r.type) AS identifier_type
        FROM {{pseudonym}} k
        LEFT JOIN {{care}} c ON c.Identifiant = k.Identifiant
        LEFT JOIN registered r ON r.identifiant = k.Identifiant
        LEFT JOIN {{speciality}} s ON s.Code_specialite = c.Code_specialite
        UNION ALL
        SELECT '{UNKNOWN}', '{UNKNOWN_LABEL}', '{UNKNOWN_LABEL}', '{UNKNOWN}', '{UNKNOWN_LABEL}', NULL
        """
    ),
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
