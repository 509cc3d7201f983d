"""The defence: twenty minutes to the second, notes that can be said, and a demonstration that is as the page says."""

import shlex
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from chu_platform.portal.defence import (
    ACTS,
    ANNEX,
    ANSWER_SECONDS,
    DEMONSTRATION_STEP,
    SPEECH,
    SPEECH_SECONDS,
    WORDS_PER_MINUTE,
    Act,
    Action,
    timed_plan,
)
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.chromium import needs_chromium
from chu_platform_tests.portal.served import Served

IN_BROWSER = [act for act in ACTS if act.action is not Action.COMMAND]
IN_TERMINAL = [act for act in ACTS if act.action is Action.COMMAND]


@pytest.mark.unit
def test_the_speech_takes_twenty_minutes_and_the_answers_ten() -> None:
    assert SPEECH_SECONDS == 20 * 60 == sum(spoken.seconds for spoken in SPEECH)
    assert ANSWER_SECONDS == 10 * 60 == sum(answer.seconds for answer in ANNEX)
    last = timed_plan()[-1]
    minutes, seconds = (int(part) for part in last.begins.split(":"))
    assert 60 * minutes + seconds + SPEECH[-1].seconds == SPEECH_SECONDS


@pytest.mark.unit
def test_notes_and_answers_can_be_said_in_their_time() -> None:
    for text, seconds in [(s.notes, s.seconds) for s in SPEECH] + [(a.answer, a.seconds) for a in ANNEX]:
        assert 60 * len(text.split()) / WORDS_PER_MINUTE <= seconds, text
        # Figures are those of the screen: notes hold none. (Bounds of the masks, and a version, are rules.)
        assert not [
            word for word in text.split() if word.rstrip("%,.").isdigit() and word.rstrip(",.") not in ("1", "10")
        ]


@pytest.mark.integration
def test_the_plan_is_that_of_the_story(portal: Served) -> None:
    story, page = portal.page("/recit"), portal.page("/soutenance")
    assert len(story.all("section.step")) == len(SPEECH)
    rows = page.all("section[aria-labelledby=titre-deroule] tbody tr")
    assert [row.one("a").attributes["href"] for row in rows] == [f"/recit#etape-{n}" for n in range(1, len(SPEECH) + 1)]
    assert "Démonstration technique" in story.one(f"#etape-{DEMONSTRATION_STEP}").text
    for act in ACTS:
        assert act.words in story.one(f"#etape-{DEMONSTRATION_STEP}") and act.words in page and act.meaning in page
    for answer in ANNEX:
        assert portal.get(answer.address.partition("#")[0]).status == 200


@pytest.fixture(scope="module")
def presenter(browser: Browser, portal: Served) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 720}, base_url=portal.address)
    page.goto("/")
    yield page
    page.close()


@needs_chromium
@pytest.mark.integration
@pytest.mark.parametrize("act", IN_BROWSER, ids=lambda act: act.target)
def test_each_act_shows_what_the_script_says(act: Act, presenter: Page) -> None:
    """In the order of the script, in one browser."""
    match act.action:
        case Action.OPEN:
            presenter.goto(act.target)
        case Action.CLICK:
            presenter.get_by_role("link", name=act.target, exact=True).first.click()
        case Action.CHOOSE:
            presenter.get_by_label(act.target, exact=True).select_option(label=act.value)
            presenter.get_by_role("button", name="Afficher").click()
        case Action.SEARCH:
            field = presenter.get_by_role("searchbox", name=act.target)
            field.fill(act.value)
            field.press("Enter")
    assert act.seen in " ".join(presenter.locator("main").inner_text().split()), act.words


@pytest.mark.integration
@pytest.mark.parametrize("act", IN_TERMINAL, ids=lambda act: act.target)
def test_each_command_of_the_script_says_what_it_should(act: Act, made: Home) -> None:
    name, *arguments = shlex.split(act.target)
    assert name == "chu"
    done = made.chu(*arguments)
    assert done.returncode == 0 and act.seen in done.stdout
