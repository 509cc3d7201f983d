"""The primary rules: cells that are masked because of their own figures, and the reason that the mask gives."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from chu_platform.indicators.indicator import indicators
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.sdc.cell_masks import Measures, mask
from chu_platform.sdc.primary_rules import PrimaryRules, Quantiles, Reason
from chu_platform_tests.ingest.real_files import CASES, needs_cases

pytestmark = pytest.mark.unit


def rules_of(name: str) -> PrimaryRules:
    (release,) = (i.release for i in indicators() if i.name == name)
    assert release
    return release.rules


STAYS = rules_of(kpi_hospitalisation_rate.name)
PLACES = rules_of(kpi_consultation_rate_by_establishment.name)
PROFESSIONS = rules_of(kpi_consultation_rate_by_professional.name)


def reason(rules: PrimaryRules, **columns: Any) -> str | None:
    """The reason for a row with these columns."""
    listed = ", ".join(f"{'NULL' if v is None else v} AS {name}" for name, v in columns.items())
    found: list[tuple[str | None]] = (
        duckdb.connect().execute(f"SELECT {rules.reason} FROM (SELECT {listed})").fetchall()
    )
    return found[0][0]


@needs_cases
def test_complements_come_out_as_expected() -> None:
    """Where the case says "decide", the row is masked."""
    rows = duckdb.connect().read_csv(str(CASES / "28-disclosure" / "complement.csv")).to_arrow_table()
    cells = f"""
        SELECT 'case' AS indicator, code AS cell, 'all' AS grain, 'all' AS start, level, code,
               {STAYS.reason} AS unsafe, events AS weight, events
        FROM given
    """
    found = {r["cell"]: r for r in mask({"given": rows}, cells, [Measures(["events"], [])]).to_pylist()}
    expected = {r["code"]: r["expected"] != "published" for r in rows.to_pylist()}
    assert expected == {"F1": True, "F2": True, "F3": False, "F4": True, "F5": True}
    assert {code: cell["is_masked"] for code, cell in found.items()} == expected
    assert {code: cell["reason"] for code, cell in found.items()} == {
        "F1": Reason.COMPLEMENT,
        "F2": Reason.UNANIMITY,
        "F3": None,
        "F4": Reason.SIZE,
        "F5": Reason.COMPLEMENT,
    }


@pytest.mark.parametrize(
    ("events", "patients", "base", "expected"),
    [
        (40, 24, 25, "complement"),
        (250_000, 99_998, 100_000, "complement"),
        (250_000, 99_990, 100_000, "complement"),
        (250_000, 99_989, 100_000, None),
        (250_000, 100_000, 100_000, "unanimity"),
        (100_001, 100_000, 200_000, "complement"),
        (100_002, 100_000, 200_000, None),
        (100_000, 100_000, 200_000, None),
        (11, 11, 22, None),
        (11, 10, 500, "size"),
        (10, 9, 500, "size"),
        (0, 0, 500, None),
        (0, 0, 10, "size"),
        (0, 0, 0, None),
    ],
)
def test_stays(events: int, patients: int, base: int, expected: str | None) -> None:
    assert reason(STAYS, events=events, patients=patients, base_patients=base) == expected


@pytest.mark.parametrize(
    ("professionals", "largest", "computable", "expected"),
    [
        (1, 1.0, 100, "contributors"),
        (2, 0.86, 100, "contributors"),
        (2, 0.5, 100, "contributors"),
        (3, 0.9, 100, "contributors"),
        (3, 0.86, 100, "contributors"),
        (3, 0.85, 100, None),
        (1000, 0.851, 100, "contributors"),
        (40, 0.1, 100, None),
        (40, 0.1, 11, None),
        (40, 0.1, 10, "contributors"),
        (None, None, None, "contributors"),
    ],
)
def test_professionals_behind_a_place(
    professionals: int | None, largest: float | None, computable: int | None, expected: str | None
) -> None:
    row = {"events": 60.5, "consultations": 100, "patients": 60, "base_patients": 3000}
    contributors = {"professionals": professionals, "largest_share": largest, "computable_events": computable}
    assert reason(PLACES, **row, **contributors) == expected


@pytest.mark.parametrize(
    ("events", "consultations", "patients", "expected"),
    [
        # Shares of events have twelve decimals: ten of them may add up to slightly more than 10.
        (10.000000000004, 30, 20, "size"),
        (10.5, 30, 20, None),
        (0.5, 30, 20, "size"),
        (20.0, 21, 20, "complement"),
        (20.0, 22, 20, None),
    ],
)
def test_shared_consultations(events: float, consultations: int, patients: int, expected: str | None) -> None:
    contributors = {"professionals": 12, "largest_share": 0.3, "computable_events": 20}
    row = {"events": f"{events}::DOUBLE", "consultations": consultations, "patients": patients}
    assert reason(PLACES, **row, base_patients=3000, **contributors) == expected


def test_a_profession_needs_more_than_ten_professionals() -> None:
    row = {"events": 100, "patients": 60, "largest_share": 0.2, "computable_events": 100}
    assert reason(PROFESSIONS, **row, professionals=10) == Reason.SIZE
    assert reason(PROFESSIONS, **row, professionals=11) is None
    assert reason(PROFESSIONS, **{**row, "largest_share": 0.9}, professionals=11) == Reason.CONTRIBUTORS


@pytest.mark.parametrize("professionals", range(6, 26))
def test_three_professionals_are_on_each_side_of_a_published_quantile(professionals: int) -> None:
    """A fifth of n professionals, rounded down, are outside of P20 and of P80; half of them outside of the median."""
    assert PROFESSIONS.quantiles
    row = f"SELECT {professionals} AS professionals, 3.5 AS p20, 5.0 AS median, 8.5 AS p80, 6.0 AS mean"
    found = duckdb.connect().sql(PROFESSIONS.quantiles.shown(row)).fetchall()
    outside = professionals // 5 >= 3
    assert found == [(professionals, 3.5 if outside else None, 5.0, 8.5 if outside else None, 6.0)]


def test_a_quantile_of_a_tenth_needs_thirty_contributors() -> None:
    quantiles = Quantiles("who", {"p10": 0.1, "p90": 0.9, "third": 1 / 3})
    assert [quantiles.fewest(c) for c in ("p10", "p90", "third")] == [30, 30, 9]


def test_every_published_quantile_is_declared() -> None:
    """Columns that are quantiles by their name, and the limits of a published measure that are quantiles."""
    for indicator in indicators():
        if not indicator.release:
            continue
        columns = {c.name for c in indicator.masked.columns}
        named = {c for c in columns if c == "median" or (c[0] == "p" and c[1:].isdigit())}
        declared = indicator.release.rules.quantiles
        assert named == (set(declared.shares) if declared else set()), indicator.name


def test_every_count_of_persons_of_an_indicator_is_tested() -> None:
    for indicator in indicators():
        if indicator.release:
            persons = {"patients", "base_patients"} & {c.name for c in indicator.releasable.columns}
            assert persons <= {*indicator.release.rules.counts}, indicator.name
        else:
            assert indicator.exact.public_source and indicator.masked.public_source, indicator.name


def test_a_row_without_known_contributors_is_masked() -> None:
    rows = pa.table({"period_grain": ["all"], "period_start": ["x"], "level": ["leaf"], "code": ["A"], "events": [50]})
    others = pa.table(
        {"indicator": ["other"], "period_grain": ["all"], "period_start": ["x"], "level": ["leaf"], "code": ["A"]}
    )
    for name, value in (("professionals", 9), ("largest_share", 0.2), ("computable_events", 50)):
        others = others.append_column(name, pa.array([value]))
    with duckdb.connect() as connection:
        connection.register("given", rows)
        connection.register("contributors", others)
        rules = PrimaryRules(["events"], contributors=True)
        for indicator, expected in (("other", None), ("this", "contributors")):
            found = connection.execute(f"SELECT {rules.reason} FROM {rules.tested('given', indicator)}").fetchall()
            assert found == [(expected,)]
