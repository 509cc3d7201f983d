"""Input tables of the registers: professionals, organisations and attachments. Sources are views `raw_<name>`."""

import duckdb

from chu_platform.recomputation.recomputation import UNKNOWN


def create_department_macro(connection: duckdb.DuckDBPyConnection) -> None:
    """Create department_of(code): the first three characters of the code of an overseas place, else the first two."""
    connection.execute("CREATE MACRO department_of(code) AS left(code, if(code ^@ '97' OR code ^@ '98', 3, 2))")


def create_professionals(connection: duckdb.DuckDBPyConnection) -> None:
    """Create professional(id, profession, speciality): every professional of the care database and of the registers.

    The values of the care database have priority; the register of professionals completes missing values.
    """
    connection.execute(
        """
        CREATE TABLE professional AS
        WITH described AS (
            SELECT "Identifiant" AS id, 1 AS choice, "Profession" AS profession, "Specialite" AS speciality
            FROM "raw_Specialites" RIGHT JOIN "raw_Professionnel_de_sante" USING ("Code_specialite")
            UNION ALL
            SELECT identifiant, 2, max(profession), max(specialite) FROM raw_professionnel_sante GROUP BY identifiant
            UNION ALL
            SELECT DISTINCT identifiant, 3, 'Inconnu', 'Inconnu' FROM raw_activite_professionnel_sante
        )
        SELECT id, coalesce(arg_min(profession, choice), 'Inconnu') AS profession,
            coalesce(arg_min(speciality, choice), 'Inconnu') AS speciality
        FROM described GROUP BY id
        """
    )


def create_organisations(connection: duckdb.DuckDBPyConnection) -> None:
    """Create organisation(id, department, region) and attachment(professional, organisation, share).

    The department is that of the commune, else of the postal code, else of the postal code that `cedex` begins with.
    `share` is the part of the professional's consultations that counts in the organisation.
    """
    create_department_macro(connection)
    connection.execute(
        f"""
        CREATE TABLE organisation AS
        WITH postal_area AS (
            SELECT identifiant_organisation AS id, department_of(code_commune) AS of_commune,
                coalesce(code_postal, if(ltrim(cedex)[:5] SIMILAR TO '[0-9]{{5}}', ltrim(cedex)[:5], NULL)) AS postal
            FROM raw_etablissement_sante
        ), located AS (
            -- Postal codes of Corsica begin with 20; 200 and 201 are in Corse-du-Sud.
            SELECT id, max(coalesce(of_commune, CASE left(postal, 3) WHEN '200' THEN '2A' WHEN '201' THEN '2A'
                WHEN '202' THEN '2B' WHEN '206' THEN '2B' ELSE department_of(postal) END)) AS department_code
            FROM postal_area GROUP BY id
        )
        SELECT id, if(region_code IS NULL, '{UNKNOWN}', department_code) AS department,
            coalesce(region_code, '{UNKNOWN}') AS region
        FROM located LEFT JOIN raw_department USING (department_code);

        CREATE TABLE attachment AS
        WITH place AS (
            FROM raw_activite_professionnel_sante SEMI JOIN organisation ON id = identifiant_organisation
            SELECT identifiant AS professional, identifiant_organisation AS organisation
            GROUP BY ALL
        ), number AS (SELECT professional, count(*) AS places FROM place GROUP BY professional)
        SELECT professional, organisation, 1 / places AS share FROM place JOIN number USING (professional);
        """
    )
