"""The thirteen tables of the care database: their PostgreSQL definitions and the queries that fill them."""

from dataclasses import dataclass
from datetime import date, timedelta

from chu_platform.demo.people import NAME_SLOTS
from chu_platform.demo.shared_tables import NIGHT_SLOTS, SharedTables
from chu_platform.demo.sizes import CONSULTATIONS_BY_YEAR, shares

FIRST_DAY, LAST_DAY = date(2015, 6, 20), date(2023, 3, 31)
# Relative volumes of January to December, and of Monday to Sunday.
MONTHS = (112, 106, 108, 98, 97, 98, 84, 72, 102, 110, 107, 104)
WEEKDAYS = (118, 112, 108, 108, 106, 62, 40)
INSURERS, LABORATORIES, MEDICINES = 254, 677, 15_455
MOTIVES = [
    f"{subject}{detail}"
    for subject in (
        "Consultation de suivi",
        "Douleur",
        "Fièvre",
        "Certificat médical",
        "Renouvellement de traitement",
        "Vaccination",
        "Bilan de santé",
        "Avis spécialisé",
        "Contrôle après intervention",
        "Grossesse",
    )
    for detail in ("", " (adulte)", " (enfant)", " (urgence)", " (à distance)", " (première fois)")
][:58]
STREETS = "['rue des Tilleuls', 'avenue du Port', 'impasse du Moulin', 'place Haute', 'rue Neuve']"


@dataclass(frozen=True)
class DemoCareTable:
    """A table: its name, its columns in order (`name type, ...`), and the query that gives its rows."""

    name: str
    columns: str
    query: str

    @property
    def definition(self) -> str:
        """CREATE TABLE statement, with quoted names because they have mixed case."""
        columns = (column.split(" ", 1) for column in self.columns.split(", "))
        quoted = ", ".join(f'"{name}" {kind}' for name, kind in columns)
        return f'CREATE TABLE "{self.name}" ({quoted})'


def create_helpers(shared: SharedTables) -> None:
    """Create `patient`, `day` and `consultation`, which the queries below share.

    `patient(n, birth_date, is_female)`: born in 2020 or before; one in 500 has no birth date.
    `day(date, start, rows)`: consultations of each day, numbered in order of time from `start`.
    """
    sizes, connection = shared.sizes, shared.connection
    connection.execute(
        f"""
        CREATE TABLE patient AS
        SELECT i + 1 AS n, draw(i, 0, 10000) < 5922 AS is_female,
            CASE WHEN draw(i, 1, 500) <> 7 THEN DATE '2020-12-31' - (
                CASE WHEN draw(i, 2, 10) < 2 THEN draw(i, 3, 17 * 365)
                     WHEN draw(i, 2, 10) < 8 THEN 17 * 365 + draw(i, 4, 52 * 365)
                     ELSE 62 * 365 + skewed(i, 5, 36 * 365) END)::INTEGER END AS birth_date
        FROM range({sizes.patients}) r(i)
        """
    )
    by_year = shares(sizes.consultations, {year: float(rows) for year, rows in CONSULTATIONS_BY_YEAR.items()})
    days: list[tuple[date, int, int]] = []
    start = 0
    for year, rows in by_year.items():
        first, last = max(FIRST_DAY, date(year, 1, 1)), min(LAST_DAY, date(year, 12, 31))
        weights = {
            day: float(MONTHS[date.fromordinal(day).month - 1] * WEEKDAYS[date.fromordinal(day).weekday()])
            for day in range(first.toordinal(), last.toordinal() + 1)
        }
        for day, count in shares(rows, weights).items():
            days.append((date.fromordinal(day), start, count))
            start += count
    values = ", ".join(f"(DATE '{day}', {start}, {count})" for day, start, count in days if count)
    connection.execute(f"CREATE TABLE day AS SELECT * FROM (VALUES {values}) v(date, start, rows)")
    connection.execute(
        f"""
        CREATE TABLE consultation AS
        WITH one AS (SELECT date, unnest(range(start, start + rows)) AS i FROM day),
        numbered AS (
            SELECT i, row_number() OVER (ORDER BY shuffled(i, 200), i) AS number,
                CASE i WHEN 0 THEN DATE '{FIRST_DAY}' WHEN {sizes.consultations - 1} THEN DATE '{LAST_DAY}'
                       ELSE date END AS date
            FROM one
        )
        SELECT number, date, i,
            1 + least(draw(i, 201, {sizes.patients}), draw(i, 202, {sizes.patients})) AS patient,
            CASE WHEN number <= {sizes.consulting_professionals} THEN number - 1
                 ELSE skewed(i, 203, {sizes.consulting_professionals}) END AS professional,
            CASE WHEN number <= 15487 THEN number - 1
                 WHEN draw(i, 206, 10) < 7 THEN skewed(i, 207, 15487) ELSE draw(i, 207, 15487) END
                     AS diagnosis,
            CASE WHEN number <= {NIGHT_SLOTS} THEN 3 ELSE [0, 0, 0, 1, 1, 1, 2][1 + draw(i, 210, 7)] END
                AS slot
        FROM numbered ORDER BY number
        """
    )


def tables(shared: SharedTables) -> list[DemoCareTable]:
    """The tables in the order of the dump; their queries run after `create_helpers`."""
    sizes = shared.sizes
    insurer = f"CASE WHEN draw(p.n, 6, 100000) < 96671 THEN 1 + skewed(p.n, 7, {INSURERS}) ELSE 0 END"
    today = LAST_DAY + timedelta(days=1)
    return [
        DemoCareTable(
            "Patient",
            "Id_patient integer PRIMARY KEY, Nom varchar(20), Prenom varchar(23), Sexe varchar(6), "
            "Adresse varchar(100), Ville varchar(100), Code_postal varchar, Pays varchar(2), EMail "
            "varchar(100), Tel varchar(25), Date varchar(10), Age integer, Num_Secu varchar(16), "
            "Groupe_sanguin varchar(3), Poid varchar(5), Taille varchar(3)",
            f"""
            SELECT p.n, f.family, CASE WHEN is_female THEN g.female ELSE g.male END,
                CASE WHEN is_female THEN 'female' ELSE 'male' END,
                (1 + draw(p.n, 10, 120)) || ' ' || chosen(p.n, 11, {STREETS}), c.place, c.postal_code, 'FR',
                lower(g.males_plain[1:1] || '.' || f.family_plain) || p.n || '@example.org',
                '0' || (1 + draw(p.n, 12, 5)) || lpad(draw(p.n, 13, 100000000)::VARCHAR, 8, '0'),
                month(birth_date) || '/' || day(birth_date) || '/' || year(birth_date),
                2021 - year(birth_date), '99' || lpad(draw(p.n, 14, 100000000000000)::VARCHAR, 14, '0'),
                chosen(p.n, 15, ['O+', 'O+', 'A+', 'A+', 'A+', 'B+', 'AB+', 'O-', 'A-', 'B-', 'AB-']),
                (40 + draw(p.n, 16, 70)) || '.' || draw(p.n, 17, 10), (145 + draw(p.n, 18, 50))::VARCHAR
            FROM patient p
            JOIN name_slots f ON f.slot = draw(p.n, 20, {NAME_SLOTS})
            JOIN name_slots g ON g.slot = draw(p.n, 21, {NAME_SLOTS})
            JOIN place_slots c ON c.slot = draw(p.n, 22, 65536)
            ORDER BY p.n
            """,
        ),
        DemoCareTable(
            "Consultation",
            "Num_consultation integer PRIMARY KEY, Id_mut integer, Id_patient integer, Id_prof_sante "
            "varchar, Code_diag varchar, Motif varchar, Date date, Heure_debut time, Heure_fin time",
            f"""
            SELECT c.number, {insurer}, c.patient, s.id, d.code, chosen(i, 211, {MOTIVES!r}), c.date,
                ['08:00:00', '13:00:00', '20:00:00', '20:00:00'][1 + c.slot],
                ['12:00:00', '18:00:00', '23:00:00', '02:00:00'][1 + c.slot]
            FROM consultation c
            JOIN patient p ON p.n = c.patient
            JOIN professional s ON s.n = c.professional
            JOIN diagnostic d ON d.n = c.diagnosis
            ORDER BY c.number
            """,
        ),
        DemoCareTable(
            "Diagnostic",
            "Code_diag varchar PRIMARY KEY, Diagnostic varchar",
            "SELECT code, label FROM diagnostic ORDER BY n",
        ),
        DemoCareTable(
            "Professionnel_de_sante",
            "Identifiant varchar PRIMARY KEY, Civilite varchar, Categorie_professionnelle varchar, Nom "
            "varchar, Prenom varchar, Profession varchar, Type_identifiant varchar, Code_specialite "
            "varchar",
            "SELECT id, title, category, family, given, profession, id_type, speciality FROM professional ORDER BY n",
        ),
        DemoCareTable(
            "Specialites",
            "Code_specialite varchar PRIMARY KEY, Fonction varchar, Specialite varchar",
            "SELECT code, profession, label FROM speciality ORDER BY n",
        ),
        DemoCareTable(
            "Mutuelle",
            "Id_Mut integer PRIMARY KEY, Nom varchar, Adresse varchar",
            f"SELECT i, 'Mutuelle ' || family || ' ' || i, NULL FROM range(1, {INSURERS + 1}) r(i)"
            f" JOIN name_slots ON slot = draw(i, 500, {NAME_SLOTS}) ORDER BY i",
        ),
        DemoCareTable(
            "Adher",
            "Id_patient integer, Id_mut integer",
            f"SELECT n, mut FROM (SELECT p.n, {insurer} AS mut FROM patient p) WHERE mut > 0 ORDER BY n",
        ),
        DemoCareTable(
            "Prescription",
            "Num_consultation integer, Code_CIS varchar",
            f"SELECT 1 + draw(i, 501, {sizes.consultations}), 60000000 + 17 * skewed(i, 502, {MEDICINES})"
            f" FROM range({sizes.prescriptions}) r(i) ORDER BY i",
        ),
        DemoCareTable(
            "Medicaments",
            "Code_CIS varchar PRIMARY KEY, Denomination varchar, Forme_pharmaceutique varchar, "
            "Voies_d_administration varchar, Statut_administratif varchar, Type_de_procedure varchar, "
            "Etat_de_commercialisation varchar, Date_AMM varchar, StatutBdm varchar, "
            "Num_autorisation_europeenne varchar, Titulaire varchar, Surveillance_renforcee varchar",
            f"""
            SELECT 60000000 + 17 * i, upper(family_plain) || 'INE ' || (5 * (1 + draw(i, 505, 100))) || ' mg',
                chosen(i, 506, ['comprimé pelliculé', 'gélule', 'solution injectable', 'crème', 'sirop']),
                chosen(i, 507, ['orale', 'intraveineuse', 'cutanée']), 'Autorisation active',
                chosen(i, 508, ['Procédure nationale', 'Procédure décentralisée', 'Procédure centralisée']),
                CASE WHEN draw(i, 509, 10) < 8 THEN 'Commercialisée' ELSE 'Non commercialisée' END,
                strftime(DATE '1985-01-01' + draw(i, 510, 13000)::INTEGER, '%d/%m/%Y'), NULL,
                CASE WHEN draw(i, 511, 10) = 0 THEN 'EU/1/' || (10 + draw(i, 512, 90)) || '/' || i END,
                'LABORATOIRE ' || family_plain, CASE WHEN draw(i, 513, 20) = 0 THEN 'Oui' ELSE 'Non' END
            FROM range({MEDICINES}) r(i) JOIN name_slots ON slot = draw(i, 514, {NAME_SLOTS}) ORDER BY i
            """,
        ),
        DemoCareTable(
            "Laboratoire",
            "Id_labo integer PRIMARY KEY, Laboratoire varchar, Pays varchar",
            f"""
            SELECT i, 'LABORATOIRE ' || family_plain,
                chosen(i, 520, ['FRANCE', 'FRANCE', 'FRANCE', 'ALLEMAGNE', 'SUISSE', 'IRLANDE'])
            FROM range(1, {LABORATORIES + 1}) r(i) JOIN name_slots ON slot = draw(i, 521, {NAME_SLOTS})
            ORDER BY i
            """,
        ),
        DemoCareTable(
            "Salle",
            "Id_salle varchar PRIMARY KEY, Num_consultation integer, Code_bloc varchar, Num_etage "
            "varchar, Num_salle varchar",
            f"""
            SELECT chr((ascii('S') + i // 1000000)::INTEGER) || lpad((i % 1000000)::VARCHAR, 6, '0'),
                1 + draw(i, 530, {sizes.consultations}),
                chosen(i, 531, ['A', 'B', 'C', 'D']), draw(i, 532, 6)::VARCHAR,
                (1 + draw(i, 533, 40))::VARCHAR
            FROM range({sizes.rooms}) r(i) ORDER BY i
            """,
        ),
        DemoCareTable(
            "AAAA",
            "Id integer, Num integer, Code integer, Nom varchar, Prenom varchar, Adresse varchar, Code_diag varchar",
            f"""
            SELECT 1 + draw(i, 540, 100000), i, draw(i, 541, 1000), family, male,
                (1 + draw(i, 542, 99)) || ' ' || chosen(i, 543, {STREETS}), code
            FROM range({sizes.scratch}) r(i)
            JOIN name_slots ON slot = draw(i, 544, {NAME_SLOTS})
            JOIN diagnostic d ON d.n = draw(i, 545, 15490) ORDER BY i
            """,
        ),
        DemoCareTable(
            "date",
            "date1 varchar, date2 varchar",
            f"""
            SELECT strftime(DATE '{FIRST_DAY}' + draw(i, 550, {(today - FIRST_DAY).days})::INTEGER,
                '%d/%m/%Y'),
                strftime(DATE '{FIRST_DAY}' + draw(i, 551, {(today - FIRST_DAY).days})::INTEGER, '%d/%m/%Y')
            FROM range({sizes.scratch}) r(i) ORDER BY i
            """,
        ),
    ]
