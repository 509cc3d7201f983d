"""Since when the mortality of a place has been above or below that of France."""

import pytest

from chu_platform.portal.profile_mortality import Index, since_when

pytestmark = pytest.mark.unit

BELOW: Index = (92.0, 90.0, 94.0)
ABOVE: Index = (104.0, 101.0, 107.0)
NEITHER: Index = (99.0, 97.0, 101.0)
NONE: Index = (None, None, None)


@pytest.mark.parametrize(
    ("by_year", "expected"),
    [
        ({2017: BELOW, 2018: BELOW, 2019: BELOW}, (-1, 2017)),
        ({2016: BELOW, 2017: NEITHER, 2018: BELOW, 2019: BELOW}, (-1, 2018)),
        # 1999 is not comparable: it does not interrupt.
        ({1997: BELOW, 1998: ABOVE, 2000: ABOVE}, (1, 1998)),
        ({2018: ABOVE, 2019: NEITHER}, (0, 2019)),
        ({2018: NONE, 2019: BELOW}, (-1, 2019)),
    ],
)
def test_the_side_of_the_last_year_and_since_when(by_year: dict[int, Index], expected: tuple[int, int]) -> None:
    assert since_when(by_year) == expected
