"""A release that is killed at a chosen moment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chu_platform.engine.engine import Engine
from chu_platform.graph import release as release_module
from chu_platform.graph.release import edition_tables, is_settled, release
from chu_platform.storage.edition_manifest import editions
from chu_platform_tests.editions.corrected_lake import (
    PUBLISHED,
    RUN,
    readable_versions,
    resources_of,
    seen,
    stays_of_2016,
)
from chu_platform_tests.pipeline.home import Home


class Killed(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Kill:
    """What a release calls, how often before the kill, and whether the last call is still made."""

    name: str
    calls: int
    after: bool


# Between the tables of the edition, before and after the edition exists, between published tables, and before and after
# the manifest is replaced.
KILLS = [
    Kill("run_step", 3, True),
    Kill("record_edition", 0, False),
    Kill("record_edition", 0, True),
    Kill("run_step", len(edition_tables()) - 4, True),
    Kill("record_published", 0, False),
    Kill("keep_only", len(PUBLISHED) + 2, True),
]


def kill_and_release(home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch, point: Kill) -> None:
    """Kill a release of a corrected lake, and assert what readers see, and that the next commands finish it."""
    lake = home.lake
    old = seen(lake)
    stays, _ = stays_of_2016(lake)
    left = point.calls
    original: Callable[..., Any] = getattr(release_module, point.name)

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0 and not point.after:
            raise Killed
        result = original(*arguments, **named)
        if left < 0:
            raise Killed
        return result

    with resources_of(home, engine) as resources:
        with monkeypatch.context() as patch:
            patch.setattr(release_module, point.name, dying)
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
