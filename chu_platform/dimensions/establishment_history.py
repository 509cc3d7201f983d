"""Health establishments with their location, each in its versions: where it was, between which days.

The register also lists private practices, often named after a person. Only establishments with a FINESS number
(key F...) keep their name; the others get a general label.
"""

from chu_platform.building_blocks.place_codes import department_of
from chu_platform.history.etablissement_sante_history import etablissement_sante_history
from chu_platform.references.department import department
from chu_platform.references.region import region
from chu_platform.sources.etablissement_sante import COUNTRIES, FRENCH_COUNTRIES
from chu_platform.tables.checks import attached
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import (
    FIRST_DAY,
    LAST_DAY,
    VERSION_COLUMNS,
    version_checks,
    version_key,
    version_of_none,
)

establishment_history = Table(
    name="establishment_history",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un établissement du registre dans l’une de ses versions, et le membre inconnu",
    label="Établissements : historique",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column(
            "establishment_version",
            STRING,
            "établissement et premier jour de la version",
            "Version de l’établissement",
            key=True,
        ),
        Column(
            "establishment_key",
            STRING,
            "identifiant : F et numéro FINESS, ou un autre préfixe",
            "Établissement",
            nullable=False,
        ),
        *VERSION_COLUMNS,
        Column(
            "establishment_label",
            STRING,
            "nom ; pour un cabinet, un terme général",
            "Nom de l’établissement",
            nullable=False,
        ),
        Column("commune_label", STRING, "commune de l’établissement", "Commune"),
        Column("department_code", STRING, "code Insee du département", "Code département", nullable=False),
        Column("department_label", STRING, "nom du département", "Département", nullable=False),
        Column("region_key", STRING, "code Insee de la région", "Code région", nullable=False),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
    ],
    reads={"register": etablissement_sante_history, "department": department, "region": region},
    rows=Query(
        f"""
        WITH written AS (
            SELECT *, coalesce(upper(pays) RLIKE '{COUNTRIES}' AND NOT upper(pays) RLIKE '{FRENCH_COUNTRIES}', false)
                       AS is_abroad
            FROM {{register}}
        ),
        located AS (
            -- A place abroad has no department, whatever its codes.
            SELECT identifiant_organisation AS key, valid_from, valid_to, raison_sociale_site AS name,
                   coalesce(commune, nullif(trim(regexp_replace(cedex, '^[ \u00a0]*([Ff][Rr]?-?)?[0-9][0-9][0-9][0-9][0-9][ \u00a0]*', '')), '')) AS commune,
                   CASE WHEN NOT is_abroad AND code_commune RLIKE '^[0-9][0-9AB][0-9][0-9][0-9]$' THEN code_commune END AS insee,
                   CASE WHEN is_abroad THEN NULL
                        WHEN code_postal RLIKE '^[0-9][0-9][0-9][0-9][0-9]$' THEN code_postal
                        ELSE nullif(regexp_extract(cedex, '^[ \u00a0]*([Ff][Rr]?-?)?([0-9][0-9][0-9][0-9][0-9])', 2), '') END AS postal
            FROM written
        ),
        coded AS (
            -- Before 1976, the codes of the communes of Corsica began with 20, as its postal codes do.
            SELECT key, valid_from, valid_to, name, commune, postal,
                   CASE WHEN substr(insee, 1, 2) = '20' THEN NULL ELSE insee END AS insee,
                   substr(coalesce(insee, postal), 1, 2) = '20' AS is_corsican
            FROM located
        ),
        placed AS (
            SELECT key, valid_from, valid_to, name, commune,
                   CASE WHEN is_corsican THEN
                            CASE WHEN substr(postal, 1, 3) IN ('200', '201') THEN '2A'
                                 WHEN substr(postal, 1, 3) IN ('202', '206') THEN '2B' ELSE '20' END
                        -- Saint-Barthélemy and Saint-Martin.
                        WHEN insee IS NULL AND postal IN ('97133', '97150') THEN NULL
                        -- A commune abroad has no department, whatever its postal code.
                        WHEN insee IS NOT NULL THEN {department_of("insee")}
                        WHEN substr(postal, 1, 2) IN ('97', '98') THEN substr(postal, 1, 3)
                        ELSE substr(postal, 1, 2) END AS department
            FROM coded
        ),
        ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY key, valid_from ORDER BY department DESC NULLS LAST, commune NULLS LAST, name NULLS LAST
            ) AS rank
            FROM placed
        )
        SELECT {version_key("e.key", "e.valid_from")} AS establishment_version, e.key AS establishment_key,
               e.valid_from, e.valid_to,
               CASE WHEN e.key LIKE 'F%' THEN coalesce(e.name, e.key)
                    ELSE concat('Structure de soins', coalesce(concat(' (', e.commune, ')'), '')) END AS establishment_label,
               e.commune AS commune_label,
               coalesce(d.department_code, '{UNKNOWN}') AS department_code,
               coalesce(d.department_label, '{UNKNOWN_LABEL}') AS department_label,
               coalesce(r.region_code, '{UNKNOWN}') AS region_key,
               coalesce(r.region_label, '{UNKNOWN_LABEL}') AS region_label
        FROM ranked e
        LEFT JOIN {{department}} d ON d.department_code = e.department
        LEFT JOIN {{region}} r ON r.region_code = CASE e.department WHEN '20' THEN '94' ELSE d.region_code END
        WHERE e.rank = 1
        UNION ALL
        SELECT '{version_of_none(UNKNOWN)}', '{UNKNOWN}', DATE '{FIRST_DAY}', DATE '{LAST_DAY}', '{UNKNOWN_LABEL}', NULL,
               '{UNKNOWN}', '{UNKNOWN_LABEL}', '{UNKNOWN}', '{UNKNOWN_LABEL}'
        """
    ),
    checks=[attached("region_key", region), *version_checks("establishment_key")],
    layout=Layout(partition_by=["region_key"], z_order_by=["department_code", "establishment_key"]),
)
