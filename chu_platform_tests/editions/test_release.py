"""A release changes what readers see at once, and a kill leaves the old or the new edition."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from chu_platform.catalogue import catalogue
from chu_platform.editions.readable import readable_version, released_relation, released_tables
from chu_platform.engine.engine import Engine
from chu_platform.errors import ChuError
from chu_platform.graph import release as release_module
from chu_platform.graph.release import edition_tables, is_settled, release
from chu_platform.graph.restored_version import restore_table
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import BlockingCheckFailed
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.edition_manifest import EDITIONS, PUBLISHED_EDITION, editions, published_edition
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import record_format
from chu_platform.storage.upgrades import upgrade_lake
from chu_platform.tables.table import Table, Zone
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

PUBLISHED = [t for t in edition_tables() if t.edition]
STAYS = kpi_hospitalisation_rate
RUN = "run"


@pytest.fixture(scope="module")
def first(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The lake with its first edition. Nobody may change it."""
    return made.copy(tmp_path_factory.mktemp("editions") / "home")


@pytest.fixture
def home(first: Home, tmp_path: Path) -> Home:
    """A lake whose next edition has other figures: 40 more stays in the first whole year."""
    home = first.copy(tmp_path / "home")
    correct(home.lake, 40)
    return home


@pytest.fixture(scope="module")
def engine(first: Home) -> Iterator[Engine]:
    """One engine for all releases: it takes longer to start than an edition to be made."""
    engine = Engine(settings_of(first))
    yield engine
    engine.close()


def settings_of(home: Home) -> Settings:
    return Settings(_env_file=None, home=home.folder, sources=home.pack)


@contextmanager
def resources_of(home: Home, engine: Engine) -> Iterator[RunResources]:
    with RunResources(settings_of(home), lambda _: None) as resources:
        resources.__dict__["engine"] = engine
        try:
            yield resources
        finally:
            del resources.__dict__["engine"]


def correct(lake: Lake, stays: int) -> None:
    """Add stays to the year 2016 of the candidate of indicator 3, as a corrected delivery does to several tables."""
    table = STAYS.candidate
    changed = "period_grain = 'year' AND period_start = DATE '2016-01-01'"
    with duckdb.connect() as connection:
        connection.register("rows", lake.arrow(table))
        rows = connection.sql(
            f"SELECT * REPLACE (events + if({changed}, {stays}, 0) AS events, "
            f"patients + if({changed}, {stays}, 0) AS patients) FROM rows"
        ).to_arrow_table()
    with lake.writing(table) as write:
        rows = rows.cast(pa.schema([pa.field(c.name, c.type) for c in table.columns]))
        name = write.new_name("{i}.parquet")
        pq.write_to_dataset(rows, write.rows, partition_cols=list(table.partition_by), basename_template=name)
        commit_written(lake, table, write, None, {"run": RUN, "asset": table.name, "read": {}})


def seen(lake: Lake) -> Mapping[str, list[Any]]:
    """All rows that readers see, by table."""
    with duckdb.connect() as connection:
        return {
            t.name: connection.sql(f"SELECT * FROM {released_relation(lake, t)} ORDER BY ALL").fetchall()
            for t in PUBLISHED
        }


def stays_of_2016(lake: Lake) -> tuple[float, bool]:
    rows = lake.arrow(STAYS.masked, version=readable_version(lake, STAYS.masked)).to_pylist()
    (found,) = (r for r in rows if r["period_grain"] == "year" and r["period_start"].year == 2016)
    return found["events"], found["revision_pending"]


def readable_versions(lake: Lake, table: Table) -> list[int]:
    """The versions of a published table that a Delta reader can still read."""
    found = []
    for version in range(lake.version(table) + 1):
        try:
            files = DeltaTable(lake.path(table), version=version).file_uris()
        except Exception:  # delta-rs raises several kinds
            continue
        if all(Path(f).is_file() for f in files):
            found.append(version)
    return found


def test_the_first_edition_holds_closed_periods_of_all_tables(first: Home) -> None:
    lake = first.lake
    edition = published_edition(lake.place)
    assert edition and edition.number == 1 and is_settled(lake)
    assert edition.tables.keys() == {t.folder for t in PUBLISHED}
    with duckdb.connect() as connection:
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
            assert dict(found)["all"] == dict(found)["year"]
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
    with duckdb.connect() as connection:
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
        pytest.raises(BlockingCheckFailed, match="aucune ligne montrée ne change"),
    ):
        release(resources, RUN)
    assert seen(lake) == before and is_settled(lake)


def test_a_published_table_is_not_restored(home: Home, engine: Engine) -> None:
    with resources_of(home, engine) as resources, home.instance() as instance:
        for table in (STAYS.masked, STAYS.edition):
            with pytest.raises(ChuError, match="cannot be restored: what was published may only be replaced by"):
                restore_table(resources, instance, f"{table.layer}/{table.name}", 0)


class Killed(BaseException):
    """The process ends here."""


# What is called in a release, how often before the kill, and whether the last call is still made: a kill between the
# tables of the edition, before and after the edition exists, between published tables, and before and after the
# manifest is replaced.
POINTS = [
    pytest.param("run_step", 3, True, marks=pytest.mark.system),
    pytest.param("record_edition", 0, False, marks=pytest.mark.system),
    ("record_edition", 0, True),
    pytest.param("run_step", len(edition_tables()) - 4, True, marks=pytest.mark.system),
    ("record_published", 0, False),
    pytest.param("keep_only", len(PUBLISHED) + 2, True, marks=pytest.mark.system),
]


@pytest.mark.parametrize(("name", "calls", "after"), POINTS)
def test_a_kill_leaves_the_old_or_the_new_edition_whole(
    home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str, calls: int, after: bool
) -> None:
    lake = home.lake
    old = seen(lake)
    stays, _ = stays_of_2016(lake)
    left = calls
    original: Callable[..., Any] = getattr(release_module, name)

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0 and not after:
            raise Killed
        result = original(*arguments, **named)
        if left < 0:
            raise Killed
        return result

    with resources_of(home, engine) as resources:
        with monkeypatch.context() as patch:
            patch.setattr(release_module, name, dying)
            with pytest.raises(Killed):
                release(resources, RUN)
        found = seen(lake)
        is_old = found == old
        assert is_old or stays_of_2016(lake) == (stays + 40, False)
        decided = len(editions(lake.place))
        finished = release(resources, RUN, only_first=True)
        # An edition that was decided is finished by the next command; one that was not, is not made by the main job.
        assert finished.edition.number == decided and is_settled(lake)
        new = release(resources, RUN)
    assert new.edition.number == 2
    assert stays_of_2016(lake) == (stays + 40, False)
    if not is_old:
        assert found == seen(lake)
    for table in PUBLISHED:
        assert readable_versions(lake, table) == [new.edition.tables[table.folder]]


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
    assert upgrade_lake(lake, tables, lambda _: None) == (3, 4)
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
    refused = pytest.raises(BlockingCheckFailed, match="ne se calcule à partir de toutes les éditions")
    with resources_of(home, engine) as resources, refused:
        release(resources, RUN)
    assert seen(lake) == before


def test_nothing_unreleased_lies_in_the_published_zone() -> None:
    """Candidates, decisions and editions are tables of the pseudonymised zone."""
    before = [t for t in catalogue() if t.layer in ("candidates", "editions")]
    assert before and {t.zone for t in before} == {Zone.PSEUDONYMISED}
