"""Failed runs are tried again after a growing wait: real steps whose lake cannot be written, and simulated waits."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.automation.failed_runs import ATTEMPT_TAG, evaluate
from chu_platform.automation.waits import MAX_ATTEMPTS, WAITS
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import RUN_RESOURCES, asset_of
from chu_platform.graph.dagster_instance import MAIN_JOB_TAG
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import Settings
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante as activities
from chu_platform.sources.professionnel_sante import professionnel_sante as people
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform_tests.graph.built import repository

pytestmark = pytest.mark.integration

ACTIVITIES = b"identifiant;identifiant_organisation;mode_exercice\n1;F1;Salarie\n2;F2;Liberal\n"
NAME = "sources/activite_professionnel_sante"


@dataclass
class Platform:
    """A pack with two sources of professionals, a lake and Dagster's storage. `now` is the simulated time."""

    settings: Settings
    instance: dg.DagsterInstance
    now: float = 0.0

    def deliver(self, content: bytes) -> None:
        self.settings.sources_folder.mkdir(exist_ok=True)
        (self.settings.sources_folder / "activite_professionnel_sante.csv").write_bytes(content)

    @property
    def obstacle(self) -> Path:
        """A file in the place of a folder: nothing can be written below it."""
        return self.settings.lake_folder / "restricted" / "sources"

    def run(self, tags: dict[str, str] | None = None, tables: tuple[Table, ...] = (activities,)) -> bool:
        """Run the steps, as if a sensor had requested it; returns whether all tables were made."""
        with RunResources(self.settings, lambda _: None) as resources:
            done = dg.materialize(
                [asset_of(t) for t in tables],
                resources={RUN_RESOURCES: resources},
                instance=self.instance,
                raise_on_error=False,
                tags=tags,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        self.now = time.time()
        return done.success

    def look(self, later: float) -> list[dg.RunRequest]:
        """The requests of the sensor, some seconds after the last run."""
        requests, self.messages = evaluate(self.instance, self.now + later)
        return requests


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("CHU_HOME", str(tmp_path))
    settings = Settings(_env_file=None, home=tmp_path, sources=tmp_path / "pack")
    Lake(settings.lake_folder).prepare()
    with dg.DagsterInstance.ephemeral() as instance:
        platform = Platform(settings, instance)
        platform.deliver(ACTIVITIES)
        yield platform


@pytest.fixture
def blocked(platform: Platform) -> Platform:
    """The platform while its lake cannot be written."""
    platform.obstacle.write_text("in the way")
    return platform


def test_a_failed_run_is_tried_again_until_its_cause_has_passed(blocked: Platform) -> None:
    """As in the issue dagster-io/dagster#15982."""
    assert not blocked.run()
    assert blocked.look(WAITS[0] - 5) == []
    (message,) = blocked.messages
    assert message.startswith(f"{NAME}: failed, attempt 2 of {MAX_ATTEMPTS} at 20")
    (first,) = blocked.look(WAITS[0] + 1)
    assert [key.to_user_string() for key in first.asset_selection or ()] == [NAME, NAME.replace("sources", "rejects")]
    # The daemon was killed before it stored anything: the same key, which starts one run.
    assert [r.run_key for r in blocked.look(WAITS[0] + 2)] == [first.run_key]
    assert not blocked.run(dict(first.tags))
    assert blocked.look(WAITS[0] + 1) == []
    blocked.obstacle.unlink()
    (second,) = blocked.look(WAITS[1] + 1)
    assert second.run_key != first.run_key
    assert second.tags[ATTEMPT_TAG] == "3"
    assert blocked.run(dict(second.tags))
    assert blocked.look(10 * WAITS[-1]) == []
    assert blocked.messages == []


def test_the_attempts_are_limited(blocked: Platform) -> None:
    assert not blocked.run({ATTEMPT_TAG: str(MAX_ATTEMPTS - 1)})
    (last,) = blocked.look(WAITS[-1] + 1)
    assert last.tags[ATTEMPT_TAG] == str(MAX_ATTEMPTS)
    assert not blocked.run(dict(last.tags))
    assert blocked.look(100 * WAITS[-1]) == []
    assert blocked.messages == [
        f"{NAME}: failed {MAX_ATTEMPTS} times; remove the cause, then materialise by hand",
    ]
    # A run for another reason, such as a corrected file, begins again.
    assert not blocked.run()
    assert [r.tags[ATTEMPT_TAG] for r in blocked.look(WAITS[0] + 1)] == ["2"]


def test_a_run_by_hand_ends_the_attempts(blocked: Platform) -> None:
    assert not blocked.run()
    blocked.obstacle.unlink()
    assert blocked.run({MAIN_JOB_TAG: "true"})
    assert blocked.look(WAITS[0] + 1) == []


def test_a_failure_of_the_main_job_is_not_tried_again(blocked: Platform) -> None:
    assert not blocked.run({MAIN_JOB_TAG: "true"})
    assert blocked.look(WAITS[0] + 1) == []


@pytest.mark.parametrize(
    "damaged",
    [b"identifiant;autre\n1;F1\n", ACTIVITIES + b"3;F", b"<!DOCTYPE html><html><body>404</body></html>\n"],
    ids=["a missing column", "a cut line", "a web page"],
)
def test_a_damaged_file_is_not_read_again(platform: Platform, damaged: bytes) -> None:
    platform.deliver(damaged)
    assert not platform.run()
    assert platform.look(WAITS[0] + 1) == []
    (message,) = platform.messages
    assert message.startswith(f"{NAME}: failed, and waiting does not help; see run ")


def test_a_failed_check_is_not_tried_again(platform: Platform) -> None:
    rows = b"".join(b"%d;F1;Salarie\n" % n for n in range(100))
    platform.deliver(ACTIVITIES + rows)
    assert platform.run()
    platform.deliver(ACTIVITIES)
    assert not platform.run()
    assert platform.look(WAITS[0] + 1) == []
    assert "waiting does not help" in platform.messages[0]


def test_only_the_tables_that_may_be_cured_are_tried_again(blocked: Platform) -> None:
    """The file of one source is damaged, that of another one is not there."""
    blocked.obstacle.unlink()
    blocked.deliver(ACTIVITIES + b"3;F")
    assert not blocked.run(tables=(activities, people))
    (request,) = blocked.look(WAITS[0] + 1)
    assert request.asset_selection == [key_of(made) for made in people.outputs]


def test_dagster_accepts_the_requests(blocked: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    defined = repository()
    sensor = defined.get_sensor_def("failed_runs_again")
    context = dg.build_sensor_context(instance=blocked.instance, repository_def=defined)
    assert sensor.evaluate_tick(context).skip_message == "no table has failed"
    assert not blocked.run()
    ended = blocked.now
    monkeypatch.setattr(time, "time", lambda: ended + WAITS[0] + 1)
    (request,) = sensor.evaluate_tick(context).run_requests or ()
    assert request.tags[ATTEMPT_TAG] == "2"
