"""What the heads of establishments know of the cells of their places, computed again, and in little memory."""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from chu_platform.kpis.kpi_consultation_rate_by_establishment import INSIDERS
from chu_platform_tests.seeds import choose_seed

pytestmark = pytest.mark.unit

ESTABLISHMENTS, DEPARTMENTS, REGIONS, DIAGNOSES = 20_000, 50, 10, 20_000
# Establishments with consultations, of which two are alone in department 0.
HEADS = 1_500
MONTHS = [date(2000 + m // 12, m % 12 + 1, 1) for m in range(300)]
FIGURES = ("events", "consultations", "patients")
# The place of each establishment at each level: its number.
NUMBERS = np.arange(ESTABLISHMENTS)
DEPARTMENT = np.where(NUMBERS < 2, 0, 1 + NUMBERS % (DEPARTMENTS - 1))
PLACES = {"department": DEPARTMENT, "region": DEPARTMENT % REGIONS, "total": np.zeros(ESTABLISHMENTS, np.int64)}


def test_heads_of_establishments_are_joined_with_their_cells_in_little_memory() -> None:
    """All establishments times all cells of their places are 18 million rows; few of them have figures."""
    own = np.random.default_rng(choose_seed()).integers(1, 20, (len(MONTHS), HEADS, len(FIGURES)))
    expected: dict[tuple[date, str, str], tuple[float, bool]] = {}
    cells = []
    for level, places in PLACES.items():
        for place in np.unique(places[:HEADS]).tolist():
            parts = own[:, places[:HEADS] == place]
            whole = parts.sum(axis=1)
            others = whole[:, None] - parts
            tells = ((others >= 1) & (others <= 10)).any(axis=(1, 2))
            is_one_of_two = level != "total" and parts.shape[1] == 2
            most, code = parts[..., 0].max(axis=1), "total" if level == "total" else f"{place}"
            for m, month in enumerate(MONTHS):
                expected[month, level, code] = float(most[m]), is_one_of_two or bool(tells[m])
            cells.append(whole)
    assert len({few for _, few in expected.values()}) == 2

    # Diagnoses are in no place. Their many codes let the engine expect that a code has one cell.
    keys = [*expected, *((MONTHS[0], "leaf", f"{code}") for code in range(DIAGNOSES))]
    measures = np.concatenate([*cells, np.zeros((DIAGNOSES, len(FIGURES)))])
    tables = {
        "cells": {
            "id": np.arange(len(keys)),
            "grain": ["month"] * len(keys),
            **{name: [key[i] for key in keys] for i, name in enumerate(("start", "level", "code"))},
            **{name: measures[:, i].astype(float) for i, name in enumerate(FIGURES)},
        },
        "establishment": {
            "establishment_key": [f"e{e}" for e in range(ESTABLISHMENTS)],
            "department_code": PLACES["department"].astype(str),
            "region_key": PLACES["region"].astype(str),
        },
        "establishments": {
            "period_grain": ["month"] * (len(MONTHS) * HEADS),
            "period_start": [month for month in MONTHS for _ in range(HEADS)],
            "level": ["establishment"] * (len(MONTHS) * HEADS),
            "code": [f"e{e}" for _ in MONTHS for e in range(HEADS)],
            **{name: own[..., i].ravel().astype(float) for i, name in enumerate(FIGURES)},
        },
    }
    with duckdb.connect(config={"memory_limit": "300MB", "temp_directory": ""}) as connection:
        for name, columns in tables.items():
            connection.register(name, pa.table(columns))
        connection.execute("CREATE TABLE cell AS FROM cells")
        found = connection.execute(f"SELECT id, max(own), bool_or(few) FROM ({INSIDERS}) GROUP BY id").fetchall()
    assert {keys[cell]: (most, few) for cell, most, few in found} == expected


def test_the_head_of_an_establishment_that_moved_knows_its_part_of_each_department() -> None:
    figures = {"one": 30, "one|01": 20, "one|69": 10, "two": 25, "three": 40, "four": 12}
    establishments = pa.table(
        {
            "period_grain": ["all"] * len(figures),
            "period_start": [MONTHS[0]] * len(figures),
            "level": ["establishment_part" if "|" in code else "establishment" for code in figures],
            "code": [*figures],
            **{name: [*map(float, figures.values())] for name in FIGURES},
        }
    )
    versions = {"one": ["01", "69"], "two": ["01"], "three": ["69"], "four": ["69"]}
    cells = {("department", "01"): 45.0, ("department", "69"): 62.0, ("region", "84"): 107.0}
    with duckdb.connect() as connection:
        connection.register("establishments", establishments)
        pairs = [(e, d) for e, departments in versions.items() for d in departments]
        connection.register(
            "establishment",
            pa.table(
                {
                    "establishment_key": [e for e, _ in pairs],
                    "department_code": [d for _, d in pairs],
                    "region_key": ["84"] * len(pairs),
                }
            ),
        )
        rows = {
            "id": [*range(len(cells))],
            "grain": ["all"] * len(cells),
            "start": [MONTHS[0]] * len(cells),
            "level": [level for level, _ in cells],
            "code": [code for _, code in cells],
            **{name: [*cells.values()] for name in FIGURES},
        }
        connection.register("cells", pa.table(rows))
        connection.execute("CREATE TABLE cell AS FROM cells")
        found = connection.execute(f"SELECT id, own, few FROM ({INSIDERS}) ORDER BY ALL").fetchall()
    # Department 01 has two establishments, of which one was elsewhere before.
    assert [(own, few) for cell, own, few in found if cell == 0] == [(20, True), (25, True)]
    assert [(own, few) for cell, own, few in found if cell == 1] == [(10, False), (12, False), (40, False)]
    assert [own for cell, own, _ in found if cell == 2] == [12, 25, 30, 40]
