"""Costs per year as a function of the volume: `python -m chu_platform.committee.advice.cost_model`.

Bytes and CPU seconds are projections from measured growth (docs/capacity.md), prices are declared inputs
(`building_blocks/prices.py`). A projection is no measurement, and a price is no fact of the platform.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chu_platform.building_blocks.growth import Growth
from chu_platform.building_blocks.prices import Price, prices
from chu_platform.command import run_command
from chu_platform.settings import load_settings

COMMAND: Final = "python -m chu_platform.committee.advice.cost_model"
MEASURED: Final = Path(__file__).parent.parent / "data" / "growth.csv"
# Times the volume of today, which is scale 1.
VOLUMES: Final = (1, 10, 100)
HOURS_PER_YEAR: Final = 8760


@dataclass(frozen=True)
class Cost:
    """What a year costs at so many times the volume of today, in euros, and what it is calculated from.

    `on_demand` pays the CPU hours of the runs, `fixed` the same cores for the whole year; `operation` are people.
    """

    volume: int
    lake_gb: float
    cpu_hours: float
    storage: float
    on_demand: float
    fixed: float
    serving: float
    operation: float

    @property
    def total(self) -> float:
        """Storage, runs on demand, what serves, and people."""
        return self.storage + self.on_demand + self.serving + self.operation


def measured_growth(column: str) -> Growth:
    """The growth of a column of the measured runs (`python benchmarks/growth.py 0.1 0.25 0.5`), from the last two."""
    with MEASURED.open(encoding="utf-8", newline="") as lines:
        points = [(float(row["scale"]), float(row[column])) for row in csv.DictReader(lines)]
    return Growth(points[-2], points[-1])


def costs(given: Mapping[str, Price]) -> Sequence[Cost]:
    """The costs of a year at each volume, with these prices."""
    return [_cost(volume, {name: price.value for name, price in given.items()}) for volume in VOLUMES]


def _cost(volume: int, price: Mapping[str, float]) -> Cost:
    lake, hours = measured_growth("lake_gb").at(volume), measured_growth("cpu_seconds").at(volume) / 3600
    core_hour = price["core_hour"] * price["hds_factor"]
    # Cores that make a run end within an hour, at least one.
    cores = max(1.0, hours)
    return Cost(
        volume,
        lake,
        hours,
        lake * price["copies"] * price["storage_gb_month"] * price["hds_factor"] * 12,
        hours * price["runs_per_year"] * core_hour,
        cores * HOURS_PER_YEAR * core_hour,
        price["serving_cores"] * HOURS_PER_YEAR * core_hour,
        price["operation_days"] * price["day_cost"],
    )


def main() -> None:
    """Print the prices and the costs, tab-separated."""
    given = prices(load_settings().prices_file)
    for price in given.values():
        print("\t".join((price.name, f"{price.value:g}", price.unit, price.kind, price.source, price.date)))
    print(
        "\t".join(("volume", "lake_gb", "cpu_hours", "storage", "on_demand", "fixed", "serving", "operation", "total"))
    )
    for c in costs(given):
        figures = (c.lake_gb, c.cpu_hours, c.storage, c.on_demand, c.fixed, c.serving, c.operation, c.total)
        print("\t".join([str(c.volume), *(f"{figure:.2f}" for figure in figures)]))


if __name__ == "__main__":
    run_command(main)
