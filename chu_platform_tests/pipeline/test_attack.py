"""The published tables give no masked cell back, even to who knows every sum that ties them together."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.demo.pack import write_pack
from chu_platform.kpis.kpi_hospitalisation_rate_by_sex_and_age import kpi_hospitalisation_rate_by_sex_and_age
from chu_platform.release.publication_coverage import publication_coverage
from chu_platform.sdc.attack import bounds, determined_cells, disclosed_cells
from chu_platform.storage.lake import Lake
from chu_platform.tables.columns import DOUBLE, LONG
from chu_platform.tables.table import Layer
from chu_platform_tests.pipeline.contents import rows, same
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.outsider import (
    CONSULTATION_DIAGNOSIS,
    DEATHS,
    ESTABLISHMENT,
    PROFESSIONAL,
    SATISFACTION,
    STAY_SEX_AGE,
    STAYS,
    Row,
    System,
    Twins,
    systems,
    twins,
)

SMALL = 10
COUNTS = ("events", "patients", "base_patients", "deaths", "answers", "recommendation_answers", "professionals")
# Columns that stay visible on a masked row, for they are no figures of persons.
OPEN = {DEATHS: {"population"}, SATISFACTION: {"sites", "sites_scored", "class_a", "class_b", "class_c", "class_d"}}
# Columns of the exact tables that the twins do not have.
WITHHELD = {"professional_key", "standardised_intensity", "standardised_low", "standardised_high"}
SAMPLE = 4


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("the pack of all tests", marks=pytest.mark.integration),
        pytest.param("a larger pack of another seed", marks=pytest.mark.system),
    ],
)
def lake(request: pytest.FixtureRequest, made: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    if request.param == "the pack of all tests":
        yield made.lake
        return
    folder = tmp_path_factory.mktemp("larger")
    write_pack(folder / "pack", 0.004, seed=7, progress=lambda _: None)
    home = Home(folder / "home", folder / "pack")
    home.materialize("--select", "+group:published")
    yield home.lake


@pytest.fixture(scope="module")
def tables(lake: Lake) -> Mapping[str, Twins]:
    return twins(lake)


@pytest.fixture(scope="module")
def attacked(lake: Lake) -> Mapping[str, System]:
    return {f"{s.measure} of {next(iter(s.number))[0]}": s for s in systems(lake)}


def test_the_sums_of_the_outsider_are_true(attacked: Mapping[str, System]) -> None:
    assert {name: s.broken() for name, s in attacked.items() if s.broken()} == {}
    assert sum(len(s.sums) for s in attacked.values()) > 10_000, "or the attack is weak"


def test_no_masked_cell_follows_from_the_sums(attacked: Mapping[str, System]) -> None:
    found = {}
    for name, system in attacked.items():
        values, masked = system.arrays()
        cells = determined_cells(system.relations, masked)
        if len(cells):
            found[name] = list(zip(system.cells_of(cells), values[cells].tolist(), strict=True))
    assert found == {}


def test_no_masked_count_follows_from_the_sums_and_from_being_at_least_one(
    attacked: Mapping[str, System],
) -> None:
    found = {}
    for name, system in attacked.items():
        values, masked = system.arrays()
        lower = at_least(values)
        cells = disclosed_cells(system.relations, values, masked, lower)
        # Those that follow without any bound are found by the other test.
        more = np.setdiff1d(cells, determined_cells(system.relations, masked))
        if len(more):
            found[name] = list(zip(system.cells_of(more), values[more].tolist(), strict=True))
    assert found == {}


def test_a_sample_of_masked_cells_has_more_than_one_possible_value(attacked: Mapping[str, System]) -> None:
    looked_at = 0
    for name, system in attacked.items():
        values, masked = system.arrays()
        known = set(determined_cells(system.relations, masked).tolist())
        tied = np.unique(np.concatenate([system.relations.parents, system.relations.children]))
        open_cells = [c for c in np.flatnonzero(masked).tolist() if c in set(tied.tolist()) - known]
        lower = at_least(values)
        for cell in np.random.default_rng(3).permutation(open_cells)[:SAMPLE].tolist():
            low, high = bounds(system.relations, values, masked, cell, lower)
            assert low - 1e-6 <= values[cell] <= high + 1e-6, f"{name}: {system.cells_of([cell])}"
            assert high - low > 1e-6, f"{name}: {system.cells_of([cell])} can only be {low}"
            looked_at += 1
    assert looked_at >= SAMPLE * 5, "most systems have masked cells, or this tests nothing"


def at_least(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """What an outsider knows a masked count to be at least: counts that are not zero are one or more."""
    whole = np.all(values == np.floor(values))
    return np.where(whole & (values >= 1), 1.0, 0.0)


def test_the_attack_finds_a_cell_that_is_not_protected(attacked: Mapping[str, System]) -> None:
    for system in attacked.values():
        values, _ = system.arrays()
        naked = (values > 0) & (values <= SMALL)
        if naked.any():
            assert len(determined_cells(system.relations, naked)) > 0
            return
    pytest.fail("nothing is small in this pack: it tests nothing")


def test_no_standardised_rate_is_published(tables: Mapping[str, Twins]) -> None:
    """A rate standardised on age is a weighted sum over the age bands: one more equation over masked ones."""
    exact = {c.name for c in kpi_hospitalisation_rate_by_sex_and_age.exact.columns if c.name.startswith("standardised")}
    assert exact, "the exact table has none either: this tests nothing"
    assert exact.isdisjoint(tables[STAY_SEX_AGE].published[0])


@pytest.mark.parametrize(
    "name", [t.name for t in catalogue() if t.layer is Layer.PUBLISHED and t.name.startswith("kpi_")]
)
def test_what_is_published_is_exact_or_nothing(tables: Mapping[str, Twins], name: str) -> None:
    twin = tables[name]
    figures = [c.name for c in twin.table.columns if c.type in (DOUBLE, LONG) and c.name not in OPEN.get(name, set())]
    assert len(twin.published) > 0
    for row in twin.published:
        exact = twin.exactly(row)
        shared = [c for c in exact if c in row]
        assert set(exact) - set(row) <= WITHHELD
        if row["is_masked"]:
            assert [f for f in figures if row[f] is not None] == []
            assert all(row[c] == exact[c] for c in shared if c not in figures)
        else:
            # The embedded engine takes a number that is the same in a whole file from its statistics: nearly exactly.
            assert [(c, row[c], exact[c]) for c in shared if not same(row[c], exact[c], 1e-14)] == []
            assert [f for f in COUNTS if f in row and 0 < row[f] <= SMALL] == []


def test_no_professional_is_published(tables: Mapping[str, Twins]) -> None:
    assert "professional_key" not in tables[PROFESSIONAL].published[0]


def test_the_coverage_is_what_the_published_tables_hold(lake: Lake, tables: Mapping[str, Twins]) -> None:
    counted: dict[tuple[str, str, str], list[tuple[float, bool]]] = defaultdict(list)
    for name, twin in tables.items():
        for row in twin.published:
            exact = twin.exactly(row)
            weight = next(exact[c] for c in ("events", "deaths", "answers") if c in exact)
            counted[name, row.get("period_grain", "year"), level_of(name, row)].append((weight, row["is_masked"]))
    said = {(r["indicator"], r["grain"], r["level"]): r for r in rows(lake, publication_coverage).to_pylist()}
    assert said.keys() == counted.keys()
    for key, cells in counted.items():
        whole, visible = sum(w for w, _ in cells), sum(w for w, masked in cells if not masked)
        assert said[key]["cells"] == len(cells)
        assert said[key]["cells_masked"] == sum(masked for _, masked in cells)
        share = said[key]["visible_share"]
        assert share is None if whole == 0 else share == pytest.approx(visible / whole, abs=0.00051)


def level_of(name: str, row: Row) -> str:
    if "level" in row:
        return str(row["level"])
    if "sex" in row:
        return f"{'all' if row['sex'] == 'all' else 'sex'}/{'all' if row['age_band'] == 'all' else 'age'}"
    return {STAYS: "total", PROFESSIONAL: "speciality", SATISFACTION: "region"}[name]


def test_enough_is_published_to_be_of_use(tables: Mapping[str, Twins]) -> None:
    for name in (ESTABLISHMENT, CONSULTATION_DIAGNOSIS, STAYS, DEATHS, SATISFACTION):
        assert any(not row["is_masked"] for row in tables[name].published), f"{name} is masked entirely"
