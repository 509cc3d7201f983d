"""Health professionals, without identifying columns, each in its versions: profession and speciality, between which days.

From the care database, completed with the register. Who is in neither any more has no version.
"""

from chu_platform.dimensions.dim_speciality import dim_speciality
from chu_platform.history.professionnel_de_sante_history import professionnel_de_sante_history
from chu_platform.history.professionnel_sante_history import professionnel_sante_history
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.sources.specialites import specialites
from chu_platform.tables.checks import foreign_key
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import PSEUDONYMISED_PROFESSIONALS
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import (
    FIRST_DAY,
    LAST_DAY,
    VERSION_COLUMNS,
    valid_on,
    version_checks,
    version_key,
    version_of_none,
)

professional_history = Table(
    name="professional_history",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un professionnel connu d’une source dans l’une de ses versions, et le membre inconnu",
    label="Professionnels (pseudonymisés) : historique",
    owner="team:dimensions",
    access=PSEUDONYMISED_PROFESSIONALS,
    columns=[
        Column(
            "professional_version",
            STRING,
            "pseudonyme et premier jour de la version",
            "Version du professionnel",
            key=True,
        ),
        Column("professional_key", STRING, "pseudonyme du professionnel", "Professionnel", nullable=False),
        *VERSION_COLUMNS,
        Column("category_label", STRING, "catégorie professionnelle", "Catégorie professionnelle", nullable=False),
        Column("profession_label", STRING, "profession", "Profession", nullable=False),
        Column("speciality_key", STRING, "code de la spécialité", "Spécialité", nullable=False),
        Column("speciality_label", STRING, "spécialité", "Libellé de la spécialité", nullable=False),
        Column("identifier_type", STRING, "RPPS ou ADELI", "Type d’identifiant"),
    ],
    reads={
        "pseudonym": professional_pseudonym,
        "care": professionnel_de_sante_history,
        "register": professionnel_sante_history,
        "speciality": specialites,
    },
    rows=Query(
        f"""
        WITH registered AS (
            -- An identifier may occur several times: the maximum of each column gives one row per version.
            SELECT identifiant, valid_from, valid_to, max(categorie_professionnelle) AS category,
                   max(profession) AS profession, max(specialite) AS speciality, max(type_identifiant) AS type
            FROM {{register}} GROUP BY identifiant, valid_from, valid_to
        ),
        -- A version begins where one of a source begins.
        begin AS (
            SELECT Identifiant, DATE '{FIRST_DAY}' AS valid_from FROM {{pseudonym}}
            UNION SELECT Identifiant, valid_from FROM {{care}}
            UNION SELECT identifiant, valid_from FROM {{register}}
        ),
        version AS (
            SELECT Identifiant, valid_from,
                   coalesce(lead(valid_from) OVER (PARTITION BY Identifiant ORDER BY valid_from), DATE '{LAST_DAY}')
                       AS valid_to
            FROM begin
        )
        SELECT {version_key("k.professional_key", "v.valid_from")} AS professional_version, k.professional_key,
               v.valid_from, v.valid_to,
               coalesce(c.Categorie_professionnelle, r.category, '{UNKNOWN_LABEL}') AS category_label,
               coalesce(c.Profession, r.profession, '{UNKNOWN_LABEL}') AS profession_label,
               coalesce(s.Code_specialite, '{UNKNOWN}') AS speciality_key,
               coalesce(s.Specialite, r.speciality, '{UNKNOWN_LABEL}') AS speciality_label,
               coalesce(c.Type_identifiant, r.type) AS identifier_type
        FROM version v
        JOIN {{pseudonym}} k ON k.Identifiant = v.Identifiant
        LEFT JOIN {{care}} c ON c.Identifiant = v.Identifiant AND {valid_on("v.valid_from", "c")}
        LEFT JOIN registered r ON r.identifiant = v.Identifiant AND {valid_on("v.valid_from", "r")}
        LEFT JOIN {{speciality}} s ON s.Code_specialite = c.Code_specialite
        UNION ALL
        SELECT '{version_of_none(UNKNOWN)}', '{UNKNOWN}', DATE '{FIRST_DAY}', DATE '{LAST_DAY}', '{UNKNOWN_LABEL}',
               '{UNKNOWN_LABEL}', '{UNKNOWN}', '{UNKNOWN_LABEL}', NULL
        """
    ),
    checks=[foreign_key("speciality_key", dim_speciality), *version_checks("professional_key")],
    layout=Layout(z_order_by=["professional_key"]),
)
