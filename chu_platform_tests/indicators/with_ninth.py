"""Adds the module of a ninth indicator to the package of the indicators, as if it lay there."""

from pathlib import Path

import chu_platform.kpis

NINTH = Path(__file__).parent / "ninth"


def add() -> None:
    """Add the module to the package, before the catalogue is read."""
    chu_platform.kpis.__path__.append(str(NINTH))
