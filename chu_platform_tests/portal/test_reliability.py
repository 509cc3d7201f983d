"""What must be known before an indicator is used: the states and their reasons, on values made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chu_platform.portal.readable_periods import Period
from chu_platform.portal.reliability import LABELS, Late, MeasuredCheck, Reliability, State
from chu_platform.portal.sentences import CRITERIA, STATES, bounds, reach, reach_in_short, reasons
from chu_platform.tables.checks import Check, CheckType, last_event, not_null, rejected_share, steady_row_count

pytestmark = pytest.mark.unit


def check(
    kind: CheckType,
    blocking: bool = False,
    run: bool = True,
    minimum: float | None = 0,
    maximum: float | None = 0,
) -> MeasuredCheck:
    is_age = kind is CheckType.FRESHNESS
    measured = 12.0 if run else None
    return MeasuredCheck("Séjours", LABELS[kind.value], (), blocking, run, measured, minimum, maximum, is_age)


def known(problems: Sequence[MeasuredCheck] = (), late: Late | None = None, checks: int = 10) -> Reliability:
    return Reliability(100, 20, 0.9, None, None, False, None, None, late, checks, checks - len(problems), problems)


FAILED, REMARK, WAITING = (
    check(CheckType.UNIQUE, blocking=True),
    check(CheckType.ROW_COUNT),
    check(CheckType.RANGE, run=False),
)
OLD = check(CheckType.FRESHNESS, maximum=31)
LATE = Late(3, stale=False)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (known(), State.GOOD),
        (known([OLD]), State.GOOD),
        (known([REMARK, OLD]), State.REMARK),
        (known([WAITING]), State.UNCHECKED),
        (known(checks=0), State.UNCHECKED),
        (known([WAITING, REMARK]), State.UNCHECKED),
        (known(late=LATE), State.LATE),
        (known([REMARK], LATE), State.LATE),
        (known(late=Late(900, stale=True)), State.LATE),
        (known([FAILED, REMARK], LATE), State.FAILED),
        (replace(known(), failed_at=datetime(2026, 3, 2, 9, 5, tzinfo=UTC)), State.FAILED),
    ],
)
def test_the_most_serious_is_the_state(found: Reliability, state: State) -> None:
    assert found.state is state


def test_a_failed_calculation_is_said_and_its_version_stays() -> None:
    failed = replace(known(), failed_at=datetime(2026, 3, 2, 9, 5, tzinfo=UTC))
    (said,) = reasons(failed)
    assert said.startswith("Dernier calcul en échec le 2 mars 2026")
    assert said.endswith(" : la dernière version valable est montrée.")


def test_all_that_is_remarked_is_among_the_reasons() -> None:
    said = [text.replace("\u00a0", " ") for text in reasons(known([FAILED, REMARK, WAITING, OLD], LATE))]
    age = "dans « Séjours », l’âge du dernier événement est de 12 jours (prévu : 0 à 31)"
    assert said == [
        "1 contrôle bloquant a échoué : la dernière version valable est montrée.",
        "En retard : calculé il y a 3 jours.",
        "Remarque sur « Séjours » : nombre de lignes stable (12 ; prévu : 0).",
        "1 contrôle n’a pas encore été évalué.",
        f"Données plus anciennes que prévu : {age}.",
    ]
    assert reasons(known()) == ["Aucun contrôle n’a échoué, et le calcul est à l’heure."]


@pytest.mark.parametrize(
    ("minimum", "maximum", "text"),
    [(0, 0, "0"), (0, 31, "0 à 31"), (-0.1, 1, "−0,1 à 1"), (1e6, 1e6, "1\u202f000\u202f000"), (None, None, "–")],
)
def test_the_bounds_are_written_in_french(minimum: float | None, maximum: float | None, text: str) -> None:
    assert bounds(check(CheckType.RANGE, minimum=minimum, maximum=maximum)) == text


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (steady_row_count(), "−0,1 à 1"),
        (last_event("date", 31), "0 à 31"),
        (not_null("date"), "0"),
        (rejected_share(0.5), "0 à 0,5"),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)
def test_the_bounds_of_a_declared_check_are_written_in_french(rule: Check, text: str) -> None:
    assert bounds(check(CheckType.RANGE, minimum=rule.minimum, maximum=rule.maximum)) == text


def test_how_far_data_reach_is_said_as_far_as_it_is_known() -> None:
    year = Period("year", date(2020, 1, 1), date(2021, 1, 1))
    period = replace(known(), latest=(year, True))
    assert reach(known()) is None
    assert reach(period) == "période la plus récente : 2020, incomplète"
    assert reach(replace(period, problems=[OLD])) == (
        "période la plus récente : 2020, incomplète ; données plus anciennes que prévu"
    )
    assert reach(replace(period, until=date(2020, 4, 1))) == "données jusqu’au 1er avril 2020"
    assert reach(replace(period, until=date(2020, 4, 1), problems=[OLD])) == (
        "données jusqu’au 1er avril 2020, plus anciennes que prévu"
    )
    campaign = replace(known(), latest=(year, False), campaigns=True)
    assert (reach(campaign), reach_in_short(campaign)) == ("dernière campagne 2020", "campagne 2020")


def test_every_kind_of_check_and_every_state_has_french_words() -> None:
    assert LABELS.keys() == {kind.value for kind in CheckType}
    assert STATES.keys() == CRITERIA.keys() == set(State)
