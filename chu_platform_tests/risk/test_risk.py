"""The figures of `chu risk`, compared with those of pycanon, which shares no code with them."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pycanon import anonymity

from chu_platform import cli
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.errors import ChuError
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.risk.table_risks import AS_STORED, SMALL, Risk, risks_by_table, risks_of, tables_at_risk
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import FORMAT, record_format
from chu_platform.tables.spark_sql import AGE_BANDS
from chu_platform.tables.table import Table

pytestmark = pytest.mark.integration

PATIENTS, STAYS, ESTABLISHMENTS = 60, 250, 6
Stays = Sequence[Mapping[str, Any]]


def put(lake: Lake, table: Table, rows: Stays) -> None:
    arrays = [pa.array([row.get(c.name) for row in rows], c.type) for c in table.columns]
    write_deltalake(str(lake.path(table)), pa.table(arrays, names=[c.name for c in table.columns]))


def stays(seed: int) -> Stays:
    """Stays with what is known of their patients and establishments; few values, so that classes have several rows."""
    draw = random.Random(seed)
    patients = [(f"p{n}", draw.choice("FM"), draw.randrange(1930, 2015)) for n in range(PATIENTS)]
    found = []
    for number in range(STAYS):
        patient, sex, birth_year = draw.choice(patients)
        day = date(2019, 1, 1) + timedelta(days=draw.randrange(700))
        age, place = day.year - birth_year - 1, draw.randrange(ESTABLISHMENTS)
        row = {"stay_key": f"s{number}", "month": f"{day:%Y-%m}", "date": day, "patient_key": patient, "sex": sex}
        row |= {"establishment_key": f"e{place}", "department_code": f"{place // 2:02}", "region_key": f"r{place // 4}"}
        row |= {"age": age, "age_band": AGE_BANDS[min(age // 5, 17)], "birth_year": birth_year}
        row |= {"days": draw.choice([0, 1, 3, 9, 40]), "diagnosis_key": draw.choice("AAAAABBCD")}
        found.append(row)
    return found


@pytest.fixture(scope="module")
def rows(seed: int) -> Stays:
    return stays(seed)


@pytest.fixture(scope="module")
def lake(rows: Stays, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("risk") / "lake")
    lake.prepare()
    record_format(lake.root, FORMAT)
    put(lake, fact_hospitalisation, rows)
    put(lake, dim_patient, [*{r["patient_key"]: r for r in rows}.values()])
    put(lake, dim_establishment, [*{r["establishment_key"]: r for r in rows}.values()])
    return lake


@pytest.fixture(scope="module")
def found(lake: Lake) -> Mapping[str, Risk]:
    return {risk.generalisation: risk for risk in risks_of(lake, fact_hospitalisation)}


def wide(age: int) -> int:
    return max(first for first in (0, 15, 25, 45, 65, 75, 85) if first <= age)


def length(days: int) -> str:
    return "0-1" if days < 2 else "2-7" if days < 8 else "8-30" if days < 31 else "31+"


# The quasi-identifying values of a stay in each generalisation, computed in Python.
EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    AS_STORED: lambda s: (s["sex"], s["birth_year"], s["date"], s["establishment_key"], s["age"], s["days"]),
    "Date d’entrée : mois": lambda s: (
        *(s["sex"], s["birth_year"], s["date"].strftime("%m/%y"), s["establishment_key"], s["age"], s["days"]),
    ),
    "Établissement : département": lambda s: (
        *(s["sex"], s["birth_year"], s["date"], s["department_code"], s["age"], s["days"]),
    ),
    "étape 1": lambda s: (
        *(s["sex"], s["birth_year"] // 5, (s["date"].year, s["date"].month), s["department_code"]),
        *(min(s["age"] // 5, 17), length(s["days"])),
    ),
    "étape 2": lambda s: (
        *(s["sex"], s["birth_year"] // 10, (s["date"].year, (s["date"].month - 1) // 3), s["region_key"]),
        wide(s["age"]),
    ),
    "étape 3": lambda s: (s["sex"], s["date"].year),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_figures_are_those_of_pycanon(rows: Stays, found: Mapping[str, Risk], name: str) -> None:
    (risk,) = [r for n, r in found.items() if n == name or f", {name} (" in n]
    table = pd.DataFrame(
        {
            "class": [repr(EXPECTED[name](row)) for row in rows],
            "patient": [row["patient_key"] for row in rows],
            "diagnosis": [row["diagnosis_key"] for row in rows],
        }
    )
    of_patients = table[["class", "patient"]].drop_duplicates(ignore_index=True)
    assert risk.classes == table["class"].nunique()
    assert risk.k == anonymity.k_anonymity(of_patients, ["class"])
    assert risk.k_rows == anonymity.k_anonymity(table, ["class"])
    assert risk.l == anonymity.l_diversity(table, ["class"], ["diagnosis"])
    assert risk.t == pytest.approx(anonymity.t_closeness(table, ["class"], ["diagnosis"]), abs=1e-12)
    patients = of_patients.groupby("class").size()
    diagnoses = table.groupby("class")["diagnosis"].nunique()
    in_class = table["class"].map
    assert risk.alone == pytest.approx((in_class(patients) == 1).mean())
    assert risk.small == pytest.approx((in_class(patients) < SMALL).mean())
    assert risk.alike == pytest.approx((in_class(diagnoses) == 1).mean())


def test_the_classes_differ_between_the_generalisations(found: Mapping[str, Risk]) -> None:
    """Otherwise the comparison would prove little."""
    last = next(r for n, r in found.items() if "étape 3" in n)
    assert found[AS_STORED].k == 1 and found[AS_STORED].alone > 0.9
    assert last.k > SMALL and last.l > 1 and 0 < last.t < found[AS_STORED].t


def test_every_fact_of_care_has_declared_columns() -> None:
    names = {"fact_consultation", "fact_hospitalisation", "fact_prescription", "fact_cycle"}
    assert {t.name for t in tables_at_risk()} == names
    for table in tables_at_risk():
        assert any(c.quasi_identifying for c in table.columns)
        # One sensitive value a row is measured.
        assert sum(c.sensitive for c in table.columns) == 1


def test_the_command_prints_no_value_of_a_row(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHU_LAKE", str(lake.root))
    cli.app(["risk", "facts/fact_hospitalisation"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "Séjours hospitaliers" in printed and "k (patients)" in printed
    assert not any(value in printed for value in ("p1", "e1", "2019", "r0"))
    cli.app(["risk", "facts/fact_hospitalisation", "--json"], standalone_mode=False)
    first, *_ = json.loads(capsys.readouterr().out)
    assert (first["table"], first["k"]) == ("pseudonymised/facts/fact_hospitalisation", 1)


def test_mistakes_give_one_sentence(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ChuError, match=r"^'facts/fact_death' has no sensitive column: choose one of facts/fact_consul"):
        risks_by_table(lake, "facts/fact_death")
    with pytest.raises(ChuError, match="fact_consultation is not in the lake yet: materialise"):
        risks_by_table(lake, None)
    empty = Lake(tmp_path / "lake")
    empty.prepare()
    for table in (fact_hospitalisation, dim_patient, dim_establishment):
        put(empty, table, [])
    with pytest.raises(ChuError, match="has no rows: there is no risk to measure"):
        risks_by_table(empty, "facts/fact_hospitalisation")
