"""Number of rows of each delivered table at a given scale."""

from dataclasses import dataclass
from typing import Self

STAYS_BY_YEAR = {2015: 255, 2016: 395, 2017: 458, 2018: 395, 2019: 374, 2020: 410, 2021: 192}
CONSULTATIONS_BY_YEAR = {
    2015: 33_896,
    2016: 184_308,
    2017: 133_403,
    2018: 160_373,
    2019: 87_497,
    2020: 162_778,
    2021: 145_883,
    2022: 101_991,
    2023: 17_028,
}
DEATHS = 25_088_208


@dataclass(frozen=True)
class Sizes:
    """Row counts. Scale 1 gives those of the real pack; small scales keep enough rows for a demonstration."""

    patients: int
    consultations: int
    professionals: int
    consulting_professionals: int
    listed_professionals: int
    activities: int
    organisations: int
    duplicated_organisations: int
    prescriptions: int
    rooms: int
    scratch: int
    deaths: int

    @classmethod
    def at(cls, scale: float) -> Self:
        """Sizes at `scale`; 1 is the real pack.

        There are at least 3 000 patients and 4 000 organisations: the 2 479 stays are always written in full, with
        2 465 different patients and a different establishment for each stay.
        """

        def rows(full: int, minimum: int) -> int:
            return max(minimum, round(full * scale))

        organisations = rows(404_849, 4_000)
        return cls(
            patients=rows(100_000, 3_000),
            consultations=rows(sum(CONSULTATIONS_BY_YEAR.values()), 2_000),
            professionals=rows(1_048_575, 2_000),
            consulting_professionals=rows(201_735, 500),
            listed_professionals=rows(1_040_000, 2_000),
            activities=rows(1_500_000, 3_000),
            organisations=organisations,
            duplicated_organisations=round(organisations * 11_816 / 404_849),
            prescriptions=rows(1_003_845, 2_000),
            rooms=rows(201_735, 400),
            scratch=rows(82_216, 100),
            deaths=rows(DEATHS, 25_000),
        )


def shares(total: int, weights: dict[int, float]) -> dict[int, int]:
    """Divide `total` in proportion to the weights into integers with the same sum (cumulative rounding)."""
    whole = sum(weights.values())
    result, reached, before = {}, 0.0, 0
    for key, weight in weights.items():
        reached += weight
        until = round(total * reached / whole)
        result[key] = until - before
        before = until
    return result
