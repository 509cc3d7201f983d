"""The register of needs: what is added, what is refused, what a file may hold."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.building_blocks.reader_needs import AddedNeed, add_need, added_needs
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.up_to_date import inputs_of
from chu_platform.indicators.indicator import indicators
from chu_platform.references.need import need
from chu_platform.settings import Settings
from chu_platform.tables.rows import Computed

pytestmark = pytest.mark.unit

NAMES = [indicator.masked.name for indicator in indicators()]
NEED = AddedNeed("Cadre de santé", "les équipes du soir", "Qui vient après 20 h, et combien ?", "kpi_use_concentration")


def test_packaged_needs_name_indicators_or_a_reason() -> None:
    rows = packaged("needs").to_pylist()
    assert len({row["need"] for row in rows}) == len(rows) > 8
    assert {name for row in rows for name in row["indicator"].split()} == set(NAMES)
    assert all(bool(row["indicator"]) != bool(row["not_answerable"]) for row in rows)


def test_added_needs_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "home" / "needs.csv"
    assert added_needs(file).to_pylist() == []
    assert add_need(file, NEED, NAMES) == "A1"
    other = replace(NEED, question='Et "combien", la nuit ?', indicator="", not_answerable="Pas encore de données.")
    assert add_need(file, other, NAMES) == "A2"
    first, second = added_needs(file).to_pylist()
    assert first == {
        "need": "A1",
        "reader": NEED.reader,
        "decides": NEED.decides,
        "question": NEED.question,
        "indicator": NEED.indicator,
        "not_answerable": "",
    }
    assert (second["need"], second["question"]) == ("A2", 'Et "combien", la nuit ?')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reader": " "}, "--who is empty"),
        ({"reader": "Mme Martin"}, "--who seems to name a person"),
        ({"reader": "cadre@chu.fr"}, "--who seems to name a person"),
        ({"question": "Où est 2 85 05 78 006 084 36 ?"}, "--question seems to name a person"),
        ({"decides": "x" * 301}, "--decides has more than 300 characters"),
        ({"question": "une\nligne"}, "--question has a line break"),
        ({"indicator": "kpi_beds"}, "--indicator 'kpi_beds' is no indicator"),
        ({"indicator": ""}, "--indicator or --not-answerable is missing"),
        ({"not_answerable": "rien"}, "--indicator and --not-answerable exclude each other"),
    ],
)
def test_what_is_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    file = tmp_path / "needs.csv"
    with pytest.raises(ChuError, match=message) as refused:
        add_need(file, replace(NEED, **change), NAMES)
    assert "\n" not in str(refused.value)
    assert "Martin" not in str(refused.value)
    assert not file.exists()


def test_a_need_is_added_once(tmp_path: Path) -> None:
    file = tmp_path / "needs.csv"
    add_need(file, NEED, NAMES)
    with pytest.raises(ChuError, match="has this question"):
        add_need(file, NEED, NAMES)
    assert len(added_needs(file)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reader,question\n", "line 1: the columns must be"),
        ("reader,decides,question,indicator,not_answerable\na,b,c\n", "line 2: it does not have 5 columns"),
        ("reader,decides,question,indicator,not_answerable\na,b,c,d,e,f\n", "line 2: it does not have 5 columns"),
        ("reader,decides,question,indicator,not_answerable\na,,c,d,\n", "line 2, column decides: it is empty"),
        ('reader,decides,question,indicator,not_answerable\na,b,"c\n', "is not a CSV file"),
        ("\udcff", "is not a CSV file"),
    ],
)
def test_a_file_that_somebody_broke_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "needs.csv"
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ChuError, match=message):
        added_needs(file)


def test_an_added_need_is_in_the_register_and_makes_it_old(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    resources = cast("RunResources", SimpleNamespace(settings=settings))
    before = inputs_of(resources, need, None, {})
    add_need(settings.needs_file, NEED, NAMES)
    assert before != inputs_of(resources, need, None, {}) is not None
    assert isinstance(need.rows, Computed)
    *_, last = need.rows.function(added_needs(settings.needs_file)).to_pylist()
    assert (last["need"], last["question"], last["not_answerable"]) == ("A1", NEED.question, None)
