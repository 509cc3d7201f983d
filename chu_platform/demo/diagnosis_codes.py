"""The group's list of diagnoses: codes of the official CIM-10, and unofficial codes derived from them."""

import csv
import gzip
from importlib.metadata import PackageNotFoundError, distribution
from random import Random
from typing import Final

from chu_platform.demo.people import unaccented
from chu_platform.errors import ChuError

DIAGNOSES: Final = 15_490
# Cumulative shares of codes that match the official list: exactly, on 4 characters, on 3 characters.
EXACT, BY_FOUR, BY_THREE = 0.75, 0.98, 0.99


def official_codes() -> dict[str, str]:
    """Code (no dot) to French label of the official CIM-10, from the files of the PyPI package edsnlp (BSD).

    The package is located, not imported: its dependencies are heavy and not installed.
    Raises ChuError when it is not installed.
    """
    try:
        files = distribution("edsnlp").files or []
    except PackageNotFoundError:
        raise ChuError("the CIM-10 list is not installed: pip install --no-deps edsnlp==0.23.0") from None
    (cim10_file,) = [file for file in files if file.name == "cim10.csv.gz"]
    with gzip.open(str(cim10_file.locate()), "rt", encoding="utf-8", newline="") as file:
        return {row["code"]: row["long"] for row in csv.DictReader(file)}


def plain_label(label: str) -> str:
    """A label in the form of the group: ASCII, without the separators of the delivered files (commas are kept)."""
    return "".join(character for character in unaccented(label) if " " <= character <= "~" and character not in ';"')


def delivered_diagnoses(official: dict[str, str], random: Random) -> list[tuple[str, str]]:
    """The (code, label) rows of "Diagnostic" in random order, with the real shares of unofficial codes."""
    usable = sorted(code for code in official if code.isalnum() and 3 <= len(code) <= 6)
    exact = round(DIAGNOSES * EXACT)
    by_four = round(DIAGNOSES * BY_FOUR) - exact
    by_three = round(DIAGNOSES * BY_THREE) - exact - by_four
    rows = {code: plain_label(official[code]) for code in random.sample(usable, exact)}
    fours = [code for code in usable if len(code) == 4]
    threes = [code for code in usable if len(code) == 3]

    def extend(target: int, stems: list[str], digits: int) -> None:
        while len(rows) < target:
            stem = random.choice(stems)
            code = stem + "".join(random.choice("0123456789") for _ in range(digits or random.choice((1, 2))))
            if code not in official and code[:4] not in (official if digits else ()):
                rows[code] = f"{plain_label(official.get(stem, 'Code local'))}, precision {code[len(stem) :]}"

    extend(exact + by_four, fours, 0)
    extend(exact + by_four + by_three, threes, 2)
    unknown = [f"{letter}{number:02d}" for letter in "UVWX" for number in range(100)]
    extend(DIAGNOSES, [stem for stem in unknown if stem not in official], 1)
    result = list(rows.items())
    random.shuffle(result)
    return result
