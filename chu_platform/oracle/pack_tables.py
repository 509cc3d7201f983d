"""The delivered files and the dump of a pack as DuckDB tables."""

import csv
import gzip
import tempfile
from importlib.metadata import distribution
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgres
import duckdb

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres

CARE_TABLES = (
    *("Patient", "Consultation", "Diagnostic", "Professionnel_de_sante", "Specialites"),
    *("Prescription", "Medicaments"),
)
# Code officiel géographique: the departments of each region since 2016.
DEPARTMENTS = {
    "01": "971",
    "02": "972",
    "03": "973",
    "04": "974",
    "06": "976",
    "11": "75 77 78 91 92 93 94 95",
    "24": "18 28 36 37 41 45",
    "27": "21 25 39 58 70 71 89 90",
    "28": "14 27 50 61 76",
    "32": "02 59 60 62 80",
    "44": "08 10 51 52 54 55 57 67 68 88",
    "52": "44 49 53 72 85",
    "53": "22 29 35 56",
    "75": "16 17 19 23 24 33 40 47 64 79 86 87",
    "76": "09 11 12 30 31 32 34 46 48 65 66 81 82",
    "84": "01 03 07 15 26 38 42 43 63 69 73 74",
    "93": "04 05 06 13 83 84",
    "94": "2A 2B",
}
# CIM-10: first and last three-character category of each chapter.
CHAPTERS = {
    "I": "A00 B99",
    "II": "C00 D48",
    "III": "D50 D89",
    "IV": "E00 E90",
    "V": "F00 F99",
    "VI": "G00 G99",
    "VII": "H00 H59",
    "VIII": "H60 H95",
    "IX": "I00 I99",
    "X": "J00 J99",
    "XI": "K00 K93",
    "XII": "L00 L99",
    "XIII": "M00 M99",
    "XIV": "N00 N99",
    "XV": "O00 O99",
    "XVI": "P00 P96",
    "XVII": "Q00 Q99",
    "XVIII": "R00 R99",
    "XIX": "S00 T98",
    "XX": "V01 Y98",
    "XXI": "Z00 Z99",
    "XXII": "U00 U99",
}


def load(connection: duckdb.DuckDBPyConnection, pack: Path) -> None:
    """Create the tables that the indicators are computed from.

    patient(id, sex, birth), consultation(id, patient, professional, code, date, begins, ends), stay(id, patient, code,
    date, days), professional(id, profession, speciality), organisation(id, department, region),
    attachment(professional, organisation), official(code), diagnosis(code, leaf, category, chapter),
    department(code, region), death(...): distinct raw rows.
    """
    _load_care(connection, pack / "BDD PostgreSQL" / "DATA2023")
    connection.execute("CREATE TABLE department(code VARCHAR, region VARCHAR)")
    pairs = [(code, region) for region, codes in DEPARTMENTS.items() for code in codes.split()]
    connection.executemany("INSERT INTO department VALUES (?, ?)", pairs)
    _load_stays(connection, pack / "Hospitalisation" / "Hospitalisations.csv")
    _load_organisations(connection, pack / "Etablissement de SANTE")
    _load_diagnoses(connection)
    connection.execute(
        "CREATE TABLE death AS SELECT DISTINCT * FROM"
        " read_csv(?, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')",
        [str(pack / "DECES EN FRANCE" / "deces.csv")],
    )


def _load_care(connection: duckdb.DuckDBPyConnection, dump: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="chu-oracle-") as work, EmbeddedPostgres(Path(work)) as server:
        server.restore(dump, "oracle")
        with postgres.connect(server.url("oracle")) as source, source.cursor() as cursor:
            for table in CARE_TABLES:
                cursor.execute(f'SELECT * FROM "{table}"')
                connection.register("fetched", cursor.fetch_arrow_table())
                connection.execute(f'CREATE TABLE "raw_{table}" AS SELECT * FROM fetched')
                connection.unregister("fetched")
    connection.execute(
        """
        CREATE TABLE patient AS
        SELECT "Id_patient" AS id, CASE "Sexe" WHEN 'male' THEN 'M' WHEN 'female' THEN 'F' END AS sex,
            try_strptime("Date", '%m/%d/%Y')::DATE AS birth
        FROM "raw_Patient";
        CREATE TABLE consultation AS
        SELECT "Num_consultation" AS id, "Id_patient" AS patient, "Id_prof_sante" AS professional, "Code_diag"
            AS code,
            "Date" AS date, "Heure_debut" AS begins, "Heure_fin" AS ends
        FROM "raw_Consultation";
        CREATE TABLE professional AS
        SELECT "Identifiant" AS id, "Profession" AS profession, "Specialite" AS speciality
        FROM "raw_Professionnel_de_sante" LEFT JOIN "raw_Specialites" USING ("Code_specialite");
        """
    )


def _load_stays(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(
        """
        CREATE TABLE stay AS
        SELECT "Num_Hospitalisation" AS id, "Id_patient"::INTEGER AS patient, "Code_diagnostic" AS code,
            strptime("Date_Entree", '%d/%m/%Y')::DATE AS date, "Jour_Hospitalisation"::BIGINT AS days
        FROM read_csv(?, header = true, all_varchar = true, delim = ';', quote = '', escape = '')
        """,
        [str(path)],
    )


def _load_organisations(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The department comes from code_commune, else code_postal, else the first digits of `cedex`."""
    connection.execute(
        """
        CREATE MACRO of_postal(postal) AS CASE
            WHEN left(postal, 2) IN ('97', '98') THEN left(postal, 3)
            WHEN left(postal, 3) IN ('200', '201') THEN '2A'
            WHEN left(postal, 3) IN ('202', '206') THEN '2B'
            ELSE left(postal, 2) END;
        CREATE MACRO of_commune(commune) AS CASE
            WHEN left(commune, 2) IN ('97', '98') THEN left(commune, 3) ELSE left(commune, 2) END;
        """
    )
    connection.execute(
        """
        CREATE TABLE organisation AS
        WITH listed AS (
            SELECT identifiant_organisation AS id,
                coalesce(of_commune(code_commune), of_postal(code_postal),
                         of_postal(nullif(regexp_extract(cedex, '^\\s*([0-9]{5})', 1), ''))) AS department
            FROM read_csv(?, header = true, all_varchar = true, delim = ';', quote = '"', escape = '"')
        ), one AS (
            SELECT id, max(department) AS department FROM listed GROUP BY id
        )
        SELECT id, coalesce(d.code, 'inconnu') AS department, coalesce(d.region, 'inconnu') AS region
        FROM one LEFT JOIN department d ON d.code = one.department
        """,
        [str(folder / "etablissement_sante.csv")],
    )
    connection.execute(
        """
        CREATE TABLE attachment AS
        SELECT DISTINCT a.identifiant AS professional, o.id AS organisation
        FROM read_csv(?, header = true, all_varchar = true, delim = ';') a
        JOIN organisation o ON o.id = a.identifiant_organisation
        """,
        [str(folder / "activite_professionnel_sante.csv")],
    )


def _load_diagnoses(connection: duckdb.DuckDBPyConnection) -> None:
    """Classify each delivered code with the official list: leaf, category and chapter, or `inconnu`."""
    (listed,) = [file for file in distribution("edsnlp").files or [] if file.name == "cim10.csv.gz"]
    with gzip.open(str(listed.locate()), "rt", encoding="utf-8", newline="") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    connection.execute("CREATE TABLE official AS SELECT unnest(?::VARCHAR[]) AS code", [codes])
    connection.execute("CREATE TABLE chapter(name VARCHAR, first VARCHAR, last VARCHAR)")
    connection.executemany(
        "INSERT INTO chapter VALUES (?, ?, ?)", [(name, *bounds.split()) for name, bounds in CHAPTERS.items()]
    )
    connection.execute(
        """
        CREATE TABLE diagnosis AS
        WITH used AS (SELECT code FROM consultation UNION SELECT code FROM stay)
        SELECT u.code,
            CASE WHEN u.code IN (SELECT "Code_diag" FROM "raw_Diagnostic")
                   OR u.code IN (SELECT code FROM official)
                   OR c.name IS NOT NULL THEN u.code ELSE 'inconnu' END AS leaf,
            CASE WHEN left(u.code, 3) IN (SELECT code FROM official) THEN left(u.code, 3) ELSE 'inconnu' END
                AS category,
            coalesce(c.name, 'inconnu') AS chapter
        FROM used u LEFT JOIN chapter c ON left(u.code, 3) BETWEEN c.first AND c.last
        """
    )
