"""Tables that several delivered files share: diagnoses, professionals, organisations. Writes no file."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import duckdb
import pyarrow as pa

from chu_platform.demo import diagnosis_codes, geography, people, randomness
from chu_platform.demo.sizes import Sizes

# Shares of the consulting professionals: with an organisation in the register; with unknown organisations only.
ATTACHED_SHARE, UNKNOWN_ORGANISATION_SHARE = 0.64, 0.08
NIGHT_SLOTS = 10
PROFESSIONS = {
    "Infirmier": 30,
    "Médecin": 26,
    "Masseur-Kinésithérapeute": 12,
    "Pharmacien": 9,
    "Chirurgien-Dentiste": 6,
    "Opticien-Lunetier": 4,
    "Orthophoniste": 4,
    "Sage-Femme": 3,
    "Psychologue": 3,
    "Pédicure-Podologue": 2,
    "Ergothérapeute": 1,
}
MEDICAL_SPECIALITIES = (
    *("Médecine générale", "Cardiologie", "Pédiatrie", "Gynécologie-obstétrique", "Psychiatrie"),
    *("Radiologie", "Anesthésie-réanimation", "Ophtalmologie", "Dermatologie"),
    *("Gastro-entérologie", "Rhumatologie", "Pneumologie", "Neurologie", "Néphrologie", "Urologie"),
    *("Chirurgie générale", "Chirurgie orthopédique", "Oncologie", "Gériatrie", "Endocrinologie"),
    *("Biologie médicale", "Santé publique", "Médecine du travail", "Oto-rhino-laryngologie"),
    *("Stomatologie", "Hématologie", "Médecine interne", "Maladies infectieuses"),
    *("Chirurgie vasculaire", "Neurochirurgie", "Médecine physique", "Médecine d'urgence"),
    *("Génétique médicale", "Médecine nucléaire"),
)
SPECIALITIES = 93


@dataclass(frozen=True)
class SharedTables:
    """The shared tables in one DuckDB database. Each thread must use its own cursor.

    Tables: `place_slots`, `name_slots`, `diagnostic(n, code, label)`, `speciality(n, code, profession,
    label)`, `professional(n, id, ...)`, `organisation(n, id, finess, ...)`.
    """

    connection: duckdb.DuckDBPyConnection
    sizes: Sizes
    seed: int
    official: dict[str, str]

    def random(self, name: str) -> Random:
        """A Python random generator for one purpose, seeded with the seed and `name`."""
        return Random(f"{self.seed}/{name}")


def specialities() -> list[tuple[str, str, str]]:
    """(code, profession, label) of the 93 specialities."""
    rows = []
    for number in range(SPECIALITIES - len(PROFESSIONS) + 1):
        name = MEDICAL_SPECIALITIES[number % len(MEDICAL_SPECIALITIES)]
        rank = number // len(MEDICAL_SPECIALITIES)
        rows.append((f"SM{number + 1:02d}", "Médecin", name + ("", " (compétence)", " (capacité)")[rank]))
    others = [profession for profession in PROFESSIONS if profession != "Médecin"]
    return rows + [(f"SP{number + 1:02d}", name, f"{name} - exercice courant") for number, name in enumerate(others)]


def create(sizes: Sizes, seed: int) -> SharedTables:
    """Draw the shared tables. Raises ChuError when the CIM-10 list is not installed."""
    connection = randomness.connect(seed)
    shared = SharedTables(connection, sizes, seed, diagnosis_codes.official_codes())
    geography.create_places(connection, shared.random("places"))
    people.create_names(connection, shared.random("names"))
    rows = diagnosis_codes.delivered_diagnoses(shared.official, shared.random("diagnoses"))
    _load(connection, "diagnostic", ("code", "label"), rows)
    _load(connection, "speciality", ("code", "profession", "label"), specialities())
    _create_professionals(shared)
    _create_organisations(shared)
    return shared


def _load(
    connection: duckdb.DuckDBPyConnection, table: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> None:
    """Create a table from rows, with their number from 0 in column `n`."""
    columns: dict[str, list[int] | list[str]] = {"n": list(range(len(rows)))}
    columns |= {name: [row[position] for row in rows] for position, name in enumerate(names)}
    connection.register("loaded", pa.table(columns))
    connection.execute(f"CREATE TABLE {table} AS SELECT * FROM loaded ORDER BY n")
    connection.unregister("loaded")


def _create_professionals(shared: SharedTables) -> None:
    """Create professionals 0 to N - 1; the first `consulting_professionals` of them give consultations.

    Identifiers are RPPS (11 digits) or ADELI (department, letter, number; at most a million of those exist).
    """
    professions = [name for name, weight in PROFESSIONS.items() for _ in range(weight)]
    shared.connection.execute(
        f"""
        CREATE TABLE professional AS
        WITH drawn AS (
            SELECT i AS n, i < 1000000 AND draw(i, 100, 100) < 38 AS is_adeli,
                draw(i, 101, {geography.PLACE_SLOTS}) AS place_slot, draw(i, 102, {people.NAME_SLOTS})
                    AS family_slot,
                draw(i, 103, {people.NAME_SLOTS}) AS given_slot, draw(i, 104, 100) < 62 AS is_female,
                chosen(i, 105, {professions!r}) AS profession
            FROM range({shared.sizes.professionals}) r(i)
        ), specialised AS (
            SELECT profession, list(code ORDER BY n) AS codes, list(label ORDER BY n) AS labels
            FROM speciality GROUP BY profession
        )
        SELECT d.n,
            CASE WHEN is_adeli THEN left(department, 2) || chr((ascii('A') + d.n // 1000000)::INTEGER)
                      || lpad((d.n % 1000000)::VARCHAR, 6, '0')
                 ELSE '10' || lpad(((d.n * 999983 + 12345) % 1000000000)::VARCHAR, 9, '0') END AS id,
            CASE WHEN is_adeli THEN '0' ELSE '8' END AS id_type,
            CASE WHEN draw(d.n, 106, 10) < 2 THEN NULL
                 WHEN d.profession = 'Médecin' THEN 'DR' WHEN is_female THEN 'MME' ELSE 'M' END AS title,
            CASE WHEN draw(d.n, 107, 100) < 96 THEN 'Civil'
                 ELSE chosen(d.n, 108, ['Militaire', 'Etudiant']) END AS category,
            f.family, CASE WHEN is_female THEN g.female ELSE g.male END AS given, place, d.profession,
            CASE WHEN draw(d.n, 109, 100) < 90 THEN codes[1 + skewed(d.n, 110, len(codes))] END AS speciality,
            CASE WHEN draw(d.n, 109, 100) < 90 THEN labels[1 + skewed(d.n, 110, len(labels))] END
                AS speciality_label,
            CASE WHEN draw(d.n, 113, 10000) < {ATTACHED_SHARE * 10_000} THEN 'attached'
                 WHEN draw(d.n, 113, 10000) < {(ATTACHED_SHARE + UNKNOWN_ORGANISATION_SHARE) * 10_000} THEN 'astray'
                 ELSE 'none' END AS attachment
        FROM drawn d
        JOIN place_slots p ON p.slot = d.place_slot
        JOIN name_slots f ON f.slot = d.family_slot
        JOIN name_slots g ON g.slot = d.given_slot
        JOIN specialised s ON s.profession = d.profession
        ORDER BY d.n
        """
    )


def _create_organisations(shared: SharedTables) -> None:
    """Create organisations 0 to N - 1 with FINESS numbers: department, then seven digits."""
    prefixes = ", ".join(f"'{code}': '{prefix}'" for code, prefix in geography.OVERSEAS_FINESS.items())
    shared.connection.execute(
        f"""
        CREATE TABLE organisation AS
        WITH drawn AS (
            SELECT i AS n, draw(i, 300, {geography.PLACE_SLOTS}) AS place_slot
                FROM range({shared.sizes.organisations}) r(i)
        ), numbered AS (
            SELECT d.n, p.* EXCLUDE (slot),
                coalesce(MAP {{{prefixes}}}[department], department) AS prefix,
                row_number() OVER (PARTITION BY coalesce(MAP {{{prefixes}}}[department], department)
                    ORDER BY d.n) AS rank
            FROM drawn d JOIN place_slots p ON p.slot = d.place_slot
        )
        SELECT n, code, postal_code, place, department, region,
            prefix || lpad((rank * 16 + 8)::VARCHAR, (9 - len(prefix))::INTEGER, '0') AS finess,
            'F' || prefix || lpad((rank * 16 + 8)::VARCHAR, (9 - len(prefix))::INTEGER, '0') AS id
        FROM numbered ORDER BY n
        """
    )
