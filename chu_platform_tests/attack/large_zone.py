"""An invented published zone with as many establishments as the real one has: nearly all of them are masked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chu_platform.attack import Inputs, Registers
from chu_platform_tests.attack.zone import DIAGNOSES, PLACES, SPECIALITIES, table

Floats = NDArray[np.float64]
DEPARTMENTS = 100
REGIONS = 18
SPECIALITIES_OF_DOCTORS = 60
CATEGORIES = 1000


@dataclass(frozen=True)
class Places:
    """The rows of one level, and which of them are shown. Each third consultation is of a patient who came before."""

    level: str
    codes: Sequence[str]
    events: Floats
    consultations: Floats
    shown: NDArray[np.bool_]

    def table(self, shown: NDArray[np.bool_]) -> pa.Table:
        """The rows, with the figures of those that are `shown`."""
        schema = table(PLACES).schema
        period = table(PLACES, {}).to_pylist()[0]
        columns: dict[str, Any] = {
            **{c: [period[c]] * len(self.codes) for c in ("period_grain", "period_start", "period_end")},
            "level": [self.level] * len(self.codes),
            "code": list(self.codes),
            "events": pa.array(self.events, mask=~shown),
            "consultations": pa.array(self.consultations, mask=~shown),
            "patients": pa.array(np.ceil(self.consultations * 2 / 3), mask=~shown),
        }
        rows = {f.name: columns.get(f.name, pa.nulls(len(self.codes), f.type)) for f in schema}
        return pa.table(rows).cast(schema)


def large_zone(establishments: int, doctors: int, events: int, seed: int = 0) -> Inputs:
    """The zone. Establishments with 11 consultations of three doctors are visible, and all wider places."""
    random = np.random.default_rng(seed)
    department = random.integers(0, DEPARTMENTS, establishments)
    region = random.integers(0, REGIONS, DEPARTMENTS)
    # Each doctor works in one to four establishments; a consultation is shared between them.
    houses = np.minimum(random.geometric(0.7, doctors), 4)
    who = np.repeat(np.arange(doctors), houses)
    where = random.integers(0, establishments, len(who))
    pairs = np.unique(np.column_stack([who, where]), axis=0)
    who, where = pairs[:, 0], pairs[:, 1]
    share = 1.0 / np.bincount(who, minlength=doctors)
    made = np.bincount(random.integers(0, doctors, events), minlength=doctors).astype(np.float64)
    speciality = random.integers(0, SPECIALITIES_OF_DOCTORS, doctors)
    whole = np.array([float(events)])
    places = [Places("total", ["total"], whole, whole, np.ones(1, np.bool_))]
    levels = {"establishment": where, "department": department[where], "region": region[department[where]]}
    for level, of in levels.items():
        number = int(of.max()) + 1
        shares: Floats = np.bincount(of, made[who] * share[who], minlength=number).astype(np.float64)
        by_doctor = np.unique(np.column_stack([of, who]), axis=0)
        counted: Floats = np.bincount(by_doctor[:, 0], made[by_doctor[:, 1]], minlength=number).astype(np.float64)
        working = np.bincount(by_doctor[:, 0], made[by_doctor[:, 1]] > 0, minlength=number)
        listed = np.flatnonzero(counted)
        shown = (shares[listed] > 10) & (working[listed] > 2)
        codes = [f"{level[0]}{n}" for n in listed]
        places.append(Places(level, codes, shares[listed], counted[listed], shown))
    names = [f"s{n}" for n in range(SPECIALITIES_OF_DOCTORS)]
    of_speciality = np.bincount(speciality, made, minlength=SPECIALITIES_OF_DOCTORS)
    groups = [
        {"profession": "Médecin", "speciality": n, "events": float(v)}
        for n, v in zip([*names, "Ensemble"], [*of_speciality, events], strict=True)
    ]
    people = np.array([f"p{n}" for n in range(doctors)])
    categories = [_category(n) for n in range(CATEGORIES)]
    return Inputs(
        {
            PLACES: pa.concat_tables([p.table(p.shown) for p in places]),
            SPECIALITIES: table(SPECIALITIES, *groups),
            DIAGNOSES: _diagnoses(random, events),
        },
        Registers(
            pa.table(
                {
                    "establishment_key": [f"e{n}" for n in range(establishments)],
                    "department_code": [f"d{n}" for n in department],
                    "region_key": [f"r{n}" for n in region[department]],
                }
            ),
            pa.table({"professional_key": people[who], "establishment_key": [f"e{n}" for n in where]}),
            pa.table(
                {
                    "professional_key": people,
                    "profession_label": ["Médecin"] * doctors,
                    "speciality_label": [names[n] for n in speciality],
                }
            ),
            pa.table({"code": categories, "category_code": categories}),
            pa.table({"chapter_code": ["I"], "first_category": ["A00"], "last_category": ["Z99"]}),
        ),
        exact={
            PLACES: pa.concat_tables([p.table(np.ones(len(p.codes), np.bool_)) for p in places]),
            "fact_consultation": _consultations(people, made),
        },
    )


def _consultations(people: NDArray[np.str_], made: Floats) -> pa.Table:
    """One row for each consultation."""
    who = np.repeat(people, made.astype(np.int64))
    days = pa.array([date(2019, 3, 1)] * len(who), pa.date32())
    return pa.table({"date": days, "professional_key": who, "diagnosis_key": ["A00"] * len(who)})


def with_safe_parts(inputs: Inputs) -> Inputs:
    """The zone without the places in which a part of the professionals is too small.

    A part are those who give the same share of their consultations to the place, if there are two such shares; else
    those who work there only, and those who also work elsewhere.
    """
    shown = inputs.published[PLACES]
    with duckdb.connect() as connection:
        connection.register("practice", inputs.registers.practices)
        connection.register("establishment", inputs.registers.establishments)
        connection.register("consultation", inputs.exact["fact_consultation"])
        rows = connection.sql(
            """
            WITH made AS (SELECT professional_key, count(*) AS n FROM consultation GROUP BY ALL),
            place AS (
                SELECT professional_key, unnest(['establishment', 'department', 'region']) AS level,
                    unnest([establishment_key, department_code, region_key]) AS code,
                    1 / count(*) OVER (PARTITION BY professional_key) AS share
                FROM practice JOIN establishment USING (establishment_key)
            ),
            worker AS (
                SELECT level, code, round(sum(share), 6) AS share, any_value(n) AS n
                FROM place JOIN made USING (professional_key) GROUP BY level, code, professional_key
            ),
            numbered AS (SELECT *, dense_rank() OVER (PARTITION BY level, code ORDER BY share) AS rank FROM worker),
            parted AS (
                SELECT *, max(rank) OVER (PARTITION BY level, code) AS shares FROM numbered
            ),
            part AS (
                SELECT level, code, count(*) AS people, sum(n) AS n, max(n) / sum(n) AS largest FROM parted
                GROUP BY level, code, CASE WHEN shares = 2 THEN rank ELSE (share = 1)::INT END
            )
            SELECT level, code FROM part GROUP BY ALL
            HAVING min(people) >= 3 AND min(n) > 10 AND max(largest) <= 0.85
            """
        ).fetchall()
    safe = {*rows, ("total", "total")}
    places = zip(shown["level"].to_pylist(), shown["code"].to_pylist(), strict=True)
    keep = pa.array([place in safe for place in places])
    for name in ("events", "consultations", "patients"):
        figures = pc.if_else(keep, shown[name], pa.scalar(None, pa.float64()))
        shown = shown.set_column(shown.column_names.index(name), name, figures)
    return replace(inputs, published={**inputs.published, PLACES: shown})


def _category(number: int) -> str:
    return f"{chr(65 + number // 100)}{number % 100:02d}"


def _diagnoses(random: np.random.Generator, events: int) -> pa.Table:
    """Categories of a chapter, each with ten leaves."""
    of_leaf = random.multinomial(events, random.dirichlet(np.full(10 * CATEGORIES, 0.3))).reshape(-1, 10)
    rows: list[dict[str, Any]] = [{"level": "chapter", "code": "I", "events": float(events)}]
    for number, leaves in enumerate(of_leaf):
        category = _category(number)
        shown = leaves.sum() > 10
        rows.append({"level": "category", "code": category, **({"events": float(leaves.sum())} if shown else {})})
        rows += [
            {"level": "leaf", "code": f"{category}{n}", **({"events": float(v)} if v > 10 else {})}
            for n, v in enumerate(leaves)
            if v
        ]
    return table(DIAGNOSES, *rows)
