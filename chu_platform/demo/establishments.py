"""The three files of `Etablissement de SANTE`: organisations, professionals, and places of work."""

from pathlib import Path

from chu_platform.demo.people import NAME_SLOTS
from chu_platform.demo.shared_tables import SharedTables
from chu_platform.tables.duckdb_sql import sql_text

KINDS = [
    "CABINET MEDICAL",
    "CABINET INFIRMIER",
    "PHARMACIE",
    "CENTRE HOSPITALIER",
    "CLINIQUE",
    "EHPAD",
    "LABORATOIRE",
    "MAISON DE SANTE",
]
STREET_KINDS = ["RUE", "AVENUE", "PLACE", "BOULEVARD", "CHEMIN"]
STREET_NAMES = ["DES TILLEULS", "DU MOULIN", "DE LA GARE", "DES ECOLES", "NEUVE", "DU 8 MAI"]
# First number of the organisations that occur in activities but not in the register.
ABSENT_ORGANISATION = 990_000_000


def write_organisations(shared: SharedTables, path: Path) -> None:
    """etablissement_sante.csv: UTF-8, `;`, quoted newlines in `adresse`; about 2.9 % of the keys occur twice.

    A third of the rows have no `commune` (the town is in `cedex`), a few have no location. Rows with the same key have
    the same location: only the telephone and the e-mail address differ.
    """
    total = shared.sizes.organisations
    with shared.connection.cursor() as cursor:
        cursor.execute(
            f"""
            COPY (
                WITH listed AS (
                    SELECT n, 0 AS copy FROM organisation
                    UNION ALL
                    SELECT n, 1 FROM (SELECT n FROM organisation ORDER BY shuffled(n, 301), n
                                      LIMIT {shared.sizes.duplicated_organisations})
                ), drawn AS (
                    SELECT o.*, copy, draw(o.n, 302, 1000) AS place_kind, draw(o.n, 303, 3) = 0 AS is_cedex,
                        (1 + draw(o.n, 304, 180))::VARCHAR AS number, chosen(o.n, 305, {STREET_KINDS!r})
                            AS street_kind,
                        chosen(o.n, 306, {STREET_NAMES!r}) AS street,
                        chosen(o.n, 307, {KINDS!r}) || ' ' || chosen(o.n, 308, ['DU ', 'DE LA ', 'DES '])
                            || family_plain AS name,
                        lpad(draw(o.n, 309, 1000000000)::VARCHAR, 9, '0') AS siren,
                        draw(o.n, 310, 5) = 0 AS has_newline
                    FROM listed
                    JOIN organisation o USING (n)
                    JOIN name_slots ON slot = draw(n, 311, {NAME_SLOTS})
                ), placed AS (
                    SELECT *,
                        CASE WHEN place_kind < 900 THEN code END AS code_commune,
                        CASE WHEN place_kind < 850 OR place_kind BETWEEN 900 AND 960 THEN postal_code END
                            AS code_postal,
                        CASE WHEN is_cedex AND place_kind < 985 THEN postal_code || ' ' || place END AS cedex
                    FROM drawn
                )
                SELECT
                    CASE WHEN has_newline THEN number || ' ' || street_kind || ' ' || street || chr(10)
                        || postal_code || ' ' || place
                         ELSE number || ' ' || street_kind || ' ' || street END AS adresse,
                    cedex, code_commune, code_postal, CASE WHEN is_cedex THEN NULL ELSE place END AS commune,
                    CASE WHEN draw(n, 312, 20) = 0 THEN 'BATIMENT "A"' END AS complement_destinataire,
                    CASE WHEN draw(n, 313, 20) = 0 THEN 'ENTREE NORD; 1ER ETAGE' END
                        AS complement_point_geographique,
                    CASE WHEN draw(n, 314, 4) = 0 THEN 'contact' || n || '.' || copy || '@example.org' END
                        AS email,
                    CASE WHEN draw(n, 315, 5) = 0 THEN name END AS enseigne_commerciale_site,
                    CASE WHEN draw(n, 316, 3) = 0 THEN finess END AS finess_etablissement_juridique,
                    CASE WHEN draw(n, 317, 400) = 0 THEN finess END AS finess_site,
                    id AS identifiant_organisation,
                    CASE WHEN draw(n, 318, 25) = 0 THEN 'B' END AS indice_repetition_voie,
                    CASE WHEN draw(n, 319, 30) = 0 THEN 'BP ' || draw(n, 320, 900) END
                        AS mention_distribution,
                    number AS numero_voie, CASE WHEN draw(n, 321, 10) < 3 THEN 'FRANCE' END AS pays,
                    name AS raison_sociale_site, siren AS siren_site,
                    siren || lpad(draw(n, 322, 100000)::VARCHAR, 5, '0') AS siret_site,
                    NULL AS telecopie, '0' || (100000000 + draw(n * 2 + copy, 323, 500000000)) AS telephone,
                    NULL AS telephone_2, street_kind AS type_voie, street AS voie
                FROM placed ORDER BY shuffled(n + copy * {total}, 324), n, copy
            ) TO {sql_text(path.as_posix())} (FORMAT csv, HEADER true, DELIMITER ';')
            """
        )


def write_professionals(shared: SharedTables, path: Path) -> None:
    """professionnel_sante.csv: CP1252, `;`; most professionals of the database, some others, 1 % duplicates."""
    listed = shared.sizes.listed_professionals
    utf8 = path.with_name(f"{path.name}.utf8")
    with shared.connection.cursor() as cursor:
        cursor.execute(
            f"""
            COPY (
                WITH listed AS (
                    SELECT i, CASE WHEN draw(i, 401, 100) = 0 THEN draw(i, 402, greatest(i, 1)) ELSE i END
                        AS n
                    FROM range({listed}) r(i)
                )
                SELECT CASE WHEN draw(n, 404, 50) = 0 THEN '109' || lpad(n::VARCHAR, 8, '0') ELSE id END
                    AS identifiant,
                    title AS civilite, category AS categorie_professionnelle, family AS nom, given AS prenom,
                    CASE WHEN draw(n, 405, 4) > 0 THEN place END AS commune, profession,
                    speciality_label AS specialite, id_type AS type_identifiant
                FROM listed JOIN professional USING (n) ORDER BY shuffled(i, 403), i
            ) TO {sql_text(utf8.as_posix())} (FORMAT csv, HEADER true, DELIMITER ';')
            """
        )
    with (
        open(utf8, encoding="utf-8", newline="") as source,
        open(path, "w", encoding="cp1252", newline="") as target,
    ):
        while block := source.read(1 << 20):
            target.write(block)
    utf8.unlink()


def write_activities(shared: SharedTables, path: Path) -> None:
    """activite_professionnel_sante.csv: UTF-8, `;`; a professional may have several organisations.

    64 % of the consulting professionals have an organisation in the register, 8 % only unknown ones. One row in twenty
    repeats a pair, half of them with another `mode_exercice`.
    """
    sizes = shared.sizes
    with shared.connection.cursor() as cursor:
        cursor.execute(
            f"""
            COPY (
                WITH active AS (
                    SELECT n, attachment, row_number() OVER (ORDER BY n) - 1 AS rank,
                        count(*) OVER () AS active
                    FROM professional WHERE attachment <> 'none'
                ), numbered AS (
                    SELECT i, CASE WHEN draw(i, 410, 20) = 0 THEN greatest(0, i - 1) ELSE i END AS source
                    FROM range({sizes.activities}) r(i)
                ), paired AS (
                    -- Each professional once, then again and again, the first ones likelier.
                    SELECT i, source,
                        CASE WHEN source < active THEN source ELSE skewed(source, 411, active) END AS rank
                    FROM numbered, (SELECT count(*) AS active FROM active)
                ), chosen_one AS (
                    SELECT i, source, p.id,
                        a.attachment = 'astray' OR (source >= a.active AND draw(source, 414, 12) = 0)
                            AS is_astray
                    FROM paired JOIN active a USING (rank) JOIN professional p USING (n)
                )
                SELECT c.id AS identifiant,
                    CASE WHEN is_astray THEN 'F' || ({ABSENT_ORGANISATION} + draw(source, 415, 40000))
                        ELSE o.id END
                        AS identifiant_organisation,
                    chosen(CASE WHEN draw(i, 416, 2) = 0 THEN i ELSE source END, 417,
                        ['Salarie', 'Liberal', 'Liberal', 'Benevole']) AS mode_exercice
                FROM chosen_one c
                JOIN organisation o ON o.n = skewed(source, 418, {sizes.organisations})
                ORDER BY shuffled(i, 421), i
            ) TO {sql_text(path.as_posix())} (FORMAT csv, HEADER true, DELIMITER ';')
            """
        )
