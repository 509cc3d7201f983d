"""What the rows of use over time tell: of professionals, and of the patients who consult most often."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import ceil, floor
from typing import Any, Final

import pyarrow as pa

from chu_platform.attack.figures import SMALL, Cell, finding, is_small, rows_of
from chu_platform.attack.findings import Finding
from chu_platform.attack.hierarchies import UNKNOWN
from chu_platform.attack.inputs import USE

# The visits of each period: whether they are late or of the night, whether the patient came before, and the place of
# the patient among those of the period, the one with the most visits first.
VISITS: Final = f"""
    CREATE TABLE visit AS
    WITH dated AS (
        SELECT *, CASE grain WHEN 'month' THEN date_trunc('month', date) WHEN 'quarter' THEN date_trunc('quarter', date)
                             WHEN 'year' THEN date_trunc('year', date) END::DATE AS start
        FROM consultation, (SELECT unnest(['month', 'quarter', 'year', 'all']) AS grain)
        WHERE grain <> 'all' OR date < $end
    ), guest AS (
        SELECT patient_key, grain, start, row_number() OVER (period ORDER BY count(*) DESC, patient_key) AS place,
               count(*) OVER (period) AS guests
        FROM dated WHERE patient_key <> '{UNKNOWN}' GROUP BY patient_key, grain, start
        WINDOW period AS (PARTITION BY grain, start)
    ), came AS (SELECT patient_key, min(date) AS first FROM consultation GROUP BY patient_key)
    SELECT d.grain, d.start, d.professional_key, g.place, g.guests, c.first >= d.start AS is_new,
           is_night_slot AS night,
           is_night_slot OR start_minute // 60 NOT BETWEEN 6 AND 19 AS late
    FROM dated d LEFT JOIN came c USING (patient_key) LEFT JOIN guest g
        ON g.patient_key = d.patient_key AND g.grain = d.grain AND g.start IS NOT DISTINCT FROM d.start
    """
# SQL of the part of each professional in each row.
PARTS_OF_USE: Final = """
    SELECT line.level AS level, line.code AS code, grain, start, professional_key, count(*) AS part FROM (
        SELECT *, unnest([
            CASE WHEN guests > 0 THEN {'level': 'patients', 'code': if(is_new, 'new', 'returning')} END,
            CASE WHEN late THEN {'level': 'slot', 'code': 'evening'} END,
            CASE WHEN night THEN {'level': 'slot', 'code': 'night'} END,
            CASE WHEN place <= ceil(guests * 0.01) THEN {'level': 'most_frequent', 'code': '1'} END,
            CASE WHEN place <= ceil(guests * 0.05) THEN {'level': 'most_frequent', 'code': '5'} END,
            CASE WHEN place <= ceil(guests * 0.1) THEN {'level': 'most_frequent', 'code': '10'} END,
            CASE WHEN place <= ceil(guests * 0.25) THEN {'level': 'most_frequent', 'code': '25'} END,
            CASE WHEN place <= ceil(guests * 0.5) THEN {'level': 'most_frequent', 'code': '50'} END
        ]) AS line FROM visit
    ) WHERE line IS NOT NULL GROUP BY ALL
    """
# From this number of consultations on, a share is rounded to a tenth of a percent, else to a percent.
FINE: Final = 11_000
Row = Mapping[str, Any]


def frequent_patients(table: pa.Table) -> tuple[int, list[Finding]]:
    """The number of visible shares of the most frequent patients, and those that tell too much of few patients."""
    groups: dict[tuple[Any, ...], list[tuple[Cell, Row]]] = defaultdict(list)
    for cell, row in rows_of(USE, table):
        if cell[3][0] == "most_frequent" and row["percent"] is not None:
            groups[cell[:3]].append((cell, row))
    found = [one for rows in groups.values() for one in _of_period(rows)]
    return sum(map(len, groups.values())), found


def _of_period(rows: list[tuple[Cell, Row]]) -> Iterator[Finding]:
    """Groups of 1 to 10 patients, sums that are known too well, and what is known of the most frequent patient."""
    rows = sorted(rows, key=lambda pair: int(pair[0][3][1]))
    consultations, patients = (float(rows[0][1][f"period_{what}"]) for what in ("consultations", "patients"))
    step = 0.001 if consultations >= FINE else 0.01
    # Number of patients, least and most consultations, of nobody, of each group and of all.
    known = [(0.0, 0.0, 0.0)]
    for cell, row in rows:
        middle = float(row["percent"]) / 100
        least, most = (max(middle + side * step / 2, 0.0) * consultations for side in (-1, 1))
        known.append((ceil(int(cell[3][1]) * patients / 100), least, most))
        if most - least < SMALL:
            yield finding(cell, "sum of consultations")
    known.append((patients, consultations, consultations))
    for (cell, _), (fewer, more) in zip([*rows, rows[-1]], pairwise(known), strict=True):
        if is_small(more[0] - fewer[0]):
            yield finding(cell, "patients of a group, or between two")
    (number, least, most), (others, their_least, _) = known[1], known[2]
    # Each of the others of the first group has at least the mean of the next one.
    of_next = max(floor((their_least - most) / max(others - number, 1)), 1)
    if floor(most - (number - 1) * of_next) <= ceil(least / number):
        yield finding(rows[0][0], "consultations of the patient with the most")
