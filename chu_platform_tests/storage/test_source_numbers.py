"""The upgrade to format 3 leaves no number of a consultation or of a stay outside the restricted zone."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.errors import ChuError
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.facts.fact_prescription import fact_prescription
from chu_platform.storage.commit import commit_written
from chu_platform.storage.lake import SCRATCH, Lake
from chu_platform.storage.lake_format import FORMAT, format_of, record_format
from chu_platform.storage.provenance import data_commits, with_metadata
from chu_platform.storage.restore import restore
from chu_platform.storage.store import write_data
from chu_platform.storage.upgrades import format_3, upgrade_lake
from chu_platform.tables.table import Table, Zone
from chu_platform_tests.pipeline.canaries import STAYS, canaries_in

pytestmark = pytest.mark.integration

# The column of each table that held the number of the source.
NUMBERS: Mapping[Table, str] = {
    fact_consultation: "consultation_number",
    fact_hospitalisation: "stay_number",
    fact_prescription: "consultation_number",
}
ROWS = 400


def old_rows(column: str, first: int) -> pa.Table:
    numbers = range(STAYS + first, STAYS + first + ROWS)
    return pa.table(
        {
            column: pa.array(numbers, pa.int32()),
            "month": ["2019-01" if n % 2 else None for n in numbers],
            "date": [date(2019, 1, 1 + n % 28) for n in numbers],
        }
    )


IDENTITY = "duckdb-1:1:feed:beef"


def metadata(version: int) -> str:
    """Metadata of a data commit; from the second one on, of an operation that repeats one."""
    contents = {"contents": {"month=2019-01": {"identity": IDENTITY, "files": {}}}}
    data = {"run": f"run {version}", "whole": True, "read": {"restricted/sources/Consultation": version}, **contents}
    return json.dumps(data if version == 0 else {"run": "x", "operation": "optimize", "publication": data})


def make_old(place: str, column: str, options: dict[str, str] | None = None) -> None:
    """A table as format 2 had it: two whole versions, a deletion with change files, a checkpoint in between."""
    for version in range(2):
        write_deltalake(
            place,
            old_rows(column, version * ROWS),
            mode="overwrite",
            partition_by=["month"],
            configuration={"delta.enableChangeDataFeed": "true"},
            commit_properties=with_metadata(metadata(version)),
            storage_options=options,
        )
    DeltaTable(place, storage_options=options).create_checkpoint()
    delta = DeltaTable(place, storage_options=options)
    delta.delete(f"{column} < {STAYS + ROWS + 20}", commit_properties=with_metadata(metadata(2)))


@pytest.fixture
def old(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.prepare()
    record_format(lake.root, 2)
    for table, column in NUMBERS.items():
        make_old(str(lake.path(table)), column)
        killed = lake.path(table) / "_temporary" / "0" / "part.parquet"
        killed.parent.mkdir(parents=True)
        pq.write_table(old_rows(column, 0), killed)
        log = lake.path(table) / "_delta_log"
        (log / f"{1:020}.json.unreadable").write_bytes((log / f"{1:020}.json").read_bytes())
        (log / f"{2:020}.crc").write_text(json.dumps({"allFiles": [{"stats": str(STAYS)}]}))
    made = lake.root / Zone.PSEUDONYMISED / ".made" / "kpis.kpi_hospitalisation_rate.json"
    made.parent.mkdir()
    read = {fact_hospitalisation.folder: {"month=2019-01": IDENTITY}, "restricted/sources/Hospitalisations": {}}
    made.write_text(json.dumps({"inputs": {}, "rows_read": read}))
    scratch = lake.root / Zone.PSEUDONYMISED / SCRATCH / "rebuild-killed"
    scratch.mkdir(parents=True)
    pq.write_table(old_rows("stay_number", 0), scratch / "rows.parquet")
    return lake


def numbers_in(lake: Lake) -> list[str]:
    return [found for zone in (Zone.PSEUDONYMISED, Zone.PUBLISHED) for found in canaries_in(lake.root / zone)]


def upgrade(lake: Lake) -> list[str]:
    lines: list[str] = []
    assert upgrade_lake(lake, list(NUMBERS), lines.append)[1] == FORMAT
    return lines


def kinds(found: list[str]) -> set[str]:
    """What the files are, and where in them a number is."""
    return {
        f"{Path(f.split(',')[0]).suffix or Path(f.split(',')[0]).name} {f.split(', ')[1].split(':')[0]}" for f in found
    }


def test_the_old_lake_holds_numbers_everywhere(old: Lake) -> None:
    found = numbers_in(old)
    assert {".json bytes", ".crc bytes", ".unreadable bytes"} <= kinds(found)
    assert any("_change_data" in f for f in found) and any("_temporary" in f for f in found)
    assert any("checkpoint" in f for f in found) and any("rebuild-killed" in f for f in found)


def test_no_number_is_left(old: Lake) -> None:
    lines = upgrade(old)
    assert numbers_in(old) == []
    assert [line.split(":")[0] for line in lines if "deleted; the next run" in line] == [t.folder for t in NUMBERS]
    assert upgrade(old) == []


def provenance(lake: Lake, table: Table) -> list[list[dict[str, object]]]:
    """The data commits of each version, without the contents of the table."""
    found = [data_commits(lake.path(table), version) for version in range(3)]
    return [[{k: v for k, v in commit.items() if k != "contents"} for commit in commits] for commits in found]


def test_no_hash_of_rows_is_left_with_which_numbers_can_be_tried_out(old: Lake) -> None:
    def holders() -> list[Path]:
        return [f for f in (old.root / Zone.PSEUDONYMISED).rglob("*.json") if IDENTITY in f.read_text()]

    assert len(holders()) == 10
    upgrade(old)
    assert holders() == []
    made = json.loads((old.root / Zone.PSEUDONYMISED / ".made" / "kpis.kpi_hospitalisation_rate.json").read_text())
    assert made == {"inputs": {}, "rows_read": {"restricted/sources/Hospitalisations": {}}}


@pytest.mark.parametrize("table", NUMBERS, ids=lambda t: t.name)
def test_the_provenance_of_all_versions_stays(old: Lake, table: Table) -> None:
    before = provenance(old, table)
    columns = DeltaTable(old.path(table)).schema().to_json()
    assert before[0] and before[1] and before[2]
    upgrade(old)
    assert provenance(old, table) == before
    assert DeltaTable(old.path(table)).schema().to_json() == columns
    with pytest.raises(ChuError, match="its files or its commit are past the retention"):
        restore(old, table, 1, "run")


def test_a_table_whose_log_begins_with_a_checkpoint_can_be_read(old: Lake) -> None:
    path = old.path(fact_hospitalisation)
    for version in (0, 1):
        (path / "_delta_log" / f"{version:020}.json").unlink()
    upgrade(old)
    assert numbers_in(old) == []
    assert DeltaTable(path).version() == 2


@pytest.mark.parametrize("text", [f"stay {STAYS}", "[]", "", "{"])
def test_a_commit_of_another_tool_keeps_no_text(old: Lake, text: str) -> None:
    path = old.path(fact_hospitalisation)
    rows = old_rows("stay_number", 0)
    write_deltalake(path, rows, mode="append", partition_by=["month"], commit_properties=with_metadata(text))
    (old.root / Zone.PSEUDONYMISED / ".made" / "damaged.json").write_text("{")
    upgrade(old)
    assert numbers_in(old) == []
    assert DeltaTable(path).version() == 3


def test_the_next_write_makes_the_table_again(old: Lake) -> None:
    upgrade(old)
    table = fact_prescription
    row = {"month": "2019-01", "date": date(2019, 1, 1), "consultation_key": "ab", "patient_key": "p"}
    row |= {"professional_key": "q", "medication_key": "m"}
    rows = pa.Table.from_pylist([row], pa.schema([pa.field(c.name, c.type) for c in table.columns]))
    old.prepare()
    with old.writing(table) as write:
        pq.write_to_dataset(rows, write.rows, partition_cols=["month"])
        assert commit_written(old, table, write, None, {"run": "next", "whole": True}).version == 3
    assert old.arrow(table).to_pylist() == rows.to_pylist()


class Killed(BaseException):
    """The process ends here."""


def moments(monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> Iterator[int]:
    """Kills `run` before its first write or deletion, then before its second, and so on, until it ends."""
    point = 0
    while True:
        left = point

        def dying(original: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: object, **options: object) -> None:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                original(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(format_3, "write_data", dying(write_data))
            patch.setattr(Path, "unlink", dying(Path.unlink))
            patch.setattr("chu_platform.storage.upgrades.record_format", dying(record_format))
            try:
                run()
            except Killed:
                pass
            else:
                return
        yield point
        point += 7


def test_the_upgrade_may_be_killed_at_any_point(old: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = {t: provenance(old, t) for t in NUMBERS}
    killed = 0
    for _ in moments(monkeypatch, lambda: upgrade(old)):
        killed += 1
        assert format_of(old.root) == 2
        assert {t: provenance(old, t) for t in NUMBERS} == commits
    assert killed > 2
    assert format_of(old.root) == FORMAT
    assert numbers_in(old) == []
