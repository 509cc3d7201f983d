"""Commits: replaced partitions, checks before the commit, statistics without identities, and various readers."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.engine.engine import Engine
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import BlockingCheckFailed, run_step
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.damage import damage_of
from chu_platform.storage.file_statistics import LAST_CHARACTER as LAST
from chu_platform.storage.lake import SCRATCH, Lake
from chu_platform.storage.partition_contents import recorded_contents
from chu_platform.storage.run_checks import examine
from chu_platform.tables.checks import foreign_key, one_of, unique
from chu_platform.tables.columns import DOUBLE, Column
from chu_platform.tables.partitions import CAMPAIGNS, PartitionRange
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layout, Table
from chu_platform_tests import small_duckdb
from chu_platform_tests.pipeline.lake_rows import digest, rows
from chu_platform_tests.storage.small_table import COLUMNS, put, rows_of, visits, written

pytestmark = pytest.mark.integration

NOTHING: Mapping[str, list[str]] = {}
FIRST = {"2017": ["a", "b"], "2018": ["c"], "2019": ["d", "e", "f"]}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def resources(tmp_path: Path) -> RunResources:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded")
    # The rows of these tests come from no input: their tables would be up to date.
    resources = RunResources(settings, lambda _: None, force=True)
    resources.lake.prepare()
    return resources


def fetch(sql: str) -> list[tuple[Any, ...]]:
    with small_duckdb.connect() as connection:
        found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    return found


def codes(lake: Lake, table: Table) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for row in rows(lake, table).to_pylist():
        found.setdefault(row["campaign_year"], []).append(row["code"])
    return {year: sorted(listed) for year, listed in found.items()}


@pytest.mark.parametrize("name", ["a lake", "100%", "lac [1] é", "what?*", "it's"])
def test_a_lake_may_be_in_any_folder(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path / name)
    table = visits()
    put(lake, table, rows_of(FIRST))
    put(lake, table, rows_of({"2019": ["g"]}), CAMPAIGNS.between("2019", "2019"))
    found = lake.arrow(table)
    assert sorted(zip(*(found[c].to_pylist() for c in ("campaign_year", "code")), strict=True)) == [
        ("2017", "a"),
        ("2017", "b"),
        ("2018", "c"),
        ("2019", "g"),
    ]
    assert found.schema == lake.arrow(table, version=0).schema
    assert len(lake.arrow(table, version=0)) == 6


def codes_at(lake: Lake, version: int) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for row in lake.arrow(visits(), version=version).to_pylist():
        found.setdefault(row["campaign_year"], []).append(row["code"])
    return {year: sorted(listed) for year, listed in found.items()}


def rewrite_2019(delta: DeltaTable) -> None:
    """Rewrite the rows of 2019, as another tool does: deleted, appended in two files, compacted."""
    whole = delta.to_pyarrow_table(filters=[("campaign_year", "=", "2019")])
    delta.delete("campaign_year = '2019'")
    for part in (whole.slice(0, 1), whole.slice(1)):
        write_deltalake(delta, part, mode="append")
    DeltaTable(delta.table_uri).optimize.compact()


def years(first: str, last: str) -> PartitionRange:
    return CAMPAIGNS.between(first, last)


def test_the_committed_rows_are_the_staged_rows(lake: Lake) -> None:
    committed = put(lake, visits(), rows_of(FIRST))
    assert (committed.version, committed.rows) == (0, 6)
    assert committed.rows_by_partition == {"2017": 2, "2018": 1, "2019": 3}
    assert codes(lake, visits()) == FIRST
    assert rows(lake, visits()).select(["code", "number", "name"]).to_pylist() == (
        rows_of(FIRST).select(["code", "number", "name"]).to_pylist()
    )


def test_only_the_requested_partitions_are_replaced(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    before = set(DeltaTable(lake.path(visits())).file_uris())
    put(lake, visits(), rows_of({"2018": ["x", "y"]}), years("2018", "2018"))
    assert codes(lake, visits()) == {**FIRST, "2018": ["x", "y"]}
    unchanged = before & set(DeltaTable(lake.path(visits())).file_uris())
    assert {f.split("campaign_year=")[1][:4] for f in unchanged} == {"2017", "2019"}


def test_a_partition_without_rows_becomes_empty(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    put(lake, visits(), rows_of(NOTHING), years("2018", "2018"))
    assert codes(lake, visits()) == {"2017": ["a", "b"], "2019": ["d", "e", "f"]}


def test_rows_without_a_year_or_of_an_earlier_one_are_in_the_first_partition(lake: Lake) -> None:
    first = CAMPAIGNS.keys[0]
    committed = put(lake, visits(), rows_of({**FIRST, "": ["undated"], "1999": ["early"]}))
    assert committed.rows_by_partition[first] == 2
    put(lake, visits(), rows_of({"2018": ["x"]}), years("2018", "2018"))
    assert codes(lake, visits())[None] == ["undated"]
    put(lake, visits(), rows_of({"": ["other"]}), years(first, first))
    found = codes(lake, visits())
    assert found.pop(None) == ["other"]
    assert found == {**FIRST, "2018": ["x"]}


def test_the_previous_version_stays_readable(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    put(lake, visits(), rows_of({"2017": ["z"]}))
    assert rows(lake, visits()).column("code").to_pylist() == ["z"]
    assert len(rows(lake, visits(), version=0)) == 6
    assert len(lake.arrow(visits(), version=0)) == 6


def test_the_commit_contains_its_metadata(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    put(lake, visits(), rows_of({"2018": ["other"]}))
    metadata = [json.loads(c["userMetadata"]) for c in DeltaTable(lake.path(visits())).history()]
    assert [{**m, "contents": None} for m in metadata] == [{"run": "test", "contents": None}] * 2


# Unchanged rows.


def shuffled(table: pa.Table) -> pa.Table:
    return table.take(list(reversed(range(len(table)))))


def test_the_same_rows_in_another_order_change_nothing(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    before = digest(lake.path(visits()))
    again = put(lake, visits(), shuffled(rows_of(FIRST)))
    assert (again.version, again.changed, again.rows) == (0, [], 6)
    assert digest(lake.path(visits())) == before


def test_the_same_rows_have_the_same_identity_in_another_lake(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    put(lake, visits(), rows_of({"2018": ["x"]}))
    put(lake, visits(), rows_of(FIRST))
    put(other, visits(), shuffled(rows_of(FIRST)))
    one, two = (recorded_contents(of.provenance(visits())) for of in (lake, other))
    assert {folder: c.identity for folder, c in one.items()} == {folder: c.identity for folder, c in two.items()}
    assert one.keys() == {"campaign_year=2017", "campaign_year=2018", "campaign_year=2019"}


def test_the_contents_of_a_commit_are_its_files_and_their_hashes(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    put(lake, visits(), rows_of({"2018": ["x", "y"]}), years("2018", "2018"))
    root = lake.path(visits())
    recorded = {n: h for c in recorded_contents(lake.provenance(visits())).values() for n, h in c.files.items()}
    files = [Path(f).relative_to(root).as_posix() for f in DeltaTable(root).file_uris()]
    assert recorded == {name: sha256((root / name).read_bytes()).hexdigest() for name in files}


def test_a_write_without_commit_leaves_no_file(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    before = sorted(lake.path(visits()).rglob("*"))
    with written(lake, visits(), rows_of({"2018": ["x"]})):
        assert sorted(lake.path(visits()).rglob("*")) != before
    assert sorted(lake.path(visits()).rglob("*")) == before


def test_the_next_write_deletes_what_a_killed_write_by_spark_has_left(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    unfinished = lake.path(visits()) / "_temporary" / "0"
    unfinished.mkdir(parents=True)
    (unfinished / "part-0.parquet").write_bytes(b"rows")
    put(lake, visits(), rows_of(FIRST))
    assert not unfinished.parent.exists()


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_partition_with_a_damaged_file_is_written_again(lake: Lake, damage: str) -> None:
    put(lake, visits(), rows_of(FIRST))
    (file,) = (Path(f) for f in DeltaTable(lake.path(visits())).file_uris() if "=2018/" in f)
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    assert put(lake, visits(), rows_of(FIRST)).changed == ["2018"]
    assert codes(lake, visits()) == FIRST


def test_only_partitions_with_changed_rows_are_rewritten(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    before = set(DeltaTable(lake.path(visits())).file_uris())
    corrected = put(lake, visits(), rows_of({**FIRST, "2018": ["C"]}))
    assert corrected.changed == ["2018"]
    unchanged = before & set(DeltaTable(lake.path(visits())).file_uris())
    assert {f.split("campaign_year=")[1][:4] for f in unchanged} == {"2017", "2019"}
    assert codes(lake, visits()) == {**FIRST, "2018": ["C"]}


def test_a_partition_can_get_its_earlier_rows_again(lake: Lake) -> None:
    for listed in (["c"], ["C"], ["c"], ["c"]):
        put(lake, visits(), rows_of({**FIRST, "2018": listed}))
    assert codes(lake, visits()) == FIRST
    assert lake.version(visits()) == 2
    assert codes_at(lake, 1) == {**FIRST, "2018": ["C"]}
    assert codes_at(lake, 0) == FIRST


def test_the_same_rows_in_files_of_another_tool_are_not_rewritten(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    rewrite_2019(DeltaTable(lake.path(visits())))
    before = (lake.version(visits()), set(DeltaTable(lake.path(visits())).file_uris()))
    recorded = {n for c in recorded_contents(lake.provenance(visits())).values() for n in c.files}
    assert not any(f.endswith(tuple(recorded)) for f in before[1] if "=2019/" in f)
    put(lake, visits(), rows_of(FIRST))
    assert (lake.version(visits()), set(DeltaTable(lake.path(visits())).file_uris())) == before


def test_a_changed_description_is_committed_with_the_same_rows(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    described = visits([replace(c, description="another description") for c in COLUMNS])
    put(lake, described, rows_of(FIRST))
    assert codes(lake, described) == FIRST
    assert {f.metadata["comment"] for f in DeltaTable(lake.path(described)).schema().fields} == {"another description"}
    assert put(lake, described, rows_of(FIRST)).version == 1


def test_one_process_at_a_time_writes_a_table(lake: Lake) -> None:
    lake.prepare()
    found: list[str] = []

    def other() -> None:
        with lake.write_lock(visits()):
            found.append("other")

    thread = threading.Thread(target=other)
    with lake.write_lock(visits()):
        thread.start()
        time.sleep(0.5)
        found.append("first")
    thread.join(10)
    assert found == ["first", "other"]


def test_a_table_with_other_columns_is_replaced_as_a_whole(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    wider = visits([*COLUMNS, Column("added", DOUBLE, "a new column", "Ajout")])
    more = rows_of({"2018": ["x"]}).append_column("added", pa.array([1.5]))
    before = digest(lake.path(visits()))
    with pytest.raises(ChuError, match="other columns: materialise all its partitions"):
        put(lake, wider, more, years("2018", "2018"))
    assert lake.version(visits()) == 0
    assert digest(lake.path(visits())) == before
    put(lake, wider, more)
    assert rows(lake, wider).column("added").to_pylist() == [1.5]


def test_a_table_with_other_partitions_has_the_contents_of_its_new_files(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    whole = replace(visits(), partition_scheme=None)
    with lake.writing(whole) as write:
        pq.write_table(rows_of(FIRST), write.rows / write.new_name("rows.parquet"))
        commit_written(lake, whole, write, None, {"run": "test"})
    (contents,) = recorded_contents(lake.provenance(whole)).values()
    (file,) = DeltaTable(lake.path(whole)).file_uris()
    assert [file] == [str(lake.path(whole) / name) for name in contents.files]


def test_a_partition_value_may_have_special_characters(lake: Lake) -> None:
    odd = {"20/18 é": ["x"], "100%": ["y", "z"], "%41": ["u"], "it's": ["v"]}
    put(lake, visits(), rows_of(odd))
    put(lake, visits(), rows_of({**odd, "100%": ["w"]}))
    assert codes(lake, visits()) == codes_at(lake, 1) == {**odd, "100%": ["w"]}
    assert codes_at(lake, 0) == odd
    assert put(lake, visits(), rows_of({**odd, "100%": ["w"]})).changed == []
    assert list(damage_of(lake, visits())) == []


def test_an_empty_partition_value_is_refused(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    before = digest(lake.path(visits()))
    with written(lake, visits(), rows_of(FIRST)) as write:
        (write.rows / "campaign_year=").mkdir()
        pq.write_table(rows_of({"2018": ["x"]}), write.rows / "campaign_year=" / write.new_name("x.parquet"))
        with pytest.raises(ChuError, match="campaign_year holds an empty text"):
            commit_written(lake, visits(), write, CAMPAIGNS.every(), {"run": "test"})
    assert (lake.version(visits()), digest(lake.path(visits()))) == (0, before)


# Checks.


def rows_with(column: str, value: object) -> pa.Table:
    table = rows_of({**FIRST, "2020": ["Mme Secrète"]})
    values = [*table[column].to_pylist()[:-1], value]
    index = table.column_names.index(column)
    return table.set_column(index, column, pa.array(values, table.schema.field(column).type))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("number", -4711, 'number not negative": 1 rows break it'),
        ("code", "a", r'\(code\) is unique": 1 rows break it'),
        ("code", None, 'code is never null": 1 rows break it'),
    ],
)
def test_rows_that_fail_a_check_do_not_change_the_table(
    resources: RunResources, column: str, value: object, message: str
) -> None:
    contents = {"rows": rows_of(FIRST)}
    table = visits(rows=Computed(lambda: contents["rows"]))
    run_step(resources, table, CAMPAIGNS.every(), "first run")
    before = (resources.lake.version(table), digest(resources.lake.path(table)))
    contents["rows"] = rows_with(column, value)
    with pytest.raises(BlockingCheckFailed, match=message) as caught:
        run_step(resources, table, CAMPAIGNS.every(), "second run")
    assert (resources.lake.version(table), digest(resources.lake.path(table))) == before
    assert not any(word in str(caught.value) for word in ("Secrète", "4711", "Name of"))
    assert sum(v.measured or 0 for v in caught.value.check_results[table] if v.blocks) == 1
    assert not list(resources.lake.root.glob(f"*/{SCRATCH}/**/*.parquet"))
    named = {Path(f) for f in DeltaTable(resources.lake.path(table)).file_uris()}
    assert set(resources.lake.path(table).rglob("*.parquet")) == named


def test_the_checks_count_the_rows_that_fail_them(lake: Lake) -> None:
    known = visits()
    put(lake, known, rows_of({"2019": ["a", "b"]}))
    table = replace(
        visits(),
        name="others",
        checks=[foreign_key("code", known), one_of("campaign_year", ["2017", "2018"]), unique("day")],
    )
    with written(lake, table, rows_of(FIRST)) as write:
        found = examine(lake, table, write, None, {})
    measured = {v.check.name: v.measured or 0 for v in found.check_results}
    assert found.rows == 6
    assert measured == {
        "not_null_code": 0,
        "unique_code": 0,
        "foreign_key_code": 4,
        "domain_campaign_year": 3,
        "unique_day": 0,
        "row_count_is_steady": 0,
    }


def test_a_foreign_key_is_checked_against_the_version_that_was_read(lake: Lake) -> None:
    known = visits()
    put(lake, known, rows_of({"2019": ["a", "b"]}))
    put(lake, known, rows_of({"2019": ["z"]}))
    table = replace(visits(), name="others", checks=[foreign_key("code", known)])
    with written(lake, table, rows_of({"2019": ["a", "b"]})) as write:
        at_first, now = (
            next(v for v in examine(lake, table, write, None, versions).check_results if v.check.refers_to is known)
            for versions in ({known: 0}, {})
        )
    assert (at_first.measured or 0, now.measured) == (0, 2)


# Statistics.


def statistics(lake: Lake, table: Table) -> Mapping[str, Mapping[str, Any]]:
    """The statistics of each file in the log, by path."""
    log = (lake.path(table) / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    adds = [json.loads(line)["add"] for line in log if '"add"' in line[:10]]
    return {add["path"]: json.loads(add["stats"]) for add in adds}


def test_the_statistics_match_the_rows(lake: Lake) -> None:
    table = replace(visits(), layout=Layout(z_order_by=["code"]))
    put(lake, table, rows_of(FIRST))
    found = statistics(lake, table)
    assert len(found) == 3
    for path, stats in found.items():
        file = f"read_parquet('{lake.path(table) / path}', hive_partitioning = false)"
        assert stats["numRecords"] == fetch(f"SELECT count(*) FROM {file}")[0][0]
        for column in ("code", "number", "day"):
            low, high, nulls = fetch(
                f'SELECT min("{column}"), max("{column}"), count(*) FILTER ("{column}" IS NULL) FROM {file}'
            )[0]
            assert stats["nullCount"][column] == nulls
            listed = [str(v) if column == "day" else v for v in (low, high)]
            assert [stats["minValues"].get(column), stats["maxValues"].get(column)] == listed


def test_identities_are_not_in_the_statistics(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    for stats in statistics(lake, visits()).values():
        assert not any("name" in stats[kind] for kind in ("minValues", "maxValues", "nullCount"))
    assert not any(b"Name of" in f.read_bytes() for f in (lake.path(visits()) / "_delta_log").iterdir())
    delta = DeltaTable(lake.path(visits()))
    assert "name" not in delta.metadata().configuration["delta.dataSkippingStatsColumns"].split(",")


def test_texts_have_statistics_only_if_the_layout_sorts_by_them(lake: Lake) -> None:
    table = rows_of({"2019": ["a", "x" * 100]})
    put(lake, visits(), table.set_column(3, "ratio", pa.array([float("nan"), 1.0])))
    (stats,) = statistics(lake, visits()).values()
    assert stats["nullCount"].keys() == {"number", "day"}


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("x" * 32, "x" * 32, "x" * 32),
        ("x" * 33, "x" * 32, "x" * 32 + LAST),
        ("é" * 40, "é" * 32, "é" * 32 + LAST),
        ("x" * 32 + LAST * 2 + "y", "x" * 32, "x" * 32 + LAST * 3),
        (LAST * 40, LAST * 32, LAST * 41),
    ],
)
def test_bounds_of_long_texts_are_cut(lake: Lake, text: str, low: str, high: str) -> None:
    table = replace(visits(), layout=Layout(z_order_by=["code"]))
    put(lake, table, rows_of({"2019": [text]}))
    (stats,) = statistics(lake, table).values()
    assert (stats["minValues"]["code"], stats["maxValues"]["code"]) == (low, high)
    assert low <= text <= high


def test_bounds_that_the_footer_does_not_have_are_computed(lake: Lake) -> None:
    """DuckDB writes no bounds of texts of more than 256 bytes, nor of columns with only nulls."""
    table = replace(visits(), layout=Layout(z_order_by=["code"]))
    long = "é" * 200
    lake.prepare()
    with lake.writing(table) as write:
        file = write.rows / "campaign_year=2019" / write.new_name("x.parquet")
        file.parent.mkdir()
        fetch(
            f"COPY (SELECT '{long}' AS code, NULL::INTEGER AS number, 0.5 AS ratio, NULL::DATE AS day, 'x' AS name) "
            f"TO '{file}' (FORMAT parquet)"
        )
        assert not pq.read_metadata(file).row_group(0).column(0).statistics.has_min_max
        commit_written(lake, table, write, CAMPAIGNS.every(), {"run": "test"})
    (stats,) = statistics(lake, table).values()
    assert stats["minValues"] == {"code": long[:32]} and stats["maxValues"] == {"code": long[:32] + LAST}
    assert stats["nullCount"] == {"code": 0, "number": 1, "day": 1}


def test_a_table_of_an_earlier_version_gets_the_properties_of_its_new_files(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    delta = DeltaTable(lake.path(visits()))
    delta.alter.set_table_properties({"delta.dataSkippingStatsColumns": "code,number,day"})
    put(lake, visits(), rows_of({**FIRST, "2018": ["new"]}))
    found = DeltaTable(lake.path(visits())).to_pyarrow_table(filters=[("code", "=", "new")])
    assert found.num_rows == 1
    version = lake.version(visits())
    assert put(lake, visits(), rows_of({**FIRST, "2018": ["newer"]})).version == version + 1


# Readers.


def expected() -> list[tuple[object, ...]]:
    return sorted((r["code"], r["campaign_year"], r["number"]) for r in rows_of(FIRST).to_pylist())


def test_delta_rs_reads_a_table(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    found = DeltaTable(lake.path(visits())).to_pyarrow_table(columns=["code", "campaign_year", "number"])
    assert sorted(tuple(r.values()) for r in found.to_pylist()) == expected()
    some = DeltaTable(lake.path(visits())).to_pyarrow_table(filters=[("campaign_year", "=", "2018")])
    assert some.column("code").to_pylist() == ["c"]


def test_duckdb_reads_the_files_listed_in_the_log(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    found = fetch(f"SELECT code, campaign_year, number FROM {lake.relation(visits())}")
    assert sorted(found) == expected()


def test_the_embedded_engine_reads_a_table(lake: Lake, resources: RunResources) -> None:
    put(lake, visits(), rows_of(FIRST))
    engine = Engine(resources.settings)
    try:
        frame = engine.query("SELECT code, campaign_year, number FROM {v}", {"v": engine.read(lake.path(visits()), 0)})
        found = engine.arrow(frame).to_pylist()
    finally:
        engine.close()
    assert sorted(tuple(r.values()) for r in found) == expected()


def test_an_empty_table_has_its_columns(lake: Lake) -> None:
    put(lake, visits(), rows_of(NOTHING))
    assert lake.arrow(visits()).column_names == [c.name for c in COLUMNS]
    assert len(DeltaTable(lake.path(visits())).to_pyarrow_table()) == 0


def test_a_table_that_does_not_exist_is_named_in_the_error(lake: Lake) -> None:
    with pytest.raises(ChuError, match="restricted/sources/visits is not in the lake yet"):
        lake.version(visits())


def test_only_the_owner_can_enter_the_restricted_zone(lake: Lake) -> None:
    lake.prepare()
    modes = {z: (lake.root / z).stat().st_mode & 0o777 for z in ("restricted", "pseudonymised", "published")}
    assert modes == {"restricted": 0o700, "pseudonymised": 0o750, "published": 0o755}
