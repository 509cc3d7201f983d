"""The manifests of editions: one is written before the other, and a damaged or lost one is an error."""

from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.storage.edition_manifest import (
    EDITIONS,
    PUBLISHED_EDITION,
    Edition,
    editions,
    published_edition,
    record_edition,
    record_published,
)

pytestmark = pytest.mark.unit

FIRST = Edition(1, "2026-11-29", "run", {"pseudonymised/editions/kpi": 0})
SECOND = Edition(2, "2026-12-29", "run", {"pseudonymised/editions/kpi": 3})


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for zone in ("pseudonymised", "published"):
        (tmp_path / zone).mkdir()
    return tmp_path


def test_editions_are_listed_in_their_order(lake: Path) -> None:
    assert editions(lake) == [] and published_edition(lake) is None
    record_edition(lake, FIRST)
    record_edition(lake, SECOND)
    record_published(lake, FIRST)
    assert editions(lake) == [FIRST, SECOND] and published_edition(lake) == FIRST


def test_an_edition_that_the_list_does_not_know_is_an_error(lake: Path) -> None:
    """Without the list, the next edition would be compared with nothing."""
    record_published(lake, FIRST)
    with pytest.raises(ChuError, match="does not exist, but an edition is published: restore it from a backup"):
        editions(lake)


@pytest.mark.parametrize("text", ["", "{", '{"number": 1}', '[{"number": 1}]', "[1]"])
def test_a_damaged_manifest_is_an_error(lake: Path, text: str) -> None:
    (lake / "pseudonymised" / EDITIONS).write_text(text)
    (lake / "published" / PUBLISHED_EDITION).write_text(text)
    with pytest.raises(ChuError, match=r"\.editions\.json is damaged: restore it from a backup"):
        editions(lake)
    with pytest.raises(ChuError, match=r"\.edition\.json is damaged: restore it from a backup"):
        published_edition(lake)
