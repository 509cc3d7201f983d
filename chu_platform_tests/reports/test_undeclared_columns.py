"""Delivered columns that no declaration knows, or that have values which are not understood, in the last lines of a run
and in the quality report."""

import shutil
from pathlib import Path

import pytest

from chu_platform.describe_catalogue import described_catalogue
from chu_platform.documents.site import Site
from chu_platform.urls import QUALITY, QUALITY_TEXT
from chu_platform_tests.html import parsed
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

SOURCE = "rcp_mco_2018"
# Values that are not understood: the letter O instead of a zero.
WRONG = 5
FILE = "rcp-mco-recueil2018-donnee2017-donnees.csv"
ADDED = [f"rcp{number}_c3_etbt" for number in range(3, 15)]
WARNING = (
    f'WARNING sources/{SOURCE}: "every delivered column is declared; otherwise it goes to quarantine": '
    f"12 columns break it: {', '.join(map(repr, ADDED[:10]))}, and 2 more"
)


def test_the_last_lines_of_a_run_and_the_quality_report_warn(pack: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "pack")
    home.pack.mkdir()
    target = Path(shutil.copy(pack / "Satisfaction/2017-2018" / FILE, home.pack))
    header, *lines = target.read_text(encoding="cp1252").splitlines()
    place = header.split(";").index("rcp2_c2_etbt")
    values = [line.split(";")[place] for line in lines]
    numbers = [i for i, value in enumerate(values) if value[:1].isdigit()]
    for i in numbers[:WRONG]:
        lines[i] = ";".join("7O%" if p == place else cell for p, cell in enumerate(lines[i].split(";")))
    added = [";".join([header, *ADDED]), *(line + ";81.5" * len(ADDED) for line in lines)]
    target.write_text("\n".join(added) + "\n", encoding="cp1252")
    done = home.materialize("--select", f"key:sources/{SOURCE} or key:reports/source_quality")
    assert done.returncode == 0
    share = 100 * WRONG / len(numbers)
    assert 1 < share < 10
    undeclared, misread = done.stdout.splitlines()[-3:-1]
    assert undeclared == WARNING
    assert misread.startswith(f'WARNING sources/{SOURCE}: "in each delivered column, at most 1 % of the values')
    assert misread.endswith(
        f"{FILE}: {WRONG} of the {len(numbers)} values ({share:.1f} %) of the column 'rcp2_c2_etbt' are not understood "
        "(not_a_number, shape 9a%)"
    )
    site = Site(home.lake, described_catalogue(), in_ui=False)
    document = site.document(QUALITY)
    assert document
    page = parsed(document.text)
    warned = [e.text for e in page.all("p.bad")]
    assert len(warned) == 2 and "1 source a des colonnes livrées qu’aucune déclaration ne connaît" in warned[0]
    assert "1 source a des colonnes dont des valeurs n’ont pas été comprises" in warned[1]
    french = f"{share:.1f}".replace(".", ",")
    misread = f"{SOURCE} : rcp2_c2_etbt : {WRONG} sur {len(numbers)} ({french} %), de la forme « 9a% »"
    assert misread in [item.text for item in page.all("li")]
    row = next(r for r in page.all("tr") if r.text.startswith(SOURCE))
    assert [cell.text for cell in row.all("td.bad")] == ["12"]
    text = site.document(QUALITY_TEXT)
    assert text
    line = next(line for line in text.text.splitlines() if line.startswith(f"| {SOURCE} |"))
    assert line.split(" | ")[7] == "12"
    assert f"- {misread}" in text.text.splitlines()
    assert "rcp3_c3_etbt" not in document.text + text.text, "names of delivered columns stay in the restricted zone"
