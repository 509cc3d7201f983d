"""Attack 2: figures that rest on too few professionals or patients."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.attack.attendance import makers
from chu_platform.attack.figures import ALL, FEWEST, LARGEST_SHARE, Cell, finding, is_small
from chu_platform.attack.findings import Result
from chu_platform.attack.groups import WHOLE_PROFESSION
from chu_platform.attack.inputs import ATTENDANCE, CONSULTATIONS, DIAGNOSES, PLACES, SPECIALITIES, USE
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.rounded import few_persons
from chu_platform.attack.use import PARTS_OF_USE, VISITS

_NAMED = pa.schema([(c, pa.string()) for c in ("diagnosis_key", "level", "code")])
# Grain, first day and key of a cell, without its table.
Place = tuple[str, date | None, tuple[str, ...]]


# The events of each professional in each period; `all` ends where the published rows end.
_DATED: Final = """
    CREATE TABLE dated AS
    SELECT professional_key, diagnosis_key, grain,
           CASE grain WHEN 'month' THEN date_trunc('month', date) WHEN 'quarter' THEN date_trunc('quarter', date)
                      WHEN 'year' THEN date_trunc('year', date) END::DATE AS start, count(*) AS events
    FROM consultation, (SELECT unnest(['month', 'quarter', 'year', 'all']) AS grain)
    WHERE grain <> 'all' OR date < $end GROUP BY ALL
    """
_ATTACHED: Final = """
    CREATE TABLE attached AS
    SELECT professional_key, establishment_key, department_code, region_key,
           1.0 / count(*) OVER (PARTITION BY professional_key) AS weight
    FROM (SELECT DISTINCT professional_key, establishment_key FROM practice)
    JOIN establishment USING (establishment_key)
    """
# SQL of the part of each professional in each cell, by table: level, code, grain, start, professional_key, part.
_PARTS: Final = {
    PLACES: """
        SELECT level, code, grain, start, professional_key, sum(events * weight) AS part FROM (
            SELECT professional_key, weight, unnest(['establishment', 'department', 'region']) AS level,
                   unnest([establishment_key, department_code, region_key]) AS code FROM attached
        ) JOIN dated USING (professional_key) GROUP BY ALL
        UNION ALL
        SELECT 'total', 'total', grain, start, professional_key, sum(events) FROM dated GROUP BY ALL
        UNION ALL
        SELECT 'unattached', 'unattached', grain, start, professional_key, sum(events)
        FROM dated ANTI JOIN attached USING (professional_key) GROUP BY ALL
        """,
    DIAGNOSES: """
        SELECT level, code, grain, start, professional_key, sum(events) AS part
        FROM dated JOIN named USING (diagnosis_key) GROUP BY ALL
        """,
    SPECIALITIES: f"""
        SELECT level, code, grain, start, professional_key, sum(events) AS part FROM (
            SELECT profession_label AS level, unnest([speciality_label, '{WHOLE_PROFESSION}']) AS code,
                   grain, start, professional_key, events
            FROM dated JOIN profession USING (professional_key)
        ) GROUP BY ALL
        """,
    USE: PARTS_OF_USE,
}


@dataclass(frozen=True)
class Contributions:
    """How many professionals made the events of a cell, and the largest share of one."""

    professionals: int
    largest_share: float


def is_dominated(made: Contributions) -> bool:
    """Whether fewer than three professionals made the events of a cell, or one made more than 85 % of them."""
    return made.professionals < FEWEST or made.largest_share > LARGEST_SHARE


def few_contributors(knowledge: Knowledge) -> Result:
    """Visible figures of 1 to 10 patients, and those that rest on fewer than 3 professionals or on one above 85 %."""
    title = "contributors"
    figures = knowledge.figures
    visible = dict.fromkeys(cell for cell, _ in figures.visible)
    found = []
    for cell in visible:
        patients = figures.value(cell, "patients")
        if patients is not None and is_small(patients):
            found.append(finding(cell, "patients"))
    left_out = []
    if CONSULTATIONS in knowledge.inputs.exact:
        made = contributions(knowledge)
        found += [finding(c, "professionals") for c in visible if c in made and is_dominated(made[c])]
        if ATTENDANCE in knowledge.inputs.published:
            days = makers(knowledge.inputs)
            of_days = [(c, days[c]) for c in visible if c[0] == ATTENDANCE]
            found += [finding(c, "patients") for c, made_by in of_days if is_small(made_by.patients)]
            found += [
                finding(c, "contributors")
                for c, made_by in of_days
                if made_by.professionals < FEWEST or made_by.largest_share > LARGEST_SHARE
            ]
    else:
        left_out.append(f"without the exact table {CONSULTATIONS}, professionals are not counted")
    rounded, of_few, not_counted = few_persons(knowledge)
    return Result.of(2, title, len(visible) + rounded, [*found, *of_few], [*left_out, *not_counted])


def contributions(knowledge: Knowledge) -> Mapping[Cell, Contributions]:
    """The contributions of professionals to the published cells of the consultation tables."""
    registers, hierarchies = knowledge.inputs.registers, knowledge.hierarchies
    published: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for table, grain, _, keys in knowledge.figures.ends:
        if table in _PARTS:
            published[table].add((grain, keys[0]))
    found: dict[Cell, Contributions] = {}
    with duckdb.connect() as connection:
        connection.register("consultation", knowledge.inputs.exact[CONSULTATIONS])
        connection.register("practice", registers.practices)
        connection.register("establishment", registers.establishments)
        connection.register("profession", registers.professions)
        ends = (end for (table, grain, *_), end in knowledge.figures.ends.items() if table in _PARTS and grain == ALL)
        end = {"end": max(ends, default=date.max)}
        connection.execute(_DATED, end)
        if USE in published:
            connection.execute(VISITS, end)
        connection.execute(_ATTACHED)
        codes = [code for (code,) in connection.sql("SELECT DISTINCT diagnosis_key FROM dated").fetchall()]
        above = {
            "leaf": codes,
            "category": [hierarchies.category(code) for code in codes],
            "chapter": [hierarchies.chapter(code) for code in codes],
        }
        named = [pa.table([codes, [level] * len(codes), of], schema=_NAMED) for level, of in above.items()]
        connection.register("named", pa.concat_tables(named))
        for table, levels in published.items():
            shares = _shares(connection, _PARTS[table], levels)
            found |= {(table, *cell): made for cell, made in shares.items()}
    return found


def _shares(
    connection: duckdb.DuckDBPyConnection, parts: str, published: Iterable[tuple[str, str]]
) -> dict[Place, Contributions]:
    """The contributions to the cells of the published grains and levels."""
    pairs = pa.table([list(column) for column in zip(*sorted(published), strict=True)], names=["grain", "level"])
    connection.register("published", pairs)
    rows = connection.sql(
        "SELECT grain, start, level, code, count(*), max(part) / sum(part) "
        f"FROM ({parts}) SEMI JOIN published USING (grain, level) GROUP BY ALL"
    ).fetchall()
    return {(grain, start, (level, code)): Contributions(n, share) for grain, start, level, code, n, share in rows}
