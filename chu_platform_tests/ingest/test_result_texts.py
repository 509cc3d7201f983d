"""What stands in the place of a result: numbers, damaged numbers, and words that say why there is none."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import duckdb
import pytest

from chu_platform.building_blocks.care_quality import WORDS
from chu_platform.ingest.number_forms import COUNT, RATIO, RESULT

pytestmark = pytest.mark.unit

Evaluated: TypeAlias = Callable[[str, str], object]

NUMBERS = {
    "72": 72.0,
    "72.5": 72.5,
    "72,5": 72.5,
    "1 072,5": 1072.5,
    "72%": 72.0,
    "72,50 %": 72.5,
    "1.0E+02": 100.0,
    "72.5\u00a0": 72.5,
    "-1": -1.0,
    "0,725": 0.725,
    ".5": 0.5,
    ",5 %": 0.5,
}
DAMAGED = [
    *("8O.5", "75..5", "12,3,4", "1e", "7O%", "l00", "O,5", "1 20", "=75.5", '="75.5"', "--5", "75,5-", "75.5.", "B2"),
    *(
        "75.5*",
        "75,5 (1)",
        "75 (1)",
        "75*",
        "75 [note]",
        "75/100",
        "~75",
        "~75.5",
        "75.5 points",
        "75 pts",
        "75 sur 100",
    ),
    *("75 pour cent", "75 pct", "12-mai", "mai-12", "12 févr. 2023", "2026-05-12", "12/05/2013", "1'072.5", "85 (DI)"),
]
WORDS_IN_PLACE = [
    *("Non concerné (< 10 actes)", "Données insuffisantes (12 réponses)", "Non calculable (effectif < 10)", "N < 10"),
    *("NC (2)", "0 dossier", "*", "**", "/", "...", "?", "--", "n.a.", "s.o.", "NA", "NR", "DI", "Effectif < 10"),
    *(
        "<30",
        "≤ 10",
        "> 99",
        "≥ 10",
        "n=8",
        "(1)",
        "1)",
        "moins de 11",
        "Moins de 10",
        "10 dossiers ou moins",
        "Eff. < 10",
    ),
    *(
        "Secret statistique (1 à 10)",
        "Non concerné 2013",
        "60 dossiers",
        "100 réponses",
        "Non calculable (<30)",
        "#N/D",
    ),
    *("inférieur à 10", "Non validé", "non concerné (0 dossier)", "Non répondant", "#N/A"),
]


@pytest.fixture(scope="module")
def evaluated() -> Iterator[Evaluated]:
    """A function that gives the value of SQL of a text."""
    with duckdb.connect() as connection:

        def value(sql: str, text: str) -> object:
            query = f"SELECT {sql.format(text='t')} FROM (SELECT $1::VARCHAR AS t)"
            return connection.execute(query, [text]).fetchall()[0][0]

        yield value


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers(evaluated: Evaluated, text: str) -> None:
    assert evaluated(RESULT, text) == NUMBERS[text]
    assert evaluated(WORDS, text) is False


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_numbers(evaluated: Evaluated, text: str) -> None:
    """They are neither a result nor a reason why there is none, so that they are rejects."""
    assert evaluated(RESULT, text) is None
    assert evaluated(WORDS, text) is False


@pytest.mark.parametrize("text", WORDS_IN_PLACE)
def test_words_in_place_of_a_result(evaluated: Evaluated, text: str) -> None:
    assert evaluated(RESULT, text) is None
    assert evaluated(WORDS, text) is True


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("60", 60),
        ("60,0", 60),
        ("1 060", 1060),
        ("60 dossiers", 60),
        ("100 réponses", 100),
        ("0 dossier", 0),
        ("1.060", None),
        ("60 lits", None),
        ("60 %", None),
    ],
)
def test_counts(evaluated: Evaluated, text: str, number: int | None) -> None:
    assert evaluated(COUNT, text) == number


def test_a_percentage_of_a_ratio_is_its_hundredth_part(evaluated: Evaluated) -> None:
    assert [evaluated(RATIO, text) for text in ("0,53", "53 %", "1.2", "NC")] == [0.53, 0.53, 1.2, None]
