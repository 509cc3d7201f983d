"""The job that copies files from the servers of CHU_SOURCES, and the sensor that starts it when files have arrived.

The job is no asset, because an asset is a table. It is a run of its own: the UI shows its progress and its failures.
`chu materialize` begins with it. When copies appear in the pack, `arriving_files` reads them like local files.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import dagster as dg

from chu_platform.errors import ChuError
from chu_platform.graph.assets import RUN_RESOURCES
from chu_platform.graph.failure_notice import failure_notice
from chu_platform.graph.run_resources import RunResources
from chu_platform.landing.landing import Landed, Waiting, land, look
from chu_platform.settings import Settings, load_settings

INTERVAL_SECONDS: Final = 60
# The daemon gives a sensor 60 seconds.
LOOK_SECONDS: Final = 40.0
# Files that a run did not copy are requested again after this time, then after twice as long, and so on.
FIRST_WAIT_SECONDS: Final = 600.0
MAX_WAIT_SECONDS: Final = 6 * 3600.0


def land_for_run(settings: Settings, log: Callable[[str], None], warn: Callable[[str], None]) -> Sequence[Landed]:
    """Land all places with their warnings. Raises ChuError for the failures of places, after all were tried."""
    results = land(settings, log)
    for warning in (w for result in results for w in result.warnings):
        warn(warning)
    if failures := [failure for result in results for failure in result.failures]:
        raise ChuError("; ".join(failures))
    return results


@dg.op(
    name="copy_files",
    description="Copies new and changed files from the servers that CHU_SOURCES lists.",
    required_resource_keys={RUN_RESOURCES},
    out=dg.Out(dg.Nothing),
)
def copy_files(context: dg.OpExecutionContext) -> None:
    """Copy new and changed files of all servers. A server that fails does not concern the others."""
    resources: RunResources = context.resources.platform
    if resources.settings.sources_list is None:
        context.log.info("CHU_SOURCES is one folder: nothing to copy")
        return
    try:
        results = land_for_run(resources.settings, resources.log_progress, resources.warn)
    except ChuError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    context.add_output_metadata({result.place: f"{len(result.copied)} files copied" for result in results})


@dg.job(
    name="land_files",
    description="Copies new and changed files from the servers that CHU_SOURCES lists.",
    hooks={failure_notice},
)
def land_files() -> None:
    """One step, which tries all servers."""
    copy_files()


@dataclass
class Requested:
    """State of the sensor: the files that were requested last, how often, and until when they are not again.

    `turn` is the number of the server that is listed first. `messages` are logged only once.
    """

    files: str = ""
    times: int = 0
    count: int = 0
    wait_until: float = 0.0
    turn: int = 0
    messages: Sequence[str] = ()

    def run_key(self, files: Sequence[str], now: float) -> str | None:
        """The run key for these files; None if they were requested not long ago."""
        key = hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()[:16]
        if key == self.files and now < self.wait_until:
            return None
        self.times = self.times + 1 if key == self.files else 1
        self.count += 1
        self.files = key
        self.wait_until = now + min(FIRST_WAIT_SECONDS * 2 ** (self.times - 1), MAX_WAIT_SECONDS)
        return f"{key}:{self.count}"


@dg.sensor(
    name="arriving_on_servers",
    # By its name: Dagster warns of a parameter of its own, in beta, when it copies a sensor that has a job.
    job_name=land_files.name,
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Lists the servers that CHU_SOURCES names, and has new, complete files copied.",
)
def arriving_on_servers(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """List all servers once."""
    settings = load_settings()
    state = Requested(**json.loads(context.cursor)) if context.cursor else Requested()
    if settings.sources_list is None:
        return dg.SensorResult(skip_reason=dg.SkipReason("CHU_SOURCES names no servers"))
    try:
        found = look(settings, state.turn, LOOK_SECONDS)
    except ChuError as error:
        found = Waiting((), [str(error)])
    files, messages = found.files, found.messages
    for message in messages:
        if message not in state.messages:
            context.log.warning(message)
    state.messages = messages
    state.turn += 1
    run_key = state.run_key(files, time.time()) if files else None
    reason = "; ".join(messages) or "nothing new on the servers"
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key)] if run_key else [],
        skip_reason=None if run_key else dg.SkipReason(reason),
        cursor=json.dumps(asdict(state)),
    )
