"""The delivered rows behind the indicators, as DuckDB tables, from the source tables at the versions of a chain.

They are shaped for a computation that owes nothing to the platform's own queries: that of the oracle which checks the
platform (`demo.oracle_care`), over the lake in place of the files.

Here: the tables. Not here: which rows of them make a figure (evidence).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import duckdb

from chu_platform.demo import oracle_care
from chu_platform.references.cim10 import cim10
from chu_platform.references.cim10_chapter import cim10_chapter
from chu_platform.references.department import department
from chu_platform.references.region import region
from chu_platform.references.survey_region import survey_region
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.consultation import consultation
from chu_platform.sources.deces import deces
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.deces_insee_fixe import deces_insee_fixe
from chu_platform.sources.diagnostic import diagnostic
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.sources.etablissement_sante import etablissement_sante
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import patient
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.sources.specialites import specialites
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform.trace.scratch_folder import MEMORY_LIMIT

NOBODY: Final = "inconnu"
# Deaths are the same when they say the same in every column, as far as each kind of file has room for it.
DEATH_KEY: Final = (
    # Hashed: of 25 million deaths, the texts would not fit in memory.
    "md5(concat_ws('\x1f', left(trim(coalesce(nom, '')) || '*' || trim(coalesce(prenom, '')), 79), coalesce(sexe::VARCHAR, ''), "
    "CASE length(date_naissance) WHEN 4 THEN date_naissance || '-00-00' WHEN 7 THEN date_naissance || '-00' "
    "ELSE coalesce(nullif(date_naissance, '0000-00-00'), '') END, trim(coalesce({birthplace}, '')), "
    "left(trim(coalesce({town}, '')), 30), left(trim(coalesce({country}, '')), 30), date_deces, "
    "trim(coalesce({place}, '')), ltrim(left(trim(coalesce({number}, '')), 9), '0')))"
)
OF_DECES: Final = DEATH_KEY.format(
    birthplace="code_lieu_naissance",
    town="lieu_naissance",
    country="pays_naissance",
    place="code_lieu_deces",
    number="numero_acte_deces",
)
OF_INSEE: Final = DEATH_KEY.format(
    birthplace="lieunaiss", town="commnaiss", country="paysnaiss", place="lieudeces", number="actedeces"
)
DEATHS: Final[Mapping[Table, tuple[str, str]]] = {
    deces: (OF_DECES, "code_lieu_deces"),
    deces_insee_fixe: (OF_INSEE, "lieudeces"),
    deces_insee_csv: (OF_INSEE, "lieudeces"),
}
SITE_KEY: Final = "concat_ws('|', campaign_year, finess_geo)"

CARE_SOURCES: Final = (patient, consultation, hospitalisations, diagnostic, cim10, cim10_chapter)
PLACE_SOURCES: Final = (activite_professionnel_sante, etablissement_sante, department)
PROFESSION_SOURCES: Final = (
    professionnel_de_sante,
    specialites,
    professionnel_sante,
    activite_professionnel_sante,
)
DEATH_SOURCES: Final = (*DEATHS, department, region)
SURVEY_SOURCES: Final = (esatis48h_mco, esatisca_mco, survey_region)


class Inputs:
    """A DuckDB connection with the tables of a family of indicators; `version` gives that of each source table.

    The sources themselves are views `raw_<name>`. `versions` are those that were taken.
    """

    def __init__(
        self, lake: Lake, connection: duckdb.DuckDBPyConnection, version: Callable[[Table], int], family: str
    ) -> None:
        self.connection = connection
        self.versions: dict[Table, int] = {}
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        sources, load = FAMILIES[family]
        for table in sources:
            self.versions[table] = version(table)
            relation = lake.relation(table, self.versions[table])
            connection.execute(f'CREATE VIEW "raw_{table.name}" AS FROM {relation}')
        load(connection)


def _load_care(connection: duckdb.DuckDBPyConnection) -> None:
    """patient, consultation, stay and diagnosis as in `oracle_inputs`, and what `oracle_care` makes of them."""
    connection.execute(
        f"""
        CREATE TABLE patient AS
        SELECT "Id_patient" AS id, CASE "Sexe" WHEN 'male' THEN 'M' WHEN 'female' THEN 'F' END AS sex,
            try_strptime("Date", '%m/%d/%Y')::DATE AS birth
        FROM "raw_Patient";
        CREATE TABLE consultation AS
        SELECT "Num_consultation" AS id, "Id_patient" AS patient, "Id_prof_sante" AS professional,
            coalesce("Code_diag", '') AS code, "Date" AS date
        FROM "raw_Consultation";
        CREATE TABLE stay AS
        SELECT "Num_Hospitalisation" AS id, "Id_patient" AS patient, coalesce("Code_diagnostic", '') AS code,
            "Date_Entree" AS date, "Jour_Hospitalisation"::BIGINT AS days
        FROM "raw_Hospitalisations";
        CREATE TABLE diagnosis AS
        WITH used AS (SELECT code FROM consultation UNION SELECT code FROM stay)
        SELECT u.code,
            CASE WHEN u.code IN (SELECT "Code_diag" FROM "raw_Diagnostic") OR u.code IN (SELECT code FROM raw_cim10)
                OR c.chapter_code IS NOT NULL THEN u.code ELSE '{NOBODY}' END AS leaf,
            CASE WHEN left(u.code, 3) IN (SELECT code FROM raw_cim10) THEN left(u.code, 3) ELSE '{NOBODY}' END AS category,
            coalesce(c.chapter_code, '{NOBODY}') AS chapter
        FROM used u LEFT JOIN raw_cim10_chapter c ON left(u.code, 3) BETWEEN c.first_category AND c.last_category;
        """
    )
    oracle_care.prepare(connection)


def _load_professions(connection: duckdb.DuckDBPyConnection) -> None:
    """Also professional(id, profession, speciality): those of the care database, completed by the register."""
    _load_care(connection)
    connection.execute(
        """
        CREATE TABLE professional AS
        WITH registered AS (
            SELECT identifiant AS id, max(profession) AS profession, max(specialite) AS speciality
            FROM raw_professionnel_sante GROUP BY identifiant
        )
        SELECT id, coalesce(c."Profession", r.profession, 'Inconnu') AS profession,
            coalesce(s."Specialite", r.speciality, 'Inconnu') AS speciality
        FROM (
            SELECT "Identifiant" AS id FROM "raw_Professionnel_de_sante" UNION SELECT id FROM registered
            UNION SELECT identifiant FROM raw_activite_professionnel_sante
        )
        LEFT JOIN "raw_Professionnel_de_sante" c ON c."Identifiant" = id
        LEFT JOIN "raw_Specialites" s USING ("Code_specialite")
        LEFT JOIN registered r USING (id);
        """
    )


def _load_places(connection: duckdb.DuckDBPyConnection) -> None:
    """Also organisation(id, department, region) and attachment(professional, organisation)."""
    _load_care(connection)
    connection.execute(
        f"""
        CREATE TABLE organisation AS
        WITH located AS (
            SELECT identifiant_organisation AS id, code_commune AS commune,
                coalesce(code_postal, nullif(regexp_extract(cedex, '^ *([0-9]{{5}})', 1), '')) AS postal
            FROM raw_etablissement_sante
        ), placed AS (
            SELECT id, CASE
                WHEN left(coalesce(commune, postal), 2) IN ('97', '98') THEN left(coalesce(commune, postal), 3)
                WHEN commune IS NOT NULL THEN left(commune, 2)
                WHEN left(postal, 3) IN ('200', '201') THEN '2A' WHEN left(postal, 3) IN ('202', '206') THEN '2B'
                ELSE left(postal, 2) END AS department
            FROM located
        )
        SELECT id, coalesce(d.department_code, '{NOBODY}') AS department, coalesce(d.region_code, '{NOBODY}') AS region
        FROM (SELECT id, max(department) AS department FROM placed GROUP BY id)
        LEFT JOIN raw_department d ON d.department_code = department;
        CREATE TABLE attachment AS
        SELECT DISTINCT a.identifiant AS professional, o.id AS organisation
        FROM raw_activite_professionnel_sante a JOIN organisation o ON o.id = a.identifiant_organisation;
        """
    )


def _load_deaths(connection: duckdb.DuckDBPyConnection) -> None:
    """death(key, year, sex, region, band): each death once, whichever files name it."""
    lines = " UNION ALL ".join(
        f'SELECT {key} AS key, sexe, date_naissance, date_deces, {place} AS place, death_year FROM "raw_{table.name}"'
        for table, (key, place) in DEATHS.items()
    )
    bands = oracle_care.AGE_BANDS
    connection.execute(
        f"""
        CREATE MACRO middle(text) AS CASE
            WHEN left(text, 4) = '0000' THEN NULL
            WHEN regexp_full_match(text, '[0-9]{{4}}(-00(-[0-9]{{2}})?)?') THEN make_date(left(text, 4)::INT, 7, 1)
            WHEN regexp_full_match(text, '[0-9]{{4}}-[0-9]{{2}}(-00)?') THEN try_cast(left(text, 7) || '-15' AS DATE)
            ELSE try_cast(text AS DATE) END;
        CREATE MACRO age(birth, day) AS year(day) - year(birth)
            - CASE WHEN (month(day), day(day)) < (month(birth), day(birth)) THEN 1 ELSE 0 END;
        CREATE TABLE death AS
        WITH record AS (
            SELECT DISTINCT key, sexe, death_year, date_deces, trim(coalesce(place, '')) AS place,
                CASE length(date_naissance) WHEN 4 THEN date_naissance || '-00-00' WHEN 7 THEN date_naissance || '-00'
                    ELSE nullif(date_naissance, '0000-00-00') END AS born
            FROM ({lines})
        ), dated AS (
            SELECT *, middle(born) AS birth, middle(date_deces) AS died,
                CASE WHEN place IN ('91352', '91353', '91354') THEN NULL WHEN left(place, 2) = '97' THEN left(place, 3)
                    WHEN left(place, 2) = '20' THEN '2A' ELSE left(place, 2) END AS department
            FROM record
        )
        SELECT key, death_year::INT AS year, CASE sexe WHEN 1 THEN 'M' WHEN 2 THEN 'F' ELSE 'unknown' END AS sex,
            coalesce(d.region_code, '99') AS region,
            CASE WHEN birth IS NULL OR died IS NULL OR birth > died THEN 'unknown'
                ELSE ({bands!r})[least(age(birth, died) // 5, 17) + 1] END AS band
        FROM dated LEFT JOIN raw_department d ON d.department_code = department
        """
    )


def _load_surveys(connection: duckdb.DuckDBPyConnection) -> None:
    """site(key, survey, year, region, score, answers, class, opinion, opinions): one answering site a campaign."""
    common = (
        "campaign_year::INT AS year, CASE WHEN finess_geo LIKE '9704%' THEN '04' WHEN finess_geo LIKE '9805%' THEN '06' "
        f"ELSE coalesce(r.region_code, '{NOBODY}') END AS region, classement AS class, taux_reco_brut AS opinion, "
        "nb_reco_brut AS opinions"
    )
    connection.execute(
        f"""
        CREATE TABLE site AS
        SELECT {SITE_KEY} AS key, '48h_mco' AS survey, {common}, score_all_rea_ajust AS score,
            nb_rep_score_all_rea_ajust AS answers
        FROM raw_esatis48h_mco LEFT JOIN raw_survey_region r ON r.survey_label = region
        UNION ALL
        SELECT {SITE_KEY}, 'ca_mco', {common}, score_all_ajust, nb_rep_score_all_ajust
        FROM raw_esatisca_mco LEFT JOIN raw_survey_region r ON r.survey_label = region
        """
    )


FAMILIES: Final[Mapping[str, tuple[Sequence[Table], Callable[[duckdb.DuckDBPyConnection], None]]]] = {
    "care": (CARE_SOURCES, _load_care),
    "places": ((*CARE_SOURCES, *PLACE_SOURCES), _load_places),
    "professions": ((*CARE_SOURCES, *PROFESSION_SOURCES), _load_professions),
    "deaths": (DEATH_SOURCES, _load_deaths),
    "surveys": (SURVEY_SOURCES, _load_surveys),
}
