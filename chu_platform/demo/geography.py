"""French departments and invented communes, as random places for the demonstration pack.

The populations (thousands, rounded, about 2019) only make the volumes plausible; they are not reference data.
"""

from dataclasses import dataclass
from random import Random

import duckdb
import pyarrow as pa

REGION_DEPARTMENTS = {
    "84": "01:653 03:336 07:328 15:144 26:516 38:1271 42:765 43:227 63:662 69:1875 73:436 74:826",
    "27": "21:534 25:543 39:259 58:204 70:235 71:551 89:335 90:141",
    "53": "22:600 29:915 35:1079 56:759",
    "24": "18:302 28:431 36:219 37:610 41:329 45:680",
    "94": "2A:158 2B:181",
    "44": "08:270 10:310 51:566 52:172 54:733 55:184 57:1046 67:1140 68:767 88:364",
    "32": "02:531 59:2608 60:829 62:1465 80:570",
    "11": "75:2165 77:1421 78:1448 91:1301 92:1624 93:1644 94:1407 95:1249",
    "28": "14:694 27:599 50:495 61:279 76:1255",
    "75": "16:352 17:651 19:240 23:116 24:413 33:1623 40:413 47:331 64:682 79:374 86:438 87:372",
    "76": "09:153 11:374 12:279 30:748 31:1400 32:191 34:1175 46:174 48:76 65:229 66:479 81:389 82:260",
    "52": "44:1429 49:818 53:307 72:566 85:685",
    "93": "04:165 05:141 06:1094 13:2043 83:1076 84:561",
    "01": "971:384",
    "02": "972:365",
    "03": "973:282",
    "04": "974:861",
    "06": "976:257",
}
# FINESS numbers begin with the department, except overseas: 9A (here 97) and the last digit of the
# department.
OVERSEAS_FINESS = {"971": "9701", "972": "9702", "973": "9703", "974": "9704", "976": "9805"}
# Communes whose deaths and births are recorded by municipal district: first code, number of districts, town.
DISTRICTS = {"75": ("751", 20, "PARIS"), "69": ("6938", 9, "LYON"), "13": ("132", 16, "MARSEILLE")}
PLACE_SLOTS = 65_536
COMMUNES_BY_DEPARTMENT = 14


@dataclass(frozen=True)
class Place:
    """A commune: INSEE code, postal code, name, department and region codes, weight in thousands."""

    code: str
    postal_code: str
    name: str
    department: str
    region: str
    weight: float


def departments() -> list[tuple[str, str, int]]:
    """(department, region, population in thousands) of the 101 departments, in order of code."""
    rows = [
        (department, region, int(population))
        for region, pairs in REGION_DEPARTMENTS.items()
        for department, population in (pair.split(":") for pair in pairs.split())
    ]
    return sorted(rows)


def _commune_name(random: Random) -> str:
    head = random.choice(("SAINT-", "VILLE", "MONT", "BELLE", "CHAMP", "FONTAINE", "ROCHE", "BOIS", "CHATEAU", "VAL"))
    saints = ("AUBRINE", "MALVIN", "ORLIAC", "THEODRIC", "VERANNE", "GELMIN", "ODRIC", "PRIVASSE", "ELVANE")
    roots = ("VERDE", "MORIN", "GRISE", "NEUVE", "CLAIRE", "BRUNE", "HAUTE", "DOUCE", "FRANCHE", "SOULE")
    tails = (
        "-SUR-ORVE",
        "-LES-BAINS",
        "-EN-PLAINE",
        "-LA-FORET",
        "",
        "",
        "-LE-VIEUX",
        "-SUR-MER",
        "-DE-L'ISLE",
    )
    return head + random.choice(saints if head == "SAINT-" else roots) + random.choice(tails)


def places(random: Random) -> list[Place]:
    """The communes of all departments, largest first in each department. Towns with districts are split."""
    result = []
    for department, region, population in departments():
        districts = DISTRICTS.get(department)
        if districts:
            prefix, count, town = districts
            share = population * (1.0 if department == "75" else 0.4) / count
            for number in range(1, count + 1):
                code = prefix + str(number).zfill(5 - len(prefix))
                postal = f"{department}{number:03d}"
                result.append(Place(code, postal, f"{town} {number:02d}", department, region, share))
            if department == "75":
                continue
            population = round(population * 0.6)
        total = sum(1 / rank for rank in range(1, COMMUNES_BY_DEPARTMENT + 1))
        for rank in range(1, COMMUNES_BY_DEPARTMENT + 1):
            # Below 100: overseas numbers have two digits, and 91352 to 91354 were communes of colonial
            # Algeria.
            number = 3 + 6 * rank
            overseas = len(department) == 3
            code = f"{department}{number:02d}" if overseas else f"{department}{number:03d}"
            match department:
                case "2A":
                    postal = f"20{random.choice((0, 1))}{rank:02d}"
                case "2B":
                    postal = f"20{random.choice((2, 6))}{rank:02d}"
                case _:
                    # Not 97150, which is Saint-Martin.
                    digits = str(rank * 10 + 5 * overseas)
                    postal = department + digits.zfill(5 - len(department))[-(5 - len(department)) :]
            name = _commune_name(random)
            result.append(Place(code, postal, name, department, region, population / rank / total))
    return result


def create_places(connection: duckdb.DuckDBPyConnection, random: Random) -> None:
    """Create the table `place_slots(slot, code, postal_code, place, department, region)`.

    A uniform draw of one of its 65 536 slots draws a commune with a probability proportional to its weight.
    """
    communes = places(random)
    total = sum(place.weight for place in communes)
    slots: list[Place] = []
    reached = 0.0
    for place in communes:
        reached += place.weight
        slots += [place] * (round(PLACE_SLOTS * reached / total) - len(slots))
    table = pa.table(
        {
            "slot": pa.array(range(PLACE_SLOTS), pa.int64()),
            "code": [place.code for place in slots],
            "postal_code": [place.postal_code for place in slots],
            "place": [place.name for place in slots],
            "department": [place.department for place in slots],
            "region": [place.region for place in slots],
        }
    )
    connection.register("place_slots_arrow", table)
    connection.execute("CREATE TABLE place_slots AS SELECT * FROM place_slots_arrow ORDER BY slot")
    connection.unregister("place_slots_arrow")
