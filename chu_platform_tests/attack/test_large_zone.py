"""The attacks on a zone with as many establishments as the real one: within ten minutes, and 4 GB of memory."""

import resource
import time

import numpy as np
import pyarrow.compute as pc
import pytest

from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.run import ATTACKS
from chu_platform_tests.attack.large_zone import large_zone, with_safe_parts
from chu_platform_tests.attack.zone import PLACES

pytestmark = pytest.mark.system

ESTABLISHMENTS, DOCTORS, CONSULTATIONS = 200_000, 400_000, 1_000_000
SECONDS = 600
GIGABYTES = 4


def test_200_000_establishments_in_ten_minutes_and_4_gb() -> None:
    knowledge = Knowledge(large_zone(ESTABLISHMENTS, DOCTORS, CONSULTATIONS))
    started = time.process_time()
    results = {number: ATTACKS[number](knowledge) for number in (1, 2, 3, 4, 5, 7, 10)}
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < GIGABYTES * 2**20
    masked = sum(cell[0] == PLACES for cell, _ in knowledge.figures.masked)
    assert results[1].tried >= masked > 400_000
    # The bounds of each masked figure hold its true value, and figures with one possible value have it.
    intervals, unknown = knowledge.intervals, knowledge.system.unknown
    assert intervals is not None
    known = {figure: value for figure, value in knowledge.exact.visible.items() if figure in unknown}
    columns = np.array([unknown[figure] for figure in known])
    truth = np.array(list(known.values()))
    assert len(truth) == masked
    assert np.all((intervals.low[columns] <= truth + 1e-3) & (truth <= intervals.high[columns] + 1e-3))


def test_the_register_gives_no_professional_away_where_each_part_of_a_place_is_safe() -> None:
    """The rule looks at one place at a time; the attack solves all places and specialities together."""
    zone = large_zone(ESTABLISHMENTS, DOCTORS, CONSULTATIONS)
    safe = with_safe_parts(zone)
    visible = pc.count(safe.published[PLACES]["events"]).as_py()
    assert 2_000 < visible < pc.count(zone.published[PLACES]["events"]).as_py()
    assert ATTACKS[3](Knowledge(zone)).disclosed > 1_000
    assert ATTACKS[3](Knowledge(safe)).found == []
