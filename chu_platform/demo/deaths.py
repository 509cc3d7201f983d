"""deces.csv: the national register of deaths, ordered by year, with the defects of the real file.

Sexes, ages and departments of the deaths follow from the population of the pack and from mortality tables, by quota and
not by chance: so the register is as complete as it can be. It does not depend on the other files of the pack.
"""

import math
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from shutil import copyfileobj

import pyarrow as pa

from chu_platform.demo import population
from chu_platform.demo.geography import PLACE_SLOTS
from chu_platform.demo.people import NAME_SLOTS
from chu_platform.demo.shared_tables import SharedTables
from chu_platform.demo.sizes import shares
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.spark_sql import POPULATION_AGES

HEADER = (
    "nom,prenom,sexe,date_naissance,code_lieu_naissance,lieu_naissance,pays_naissance,date_deces,code_lieu_deces,"
    "numero_acte_deces\n"
)
FIRST_YEAR, LAST_YEAR = 1971, 2020
AGE_SLOTS = DAY_SLOTS = 2_048
CHUNK_ROWS = 250_000
# The last year stops in March.
LAST_SHARE = 0.25
# Share of the rows that are different deaths in a department of France; the others are copies, or abroad.
IN_FRANCE = 0.984
# Numbers by which the rows of a year are put in another order; none divides a number of rows.
STRIDES = (7_919, 7_907, 7_901, 7_883)
# Relative numbers of deaths from January to December.
MONTHS = (115, 107, 109, 100, 97, 93, 95, 94, 92, 98, 98, 106)
ABROAD = {
    "99109": ("BERLIN", "ALLEMAGNE"),
    "99127": ("TURIN", "ITALIE"),
    "99131": ("LIEGE", "BELGIQUE"),
    "99134": ("BARCELONE", "ESPAGNE"),
    "99139": ("PORTO", "PORTUGAL"),
    "99350": ("CASABLANCA", "MAROC"),
    "99351": ("TUNIS", "TUNISIE"),
    "99352": ("ORAN", "ALGERIE"),
    "99122": ("CRACOVIE", "POLOGNE"),
    "99341": ("DAKAR", "SENEGAL"),
}
COLONIAL_ALGERIA = {"91352": "ALGER", "91353": "CONSTANTINE", "91354": "ORAN"}
COLLECTIVITIES = ["97502", "97701", "97801", "98613", "98735", "98818"]
# Rare cases that a random draw would not put into a small pack; {y} is a year of the register.
RARE_ROWS = '''\
MALVERT,AUGUSTE,1,1481-03-05,14010,BOISNEUVE,,{y}-03-02,14010,1
ORVANE,HONORINE,2,1581-12-31,35010,MONTCLAIRE,,{y}-07-11,35010,2
SALVERNE,LOUIS,1,1950-02-30,59010,VALBRUNE,,{y}-05-19,59010,3
BRIONAC,ODETTE,2,1931-06-31,33010,CHAMPDOUCE,,{y}-09-08,33010,4
TREZAULT,PAUL,1,1944-13-02,44010,VALGRISE,,{y}-10-21,44010,5
GRILANOT,RENEE,2,0000-00-00,,,,{y}-02-12,67010,6
COURZEAU,EMILE,1,1927,21010,ROCHEVERDE,,{y}-01-30,21010,7
FAURAVEL,SIMONE,2,1933-00-00,2A010,BELLENEUVE,,{y}-12-04,2A010,8
PELMOTE,JEAN,1,1940-05-00,2B010,BELLEHAUTE,,{y}-11-17,2B010,9
"LANDRAY, DIT ""LE GRAND""",HENRI,1,1938-04-12,13201,MARSEILLE 01,,{y}-08-14,13203,10
VALPION,"ANNE, MARIE",2,1929-08-25,69381,LYON 01,,{y}-06-26,69385,11
NAUDERET,MARTINE,2,1975-04-12,75101,PARIS 01,,1974-06-26,75112,12
JOUBRIEUX,CLAUDE,1,1936-10-03,97411,ROCHEBRUNE,,{y}-04-06,97411,13
QUERAVET,YVONNE,2,1925-05-18,976,MAYOTTE,,{y}-04-22,97611,14
CHAUPINOT,ROBERT,1,1919-02-07,91352,ALGER,ALGERIE,1973-02-08,91352,15
ROUVILLAC,MADELEINE,2,1901-07-14,20004,BELLENEUVE,,1972-05-01,20004,16
BAULANOT,RENE,1,1930-11-11,99352,ORAN,ALGERIE,{y}-03-19,99352,17
SAUMORET,DENISE,2,1942-12-30,,,,{y}-10-10,,
VERDELIN,MICHEL,1,1948-01-09,62010,VALDOUCE,,{y}-02-30,62010,19
DRATIVEL,JACQUELINE,2,1955-03-23,63010,MONTBRUNE,,{y}-06-31,63010,20
VERMOREL,PAULE,2,1935-03-10,97411,ROCHEBRUNE,,{y},97411,21
TALBANE,GUY,1,1941-09-14,69381,LYON 01,,{y}-05,69385,22
CORVAISE,LUCETTE,2,1937-01-20,35010,MONTCLAIRE,,{y}-00-00,35010,23
MARDOUX,ALAIN,1,1946-06-02,44010,VALGRISE,,{y}-11-00,44010,24
RIVAUMONT,COLETTE,2,1928-10-29,1004,BOISCLAIR,,{y}-02-08,1053,25
ESTALVE,BERNARD,1,1933-05-17,2A010,BELLENEUVE,,{y}-07-23,2a010,26
NOUVIERE,HALIMA,2,1950-04-06,98506,MAYOTTE,,{y}-09-15,98506,27
GALBERT,YVES,1,1939-12-11,98405,LA REUNION,,{y}-03-30,98405,28
ORSENNE,ROLAND,1,1912-08-08,92352,ORAN,ALGERIE,1975-08-19,92352,29
'''


@dataclass(frozen=True)
class Chunk:
    """Part of a year: `rows` of its `of_year` rows, from number `offset` on. `start` is the first row of the year."""

    year: int
    start: int
    of_year: int
    offset: int
    rows: int

    @property
    def stride(self) -> int:
        """The number that spreads the quotas over the days of the year: it has no divisor in common with the rows."""
        return next(s for s in STRIDES if math.gcd(s, self.of_year) == 1)


def weights() -> dict[int, float]:
    """The deaths of each year of the register, in full size."""
    whole = {year: population.deaths_of(year) for year in range(FIRST_YEAR, LAST_YEAR)}
    return {**whole, LAST_YEAR: LAST_SHARE * population.deaths_of(LAST_YEAR)}


def scale(total: int) -> float:
    """The scale at which the register has `total` rows."""
    return (total - RARE_ROWS.count("\n")) / sum(weights().values())


def chunks(total: int) -> Iterator[Chunk]:
    """The chunks of the register, by year and then by size, in order of time."""
    start = 0
    for year, of_year in shares(total - RARE_ROWS.count("\n"), weights()).items():
        for offset in range(0, of_year, CHUNK_ROWS):
            yield Chunk(year, start, of_year, offset, min(CHUNK_ROWS, of_year - offset))
        start += of_year


def create_helpers(shared: SharedTables) -> None:
    """Create the tables that the queries of the chunks join.

    `age_slots(age, slot, days)`: the age in days of a death in the group of five years that begins at an age.
    `day_slots(slot, day)`; day 0 is the first of the year. `quotas(year, until, sex, age, department, is_heat)`: see
    `population.quotas`. `death_places(department, number, size, code, place)`: the places of a department, `size` many.
    """
    connection = shared.connection
    by_group = [
        (age, slot, _age_days(age, (slot + 0.5) / AGE_SLOTS)) for age in POPULATION_AGES for slot in range(AGE_SLOTS)
    ]
    ordinal = date(2019, 1, 1).toordinal()
    of_days = {day: float(MONTHS[date.fromordinal(ordinal + day).month - 1]) for day in range(365)}
    days = [day for day, slots in shares(DAY_SLOTS, of_days).items() for _ in range(slots)]
    of_register = scale(shared.sizes.deaths)
    of_years = [
        found.append_column("year", pa.array([year] * len(found), pa.int64()))
        for year in range(FIRST_YEAR, LAST_YEAR + 1)
        for found in [population.quotas(year, of_register)]
    ]
    tables = {
        "age_slots": pa.table(dict(zip(("age", "slot", "days"), map(list, zip(*by_group, strict=True)), strict=True))),
        "day_slots": pa.table({"slot": list(range(DAY_SLOTS)), "day": days}),
        "quotas": pa.concat_tables(of_years),
    }
    for name, table in tables.items():
        connection.register("made", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM made")
        connection.unregister("made")
    connection.execute(
        """
        CREATE TABLE death_places AS
        SELECT department, row_number() OVER (PARTITION BY department ORDER BY slot) - 1 AS number,
            count(*) OVER (PARTITION BY department) AS size, code, place
        FROM place_slots
        """
    )


def _age_days(age: int, quantile: float) -> int:
    """An age in days within five years from an age on; four of five deaths under five are in the first year of life.

    From 90 on, four more years on average.
    """
    first = math.floor(365.25 * age) + 2 if age else 0
    if age == 0:
        infants = 0.8
        return (
            round(300 * quantile / infants) if quantile < infants else round(366 + 1_400 * (quantile - infants) / 0.2)
        )
    if age == POPULATION_AGES[-1]:
        return first + round(365.25 * min(-4 * math.log(1 - quantile), 24))
    return first + math.floor(1_820 * quantile)


def write(shared: SharedTables, path: Path, executor: Executor) -> None:
    """Write the register: threads of the executor make the chunks, which are appended in order.

    About 0.6 % of the rows are exact copies of another row. Memory does not depend on the scale.
    """
    create_helpers(shared)
    pieces = list(chunks(shared.sizes.deaths))
    running = []
    with open(path, "wb") as register:
        register.write(HEADER.encode())
        for number, chunk in enumerate(pieces):
            running.append(executor.submit(_write_chunk, shared, chunk, path.with_name(f"{path.name}.{number}")))
        for future in running:
            part = future.result()
            with open(part, "rb") as piece:
                copyfileobj(piece, register, 1 << 20)
            part.unlink()
        for number, row in enumerate(RARE_ROWS.splitlines()):
            register.write(f"{row.format(y=1990 + number)}\n".encode())


def _write_chunk(shared: SharedTables, chunk: Chunk, part: Path) -> Path:
    with shared.connection.cursor() as cursor:
        cursor.execute(f"COPY ({_query(chunk)}) TO {sql_text(part.as_posix())} (FORMAT csv, HEADER false)")
    return part


def _query(chunk: Chunk) -> str:
    """The rows of a chunk as text columns. 2020 stops in March; Corsican codes before 1976 begin with 20."""
    first = chunk.start + chunk.offset
    day = "day" if chunk.year < LAST_YEAR else "(day // 4)"
    foreign = list(ABROAD)
    towns = {code: town for code, (town, _) in ABROAD.items()} | COLONIAL_ALGERIA
    countries = {code: country for code, (_, country) in ABROAD.items()} | dict.fromkeys(COLONIAL_ALGERIA, "ALGERIE")
    corsica = "'20' || substr(code, 3)" if chunk.year < 1976 else "code"
    return f"""
    WITH numbered AS (
        SELECT CASE WHEN draw(i, 600, 10000) < 64 THEN greatest({chunk.start}, i - 1 - draw(i, 601, 900))
                    ELSE i END AS i
        FROM range({first}, {first + chunk.rows}) r(i)
    ), drawn AS (
        SELECT i, (((i - {chunk.start}) * {chunk.stride}) % {chunk.of_year} + 0.5)
                * (SELECT max(until) FROM quotas WHERE year = {chunk.year}) / {chunk.of_year} AS quota,
            draw(i, 603, 1000000) AS odd,
            draw(i, 604, 100000) AS where_died, draw(i, 605, 1000) AS where_born,
            ((i - {chunk.start}) * {DAY_SLOTS}) // {chunk.of_year} AS day_slot,
            draw(i, 606, {AGE_SLOTS}) AS age_slot,
            draw(i, 607, {PLACE_SLOTS}) AS death_slot, draw(i, 608, {PLACE_SLOTS}) AS birth_slot,
            draw(i, 609, {NAME_SLOTS}) AS family_slot, draw(i, 610, {NAME_SLOTS}) AS given_slot
        FROM numbered
    ), dated AS (
        SELECT n.*, q.sex = 'M' AS is_male, q.department AS death_department, a.days AS age,
            -- The heat wave of 2003 was at its worst in the second week of August.
            DATE '{chunk.year}-01-01'
                + (CASE WHEN is_heat THEN 212 + draw(i, 602, 9) + draw(i, 615, 9) ELSE {day} END)::INTEGER AS death
        FROM drawn n ASOF JOIN (FROM quotas WHERE year = {chunk.year}) q ON n.quota < q.until
        JOIN day_slots d ON d.slot = n.day_slot
        JOIN age_slots a ON a.age = q.age AND a.slot = n.age_slot
    ), born AS (
        SELECT *, CASE WHEN odd < 40 THEN death + (1 + odd)::INTEGER
                       ELSE death - age::INTEGER END AS birth,
            CASE WHEN where_born < 8 THEN chosen(i, 612, {list(COLONIAL_ALGERIA)!r})
                 WHEN where_born < 80 THEN chosen(i, 612, {foreign!r}) END AS birth_abroad
        FROM dated
    )
    SELECT
        CASE WHEN odd BETWEEN 1000 AND 2500 THEN f.family_plain || ', EPOUSE ' || g.family_plain
             WHEN odd BETWEEN 2501 AND 2600 THEN f.family_plain || ' DIT "LE ' || g.family_plain || '"'
             ELSE f.family_plain END,
        replace(CASE WHEN is_male THEN g.males_plain ELSE g.females_plain END, ' ',
            CASE WHEN odd BETWEEN 3000 AND 4000 THEN ', ' ELSE ' ' END),
        CASE WHEN is_male THEN 1 ELSE 2 END,
        CASE WHEN odd BETWEEN 10000 AND 11500 THEN left(birth::VARCHAR, 8) || '00'
             WHEN odd BETWEEN 12000 AND 14000 THEN left(birth::VARCHAR, 5) || '00-00'
             WHEN odd BETWEEN 15000 AND 15200 THEN left(birth::VARCHAR, 4)
             WHEN odd BETWEEN 15201 AND 15230 THEN left(birth::VARCHAR, 5) || '02-30'
             WHEN odd BETWEEN 15231 AND 15250 THEN '0000-00-00'
             ELSE birth::VARCHAR END,
        CASE WHEN odd BETWEEN 16000 AND 16430 THEN NULL ELSE coalesce(birth_abroad, b.code) END,
        CASE WHEN odd BETWEEN 16000 AND 16430 THEN NULL
             WHEN odd BETWEEN 17000 AND 17400 THEN b.place || ', HAMEAU DU HAUT'
             ELSE coalesce(MAP {towns!r}[birth_abroad], b.place) END,
        MAP {countries!r}[birth_abroad],
        CASE WHEN odd BETWEEN 18000 AND 18003 THEN '{chunk.year}-02-30' ELSE death::VARCHAR END,
        CASE WHEN where_died < 44 THEN NULL
             WHEN where_died < 900 THEN chosen(i, 613, {foreign!r})
             WHEN where_died < 908 THEN chosen(i, 613, {list(COLONIAL_ALGERIA)!r})
             WHEN where_died < 1000 THEN chosen(i, 613, {COLLECTIVITIES!r})
             WHEN where_died < 1004 THEN '96004'
             WHEN death_department IN ('2A', '2B') THEN {corsica.replace("code", "d.code")}
             ELSE d.code END,
        CASE WHEN odd BETWEEN 19000 AND 19900 THEN NULL ELSE 1 + draw(i, 614, 9000) END
    FROM born
    JOIN name_slots f ON f.slot = family_slot
    JOIN name_slots g ON g.slot = given_slot
    JOIN (SELECT DISTINCT department, size FROM death_places) z ON z.department = death_department
    JOIN death_places d ON d.department = death_department AND d.number = death_slot % z.size
    JOIN place_slots b ON b.slot = birth_slot
    """
