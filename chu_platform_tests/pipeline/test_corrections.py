"""Random corrections of deliveries: a forced run afterwards, which makes every row again, finds nothing to change."""

import random
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.graph.step_result import StepResult
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.pipeline.changes import STAYS, Changeable, changeable
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import every_table
from chu_platform_tests.pipeline.steps import differing, make_again, make_what_changed, resources_of
from chu_platform_tests.pipeline.test_second_run import not_materialised, state

pytestmark = pytest.mark.system

DEATHS = "DECES EN FRANCE/deces.csv"
ROUNDS = 12

Rows = list[list[str]]


def a_date(draw: random.Random, first: int, last: int) -> tuple[str, str, str]:
    return str(draw.randint(first, last)), f"{draw.randint(1, 12):02}", f"{draw.randint(1, 28):02}"


def correct_stays(rows: Rows, draw: random.Random) -> None:
    """number;patient;establishment;diagnosis;label;date;days"""
    row = draw.choice(rows)
    match draw.randrange(6):
        case 0:
            row[6] = str(draw.randint(0, 60))
        case 1:
            row[3] = draw.choice(rows)[3]
        case 2:
            row[5] = "/".join(reversed(a_date(draw, 2016, 2020)))
        case 3:
            rows.remove(row)
        case 4:
            rows.append([str(10_000_000 + draw.randrange(10**6)), *row[1:]])
        case _:
            row[6] = "three"


def correct_deaths(rows: Rows, draw: random.Random) -> None:
    """nom,prenom,sexe,date_naissance,code,lieu,pays,date_deces,code,acte"""
    row = draw.choice(rows)
    match draw.randrange(6):
        case 0:
            row[2] = draw.choice("12")
        case 1:
            row[7] = "-".join(a_date(draw, 1965, 2020))
        case 2:
            rows.remove(row)
        case 3:
            rows.append([*row])
        case 4:
            row[8] = draw.choice(rows)[8]
        case _:
            row[7] = "2019-13-45"


def correct_consultations(changed: Changeable, draw: random.Random) -> None:
    numbers = changed.sql('SELECT "Num_consultation" FROM "Consultation" ORDER BY 1')
    number, other = (draw.choice(numbers)[0] for _ in range(2))
    of_other = f'(SELECT {{}} FROM "Consultation" WHERE "Num_consultation" = {other})'
    columns = ["Code_diag", "Id_prof_sante", "Id_patient", "Date", "Heure_fin", "Id_mut"]
    match draw.randrange(8):
        case 6:
            changed.sql(f'DELETE FROM "Consultation" WHERE "Num_consultation" = {number}')
        case 7:
            changed.sql(f"""
                CREATE TEMPORARY TABLE late AS SELECT * FROM "Consultation" WHERE "Num_consultation" = {number};
                UPDATE late SET "Num_consultation" = (SELECT max("Num_consultation") + 1 FROM "Consultation"),
                    "Date" = {of_other.format('"Date"')};
                INSERT INTO "Consultation" SELECT * FROM late""")
        case place:
            column = f'"{columns[place]}"'
            changed.sql(
                f'UPDATE "Consultation" SET {column} = {of_other.format(column)} WHERE "Num_consultation" = {number}'
            )


def correct_file(
    file: Path, separator: str, correct: Callable[[Rows, random.Random], None], draw: random.Random
) -> None:
    header, *lines = file.read_text(encoding="utf-8").splitlines()
    rows = [line.split(separator) for line in lines]
    for _ in range(draw.randint(1, 3)):
        correct(rows, draw)
    file.unlink()
    file.write_text("\n".join([header, *(separator.join(row) for row in rows)]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def changed(made: Home, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Changeable:
    copy = changeable(made, postgres, tmp_path_factory.mktemp("corrections"), "corrections")
    deaths = copy.home.pack / DEATHS
    deaths.unlink()
    shutil.copy(made.pack / DEATHS, deaths)
    with resources_of(copy.home) as resources:
        make_what_changed(resources)
    return copy


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_forced_run_after_a_correction_changes_nothing(changed: Changeable, seed: int, number: int) -> None:
    draw = random.Random(f"{seed} {number}")
    kinds = draw.sample(["stays", "deaths", "consultations"], draw.randint(1, 3))
    if "stays" in kinds:
        correct_file(changed.home.pack / STAYS, ";", correct_stays, draw)
    if "deaths" in kinds:
        correct_file(changed.home.pack / DEATHS, ",", correct_deaths, draw)
    if "consultations" in kinds:
        for _ in range(draw.randint(1, 3)):
            correct_consultations(changed, draw)
    with resources_of(changed.home) as resources:
        steps = make_what_changed(resources)
        forced = make_again(resources, list(steps))
    assert {t.folder: d for t in steps if (d := differing(steps[t], forced[t]))} == {}
    assert partial(steps), f"no step was partial after corrections of {kinds}"


def partial(steps: Mapping[Table, StepResult]) -> list[str]:
    return [t.folder for t, step in steps.items() if step.partial]


def test_a_forced_second_run_materialises_all_tables_and_commits_nothing(made: Home, tmp_path: Path) -> None:
    again = made.copy(tmp_path / "home")
    start = time.time()
    again.materialize("--force")
    # What an edition showed is not made again.
    tables = [t for t in every_table() if t.layer is not Layer.EDITIONS]
    assert not_materialised(again, tables, start) == []
    # Reports change, because they contain data about the runs.
    compared = [t for t in tables if t.layer is not Layer.REPORTS]
    assert [t.folder for t in compared if state(made.lake, t) != state(again.lake, t)] == []
