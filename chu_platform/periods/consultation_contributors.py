"""The professionals behind each cell of the consultation indicators (1, 2 and 6) that may be released.

The primary rule on contributors (`sdc.primary_rules`) needs them. `all` is the closed years, as in an edition. Exact figures of this kind are never published. Stays
have no such table, because the deliveries name no professional of a stay.

A place publishes two figures: whole consultations, and shares of them. The register says which share each professional
gives. So both figures together tell the consultations of a part of the professionals: of those with one of two shares,
or, with more than two shares, nearly those of all who also work elsewhere. Each part counts as a cell of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chu_platform.building_blocks.period_columns import PERIOD_KEY
from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.dimensions.establishment_history import establishment_history
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.periods.closed_years import closed_years
from chu_platform.periods.dim_period import dim_period
from chu_platform.sdc.primary_rules import HIDDEN
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import BEFORE_RELEASE
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, WHOLE_PROFESSION
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import FIRST_DAY, IS_NEWEST, LAST_DAY, valid_on

BY_PLACE: Final = "kpi_consultation_rate_by_establishment"
BY_DIAGNOSIS: Final = "kpi_consultation_rate_by_diagnosis"
BY_PROFESSIONAL: Final = "kpi_consultation_rate_by_professional"

EVERY_GRAIN: Final = ("month", "quarter", "year", "all")
YEARS: Final = ("year", "all")
# The period grains that are released, by level. `hidden` is the part of the unknown category in a chapter: it is not
# released, but can be computed from released cells.
PLACES: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(("total", "unattached", "region"), EVERY_GRAIN),
    "department": YEARS,
    "establishment": ("all",),
}
DIAGNOSES: Final[Mapping[str, Sequence[str]]] = {"chapter": EVERY_GRAIN, "category": YEARS, "leaf": ("all",)}
PROFESSIONS: Final[Mapping[str, Sequence[str]]] = {"profession": YEARS, "speciality": YEARS}
# Joins the end of the closed years to the events of periods, and leaves out what an edition does not count in `all`.
TO_RELEASE: Final = """
            CROSS JOIN (SELECT max(period_end) AS closed_end FROM {closed} WHERE domain = 'consultation')
            WHERE (grain <> 'all' OR date < closed_end)"""


# The level of the part of an establishment in one of the departments in which it has been: not published.
PART: Final = "establishment_part"
# First and last day of a version that nothing changes.
ALWAYS: Final = f"DATE '{FIRST_DAY}', DATE '{LAST_DAY}'"
# Common tables of the places of professionals, for queries over `establishment` (its versions) and `bridge`. `located`:
# the versions, with the code of the part of an establishment that has been in several departments. `spell`: the times of
# a professional in which no establishment of theirs has another version. `span`: these versions, in each of the times.
PLACES_OF_VERSIONS: Final = f"""
        located AS (
            SELECT *, CASE WHEN min(department_code) OVER (PARTITION BY establishment_key)
                                <> max(department_code) OVER (PARTITION BY establishment_key)
                           THEN concat(establishment_key, '|', department_code) END AS part
            FROM {{establishment}}
        ),
        spell AS (
            SELECT professional_key, valid_from,
                   coalesce(lead(valid_from) OVER (PARTITION BY professional_key ORDER BY valid_from), DATE '{LAST_DAY}')
                       AS valid_to
            FROM (
                SELECT DISTINCT w.professional_key, e.valid_from
                FROM {{bridge}} w JOIN located e ON e.establishment_key = w.establishment_key
            )
        ),
        span AS (
            SELECT t.professional_key, t.valid_from, t.valid_to, w.weight, e.establishment_version
            FROM spell t
            JOIN {{bridge}} w ON w.professional_key = t.professional_key
            JOIN located e ON e.establishment_key = w.establishment_key AND {valid_on("t.valid_from", "e")}
        )"""

# Numbers of two cells that are no place, as BIGINT: the numbers of places begin with 4.
TOTAL_CELL: Final = "0L"
UNATTACHED_CELL: Final = "1L"
# SQL of a common table expression after these: of each version of an establishment the numbers of its places. Those of
# one level have the same rest of a division by four.
NUMBERED_PLACES: Final = """
        cell AS (
            SELECT *, 4 * dense_rank() OVER (ORDER BY establishment_key) AS establishment,
                   4 * dense_rank() OVER (ORDER BY department_code) + 1 AS department,
                   4 * dense_rank() OVER (ORDER BY region_key) + 2 AS region,
                   CASE WHEN part IS NOT NULL THEN 4 * dense_rank() OVER (ORDER BY part) + 3 END AS part_cell
            FROM located
        )"""
# SQL: level, code and label of each number, without those of parts.
NAMED_PLACES: Final = f"""
            SELECT establishment AS cell, 'establishment' AS level, establishment_key AS code, establishment_label AS label
            FROM cell WHERE {IS_NEWEST}
            UNION ALL
            SELECT department, 'department', department_code, min(department_label)
            FROM cell GROUP BY department, department_code
            UNION ALL SELECT region, 'region', region_key, min(region_label) FROM cell GROUP BY region, region_key
            UNION ALL SELECT {TOTAL_CELL}, 'total', 'total', 'Ensemble des consultations'
            UNION ALL SELECT {UNATTACHED_CELL}, 'unattached', 'unattached', 'Consultations non rattachées'"""


def released(levels: Mapping[str, Sequence[str]], grain: str = "period_grain") -> str:
    """SQL condition on `level` and the column `grain`: the level is released for this period grain."""
    texts = ((level, ", ".join(f"'{g}'" for g in grains)) for level, grains in levels.items())
    return "(" + " OR ".join(f"(level = '{level}' AND {grain} IN ({listed}))" for level, listed in texts) + ")"


def _contributors(periods: Periods) -> str:
    return f"""
        WITH {PLACES_OF_VERSIONS},
        dated AS (
            SELECT c.professional_key, c.date, t.valid_from
            FROM {{consultation}} c
            LEFT JOIN spell t ON t.professional_key = c.professional_key AND {valid_on("c.date", "t")}
        ),
        worked_then AS (
            SELECT professional_key, valid_from, grain, start, CAST(count(*) AS DECIMAL(18, 0)) AS events
            FROM ({periods.expand("dated", "professional_key, valid_from, date")}
            ) {TO_RELEASE} GROUP BY professional_key, valid_from, grain, start
        ),
        worked AS (
            SELECT professional_key, grain, start, CAST(sum(events) AS DECIMAL(18, 0)) AS events
            FROM worked_then GROUP BY professional_key, grain, start
        ),
        place AS (
            SELECT professional_key, valid_from, level, code, CAST(sum(weight) AS DECIMAL(18, 12)) AS weight
            FROM (
                SELECT s.professional_key, s.valid_from, s.weight, stack(4, 'establishment', e.establishment_key,
                       'department', e.department_code, 'region', e.region_key, '{PART}', e.part) AS (level, code)
                FROM span s JOIN located e ON e.establishment_version = s.establishment_version
            ) WHERE code IS NOT NULL GROUP BY professional_key, valid_from, level, code
        ),
        -- Whose weight in a place changes within a period has the mean weight of the consultations.
        weighed AS (
            SELECT k.professional_key, k.grain, k.start, l.level, l.code,
                   CASE WHEN min(l.weight) = max(l.weight) THEN max(l.weight)
                        ELSE CAST(sum(CAST(k.events * l.weight AS DECIMAL(38, 12))) / sum(k.events) AS DECIMAL(18, 12))
                        END AS weight,
                   CAST(sum(k.events) AS DECIMAL(18, 0)) AS events
            FROM worked_then k JOIN place l ON l.professional_key = k.professional_key AND l.valid_from = k.valid_from
            WHERE {released({**PLACES, PART: ("all",)}, "grain")}
            GROUP BY k.professional_key, k.grain, k.start, l.level, l.code
            UNION ALL
            SELECT professional_key, grain, start, 'total', 'total', CAST(1 AS DECIMAL(18, 12)), events FROM worked
            UNION ALL
            SELECT k.professional_key, k.grain, k.start, 'unattached', 'unattached', CAST(1 AS DECIMAL(18, 12)), k.events
            FROM worked k LEFT ANTI JOIN {{bridge}} w ON w.professional_key = k.professional_key
        ),
        speciality AS (
            SELECT professional_key, stack(2, 'profession', concat_ws('|', profession_label, '{WHOLE_PROFESSION}'),
                   'speciality', concat_ws('|', profession_label, speciality_label)) AS (level, code)
            FROM {{professional}}
        ),
        placed AS (
            SELECT c.date, c.professional_key,
                   stack(4, 'chapter', d.chapter_code, 'category', d.category_code, 'leaf', d.diagnosis_key,
                         '{HIDDEN}', CASE d.category_code WHEN '{UNKNOWN}' THEN d.chapter_code END) AS (level, code)
            FROM {{consultation}} c JOIN {{diagnosis}} d ON d.diagnosis_key = c.diagnosis_key
        ),
        -- The events of each professional in each cell, and the share of the place in them.
        part AS (
            SELECT '{BY_PLACE}' AS indicator, grain, start, level, code, weight, events FROM weighed
            UNION ALL
            SELECT '{BY_PROFESSIONAL}', k.grain, k.start, s.level, s.code, CAST(1 AS DECIMAL(18, 12)), k.events
            FROM worked k JOIN speciality s ON s.professional_key = k.professional_key
            WHERE {released(PROFESSIONS, "grain")}
            UNION ALL
            SELECT '{BY_DIAGNOSIS}', grain, start, level, code, CAST(1 AS DECIMAL(18, 12)), events
            FROM (
                SELECT level, code, grain, start, professional_key, CAST(count(*) AS DECIMAL(18, 0)) AS events
                FROM ({periods.expand("placed", "level, code, professional_key, date")}
                ) {TO_RELEASE} AND code IS NOT NULL AND {released({**DIAGNOSES, HIDDEN: YEARS}, "grain")}
                GROUP BY level, code, grain, start, professional_key
            )
        ),
        -- Three thirds are nearly 1: weights are compared by six decimals.
        weighted AS (
            SELECT indicator, grain, start, level, code, weight, count(*) AS professionals, sum(events) AS events,
                   max(events) AS most, max(shares) AS most_shared, sum(shares) AS shared,
                   count(*) OVER (PARTITION BY indicator, grain, start, level, code) AS weights
            FROM (
                SELECT indicator, grain, start, level, code, events, CAST(weight AS DECIMAL(9, 6)) AS weight,
                       CAST(events * weight AS DECIMAL(38, 12)) AS shares
                FROM part
            ) GROUP BY indicator, grain, start, level, code, weight
        ),
        computable AS (
            SELECT indicator, grain, start, level, code, sum(professionals) AS professionals, sum(events) AS events,
                   greatest(CAST(max(most) AS DOUBLE) / CAST(sum(events) AS DOUBLE),
                            CAST(max(most_shared) AS DOUBLE) / CAST(sum(shared) AS DOUBLE)) AS largest_share
            FROM weighted
            GROUP BY indicator, grain, start, level, code,
                     CASE WHEN weights = 2 THEN weight WHEN weight < 1 THEN 0 ELSE 1 END
        ),
        counted AS (
            SELECT indicator, grain, start, level, code, min(professionals) AS professionals,
                   max(largest_share) AS largest_share, min(CAST(events AS BIGINT)) AS computable_events
            FROM computable GROUP BY indicator, grain, start, level, code
        )
        SELECT n.indicator, p.period_grain, p.period_start, n.level, n.code, n.professionals, n.largest_share,
               n.computable_events
        FROM counted n JOIN {{period}} p ON p.domain = 'consultation' AND {periods.join("n")}
        """


consultation_contributors = Table(
    name="consultation_contributors",
    layer=Layer.DISCLOSURE,
    zone=Zone.PSEUDONYMISED,
    grain="une cellule des indicateurs de consultation qui peut être publiée, ou qui se calcule à partir d’elles",
    label="Professionnels derrière chaque cellule des consultations",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        Column("indicator", STRING, "table de l’indicateur", "Indicateur", key=True),
        *PERIOD_KEY,
        Column("level", STRING, "niveau de la cellule", "Niveau", key=True),
        Column("code", STRING, "code à ce niveau", "Code", key=True),
        Column(
            "professionals",
            LONG,
            "nombre de professionnels ayant des consultations ; dans la partie de la cellule qui en a le moins, si les "
            "consultations entières et réparties donnent ensemble celles de chaque partie",
            "Professionnels",
            nullable=False,
        ),
        Column(
            "largest_share",
            DOUBLE,
            "part des consultations, entières ou réparties, du professionnel qui en a le plus, de 0 à 1 ; la plus grande "
            "de toutes les parties",
            "Plus grande part",
            nullable=False,
        ),
        Column(
            "computable_events",
            LONG,
            "nombre de consultations entières de la plus petite partie qui se calcule",
            "Consultations de la plus petite partie",
            nullable=False,
        ),
    ],
    reads={
        "consultation": fact_consultation,
        "bridge": bridge_professional_establishment,
        "establishment": establishment_history,
        "professional": dim_professional,
        "diagnosis": dim_diagnosis,
        "period": dim_period,
        "closed": closed_years,
    },
    rows=Query.over(_contributors),
    layout=Layout(partition_by=["period_grain", "period_start"], sorted_writes=False),
    derives_from=["consultation"],
)
