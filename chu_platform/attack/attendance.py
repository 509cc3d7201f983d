"""What the rows of attendance tell: of professionals, of few patients, and, beside own figures, of other places."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from chu_platform.attack.figures import ALL, Cell, Figures, finding, is_small
from chu_platform.attack.findings import Finding
from chu_platform.attack.hierarchies import UNKNOWN
from chu_platform.attack.inputs import ATTENDANCE, CONSULTATIONS, Inputs

if TYPE_CHECKING:
    from chu_platform.attack.knowledge import Knowledge

MEASURE: Final = "consultations"
# The lines of each consultation: in France and in each region, by day of the week, by slot, and in the week.
_LINES: Final = """
    CREATE TABLE line AS
    WITH region AS (
        SELECT DISTINCT professional_key, region_key FROM practice JOIN establishment USING (establishment_key)
    ), dated AS (
        SELECT professional_key, patient_key, date_trunc(grain, date)::DATE AS start, grain,
            [{'level': 'week', 'code': 'all'}, {'level': 'weekday', 'code': isodow(date)::VARCHAR},
             {'level': 'slot', 'code': CASE WHEN start_minute IS NULL THEN 'inconnu'
                WHEN is_night_slot OR start_minute // 60 NOT BETWEEN 6 AND 19 THEN '20-06'
                WHEN start_minute // 60 <= 12 THEN '06-13' ELSE '13-20' END},
             CASE WHEN isodow(date) >= 6 THEN {'level': 'week', 'code': 'weekend'} END] AS lines
        FROM consultation, (SELECT unnest(['month', 'year']) AS grain)
    ), placed AS (
        SELECT *, 'all' AS region_code FROM dated
        UNION ALL SELECT dated.*, region_key FROM dated JOIN region USING (professional_key)
    )
    SELECT grain, start, line.level AS level, line.code AS code, region_code, professional_key, patient_key
    FROM (SELECT * EXCLUDE (lines), unnest(lines) AS line FROM placed) WHERE line IS NOT NULL
    """


@dataclass(frozen=True)
class Makers:
    """Who makes the consultations of a cell: professionals, known patients, and the largest share of one of either."""

    professionals: int
    patients: int
    largest_share: float


def makers(inputs: Inputs) -> Mapping[Cell, Makers]:
    """Who makes the consultations of each cell of attendance, by the exact consultations and the registers."""
    with _lines(inputs) as connection:
        rows = connection.execute(
            f"""
            WITH whole AS (SELECT grain, start, level, code, region_code, count(*) AS number FROM line GROUP BY ALL),
            maker AS (
                SELECT grain, start, level, code, region_code, count(*) AS professionals, max(number) AS most FROM (
                    SELECT grain, start, level, code, region_code, professional_key, count(*) AS number
                    FROM line GROUP BY ALL
                ) GROUP BY ALL
            ), guest AS (
                SELECT grain, start, level, code, region_code, count(*) AS patients, max(number) AS most FROM (
                    SELECT grain, start, level, code, region_code, patient_key, count(*) AS number
                    FROM line WHERE patient_key <> '{UNKNOWN}' GROUP BY ALL
                ) GROUP BY ALL
            )
            SELECT grain, start, level, code, region_code, professionals, coalesce(patients, 0),
                greatest(m.most, coalesce(g.most, 0)) / number
            FROM whole JOIN maker m USING (grain, start, level, code, region_code)
                LEFT JOIN guest g USING (grain, start, level, code, region_code)
            """
        ).fetchall()
    return {
        (ATTENDANCE, grain, start, (level, code, region)): Makers(professionals, patients, share)
        for grain, start, level, code, region, professionals, patients, share in rows
    }


def outside_of_regions(figures: Figures) -> Iterator[Finding]:
    """Visible consultations of a region that leave 1 to 10 to all other places."""
    for (cell, measure), value in figures.visible.items():
        if cell[0] == ATTENDANCE and measure == MEASURE and cell[3][2] != ALL:
            whole = figures.value((*cell[:3], (*cell[3][:2], ALL)), MEASURE)
            if whole is not None and is_small(whole - value):
                yield finding(cell, f"{MEASURE} outside of it")


def left_to_others(knowledge: "Knowledge", chosen: Collection[str]) -> Iterator[Finding]:
    """What the heads of these establishments learn of others, from the own days and slots of theirs.

    Visible figures of France and of the own region that leave 1 to 10 to all others, and those of the only other
    establishment of a region.
    """
    inputs, hierarchies = knowledge.inputs, knowledge.hierarchies
    if ATTENDANCE not in inputs.published or CONSULTATIONS not in inputs.exact:
        return
    with _lines(inputs) as connection:
        connection.execute(
            "CREATE TABLE chosen AS SELECT unnest($chosen::VARCHAR[]) AS establishment_key", {"chosen": sorted(chosen)}
        )
        own: dict[tuple[str, Cell], int] = {
            (establishment, (ATTENDANCE, grain, start, (level, code, ALL))): number
            for establishment, grain, start, level, code, number in connection.execute(
                f"""
                SELECT establishment_key, grain, start, level, code, count(*)
                FROM line JOIN (SELECT DISTINCT professional_key, establishment_key FROM practice) own
                    USING (professional_key) SEMI JOIN chosen USING (establishment_key)
                WHERE region_code = '{ALL}' GROUP BY ALL
                """
            ).fetchall()
        }
    for (establishment, cell), mine in own.items():
        region = hierarchies.places_of(establishment)[2]
        others = [e for e in knowledge.neighbours[region] if e != establishment]
        for place in (ALL, region[1]):
            wider: Cell = (*cell[:3], (*cell[3][:2], place))
            whole = knowledge.figures.value(wider, MEASURE)
            if whole is None or whole - mine < 0.5:
                continue
            if is_small(whole - mine) or (place != ALL and len(others) == 1):
                yield finding(wider, f"{MEASURE} outside of {establishment}")


def _lines(inputs: Inputs) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("consultation", inputs.exact[CONSULTATIONS])
    connection.register("practice", inputs.registers.practices)
    connection.register("establishment", inputs.registers.establishments)
    connection.execute(_LINES)
    return connection
