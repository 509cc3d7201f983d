"""The attack on two editions that differ by one stay, which a corrected delivery takes away."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from chu_platform.attack import run_attacks
from chu_platform.attack.reading import read_inputs
from chu_platform.indicators.indicator import indicators
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system


def test_two_editions_that_differ_by_one_stay(made: Home, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(made.pack, pack)
    (delivered,) = pack.rglob("Hospitalisations.csv")
    header, *lines = delivered.read_bytes().splitlines(keepends=True)
    (taken, *_) = [number for number, line in enumerate(lines) if b"/2017" in line]
    delivered.write_bytes(header + b"".join(lines[:taken] + lines[taken + 1 :]))
    home = replace(made.copy(tmp_path / "home"), pack=pack)
    home.materialize()
    assert home.chu("release").returncode == 0
    inputs = read_inputs(home.lake, [], insiders=1)
    assert len(inputs.earlier) == 1
    (result,) = run_attacks(inputs, [9])
    assert result.tried > 0
    assert result.found == []
    # The attack finds the stay if exact figures are published without a look at the last edition.
    stays = {i.name: home.lake.arrow(i.candidate) for i in indicators() if i.name.startswith("kpi_hospitalisation")}
    (result,) = run_attacks(replace(inputs, published={**inputs.published, **stays}), [9])
    assert {f.table for f in result.found if "differ" in f.what} == set(stays)
