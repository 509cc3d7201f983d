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


def create_specialities_of_consultations(connection: duckdb.DuckDBPyConnection) -> None:
    """Create speciality_of(id, speciality): that which the professional of each consultation had on its day.

    The histories of both registers are inputs; the care database has priority. Needs consultation.
    """
    connection.execute(
        """
        CREATE TABLE speciality_of AS
        SELECT c.id, coalesce(max(s."Specialite"), max(r.specialite), 'Inconnu') AS speciality
        FROM consultation c
            LEFT JOIN raw_professionnel_de_sante_history p ON p."Identifiant" = c.professional
                AND c.date >= p.valid_from AND c.date < p.valid_to
            LEFT JOIN "raw_Specialites" s ON s."Code_specialite" = p."Code_specialite"
            LEFT JOIN raw_professionnel_sante_history r ON r.identifiant = c.professional
                AND c.date >= r.valid_from AND c.date < r.valid_to
        GROUP BY c.id
        """
    )


def create_organisations(connection: duckdb.DuckDBPyConnection) -> None:
    """Create organisation(id, department, region, valid_from, valid_to), attachment(professional, organisation, share).

    The history of the register is an input: an organisation has a row for each of its versions.

    The department is that of the commune, else of the postal code, else of the postal code that `cedex` begins with.
    Codes of addresses in other countries do not count. Communes 9_352 to 9_354 are those of Algeria. Of Corsica,
    only the region may be known. `share` is the part of the professional's consultations that counts in the
    organisation.
    """
    create_department_macro(connection)
    connection.execute(
        f"""
        CREATE TABLE organisation AS
        WITH written AS (
            SELECT identifiant_organisation AS id, valid_from, valid_to,
                if(code_commune SIMILAR TO '[0-9][0-9AB][0-9]{{3}}', code_commune, NULL) AS commune,
                [c FOR c IN [code_postal, regexp_replace(trim(cedex, ' \u00a0'), '^fr?-?', '', 'i')[:5]]
                    IF c SIMILAR TO '[0-9]{{5}}'][1] AS postal,
                regexp_replace(strip_accents(lower(pays)), '^[^a-z0-9]+|([.,]0+)?[^a-z0-9]*$', '', 'g') AS country
            FROM raw_etablissement_sante_history
        ), area AS (
            SELECT id, valid_from, valid_to, if(is_french, commune, NULL) AS commune,
                if(is_french, postal, NULL) AS postal
            FROM (SELECT *, coalesce(country NOT SIMILAR TO '.*[a-z].*|(99)?[0-9]{{3}}' OR country ^@ 'fr'
                OR country SIMILAR TO '.*(fran.aise|m.tropole|guadeloupe|martinique|guyane|r.union|mayotte|corse).*'
                OR country IN ('f', '99000', '99100', '000', '100', '250', 'gp', 'glp', '312', 'mq', 'mtq', '474',
                    'gf', 'guf', '254', 're', 'reu', '638', 'yt', 'myt', '175'), true) AS is_french FROM written)
        ), located AS (
            -- Corsica has postal codes that begin with 20, and communes of before 1976; 200 and 201 are Corse-du-Sud.
            SELECT id, valid_from, valid_to, max(CASE
                WHEN coalesce(commune, postal) ^@ '20' THEN coalesce(map {{
                    '200': '2A', '201': '2A', '202': '2B', '206': '2B'}}[left(postal, 3)], '20')
                -- Islands that were communes of Guadeloupe.
                WHEN coalesce('commune ' || commune, postal) NOT IN
                    ('commune 97123', 'commune 97127', '97133', '97150')
                    THEN CASE WHEN commune ^@ '985' THEN '976' WHEN commune = '98405' THEN '974'
                        WHEN commune NOT SIMILAR TO '9[1-4]35[2-4]' OR commune IS NULL
                            THEN department_of(coalesce(commune, postal)) END
                END) AS department_code
            FROM area GROUP BY id, valid_from, valid_to
        )
        SELECT id, valid_from, valid_to, if(d.region_code IS NULL, '{UNKNOWN}', department_code) AS department,
            coalesce(d.region_code, if(department_code = '20', '94', '{UNKNOWN}')) AS region
        FROM located LEFT JOIN raw_department d USING (department_code);

        CREATE TABLE attachment AS
        WITH place AS (
            FROM raw_activite_professionnel_sante SEMI JOIN organisation ON id = identifiant_organisation
            SELECT identifiant AS professional, identifiant_organisation AS organisation
            GROUP BY ALL
        ), number AS (SELECT professional, count(*) AS places FROM place GROUP BY professional)
        SELECT professional, organisation, 1 / places AS share FROM place JOIN number USING (professional);
        """
    )
