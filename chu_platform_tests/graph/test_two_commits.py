"""A step that is killed between the commits of rejects and source loses no delivered row."""

from pathlib import Path

import pytest

from chu_platform.graph import step
from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.delivered import rejects_of
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces
from chu_platform.storage.commit import CommitResult, commit_written
from chu_platform.tables.partitions import DEATH_YEARS

pytestmark = pytest.mark.integration


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_between_the_two_commits_loses_no_row(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> int:
        """Delivered rows, by the step."""
        result = step.run_step(resources, deces, DEATH_YEARS.every(), "a run")
        assert result.delivery
        return result.delivery.rows_in

    def dying(*arguments: object, **named: object) -> CommitResult:
        commit_written(*arguments, **named)  # type: ignore[arg-type]
        raise Killed

    with RunResources(Settings(_env_file=None, home=tmp_path, sources=pack), lambda _: None) as resources:
        lake, rejects = resources.lake, rejects_of(deces)
        with monkeypatch.context() as patch:
            patch.setattr(step, "commit_written", dying)
            with pytest.raises(Killed):
                run()
        assert lake.open(deces) is None
        rejected = len(lake.arrow(rejects))
        assert rejected > 0, "the rejects are committed first"
        assert run() == len(lake.arrow(deces)) + rejected
        assert len(lake.arrow(rejects)) == rejected
