"""The recommendations: weights, evidence, scores from an independent computation, costs, speed-ups."""

import csv
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from chu_platform.building_blocks.packaged_references import DATA
from chu_platform.building_blocks.prices import COLUMNS, prices
from chu_platform.committee.advice.cost_model import MEASURED as GROWTH
from chu_platform.committee.advice.cost_model import costs
from chu_platform.committee.advice.domains import CHOICES
from chu_platform.committee.advice.method import FIRST
from chu_platform.committee.advice.scaling import speedup
from chu_platform.committee.advice.scores import ROBUST, ROUGH, SCORES
from chu_platform.errors import ChuError
from chu_platform.references.recommendation import CITED, CRITERIA, MARKS, MEASURED, recommendation
from chu_platform.settings import PROJECT
from chu_platform.tables.rows import Computed

pytestmark = pytest.mark.unit


def lines(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        next(file)
        return list(csv.DictReader(file))


def asked(sql: str) -> list[tuple[Any, ...]]:
    """The rows of SQL of the report, over the table as it is made."""
    assert isinstance(recommendation.rows, Computed)
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA refs")
        connection.register("made", recommendation.rows.function())
        connection.execute("CREATE TABLE refs.recommendation AS SELECT * FROM made")
        return connection.execute(sql.replace("references.recommendation", "refs.recommendation")).fetchall()


@pytest.fixture(scope="module")
def by_hand() -> dict[str, dict[str, list[tuple[str, int, int, str]]]]:
    """Criterion, weight, mark and kind by domain and candidate, straight from the files."""
    weights = {(row["domain"], row["criterion"]): int(row["weight"]) for row in lines(CRITERIA)}
    found: dict[str, dict[str, list[tuple[str, int, int, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in lines(MARKS):
        weight = weights[row["domain"], row["criterion"]]
        found[row["domain"]][row["candidate"]].append((row["criterion"], weight, int(row["mark"]), row["kind"]))
    return found


Declared = dict[str, dict[str, list[tuple[str, int, int, str]]]]


def test_weights_are_parts_of_a_hundred_and_each_candidate_has_all_marks(by_hand: Declared) -> None:
    assert set(by_hand) == set(CHOICES)
    for domain, candidates in by_hand.items():
        assert len(candidates) >= 3, domain
        criteria = {tuple(criterion for criterion, *_ in marks) for marks in candidates.values()}
        assert len(criteria) == 1, domain
        assert all(sum(weight for _, weight, *_ in marks) == 100 for marks in candidates.values()), domain


def test_evidence_names_what_proves_it() -> None:
    """What is measured names a command and a record that is here; what is cited an address and a day."""
    for row in lines(MARKS):
        if row["kind"] == MEASURED:
            command, _, record = row["source"].partition(" ; relevé : ")
            assert command.split()[0] in ("chu", "make", "python"), row
            assert (PROJECT / record).is_file(), row
            for file in re.findall(r"chu_platform_tests/\S+\.py", command):
                assert (PROJECT / file).is_file(), row
        elif row["kind"] == CITED:
            assert re.fullmatch(r"https://\S+ \(consulté le 2026-\d\d-\d\d\)", row["source"]), row
        else:
            assert row["source"] == "équipe du projet", row


def test_scores_and_what_they_depend_on(by_hand: Declared) -> None:
    firsts = {row[5]: row for row in asked(FIRST)}
    for domain, candidates in by_hand.items():
        scores = {name: sum(w * m for _, w, m, _ in marks) / 100 for name, marks in candidates.items()}
        order = sorted(scores, key=lambda name: (-scores[name], name))
        found = asked(SCORES.format(domain=domain, columns="1"))
        assert [name for name, _, _ in found] == order
        assert [float(score) for _, score, _ in found] == pytest.approx([scores[n] for n in order])
        assert firsts[domain][2] == order[0]
        assert float(firsts[domain][4]) == pytest.approx(scores[order[0]] - scores[order[1]])
        for criterion, change, first, lead in asked(ROBUST.format(domain=domain)):
            part = {"doublé": 1, "retiré": -1}[change]
            varied = {
                name: sum(w * m * (1 + part * (c == criterion)) for c, w, m, _ in marks)
                / sum(w * (1 + part * (c == criterion)) for c, w, *_ in marks)
                for name, marks in candidates.items()
            }
            best = sorted(varied.values())
            assert varied[first] == pytest.approx(best[-1]) and lead == pytest.approx(best[-1] - best[-2])
        moved = {
            name: sum(
                w * (m if kind != "avis" else max(m - 1, 0) if name == order[0] else min(m + 1, 4))
                for _, w, m, kind in marks
            )
            for name, marks in candidates.items()
        }
        ((rough,),) = asked(ROUGH.format(domain=domain))
        assert moved[rough] == max(moved.values())


def test_the_measured_growth_is_that_of_the_capacity_document() -> None:
    text = (PROJECT / "docs" / "capacity.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (0\.\d+) \| ([\d.]+) \| (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    with GROWTH.open(encoding="utf-8", newline="") as file:
        assert [tuple(row.values()) for row in csv.DictReader(file)] == table


def test_costs_follow_from_growth_and_prices(tmp_path: Path) -> None:
    given = {name: price.value for name, price in prices(tmp_path / "none.csv").items()}
    today = costs(prices(tmp_path / "none.csv"))[0]
    # The larger of the line and the power through the runs at 0.25 and 0.5.
    line = 0.57 + (0.57 - 0.31) / 0.25 * 0.5
    power = 0.57 * (0.57 / 0.31)
    assert today.lake_gb == pytest.approx(max(line, power))
    hours = max(312 + (312 - 204) / 0.25 * 0.5, 312 * 312 / 204) / 3600
    assert today.cpu_hours == pytest.approx(hours)
    assert today.storage == pytest.approx(
        today.lake_gb * given["copies"] * given["storage_gb_month"] * given["hds_factor"] * 12
    )
    assert today.on_demand == pytest.approx(hours * given["runs_per_year"] * given["core_hour"] * given["hds_factor"])
    assert today.total == pytest.approx(today.storage + today.on_demand + today.serving + today.operation)


def write_prices(file: Path, *rows: str) -> Path:
    file.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return file


def test_a_file_replaces_prices(tmp_path: Path) -> None:
    before = costs(prices(tmp_path / "none.csv"))[0]
    file = write_prices(tmp_path / "p.csv", "storage_gb_month,stockage,0.03,€ par Go et par mois,prix,devis,2027-01-04")
    after = costs(prices(file))[0]
    assert after.storage == pytest.approx(3 * before.storage) and after.on_demand == before.on_demand
    assert prices(file)["storage_gb_month"].source == "devis"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("rent,x,1,€,prix,devis,2027", "line 2, column name: there is no such price"),
        ("copies,x,many,fois,prix,devis,2027", "line 2, column value: it must be a number"),
        ("copies,x,nan,fois,prix,devis,2027", "line 2, column value: it must be a number"),
        ("copies,x,-1,fois,prix,devis,2027", "line 2, column value: it must be a number"),
        ("copies,x,1,fois,cadeau,devis,2027", "line 2, column kind"),
        ("copies,x,1,fois,prix,,2027", "line 2, column source: it is empty"),
        ("copies,x,1,fois,prix,devis,2027,more", "line 2: it does not have 7 columns"),
    ],
)
def test_a_wrong_price_is_refused_with_its_line(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ChuError, match=re.escape(message)):
        prices(write_prices(tmp_path / "p.csv", row))


@pytest.mark.parametrize(
    ("one", "two", "conclusion"),
    [
        ((9, 10, 11), (4, 5, 6), "plus rapide à deux"),
        ((9, 10, 11), (10, 12, 14), "non établi"),
        ((9, 10, 11), (12, 13, 14), "plus lent à deux"),
        ((None, 10, None), (None, 5, None), "non établi : trop peu d’exécutions"),
    ],
)
def test_a_speedup_claims_what_its_bounds_support(one: Any, two: Any, conclusion: str) -> None:
    median = one[1]
    rows = [dict(zip(("low_ms", "median_ms", "high_ms"), limits, strict=True)) for limits in (one, two)]
    found = speedup(*rows)
    assert found.conclusion == conclusion and found.ratio == median / two[1]
