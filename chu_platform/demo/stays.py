"""Hospitalisations.csv: the 2 479 stays, at every scale."""

from datetime import date, timedelta
from pathlib import Path
from random import Random

from chu_platform.demo.diagnosis_codes import plain_label
from chu_platform.demo.shared_tables import SharedTables
from chu_platform.demo.sizes import STAYS_BY_YEAR

HEADER = (
    "Num_Hospitalisation;Id_patient;identifiant_organisation;Code_diagnostic;Suite_diagnostic_consultation;Date_Entree;"
    "Jour_Hospitalisation"
)
FIRST_DAY, LAST_DAY = date(2015, 6, 21), date(2021, 6, 19)
TOTAL_DAYS = 38_244
MAX_DAYS = 30
DISTINCT_PATIENTS = 2_465
UNKNOWN_PATIENTS = 3
DATED_ORGANISATIONS = 7
ABSENT_ORGANISATIONS = 20
UNKNOWN_CODES = ("ZZ99", "Q999X", "U9981", "W9X")


def write(shared: SharedTables, path: Path) -> None:
    """Write the stays: ASCII, `;`, LF, no quotes (labels contain commas). Each stay has another organisation."""
    random = shared.random("stays")
    dates = _dates(random)
    rows = len(dates)
    columns = zip(
        random.sample(range(65, 99_960), rows),
        _patients(random, rows, shared.sizes.patients),
        _organisations(random, shared),
        _diagnoses(random, shared),
        dates,
        _lengths(random, rows),
        strict=True,
    )
    lines = [
        f"{number};{patient};{organisation};{code};{label};{day:%d/%m/%Y};{length}"
        for number, patient, organisation, (code, label), day, length in columns
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="ascii", newline="")


def _dates(random: Random) -> list[date]:
    """Dates of entry, with the real number of stays per year. The first and the last day have a stay."""
    result = []
    for year, rows in STAYS_BY_YEAR.items():
        first, last = max(FIRST_DAY, date(year, 1, 1)), min(LAST_DAY, date(year, 12, 31))
        days = [first + timedelta(days=random.randrange((last - first).days + 1)) for _ in range(rows)]
        if first == FIRST_DAY:
            days[0] = FIRST_DAY
        if last == LAST_DAY:
            days[0] = LAST_DAY
        result += days
    random.shuffle(result)
    return result


def _lengths(random: Random, rows: int) -> list[int]:
    """Lengths of stay from 1 to 30 days; their sum is the real total."""
    lengths = [random.randint(1, MAX_DAYS) for _ in range(rows)]
    while (missing := TOTAL_DAYS - sum(lengths)) != 0:
        step = 1 if missing > 0 else -1
        for position in random.sample(range(rows), min(abs(missing), rows)):
            if 1 <= lengths[position] + step <= MAX_DAYS:
                lengths[position] += step
    return lengths


def _patients(random: Random, rows: int, known: int) -> list[int]:
    distinct = random.sample(range(1, known + 1), DISTINCT_PATIENTS - UNKNOWN_PATIENTS)
    distinct += [known + 1 + number for number in range(UNKNOWN_PATIENTS)]
    result = distinct + random.choices(distinct[:-UNKNOWN_PATIENTS], k=rows - len(distinct))
    random.shuffle(result)
    return result


def _organisations(random: Random, shared: SharedTables) -> list[str]:
    """Organisations of the register, a few unknown ones, and seven numbers with a date appended."""
    rows = sum(STAYS_BY_YEAR.values())
    with shared.connection.cursor() as cursor:
        known = [row[0] for row in cursor.execute("SELECT id FROM organisation ORDER BY n").fetchall()]
    result = random.sample(known, rows - ABSENT_ORGANISATIONS)
    result += [f"F98{number:07d}" for number in range(ABSENT_ORGANISATIONS)]
    for position in range(DATED_ORGANISATIONS):
        result[position] += random.choice(("01012007", "01042020", "15092011"))
    random.shuffle(result)
    return result


def _diagnoses(random: Random, shared: SharedTables) -> list[tuple[str, str]]:
    """(code, label): mostly from the group's list, some other official codes, and a few unknown codes."""
    with shared.connection.cursor() as cursor:
        known = cursor.execute("SELECT code, label FROM diagnostic ORDER BY n").fetchall()
    listed = {code for code, _ in known}
    others = sorted(code for code in shared.official if code.isalnum() and 3 <= len(code) <= 6 and code not in listed)
    rows = sum(STAYS_BY_YEAR.values())
    result = [(code, "Motif non code") for code in UNKNOWN_CODES]
    result += [(code, plain_label(shared.official[code])) for code in random.choices(others, k=rows // 25)]
    result += [known[int(len(known) * random.random() ** 2.5)] for _ in range(rows - len(result))]
    random.shuffle(result)
    return result
