"""Attack 3: published places and specialities are equations over the professionals of the public register."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chu_platform.attack.figures import ALL, FEWEST, finding
from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.groups import WHOLE_PROFESSION
from chu_platform.attack.hierarchies import UNKNOWN
from chu_platform.attack.inputs import PLACES, SPECIALITIES
from chu_platform.attack.intervals import propagate
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.null_space import determined, solution

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Period = tuple[str, date | None]
_NEAR_ZERO: Final = 1e-3
# Corrections that wait are smaller than this share of a whole.
_UNEXPLAINED: Final = 0.01
_WHAT: Final = "consultations of one or two professionals"
# The places of each professional of the register, with the share of each consultation. A consultation of those without
# a known organisation is unattached.
_PLACED: Final = f"""
    CREATE TABLE person AS SELECT row_number() OVER (ORDER BY professional_key) AS who,
        professional_key, profession_label, speciality_label, professional_key = '{UNKNOWN}' AS is_unknown
    FROM profession;
    CREATE TABLE placed AS
    WITH attached AS (
        SELECT who, establishment_key, department_code, region_key, 1.0 / count(*) OVER (PARTITION BY who) AS share
        FROM (SELECT DISTINCT professional_key, establishment_key FROM practice)
        JOIN establishment USING (establishment_key) JOIN person USING (professional_key)
    )
    SELECT who, level, code, round(sum(share), 9) AS share FROM (
        SELECT who, share, unnest(['establishment', 'department', 'region']) AS level,
               unnest([establishment_key, department_code, region_key]) AS code FROM attached
    ) GROUP BY ALL
    UNION ALL
    SELECT who, 'unattached', 'unattached', 1.0 FROM person ANTI JOIN attached USING (who)
    """
# Where masked rows are listed, a row exists for each place with consultations: a professional of a place without a row
# made none.
_IDLE: Final = """
    SELECT DISTINCT who FROM placed SEMI JOIN (FROM listed WHERE {period}) USING (level)
    ANTI JOIN (FROM listed WHERE {period}) USING (level, code)
    """
# The equations of each professional: their numbers and coefficients.
_ENTRIES: Final = f"""
    CREATE OR REPLACE TEMP TABLE entry AS
    SELECT who, number, coefficient FROM (
        SELECT who, number, if(is_shared, share, 1.0) AS coefficient FROM placed
        JOIN equation USING (level, code)
        UNION ALL
        SELECT who, number, 1.0 FROM person, equation WHERE level = 'total'
        UNION ALL
        SELECT who, number, 1.0 FROM person
        JOIN equation ON level = profession_label AND code IN (speciality_label, '{WHOLE_PROFESSION}')
    ) ANTI JOIN idle USING (who)
    """
# Professionals with the same equations cannot be told apart: one of them stands for all. The unknown professional
# stands for all who are in no register.
_PATTERNS: Final = f"""
    CREATE OR REPLACE TEMP TABLE pattern AS
    SELECT row_number() OVER (ORDER BY who) - 1 AS pattern, * FROM (
        SELECT min(who) AS who, sum(if(is_unknown, {FEWEST}, 1)) AS professionals
        FROM (SELECT who, sum(hash(number, coefficient)::HUGEINT) AS same FROM entry GROUP BY 1) JOIN person USING (who)
        GROUP BY same
    )
    """


@dataclass(frozen=True)
class Equations:
    """The equations of one period: published figures as sums over the patterns of professionals.

    `professionals` has the number of each pattern.
    """

    matrix: "csr_array"
    constants: NDArray[np.float64]
    professionals: NDArray[np.int64]


def public_incidence(knowledge: Knowledge) -> Result:
    """Professionals whose consultations in a year, or in all years, can be computed: of one, or of two together."""
    tried = 0
    found: list[Finding] = []
    registers = knowledge.inputs.registers
    with duckdb.connect() as connection:
        # Nothing of the registers is written to a folder.
        connection.execute("SET temp_directory = ''")
        connection.register("practice", registers.practices)
        connection.register("establishment", registers.establishments)
        connection.register("profession", registers.professions)
        connection.register("listed", _listed(knowledge))
        connection.execute(_PLACED)
        idle_of_all = _IDLE.format(period=_is((ALL, None)))
        # Rows of months and quarters are of whole regions only.
        periods = {c[1:3] for c in knowledge.figures.ends if c[0] == PLACES and c[1] in ("year", ALL)}
        for period in sorted(periods, key=str):
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE idle AS {idle_of_all} UNION {_IDLE.format(period=_is(period))}"
            )
            number = "SELECT count(*) FROM person ANTI JOIN idle USING (who)"
            tried += connection.sql(number).fetchall()[0][0]
            if equations := _equations(connection, knowledge, period):
                few = np.flatnonzero(_known(equations) & (equations.professionals < FEWEST))
                found += _findings(connection, few, period)
            knowledge.log_progress(f"professionals in {period[0]} {period[1] or ''}: {len(found)} places found")
    return Result.of(3, "public incidence of professionals", tried, found)


def _is(period: Period) -> str:
    """SQL: whether a row of `listed` is of a period."""
    grain, start = period
    return f"grain = '{grain}'" + (f" AND start = DATE '{start}'" if start else "")


def _listed(knowledge: Knowledge) -> pa.Table:
    """The rows of places of each period, of the levels of which all rows are listed."""
    left_out = _left_out(knowledge)
    rows = [
        (grain, start, *keys)
        for table, grain, start, keys in knowledge.figures.ends
        if table == PLACES and ((grain, start), keys[0]) not in left_out
    ]
    types = {"grain": pa.string(), "start": pa.date32(), "level": pa.string(), "code": pa.string()}
    return _table(rows, types)


def _left_out(knowledge: Knowledge) -> set[tuple[Period, str]]:
    """The levels of which masked rows are left out: none is listed, and visible ones do not add up to the whole."""
    figures = knowledge.figures
    masked = {(cell[1:3], cell[3][0]) for cell, measure in figures.masked if cell[0] == PLACES and measure == "events"}
    found = set()
    for group in knowledge.groups:
        whole = figures.value(group.whole, "events")
        if not group.kind.startswith("places") or whole is None:
            continue
        gap = whole - sum(figures.value(part, "events") or 0.0 for part in group.parts)
        if gap > _UNEXPLAINED * whole:
            found |= {(group.whole[1:3], part[3][0]) for part in group.parts}
    return found - masked


def _table(rows: list[tuple[Any, ...]], types: dict[str, pa.DataType]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return pa.table([pa.array(c, t) for c, t in zip(columns, types.values(), strict=True)], names=list(types))


def _equations(connection: duckdb.DuckDBPyConnection, knowledge: Knowledge, period: Period) -> Equations | None:
    """The equations of a period; None if no published figure has any. The table `pattern` has the patterns."""
    from scipy.sparse import csr_array

    rows: list[tuple[Any, ...]] = []
    constants: list[float] = []
    for (cell, measure), value in knowledge.figures.visible.items():
        is_place = cell[0] == PLACES and measure in ("events", "consultations")
        if cell[1:3] == period and (is_place or (cell[0] == SPECIALITIES and measure == "events")):
            rows.append((len(constants), *cell[3], is_place and measure == "events"))
            constants.append(value)
    types = {"number": pa.int64(), "level": pa.string(), "code": pa.string(), "is_shared": pa.bool_()}
    connection.register("equation", _table(rows, types))
    connection.execute(_ENTRIES)
    connection.execute(_PATTERNS)
    entries = connection.sql(
        "SELECT number, pattern, coefficient FROM entry JOIN pattern USING (who) ORDER BY ALL"
    ).fetchnumpy()
    if not len(entries["number"]):
        return None
    professionals = connection.sql("SELECT professionals::BIGINT AS n FROM pattern ORDER BY pattern").fetchnumpy()["n"]
    at = entries["number"].astype(np.int64), entries["pattern"].astype(np.int64)
    matrix = csr_array((entries["coefficient"].astype(np.float64), at), shape=(len(constants), len(professionals)))
    used = np.flatnonzero(np.diff(matrix.indptr))
    return Equations(matrix[used], np.array(constants)[used], professionals.astype(np.int64))


def _known(equations: Equations) -> NDArray[np.bool_]:
    """The patterns whose consultations have only one possible number, not 0."""
    matrix, constants = equations.matrix, equations.constants
    n = matrix.shape[1]
    bounds = propagate(matrix, (constants - 1e-6, constants + 1e-6), np.zeros(n), np.full(n, np.inf), np.ones(n))
    if bounds.broken:
        # Consultations of professionals who are in no register: the equations hold without whole numbers only.
        fixed, values = determined(matrix), solution(matrix, constants)
    else:
        fixed = bounds.high - bounds.low < _NEAR_ZERO
        values = bounds.low.copy()
        rest = np.flatnonzero(~fixed)
        part = matrix[:, rest]
        algebra = determined(part)
        values[rest] = np.where(algebra, solution(part, constants - matrix[:, fixed] @ values[fixed]), 0.0)
        fixed[rest[algebra]] = True
    return np.asarray(fixed & (values > _NEAR_ZERO), np.bool_)


def _findings(connection: duckdb.DuckDBPyConnection, patterns: NDArray[np.int64], period: Period) -> Iterator[Finding]:
    """The first establishment of the professional of each pattern, or the speciality."""
    connection.register("few", pa.table({"pattern": patterns}))
    rows = connection.sql(
        """
        SELECT min(p.code), any_value(profession_label), any_value(speciality_label)
        FROM pattern SEMI JOIN few USING (pattern) JOIN person USING (who)
        LEFT JOIN placed p ON p.who = pattern.who AND p.level = 'establishment'
        GROUP BY pattern
        """
    ).fetchall()
    for establishment, profession, speciality in rows:
        if establishment is None:
            yield finding((SPECIALITIES, *period, (profession, speciality)), _WHAT)
        else:
            yield finding((PLACES, *period, ("establishment", establishment)), _WHAT)
