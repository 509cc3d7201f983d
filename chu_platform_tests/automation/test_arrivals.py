"""The runs that the sensor of arriving files starts, with real files and a simulated clock."""

import errno
import hashlib
import itertools
import json
import os
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from chu_platform.automation import arriving_files
from chu_platform.automation.arriving_files import INTERVAL_SECONDS, SensorState
from chu_platform.automation.fingerprints_job import FINGERPRINTS
from chu_platform.automation.waits import MAX_ATTEMPTS, WAITS
from chu_platform.errors import ChuError
from chu_platform.ingest.files import one
from chu_platform.ingest.fingerprints import fingerprint
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.settings import Settings
from chu_platform.storage.held_deliveries import Held, HeldDeliveries, Shrunk
from chu_platform.storage.lake import Lake
from chu_platform_tests.graph.built import repository
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

STAYS, DEATHS = "Hospitalisation/Hospitalisations.csv", "DECES EN FRANCE/deces.csv"
CAMPAIGNS = {year: f"Satisfaction/resultats-esatis48h-mco-open-data-{year}.csv" for year in (2017, 2019, 2020)}
REPORT = "delivery"


@dataclass
class Sensor:
    """The sensor as Dagster runs it: the cursor is a text, and each run key starts one run."""

    settings: Settings
    now: float = 1_700_000_000.0
    cursor: str | None = None
    started: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    requests: list[dg.RunRequest] = field(default_factory=list)
    is_hashing: bool = False

    @property
    def pack(self) -> Path:
        return self.settings.sources_folder

    def drop(self, name: str, content: bytes) -> None:
        """Write a file with the time `now`."""
        file = self.pack / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (self.now, self.now))

    def look(self, times: int = 1, *, killed: bool = False) -> list[str]:
        """Run the sensor; returns the started runs without reports. If `killed`, the cursor is not saved."""
        before = len(self.started)
        for _ in range(times):
            self.now += INTERVAL_SECONDS
            state = SensorState.from_cursor(self.cursor)
            requests, self.messages = arriving_files.evaluate(self.settings, state, self.now, lambda: self.is_hashing)
            self.requests += requests
            self.started += [r.run_key for r in requests if r.run_key and r.run_key not in self.started]
            if not killed:
                self.cursor = state.cursor()
        return [key.split(":")[0] for key in self.started[before:] if not key.startswith(REPORT)]


@pytest.fixture
def sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sensor:
    """A sensor with an empty pack and an empty lake. It is an hour later, so that files written now are quiet."""
    monkeypatch.setenv("CHU_HOME", str(tmp_path))
    monkeypatch.setenv("CHU_SOURCES", str(tmp_path / "pack"))
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 3_600 * 10**9)
    settings = Settings(_env_file=None, home=tmp_path, sources=tmp_path / "pack")
    settings.sources_folder.mkdir()
    return Sensor(settings)


def test_a_complete_file_starts_one_run(sensor: Sensor) -> None:
    assert sensor.look() == []
    sensor.drop(STAYS, b"whole")
    assert sensor.look() == []
    at_once = f"an empty {Path(STAYS).name}.done or a checksum file such as {Path(STAYS).name}.sha256 beside it"
    (message,) = sensor.messages
    assert message == f"still arriving: {STAYS} (complete when unchanged for 5 s; {at_once} makes it complete at once)"
    assert sensor.look() == ["Hospitalisations"]
    assert sensor.look(5) == []
    assert sensor.messages == []


def test_nothing_is_requested_without_the_key_of_the_lake(sensor: Sensor) -> None:
    lake = Lake(sensor.settings.lake_folder)
    lake.prepare()
    key = lake_key(lake, sensor.settings.secrets_folder).file
    sensor.drop(STAYS, b"whole")
    sensor.look()
    key.rename(key.with_suffix(".away"))
    assert sensor.look(3) == []
    (message,) = sensor.messages
    assert message.endswith("restore the key file from its backup, or set CHU_SECRETS to its folder")
    key.with_suffix(".away").rename(key)
    assert sensor.look(2) == ["Hospitalisations"]


class NotConnected(dg.DefaultRunLauncher):
    """Starts runs in pods of a cluster that this process does not reach, as the code location on Kubernetes."""

    def __init__(self, **_: Any) -> None:
        raise ConnectionError("the launcher is made by whoever starts runs")


def test_the_key_may_be_with_the_runs_alone(sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(sensor.settings.lake_folder)
    lake.prepare()
    lake_key(lake, sensor.settings.secrets_folder).file.unlink()
    sensor.drop(STAYS, b"whole")
    monkeypatch.setattr(time, "time", lambda: sensor.now)
    defined = repository()
    elsewhere = {"run_launcher": {"module": __name__, "class": NotConnected.__name__}}
    requested: dict[str, list[str | None]] = {"here": [], "elsewhere": []}
    for where, overrides in (("here", {}), ("elsewhere", elsewhere)):
        with dg.instance_for_test(overrides=overrides) as instance:
            cursor = None
            for _ in range(2):
                sensor.now += INTERVAL_SECONDS
                context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=defined)
                tick = defined.get_sensor_def("arriving_files").evaluate_tick(context)
                cursor = tick.cursor
                requested[where] += [request.job_name for request in tick.run_requests or ()]
    assert requested == {"here": [], "elsewhere": ["follow_by_month"]}


def test_an_incomplete_file_does_not_delay_other_files(sensor: Sensor) -> None:
    sensor.drop(DEATHS, b"whole")
    for length in range(1, 6):
        sensor.drop(STAYS, b"h" * length)
        assert sensor.look() == (["deces"] if length == 2 else [])
        assert any(m.startswith(f"still arriving: {STAYS} (complete when unchanged for ") for m in sensor.messages)
    sensor.drop(STAYS, b"complete")
    # It grew in every look, so a pause of one look says nothing.
    assert sensor.look(2) == []
    assert sensor.look() == ["Hospitalisations"]
    assert sensor.look(5) == []


def test_a_pause_must_be_longer_than_the_longest_one_before(sensor: Sensor) -> None:
    """A transfer that stalls and goes on, as in the issue churchlab/millstone#415."""
    sensor.drop(STAYS, b"1")
    sensor.look()
    for length in (2, 3):
        sensor.now += 3
        with (sensor.pack / STAYS).open("ab") as stream:
            stream.write(b"x")
        sensor.now += 27
        os.utime(sensor.pack / STAYS, (sensor.now, sensor.now))
        assert sensor.look() == [], length
    # The longest pause was 40 s.
    seen_at = sensor.now
    said = set()
    for _ in range(4):
        assert sensor.look() == []
        said |= {*sensor.messages}
    # The same words in each look, so that they are logged once.
    (message,) = said
    end = datetime.fromtimestamp(seen_at + 40, UTC)
    assert message.startswith(f"still arriving: {STAYS} (complete when unchanged for 40 s, at {end:%H:%M:%S} UTC; an ")
    assert sensor.look() == ["Hospitalisations"]


def test_a_file_that_grows_after_an_hour_is_a_new_upload(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"whole")
    assert sensor.look(2) == ["Hospitalisations"]
    sensor.now += 3600
    sensor.drop(STAYS, b"whole, and more")
    assert sensor.look(2) == ["Hospitalisations"]


def test_a_done_file_says_that_a_file_is_whole(sensor: Sensor) -> None:
    for length in range(1, 4):
        sensor.drop(STAYS, b"h" * length)
        assert sensor.look() == []
    sensor.drop(f"{STAYS}.done", b"")
    assert sensor.look() == ["Hospitalisations"]
    assert sensor.messages == []
    # The mark of the former upload says nothing of the next one.
    sensor.now += 1
    sensor.drop(STAYS, b"other")
    assert sensor.look() == []
    assert sensor.look(3) == ["Hospitalisations"]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_checksum_file_says_whether_a_file_is_whole(sensor: Sensor, algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"whole").hexdigest()
    sensor.drop(f"{STAYS}.{algorithm}", f"{digest}  Hospitalisations.csv\n".encode())
    sensor.drop(STAYS, b"who")
    assert sensor.look(2) == []
    assert sensor.messages[0].startswith(f"Hospitalisations.csv does not have the checksum in {Path(STAYS).name}.")
    assert sensor.look(20) == []
    sensor.drop(STAYS, b"whole")
    assert sensor.look(2) == ["Hospitalisations"]
    assert sensor.messages == []


def test_an_unreadable_file_concerns_only_its_source(sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system refuses to read one file. (Tests may run as root, who may read everything.)"""
    sensor.drop(STAYS, b"whole")
    sensor.drop(DEATHS, b"whole")
    opened = Path.open

    def refusing(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == Path(DEATHS).name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    assert sensor.look(3) == ["Hospitalisations"]
    assert sensor.messages == [f"{sensor.pack / DEATHS} cannot be read: Permission denied; check its permissions"]
    monkeypatch.undo()
    assert sensor.look() == ["deces"]


def test_an_accepted_delivery_starts_a_run(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"fewer")
    assert sensor.look(3) == ["Hospitalisations"]
    deliveries = HeldDeliveries(Lake(sensor.settings.lake_folder))
    held = Held("Hospitalisations", "a run", [Shrunk(STAYS, "0" * 64, 9, 1)], "2026-01-01T00:00:00+00:00")
    deliveries.hold(held)
    assert sensor.look(3) == []
    deliveries.accept(held, "me", "2026-01-02T00:00:00+00:00")
    assert sensor.look(3) == ["Hospitalisations"]


def test_a_look_at_the_committed_file_ends_what_was_held_back(sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upload was completed meanwhile: nothing has to be read, and nothing may be accepted any more."""
    sensor.drop(STAYS, b"whole")
    whole = hashlib.sha256(b"whole").hexdigest()
    commit = {"run": "a run", "files": [{"name": STAYS, "sha256": whole}]}
    monkeypatch.setattr(Lake, "provenance", lambda _lake, table: commit if table.name == "Hospitalisations" else {})
    deliveries = HeldDeliveries(Lake(sensor.settings.lake_folder))
    for at, sha256 in (("2026-01-01", "0" * 64), ("2026-01-02", whole)):
        held = Held("Hospitalisations", "a run", [Shrunk(STAYS, sha256, 9, 1)], at)
        deliveries.accept(held, "me", at)
        deliveries.hold(held)
    sensor.drop(STAYS, b"half")
    sensor.look(3)
    assert deliveries.held()
    sensor.drop(STAYS, b"whole")
    sensor.look(9)
    assert deliveries.held() == []
    assert [a.is_over for a in deliveries.acceptances()] == [True, False]


def test_a_file_rewritten_with_the_same_size_is_still_arriving(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"first")
    sensor.look()
    sensor.drop(STAYS, b"other")
    assert sensor.look() == []
    assert sensor.look(3) == ["Hospitalisations"]


@pytest.mark.parametrize("ahead", [20.0, 86_400.0, 20 * 365 * 86_400.0])
def test_a_file_with_a_time_in_the_future_is_read_and_flagged(sensor: Sensor, ahead: float) -> None:
    """The clock of a sender is ahead, as in the issue geimist/synOCR#81."""
    sensor.now += ahead
    sensor.drop(STAYS, b"whole")
    sensor.now -= ahead
    assert sensor.look() == []
    assert any(m.startswith(f"still arriving: {STAYS} (") for m in sensor.messages)
    assert sensor.look() == ["Hospitalisations"]
    assert sensor.look(5) == []
    flagged = [m for m in sensor.messages if m.startswith(f"{STAYS} has a modification time in the future, 20")]
    assert len(flagged) == (ahead > 60)
    # A file that still grows is not complete, whatever its time is.
    sensor.now += ahead
    sensor.drop(DEATHS, b"1")
    sensor.now -= ahead
    for _ in range(3):
        with (sensor.pack / DEATHS).open("ab") as stream:
            stream.write(b"x")
        os.utime(sensor.pack / DEATHS, (sensor.now + ahead,) * 2)
        assert sensor.look() == []


def bytes_read() -> int:
    """Number of bytes that this process has read from files until now."""
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]


def test_a_look_reads_little_of_large_files(sensor: Sensor) -> None:
    """A look has 60 seconds, as in the issue dagster-io/dagster#14830."""
    for name in (DEATHS, f"copy/{Path(DEATHS).name}", CAMPAIGNS[2017], "unknown.bin"):
        sensor.drop(name, b"")
        os.truncate(sensor.pack / name, 2 * 10**9)
        os.utime(sensor.pack / name, (sensor.now, sensor.now))
    sensor.drop(STAYS, b"whole")
    before = bytes_read()
    # The others do not wait for the fingerprints of the large files, and these are requested once.
    assert sorted(sensor.look(2)) == ["Hospitalisations", "fingerprints"]
    sensor.is_hashing = True
    assert sensor.look(10) == []
    assert bytes_read() - before < 4 * 10**6
    assert f"computing the fingerprint of {DEATHS}, in a run of the job fingerprints" in sensor.messages


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were hashed."""
    names: list[str] = []
    digest = hashlib.file_digest

    def noted(stream: Any, name: str) -> object:
        names.append(Path(stream.name).name)
        return digest(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    return names


def compute_fingerprints(sensor: Sensor) -> None:
    """The run that the sensor requested last."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert FINGERPRINTS.execute_in_process(run_config=sensor.requests[-1].run_config, instance=instance).success


def test_a_large_file_is_hashed_once_by_a_run(
    sensor: Sensor, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving_files, "MAX_BYTES", 4)
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == ["fingerprints"]
    assert hashed == []
    compute_fingerprints(sensor)
    assert sensor.look(5) == ["Hospitalisations"]
    # Its reader and the register of deliveries use the same fingerprint.
    assert fingerprint(sensor.pack / STAYS) == hashlib.sha256(b"whole").hexdigest()
    assert hashed == [Path(STAYS).name]
    # Touched, with the same content: hashed once more, and not read.
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == ["fingerprints"]
    compute_fingerprints(sensor)
    assert sensor.look(5) == []
    assert hashed == [Path(STAYS).name] * 2
    sensor.drop(STAYS, b"other")
    assert sensor.look(3) == ["fingerprints"]
    compute_fingerprints(sensor)
    assert sensor.look(5) == ["Hospitalisations"]
    assert sensor.messages == []


def test_a_fingerprint_that_becomes_known_is_no_change_of_the_files(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the register of deliveries would be made again, although it holds these files."""
    monkeypatch.setattr(arriving_files, "MAX_BYTES", 4)
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == ["fingerprints"]
    before = json.loads(sensor.cursor or "")
    compute_fingerprints(sensor)
    sensor.look(5)
    after = json.loads(sensor.cursor or "")
    assert after["listing"] != before["listing"], "otherwise the test is empty"
    assert after["listed_at"] == before["listed_at"]
    sensor.drop(STAYS, b"other")
    sensor.look(3)
    assert json.loads(sensor.cursor or "")["listed_at"] != before["listed_at"]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_checksum_of_a_large_file_is_compared_by_a_run(
    sensor: Sensor, hashed: list[str], monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.setattr(arriving_files, "MAX_BYTES", 4)
    sensor.drop(f"{STAYS}.{algorithm}", f"{hashlib.new(algorithm, b'whole').hexdigest()}\n".encode())
    for content in (b"whol?", b"whole"):
        sensor.drop(STAYS, content)
        assert sensor.look(3) == ["fingerprints"]
        compute_fingerprints(sensor)
        read = sensor.look(5)
    assert read == ["Hospitalisations"]
    assert hashed == [Path(STAYS).name] * (2 if algorithm == "sha256" else 4)
    assert sensor.messages == []


def test_fingerprints_that_are_not_found_are_computed_again_for_a_while(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run computes them here."""
    monkeypatch.setattr(arriving_files, "MAX_BYTES", 4)
    sensor.drop(STAYS, b"whole")
    moments = []
    for _ in range(70):
        if sensor.look():
            moments.append(sensor.now)
        sensor.now += 5_990
    waits = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(moments) == MAX_ATTEMPTS
    assert all(wait <= waited <= wait + 6_000 for wait, waited in zip(WAITS, waits, strict=True))
    sensor.drop(STAYS, b"other")
    assert sensor.look(3) == ["fingerprints"]


def test_copies_are_hashed_once(sensor: Sensor, hashed: list[str]) -> None:
    """As in the issue microsoft/binskim#1137. A copy of a browser is one too."""
    names = (STAYS, f"again/{Path(STAYS).name}", "again/Hospitalisations (1).csv")
    for name in names:
        sensor.drop(name, b"whole")
    assert sensor.look(10) == ["Hospitalisations"]
    assert sorted(hashed) == sorted(Path(name).name for name in names)
    assert sensor.messages == []


def test_copies_of_another_size_are_not_hashed(sensor: Sensor, hashed: list[str]) -> None:
    sensor.drop(STAYS, b"whole")
    sensor.drop(f"again/{Path(STAYS).name}", b"other size")
    with pytest.raises(ChuError, match="have different content"):
        one(sensor.pack, Path(STAYS).name)
    assert hashed == []


def test_the_cursor_forgets_files_that_arrived_long_ago(sensor: Sensor) -> None:
    """Dagster stores it with each look."""
    for number in range(100):
        sensor.drop(f"unknown/{number}.xyz", b"?")
    for name in (STAYS, DEATHS, *CAMPAIGNS.values()):
        sensor.drop(name, b"whole")
    assert len(sensor.look(3)) == 3
    assert sensor.cursor is not None
    assert Path(STAYS).name in sensor.cursor
    sensor.now = time.time() + 2 * 3600
    assert sensor.look(3) == []
    sensor.now += 3600
    assert sensor.look(3) == []
    assert ".csv" not in sensor.cursor
    assert len(sensor.cursor) < 1000
    # A change is noticed all the same.
    sensor.drop(STAYS, b"other")
    assert sensor.look(3) == ["Hospitalisations"]


def test_cursors_of_earlier_versions_are_read(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == ["Hospitalisations"]
    cursor = json.loads(sensor.cursor or "")
    file = {**cursor["files"][STAYS], "sha256": hashlib.sha256(b"whole").hexdigest(), "refuted_by": None}
    earlier = {"files": {STAYS: file}, "asked": cursor["asked"], "times": cursor["times"], "told": ["a message"]}
    sensor.cursor = json.dumps(earlier)
    assert sensor.look(3) == []
    sensor.drop(STAYS, b"other")
    assert sensor.look(3) == ["Hospitalisations"]


def test_dagster_accepts_the_requests(sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving_files, "MAX_BYTES", arriving_files.BYTES_OF_OPENING + 4)
    monkeypatch.setattr(time, "time", lambda: sensor.now)
    sensor.drop(STAYS, b"whole")
    sensor.drop(DEATHS, b"1;2")
    defined = repository()
    started: list[str | None] = []
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(3):
            sensor.now += INTERVAL_SECONDS
            context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=defined)
            tick = defined.get_sensor_def("arriving_files").evaluate_tick(context)
            cursor = tick.cursor
            started += [request.job_name for request in tick.run_requests or ()]
    assert started == ["fingerprints", "read_files_by_death_year"]


def test_an_unchanged_file_delivered_again_starts_no_run(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == ["Hospitalisations"]
    sensor.drop(STAYS, b"whole")
    assert sensor.look(3) == []
    sensor.drop(f"again/{Path(STAYS).name}", b"whole")
    assert sensor.look(3) == []
    (sensor.pack / STAYS).unlink()
    assert sensor.look(3) == []


def test_two_files_with_different_content_are_reported_and_start_no_run(sensor: Sensor) -> None:
    sensor.drop(STAYS, b"one")
    sensor.drop(f"again/{Path(STAYS).name}", b"other")
    assert sensor.look(3) == []
    (message,) = sensor.messages
    assert "have different content" in message
    (sensor.pack / "again" / Path(STAYS).name).unlink()
    assert sensor.look(3) == ["Hospitalisations"]


def test_a_new_opposition_list_has_the_deaths_read_again(sensor: Sensor) -> None:
    sensor.drop(DEATHS, b"whole")
    assert sensor.look(3) == ["deces"]
    for edition in ("260407", "260507"):
        sensor.drop(f"fichier-opposition-deces-{edition}.csv", edition.encode())
        assert sorted(sensor.look(3)) == ["deces", "opposition_deces"]
    assert sensor.look(3) == []


def test_an_unknown_file_is_reported_and_starts_no_run(sensor: Sensor) -> None:
    sensor.drop("notes (1).xyz", b"?")
    sensor.drop("~$lock.xlsx", b"never a delivery")
    sensor.drop("deces.csv.part", b"a transfer under way")
    assert sensor.look(3) == []
    assert sensor.messages == ["no source table reads this file: notes (1).xyz"]


def test_campaigns_start_a_run_without_the_missing_one(sensor: Sensor) -> None:
    """The run names the missing campaign; its file starts another one."""
    sensor.drop(CAMPAIGNS[2017], b"2017")
    sensor.drop(CAMPAIGNS[2020], b"2020")
    assert sensor.look(3) == ["esatis48h_mco"]
    sensor.drop(CAMPAIGNS[2019], b"2019")
    assert sensor.look(3) == ["esatis48h_mco"]


def test_each_correction_is_read_once_even_if_the_content_is_an_earlier_one(sensor: Sensor) -> None:
    for content in (b"right", b"wrong", b"right", b"wrong"):
        sensor.drop(STAYS, content)
        assert sensor.look(4) == ["Hospitalisations"], content
    assert len(set(sensor.started)) == len(sensor.started)


def test_the_dump_is_read_only_without_a_database_setting(sensor: Sensor) -> None:
    sensor.drop("BDD PostgreSQL/DATA2023", b"PGDMP")
    assert sensor.look(3) == ["care_database"]
    url = SecretStr("postgresql://reader@host/care")
    named = Sensor(Settings(_env_file=None, home=sensor.settings.home, sources=sensor.pack, postgres_url=url))
    assert named.look(3) == []


def test_a_dump_of_several_files_is_read_when_all_are_complete(sensor: Sensor) -> None:
    folder = "BDD PostgreSQL/DATA2023"
    sensor.drop(f"{folder}/toc.dat", b"PGDMP")
    sensor.drop(f"{folder}/3456.dat.gz", b"rows")
    assert sensor.look() == []
    sensor.drop(f"{folder}/3456.dat.gz", b"rows and more rows")
    assert sensor.look() == [], "one file is still arriving"
    assert sensor.look(2) == ["care_database"]
    assert sensor.messages == []
    sensor.drop(f"{folder}/3456.dat.gz", b"corrected")
    assert sensor.look(3) == ["care_database"]


def test_deliveries_that_are_in_the_lake_start_no_run(made: Home) -> None:
    settings = Settings(_env_file=None, home=made.folder, sources=made.pack)
    newest = max(f.stat().st_mtime for f in made.pack.rglob("*"))
    sensor = Sensor(settings, now=newest)
    assert sensor.look(4) == []
    assert {key.split(":")[0] for key in sensor.started} == {REPORT}


@pytest.mark.parametrize("seed", range(10))
def test_each_delivery_is_read_once_even_if_the_daemon_is_killed(sensor: Sensor, seed: int) -> None:
    """Files arrive in pieces, in any order. The daemon is killed at random, after it has started runs."""
    draw = random.Random(seed)
    remaining = {name: [b"a" * n for n in range(1, 5)] for name in (STAYS, DEATHS, *CAMPAIGNS.values())}
    while any(remaining.values()):
        name = draw.choice([n for n, pieces in remaining.items() if pieces])
        # Less than one interval between the pieces, so that no part of a file looks complete.
        while remaining[name]:
            sensor.drop(name, remaining[name].pop(0))
            sensor.now -= INTERVAL_SECONDS - 1
            sensor.look(killed=draw.random() < 0.5)
        for _ in range(draw.randrange(3)):
            sensor.look(killed=draw.random() < 0.5)
    sensor.look(4)
    found = Counter(key.split(":")[0] for key in sensor.started)
    assert {n: found[n] for n in ("Hospitalisations", "deces", "esatis48h_mco")} == {
        "Hospitalisations": 1,
        "deces": 1,
        "esatis48h_mco": 1,
    }
