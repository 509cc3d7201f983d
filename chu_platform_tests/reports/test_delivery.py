"""Register of deliveries after five runs with two small sources, read with delta-rs."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pydantic import SecretStr

from chu_platform.catalogue import catalogue
from chu_platform.graph.assets import RUN_RESOURCES, asset_of
from chu_platform.graph.dagster_instance import open_instance
from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.reports.delivery import deliveries, delivery
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.reports.source_quality import source_quality
from chu_platform.settings import Settings
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.storage.commit import commit_written
from chu_platform.storage.lake import Lake
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

PEOPLE, ACTIVITIES = "Etablissement de SANTE/professionnel_sante.csv", "activite_professionnel_sante.csv"
SOURCES = [professionnel_sante, activite_professionnel_sante]
REPORTS = [delivery_reading, delivery, source_quality]
HEADER = "identifiant;civilite;categorie_professionnelle;nom;prenom;commune;profession;specialite;type_identifiant"
# Two professionals without a number, then one.
NUMBERS = ["11", "12", "", "14", ""]
MENDED = ["11", "12", "13", "14", ""]
LAKE_TABLES = {
    "people": "restricted/sources/professionnel_sante",
    "rejects": "restricted/rejects/professionnel_sante",
    "activities": "restricted/sources/activite_professionnel_sante",
    "quarantine": "restricted/quarantine/activite_professionnel_sante",
    "register": "restricted/reports/delivery",
    "readings": "restricted/reports/delivery_reading",
    "quality": "published/reports/source_quality",
}


def people(numbers: list[str]) -> bytes:
    rows = [f"{number};Mme;Civil;Nom{n};Zoé;Lyon;Médecin;;RPPS" for n, number in enumerate(numbers, 1)]
    return "\n".join([HEADER, *rows, ""]).encode("cp1252")


def activities(header: str, *rows: str) -> bytes:
    return "\n".join([f"identifiant;identifiant_organisation;{header}", *rows, ""]).encode()


NO_RUNS = dg.DagsterInstance.ephemeral()
PLAIN = activities("mode_exercice", "1;F1;Salarie", "2;F2;Liberal")
ADDED = activities("mode_exercice;telephone", "1;F1;Salarie;0612345678", "2;F2;Liberal;")
LACKING = activities("autre", "1;F1;Salarie", "2;F2;Liberal")


@dataclass
class Moment:
    """State after a run: rows and versions of tables, causes of failures, and log lines."""

    rows: Mapping[str, list[dict[str, Any]]]
    versions: Mapping[str, int]
    failed: Mapping[str, str]
    log: list[str]

    def registered(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The rows of the register, by path and the start of the fingerprint."""
        return {(r["path"], r["sha256"][:8]): r for r in self.rows["register"]}


@dataclass
class House:
    """A pack, a lake and a Dagster storage used only by these tests."""

    folder: Path
    moments: list[Moment] = field(default_factory=list)

    @property
    def pack(self) -> Path:
        return self.folder / "pack"

    def put(self, **files: bytes) -> None:
        for name, content in files.items():
            path = self.pack / {"people": PEOPLE, "activities": ACTIVITIES}.get(name, f"{name}.txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def run(self) -> None:
        settings = Settings(_env_file=None, home=self.folder, sources=self.pack)
        log: list[str] = []
        failed = {}
        with RunResources(settings, log.append) as resources, open_instance(settings) as instance:
            for tables in (SOURCES, REPORTS):
                assets = [asset_of(t) for t in tables]
                run = dg.materialize(
                    assets,
                    resources={RUN_RESOURCES: resources},
                    instance=instance,
                    raise_on_error=False,
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                )
                for event in run.get_step_failure_events():
                    failure = event.step_failure_data.user_failure_data
                    failed[str(event.step_key)] = (failure and failure.description) or "unknown"
        found = {n: DeltaTable(p) for n, f in LAKE_TABLES.items() if (p := self.folder / "lake" / f).exists()}
        rows = {name: delta.to_pyarrow_table().to_pylist() for name, delta in found.items()}
        self.moments.append(Moment(rows, {n: d.version() for n, d in found.items()}, failed, log))


def start(content: bytes) -> str:
    """The first eight characters of a fingerprint."""
    return sha256(content).hexdigest()[:8]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Five runs: a delivery, the same delivery, a corrected one, one without a column, one with the column again."""
    house = House(tmp_path_factory.mktemp("house"))
    house.put(people=people(NUMBERS), activities=PLAIN, note=b"nobody knows")
    house.run()
    house.run()
    house.put(people=people(MENDED), activities=ADDED)
    (house.pack / "note.txt").unlink()
    house.run()
    house.put(people=people(MENDED[:4]), activities=LACKING)
    house.run()
    house.put(activities=PLAIN)
    house.run()
    return house


def test_every_file_is_registered_with_its_reading_or_its_state(house: House) -> None:
    found = house.moments[0].registered()
    read = found[PEOPLE, start(people(NUMBERS))]
    expected = {
        "kind": "file",
        "bytes": len(people(NUMBERS)),
        "present": True,
        "state": "read",
        "known_as": "professionnel_sante",
        "encoding": "cp1252",
        "separator": ";",
        "undeclared": None,
        "rows_in": 5,
        "rows_kept": 3,
        "rows_rejected": 2,
        "fed": "sources/professionnel_sante 0",
    }
    assert {name: read[name] for name in expected} == expected
    assert found[ACTIVITIES, start(PLAIN)]["encoding"] == "utf-8"
    unknown = found["note.txt", start(b"nobody knows")]
    assert (unknown["state"], unknown["known_as"], unknown["rows_in"]) == ("unknown", None, None)
    assert len(found) == 3


def test_the_same_pack_again_makes_no_new_versions_of_data(house: House) -> None:
    first, second, *_ = house.moments
    data = ("people", "rejects", "activities")
    assert [(first.versions[t], second.versions[t]) for t in data] == [(0, 0)] * 3
    assert second.registered().keys() == first.registered().keys()
    assert {r["fed"] for r in second.rows["register"]} == {r["fed"] for r in first.rows["register"]}


def test_replaced_and_removed_files_stay_in_the_register(house: House) -> None:
    first, third = house.moments[0].registered(), house.moments[2].registered()
    assert first.keys() < third.keys()
    gone = {key for key, row in third.items() if not row["present"]}
    assert gone == first.keys()
    for key in gone:
        unchanged = ("sha256", "bytes", "modified_at", "first_seen", "state", "rows_in", "rows_rejected", "fed")
        assert {n: third[key][n] for n in unchanged} == {n: first[key][n] for n in unchanged}
    assert third[PEOPLE, start(people(MENDED))]["fed"] == "sources/professionnel_sante 1"


def test_an_added_column_is_reported_and_only_in_quarantine(house: House) -> None:
    before, after = house.moments[1], house.moments[2]
    assert "quarantine" not in before.rows
    quarantined = [
        (r["file"], r["delivery"][:8], r["number"], r["column"], r["value"]) for r in after.rows["quarantine"]
    ]
    assert quarantined == [(ACTIVITIES, start(ADDED), 1, "telephone", "0612345678")]
    assert after.rows["activities"] == before.rows["activities"], "the declared columns are as they were"
    row = after.registered()[ACTIVITIES, start(ADDED)]
    assert (row["undeclared"], row["state"], row["fed"]) == (
        "telephone",
        "read",
        "sources/activite_professionnel_sante 1",
    )
    warned = [line for line in after.log if line.startswith("WARNING sources/activite_professionnel_sante")]
    assert [
        '"every delivered column is declared; otherwise it goes to quarantine": 1 columns break it' in line
        and line.endswith(": 'telephone'")
        for line in warned
    ] == [True]
    assert any("'telephone' not declared, kept in quarantine" in line for line in after.log)
    assert house.moments[4].rows["quarantine"] == [], "the quarantine is empty when the column is gone"


def test_no_value_of_an_added_column_is_outside_its_quarantine(house: House) -> None:
    holding = {
        file.relative_to(house.folder / "lake").parts[:3]
        for file in (house.folder / "lake").rglob("*")
        if file.is_file() and b"0612345678" in file.read_bytes()
    }
    assert holding == {("restricted", "quarantine", "activite_professionnel_sante")}
    assert not any(b"0612345678" in f.read_bytes() for f in (house.folder / "dagster").rglob("*") if f.is_file())
    log = house.folder / "lake" / LAKE_TABLES["quarantine"] / "_delta_log"
    assert not any(b"0612345678" in f.read_bytes() for f in log.iterdir())


def test_a_missing_column_stops_its_source_and_no_other(house: House) -> None:
    third, fourth = house.moments[2:4]
    ((asset, cause),) = fourth.failed.items()
    assert asset == "sources__activite_professionnel_sante"
    assert "'mode_exercice' missing among its 3 columns" in cause
    assert fourth.versions["activities"] == third.versions["activities"]
    assert fourth.rows["people"] == third.rows["people"], "only a rejected row was left out"
    row = fourth.registered()[ACTIVITIES, start(LACKING)]
    assert (row["state"], row["known_as"], row["rows_in"]) == ("source_refused", "activite_professionnel_sante", None)
    assert row["reason"] == f"activite_professionnel_sante : {cause}"
    later = {key for key, r in house.moments[4].registered().items() if r["reason"]}
    assert later == {(ACTIVITIES, start(LACKING))}, "a removed file keeps its reason"
    states = {r["source"]: r["state"] for r in fourth.rows["quality"]}
    assert (states["professionnel_sante"], states["activite_professionnel_sante"]) == ("read", "stopped")
    assert {s for name, s in states.items() if name not in ("professionnel_sante", "activite_professionnel_sante")} == {
        "not_read"
    }


def test_a_corrected_row_is_closed_and_stays_in_the_history(house: House) -> None:
    def summary(moment: Moment) -> list[tuple[object, ...]]:
        rows = moment.rows["rejects"]
        return sorted((r["line"], r["reason"], r["delivery"][:8], (r["mended_by"] or "-")[:8]) for r in rows)

    one, two, three = start(people(NUMBERS)), start(people(MENDED)), start(people(MENDED[:4]))
    assert summary(house.moments[0]) == [(4, "missing", one, "-"), (6, "missing", one, "-")]
    assert summary(house.moments[2]) == [(4, "missing", one, two), (6, "missing", one, "-")]
    assert summary(house.moments[3]) == [(4, "missing", one, two), (6, "missing", one, three)]
    first_seen = {r["line"]: r["first_seen"] for r in house.moments[0].rows["rejects"]}
    assert {r["line"]: r["first_seen"] for r in house.moments[3].rows["rejects"]} == first_seen


def test_the_rejected_share_of_a_source_is_that_of_its_last_delivery(house: House) -> None:
    def quality(moment: Moment) -> tuple[object, ...]:
        row = next(r for r in moment.rows["quality"] if r["source"] == "professionnel_sante")
        names = ("rows_in", "rows_kept", "rows_rejected", "rejected_share", "open_rejects", "mended_rejects")
        return tuple(row[name] for name in names)

    assert quality(house.moments[0]) == (5, 3, 2, 0.4, 2, 0)
    assert quality(house.moments[2]) == (5, 4, 1, 0.2, 1, 1)
    assert quality(house.moments[3]) == (4, 4, 0, 0.0, 0, 2)
    declared = {t.name: delivered_rows(t).max_rejected_share for t in delivered_tables(catalogue())}
    assert {r["source"]: r["threshold"] for r in house.moments[0].rows["quality"]} == declared
    assert {declared["Hospitalisations"], declared["deces"]} == {0.2, 0.5}


def test_a_file_that_is_delivered_again_keeps_its_row_in_the_register(house: House) -> None:
    row = house.moments[4].registered()[ACTIVITIES, start(PLAIN)]
    assert (row["present"], row["state"]) == (True, "read")
    assert row["first_seen"] == house.moments[0].registered()[ACTIVITIES, start(PLAIN)]["first_seen"]
    assert row["last_seen"] >= row["first_seen"]


def test_commit_metadata_describe_each_file(house: House) -> None:
    history = DeltaTable(house.folder / "lake" / LAKE_TABLES["people"]).history()
    (file,) = json.loads(next(c for c in history if c["version"] == 0)["userMetadata"])["files"]
    content = people(NUMBERS)
    expected = {
        "name": PEOPLE,
        "bytes": len(content),
        "sha256": sha256(content).hexdigest(),
        "encoding": "cp1252",
        "separator": ";",
        "rows": {"in": 5, "kept": 3, "rejected": 2, "withdrawn": 0},
        "undeclared": [],
    }
    assert {name: file[name] for name in expected} == expected


def registered(pack: Path, url: str | None = None) -> dict[str, tuple[str, str | None]]:
    """State and tables of the files of a pack before any reading."""
    settings = Settings(_env_file=None, home=pack, sources=pack, postgres_url=SecretStr(url) if url else None)
    none = {t: t.schema.empty_table() for t in (delivery, delivery_reading)}
    found = deliveries(settings, NO_RUNS, catalogue(), none[delivery_reading], none[delivery]).to_pylist()
    assert [row["sha256"] for row in found] == [sha256((pack / r["path"]).read_bytes()).hexdigest() for r in found]
    return {row["path"]: (row["state"], row["known_as"]) for row in found}


def test_files_with_a_time_in_the_future_are_read_or_refused_and_flagged(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.put(people=people(NUMBERS), activities=LACKING)
    for name in (PEOPLE, ACTIVITIES):
        os.utime(house.pack / name, (4e9, 4e9))
    house.run()
    (moment,) = house.moments
    found = moment.registered()
    assert found[PEOPLE, start(people(NUMBERS))]["state"] == "read"
    assert found[ACTIVITIES, start(LACKING)]["state"] == "source_refused"
    assert (
        f"WARNING {PEOPLE} has a modification time in the future, 2096-10-02: it was read as usual; "
        "check the clock of its sender"
    ) in moment.log


def test_all_34_survey_files_have_a_source_table(pack: Path) -> None:
    surveys = {path: row for path, row in registered(pack).items() if path.startswith("Satisfaction/")}
    states = Counter(state for state, _ in surveys.values())
    assert states == {"not_read_yet": 34, "not_a_delivery": 2, "empty": 1}
    workbook = "Satisfaction/2016/dpa_had_recueil2016_donnee2015_donnees.xlsx"
    assert surveys[workbook] == ("not_read_yet", "dpa_had_2016_classeur")


def test_every_file_of_a_pack_is_read_or_has_a_reason(made: Home) -> None:
    rows = DeltaTable(made.lake.path(delivery)).to_pyarrow_table().to_pylist()
    found = {row["path"]: row for row in rows}
    assert found.keys() == {f.relative_to(made.pack).as_posix() for f in made.pack.rglob("*") if f.is_file()}
    assert Counter(row["state"] for row in rows) == {"read": len(rows) - 3, "not_a_delivery": 2, "empty": 1}
    for path, row in found.items():
        output = subprocess.run(["sha256sum", made.pack / path], capture_output=True, text=True, check=True).stdout
        assert row["sha256"] == output.split()[0]
        if row["state"] == "read":
            assert row["rows_in"] == row["rows_kept"] + row["rows_rejected"] + row["rows_withdrawn"] > 0
    tables = delivered_tables(catalogue())
    kept = sum(DeltaTable(made.lake.path(t)).to_pyarrow_dataset().count_rows() for t in tables)
    assert sum(row["rows_kept"] or 0 for row in rows) == kept
    dump = found["BDD PostgreSQL/DATA2023"]
    assert dump["fed"].count("; ") + 1 == sum(delivered_rows(t).reader.database is not None for t in tables)


@pytest.fixture
def small_pack(pack: Path, tmp_path: Path) -> Path:
    """A small pack that tests may change."""
    shutil.copytree(pack / "Satisfaction", tmp_path / "pack" / "Satisfaction")
    (tmp_path / "pack" / "DATA2023").write_bytes(b"PGDMP")
    return tmp_path / "pack"


def test_states_of_files_that_no_table_reads(small_pack: Path) -> None:
    (small_pack / "enquete.csv").write_text("a;b\n")
    (small_pack / "note.txt.part").write_text("a")
    found = registered(small_pack)
    assert found["enquete.csv"] == ("unknown", None)
    assert found["note.txt.part"] == ("not_a_delivery", None)
    assert found["DATA2023"][0] == "not_read_yet"
    assert registered(small_pack, "postgresql://nowhere/care")["DATA2023"][0] == "care_database_is_given"


def test_what_is_no_readable_file_is_registered_and_not_opened(small_pack: Path) -> None:
    os.mkfifo(small_pack / "pipe")
    (small_pack / "deces.csv").symlink_to("nowhere")
    (small_pack / "deces.csv.sha256").write_text("0" * 64)
    settings = Settings(_env_file=None, home=small_pack, sources=small_pack)
    none = {t: t.schema.empty_table() for t in (delivery, delivery_reading)}
    found = deliveries(settings, NO_RUNS, catalogue(), none[delivery_reading], none[delivery]).to_pylist()
    states = {row["path"]: (row["state"], row["sha256"]) for row in found}
    assert states["pipe"] == ("not_a_delivery", "-")
    assert states["deces.csv"] == ("unreadable", "-")
    assert states["deces.csv.sha256"][0] == "not_a_delivery"


def test_a_copy_is_not_read_and_different_versions_are_refused(small_pack: Path) -> None:
    original = small_pack / "Satisfaction/2019/resultats-iqss-open-data-2019.csv"
    copy = small_pack / "resultats-iqss-open-data-2019.csv"
    shutil.copy(original, copy)
    found = registered(small_pack)
    states = [found[f.relative_to(small_pack).as_posix()] for f in (original, copy)]
    assert sorted(states) == [("copy_of_a_file_that_is_read", "iqss_2019"), ("not_read_yet", "iqss_2019")]
    copy.write_bytes(copy.read_bytes() + b"\n")
    found = registered(small_pack)
    states = [found[f.relative_to(small_pack).as_posix()] for f in (original, copy)]
    assert states == [("source_refused", "iqss_2019")] * 2


def test_every_snapshot_of_a_server_is_registered(tmp_path: Path) -> None:
    """Two nightly snapshots; in the second, one table has one more row."""
    nights = [("5:5:@0/1", {"Patient": (4, 0), "Adher": (6, 0)}), ("9:9:@0/2", {"Patient": (4, 0), "Adher": (7, 1)})]
    readings = [
        {
            "path": f'PostgreSQL table "{table}"',
            "sha256": snapshot,
            "table": f"sources/{table}",
            "bytes": 7,
            "rows_in": rows,
            "rows_kept": rows,
            "rows_rejected": 0,
            "rows_withdrawn": 0,
            "versions": str(version),
            "first_read": f"2026-01-0{night}T02:00:00+00:00",
            "last_read": f"2026-01-0{night}T02:00:00+00:00",
        }
        for night, (snapshot, tables) in enumerate(nights, 1)
        for table, (rows, version) in tables.items()
    ]
    (tmp_path / "pack").mkdir()
    settings = Settings(
        _env_file=None, home=tmp_path, sources=tmp_path / "pack", postgres_url=SecretStr("postgresql://x")
    )
    read = pa.Table.from_pylist(readings, delivery_reading.schema)
    found = deliveries(settings, NO_RUNS, catalogue(), read, delivery.schema.empty_table()).to_pylist()
    assert [(r["path"], r["kind"], r["bytes"], r["sha256"], r["present"], r["rows_in"], r["fed"]) for r in found] == [
        ("PostgreSQL", "server", None, "5:5:@0/1", False, 10, "sources/Adher 0; sources/Patient 0"),
        ("PostgreSQL", "server", None, "9:9:@0/2", True, 11, "sources/Adher 1; sources/Patient 0"),
    ]
    assert {r["known_as"] for r in found} == {"Adher, Patient"}
    again = deliveries(settings, NO_RUNS, catalogue(), read, pa.Table.from_pylist(found, delivery.schema)).to_pylist()
    assert again == found


def test_a_dump_that_was_read_stays_a_file_when_a_server_replaces_it(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    dump = tmp_path / "pack" / "DATA2023"
    dump.write_bytes(b"PGDMP")
    digest = sha256(b"PGDMP").hexdigest()
    moment = "2026-01-01T02:00:00+00:00"
    counts = {"rows_in": 3, "rows_kept": 3, "rows_rejected": 0, "rows_withdrawn": 0}
    reading = {"path": 'PostgreSQL table "Adher"', "sha256": digest, "table": "sources/Adher", "versions": "0"}
    read = pa.Table.from_pylist(
        [{**reading, **counts, "first_read": moment, "last_read": moment}], delivery_reading.schema
    )
    settings = Settings(_env_file=None, home=tmp_path, sources=tmp_path / "pack")
    given = Settings(_env_file=None, home=tmp_path, sources=tmp_path / "pack", postgres_url=SecretStr("postgresql://x"))
    before = delivery.schema.empty_table()
    for now in (settings, given):
        before = deliveries(now, NO_RUNS, catalogue(), read, before)
        assert [(r["path"], r["kind"], r["state"], r["fed"]) for r in before.to_pylist()] == [
            ("DATA2023", "file", "read", "sources/Adher 0")
        ]


def test_rows_of_an_older_register_are_kept(tmp_path: Path) -> None:
    """The rows have fewer columns, as in the first versions of the platform."""
    (tmp_path / "pack").mkdir()
    old = {
        "path": "deces.csv",
        "bytes": 9,
        "sha256": "0" * 64,
        "modified_at": "2026-01-01T00:00:00+00:00",
        "known_as": "deces",
        "first_seen": "2026-01-02T00:00:00+00:00",
        "present": True,
    }
    settings = Settings(_env_file=None, home=tmp_path, sources=tmp_path / "pack")
    lake = Lake(tmp_path / "lake")
    first = replace(delivery, columns=[c for c in delivery.columns if c.name in old])
    lake.prepare()
    with lake.writing(first) as write:
        rows = pa.Table.from_pylist([old], pa.schema([(c.name, c.type) for c in first.columns]))
        pq.write_table(rows, write.rows / write.new_name("rows.parquet"))
        commit_written(lake, first, write, None, {"run": "test"})
    readings = delivery_reading.schema.empty_table()
    (row,) = deliveries(settings, NO_RUNS, catalogue(), readings, lake.current_rows(delivery)).to_pylist()
    assert {name: row[name] for name in old} == {**old, "present": False}
    assert (row["kind"], row["state"], row["last_seen"]) == ("file", "not_read_yet", old["first_seen"])
