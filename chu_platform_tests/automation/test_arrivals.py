"""What the sensor of arriving files starts, file by file, with real files and a clock of the test's own."""

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from chu_platform.automation.arriving_files import INTERVAL_SECONDS, SensorState, evaluate
from chu_platform.settings import Settings
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

STAYS, DEATHS = "Hospitalisation/Hospitalisations.csv", "DECES EN FRANCE/deces.csv"
CAMPAIGNS = {year: f"Satisfaction/resultats-esatis48h-mco-open-data-{year}.csv" for year in (2017, 2019, 2020)}
REPORT = "delivery"


@dataclass
class Sensor:
    """The sensor as Dagster runs it: a cursor that is text, and run keys of which each starts one run."""

    settings: Settings
    now: float = 1_700_000_000.0
    cursor: str | None = None
    started: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def pack(self) -> Path:
        return self.settings.sources_folder

    def drop(self, name: str, content: bytes) -> None:
        """Write a file, as of now."""
        file = self.pack / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (self.now, self.now))

    def look(self, times: int = 1, *, killed: bool = False) -> list[str]:
        """Look so often; what was started, without the reports. When killed, the daemon did not keep the cursor."""
        before = len(self.started)
        for _ in range(times):
            self.now += INTERVAL_SECONDS
            state = SensorState.from_cursor(self.cursor)
            requests, self.messages = evaluate(self.settings, state, self.now)
            self.started += [r.run_key for r in requests if r.run_key and r.run_key not in self.started]
            if not killed:
                self.cursor = state.cursor()
        return [key.split(":")[0] for key in self.started[before:] if not key.startswith(REPORT)]


@pytest.fixture
def sensor(tmp_path: Path) -> Sensor:
    """It looks into an empty folder, for an empty lake."""
    settings = Settings(_env_file=None, home=tmp_path, sources=tmp_path / "pack")
    settings.sources_folder.mkdir()
    return Sensor(settings)


def test_a_file_that_lies_still_starts_one_run(sensor: Sensor) -> None:
    assert sensor.look() == []
    sensor.drop(STAYS, b"whole")
    assert sensor.look() == []
    assert sensor.messages == [f"still arriving: {STAYS}"]
    assert sensor.look() == ["Hospitalisations"]
    assert sensor.look(5) == []
    assert sensor.messages == []


def test_a_half_written_file_waits_and_holds_back_no_other(sensor: Sensor) -> None:
    sensor.drop(DEATHS, b"whole")
    for length in range(1, 6):
        sensor.drop(STAYS, b"h" * length)
        assert sensor.look() == (["deces"] if length == 2 else [])
        assert f"still arriving: {STAYS}" in sensor.messages
    sensor.drop(STAYS, b"complete")
    assert sensor.look(2) == ["Hospitalisations"]
    assert sensor.look(5) == []


def test_a_file_rewritten_with_as_many_bytes_is_still_arriving(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"first")
    sensor.look()
    sensor.drop(STAYS, b"other")
    assert sensor.look() == []
    assert sensor.look(3) == ["Hospitalisations"]


def test_a_file_written_to_a_moment_ago_waits_although_it_looks_the_same(sensor: Sensor) -> None:
    sensor.now += 2 * INTERVAL_SECONDS
    sensor.drop(STAYS, b"whole")
    sensor.now -= 2 * INTERVAL_SECONDS
    assert sensor.look(2) == []
    assert sensor.look(2) == ["Hospitalisations"]


def test_what_is_delivered_again_unchanged_starts_nothing(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == ["Hospitalisations"]
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == []
    sensor.drop(f"again/{Path(STAYS).name}", b"whole")
    assert sensor.look(3) == []
    (sensor.pack / STAYS).unlink()
    assert sensor.look(3) == []


def test_two_files_that_contradict_each_other_are_told_and_start_nothing(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"one")
    sensor.drop(f"again/{Path(STAYS).name}", b"other")
    assert sensor.look(3) == []
    (said,) = sensor.messages
    assert "several files with different content" in said
    (sensor.pack / "again" / Path(STAYS).name).unlink()
    assert sensor.look(3) == ["Hospitalisations"]


def test_an_unknown_file_is_told_and_starts_nothing(sensor: Sensor) -> None:
    sensor.drop("notes (1).xyz", b"?")
    sensor.drop("~$lock.xlsx", b"never a delivery")
    sensor.drop("deces.csv.part", b"a transfer under way")
    assert sensor.look(3) == []
    assert sensor.messages == ["no source table reads this file: notes (1).xyz"]


def test_a_set_of_files_starts_once_it_is_whole(sensor: Sensor) -> None:
    sensor.drop(CAMPAIGNS[2017], b"2017")
    sensor.drop(CAMPAIGNS[2020], b"2020")
    assert sensor.look(3) == []
    assert any("2019" in said for said in sensor.messages)
    sensor.drop(CAMPAIGNS[2019], b"2019")
    assert sensor.look(3) == ["esatis48h_mco"]


def test_each_correction_is_read_once_also_one_that_goes_back(sensor: Sensor) -> None:
    for content in (b"right", b"wrong", b"right", b"wrong"):
        sensor.drop(STAYS, content)
        assert sensor.look(4) == ["Hospitalisations"], content
    assert len(set(sensor.started)) == len(sensor.started)


def test_the_dump_is_read_where_no_database_is_named(sensor: Sensor) -> None:
    sensor.drop("BDD PostgreSQL/DATA2023", b"PGDMP")
    assert sensor.look(3) == ["care_database"]
    url = SecretStr("postgresql://reader@host/care")
    named = Sensor(Settings(_env_file=None, home=sensor.settings.home, sources=sensor.pack, postgres_url=url))
    assert named.look(3) == []


def test_a_lake_that_holds_the_deliveries_already_starts_nothing(made: Home) -> None:
    settings = Settings(_env_file=None, home=made.folder, sources=made.pack)
    newest = max(f.stat().st_mtime for f in made.pack.rglob("*"))
    sensor = Sensor(settings, now=newest)
    assert sensor.look(4) == []
    assert {key.split(":")[0] for key in sensor.started} == {REPORT}


@pytest.mark.parametrize("seed", range(10))
def test_each_delivery_is_read_once_whenever_the_daemon_is_killed(sensor: Sensor, seed: int) -> None:
    """Files come in pieces, in any order; the daemon is killed at any look, after it has started runs."""
    chance = random.Random(seed)
    left = {name: [b"a" * n for n in range(1, 5)] for name in (STAYS, DEATHS, *CAMPAIGNS.values())}
    while any(left.values()):
        name = chance.choice([n for n, pieces in left.items() if pieces])
        # Less than a quiet moment between the pieces, so that none of them is whole to anybody.
        while left[name]:
            sensor.drop(name, left[name].pop(0))
            sensor.now -= INTERVAL_SECONDS - 1
            sensor.look(killed=chance.random() < 0.5)
        for _ in range(chance.randrange(3)):
            sensor.look(killed=chance.random() < 0.5)
    sensor.look(4)
    found = Counter(key.split(":")[0] for key in sensor.started)
    assert {n: found[n] for n in ("Hospitalisations", "deces", "esatis48h_mco")} == {
        "Hospitalisations": 1,
        "deces": 1,
        "esatis48h_mco": 1,
    }
