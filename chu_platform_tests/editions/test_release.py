"""A release changes what readers see at once, and a kill leaves the old or the new edition."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from chu_platform.catalogue import catalogue
from chu_platform.editions.readable import released_relation, released_tables
from chu_platform.engine.engine import Engine
from chu_platform.errors import ChuError
from chu_platform.graph.release import is_settled, release
from chu_platform.graph.restored_version import restore_table
from chu_platform.graph.step import BlockingCheckFailed
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.storage.edition_manifest import EDITIONS, PUBLISHED_EDITION, editions, published_edition
from chu_platform.storage.lake_format import FORMAT, record_format
from chu_platform.storage.upgrades import upgrade_lake
from chu_platform.tables.table import Zone
from chu_platform_tests import small_duckdb
from chu_platform_tests.editions.corrected_lake import (
    PUBLISHED,
    RUN,
    STAYS,
    correct,
    readable_versions,
    resources_of,
    seen,
    stays_of_2016,
)
from chu_platform_tests.editions.killed_release import KILLS, kill_and_release
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


def test_the_first_edition_holds_closed_periods_of_all_tables(first: Home) -> None:
    lake = first.lake
    edition = published_edition(lake.place)
    assert edition and edition.number == 1 and is_settled(lake)
    assert edition.tables.keys() == {t.folder for t in PUBLISHED}
    with small_duckdb.connect() as connection:
        ends = dict(
            connection.sql(
                f"SELECT domain, max(covered_end) FROM {lake.relation(dim_period)} GROUP BY domain"
            ).fetchall()
        )
        for table in (t for t in PUBLISHED if "period_end" in {c.name for c in t.columns}):
            domain = "hospitalisation" if "hospitalisation" in table.name else "consultation"
            rows = released_relation(lake, table)
            found = connection.sql(f"SELECT period_grain, max(period_end) FROM {rows} GROUP BY 1").fetchall()
            # The last event lies after the end of each period.
            assert all(end < ends[domain] for _, end in found)
            # All closed years together are `all`.
            assert dict(found).get("all", dict(found)["year"]) == dict(found)["year"]
    for table in PUBLISHED:
        assert readable_versions(lake, table) == [lake.version(table)] == [edition.tables[table.folder]]


def test_without_a_change_there_is_no_new_edition(first: Home, tmp_path: Path, engine: Engine) -> None:
    home = first.copy(tmp_path / "home")
    before = seen(home.lake)
    with resources_of(home, engine) as resources:
        again = release(resources, RUN)
        assert not again.is_new and again.edition.number == 1
        release(resources, RUN)
    assert len(editions(home.lake.place)) == 1
    assert seen(home.lake) == before


def test_a_new_edition_replaces_the_old_one_which_is_kept_aside(home: Home, engine: Engine) -> None:
    lake = home.lake
    before, (stays, _) = seen(lake), stays_of_2016(lake)
    with resources_of(home, engine) as resources:
        made = release(resources, RUN)
    assert made.is_new and published_edition(lake.place) == made.edition
    assert stays_of_2016(lake) == (stays + 40, False)
    # The published zone has the new edition alone, the pseudonymised zone has both.
    for table in PUBLISHED:
        assert readable_versions(lake, table) == [made.edition.tables[table.folder]]
    old, new = editions(lake.place)
    assert (old.number, new.number) == (1, 2)
    kept = lake.arrow(STAYS.edition, version=old.version(STAYS.edition))
    with small_duckdb.connect() as connection:
        connection.register("kept", kept)
        listed = ", ".join(c.name for c in STAYS.masked.columns)
        assert connection.sql(f"SELECT {listed} FROM kept ORDER BY ALL").fetchall() == before[STAYS.name]


def test_the_gate_refuses_what_the_decisions_would_disclose(
    home: Home, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    """A decision to show a small change is refused, and readers keep the last edition."""
    lake = home.lake
    before = seen(lake)
    correct(lake, -35)  # 5 more than released
    rows = stay_mask.decision.rows
    function: Callable[..., pa.Table] = rows.function  # type: ignore[attr-defined]

    def careless(**inputs: pa.Table) -> pa.Table:
        made = function(**inputs)
        states = ["changed" if s in ("pending", "masked") else s for s in made["state"].to_pylist()]
        return made.set_column(made.column_names.index("state"), "state", pa.array(states))

    monkeypatch.setitem(rows.__dict__, "function", careless)
    with (
        resources_of(home, engine) as resources,
        pytest.raises(BlockingCheckFailed, match="no small change"),
    ):
        release(resources, RUN)
    assert seen(lake) == before and is_settled(lake)


def test_a_published_table_is_not_restored(home: Home, engine: Engine) -> None:
    with resources_of(home, engine) as resources, home.instance() as instance:
        for table in (STAYS.masked, STAYS.edition):
            with pytest.raises(ChuError, match="cannot be restored: what was published may only be replaced by"):
                restore_table(resources, instance, f"{table.layer}/{table.name}", 0)


def test_a_kill_leaves_the_old_or_the_new_edition_whole(
    home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all is written but the manifest that readers follow; at other moments: `test_killed_releases`."""
    kill_and_release(home, engine, monkeypatch, KILLS[4])


def test_all_editions_are_listed_with_their_tables(home: Home, engine: Engine) -> None:
    lake = home.lake
    with resources_of(home, engine) as resources:
        release(resources, RUN)
    listed = released_tables(lake)
    assert [edition.number for edition, _ in listed] == [1, 2]
    for _, tables in listed:
        assert tables.keys() == {t.name for t in PUBLISHED}
    events = []
    for _, tables in listed:
        found = tables[STAYS.name]
        rows = DeltaTable(str(found.place), version=found.version).to_pyarrow_table().to_pylist()
        events += [r["events"] for r in rows if r["period_grain"] == "year" and r["period_start"].year == 2016]
    assert events[1] == events[0] + 40


def test_an_upgrade_makes_the_first_edition_of_what_was_published(first: Home, engine: Engine, tmp_path: Path) -> None:
    """The next edition is compared with it."""
    home = first.copy(tmp_path / "home")
    lake = home.lake
    before = seen(lake)
    record_format(lake.place, 3)
    (lake.root / "published" / PUBLISHED_EDITION).unlink()
    (lake.root / "pseudonymised" / EDITIONS).unlink()
    shutil.rmtree(lake.root / "pseudonymised" / "editions")
    tables = [made for table in catalogue() for made in table.outputs]
    assert upgrade_lake(lake, tables, lambda _: None) == (3, FORMAT)
    assert is_settled(lake) and seen(lake) == before
    for table in PUBLISHED:
        assert len(readable_versions(lake, table)) == 1
        # What was readable before is kept, with its log.
        kept = lake.root / "pseudonymised" / ".before_editions" / table.name
        assert DeltaTable(kept).version() == 0
    stays, _ = stays_of_2016(lake)
    correct(lake, 40)
    with resources_of(home, engine) as resources:
        made = release(resources, RUN)
    assert made.edition.number == 2 and stays_of_2016(lake) == (stays + 40, False)
    decisions = lake.arrow(stay_mask.decision).to_pylist()
    changed = [(d["indicator"], d["cell"], d["released_events"]) for d in decisions if d["state"] == "changed"]
    assert changed == [(STAYS.name, "year|2016-01-01", stays)]
    # What was published with open periods is remembered, and compared when they close.
    assert {d["state"] for d in decisions} == {"same", "changed", "masked"}


def test_a_small_change_that_its_neighbours_give_away_is_refused(home: Home, engine: Engine) -> None:
    """One more in a year whose quarters and months are as before: their sum is not the year that was released."""
    lake = home.lake
    before = seen(lake)
    correct(lake, -39)
    refused = pytest.raises(BlockingCheckFailed, match="nothing exposed")
    with resources_of(home, engine) as resources, refused:
        release(resources, RUN)
    assert seen(lake) == before


def test_nothing_unreleased_lies_in_the_published_zone() -> None:
    """Candidates, decisions and editions are tables of the pseudonymised zone."""
    before = [t for t in catalogue() if t.layer in ("candidates", "editions")]
    assert before and {t.zone for t in before} == {Zone.PSEUDONYMISED}
