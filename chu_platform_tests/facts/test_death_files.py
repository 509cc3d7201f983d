"""The same deaths give the same fact_death in every delivered format."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from chu_platform.dimensions.dim_region import dim_region
from chu_platform.errors import ChuError
from chu_platform.facts.fact_death import fact_death
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.references.department import department
from chu_platform.references.region import region
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.deces_insee_fixe import deces_insee_fixe
from chu_platform.tables.table import Table
from chu_platform_tests.facts import death_files
from chu_platform_tests.facts.death_files import ODD, Death
from chu_platform_tests.ingest.deliveries import deliver
from chu_platform_tests.pipeline.lake_rows import differences, rows

MORE = tuple(f"ajout{n}" for n in range(15))
MADE: Sequence[Table] = (region, department, dim_region, deces, deces_insee_csv, deces_insee_fixe, fact_death)
# Both encodings of the files of fixed width, and years with and without monthly files.
YEARS = ("1999", "2000", "2018")
Writer = Callable[[Path, Sequence[Death]], None]


def everything(folder: Path, deaths: Sequence[Death]) -> None:
    death_files.write_one(folder / "one", deaths)
    death_files.write_csv(folder / "csv", deaths)
    death_files.write_periods(folder / "periods", deaths)


FORMS: dict[str, Writer] = {
    "csv": death_files.write_csv,
    "enriched csv": lambda folder, deaths: death_files.write_csv(folder, deaths, MORE),
    "fixed width": death_files.write_fixed,
    "months in quarters in years": death_files.write_periods,
    "everything at once": everything,
}


@pytest.fixture(scope="module")
def deaths(pack: Path) -> list[Death]:
    """A tenth of the pack's deaths of some years, its irregular rows at the end, and additional irregular rows.

    Of years, because each form has at least a file a year.
    """
    found = death_files.deaths_of(pack / "DECES EN FRANCE" / "deces.csv")
    irregular = found[-20:]
    years = {*YEARS, *(d.date_deces[:4] for d in irregular)}
    of_years = [d for d in found if d.date_deces[:4] in years]
    return [*of_years[::10], *of_years[:300], *irregular, *ODD, *ODD[:3]]


class Maker:
    """Makes fact_death from a pack, in a separate lake for each pack, with one shared engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log: list[str] = []
        self.resources = RunResources(Settings(home=folder / "engine"), self.log.append)

    def __call__(self, name: str, pack: Path) -> pa.Table:
        resources = RunResources(Settings(home=self._folder / name.replace(" ", "-"), sources=pack), self.log.append)
        resources.__dict__["engine"] = self.resources.engine
        resources.lake.prepare()
        for table in MADE:
            run_step(resources, table, table.partition_scheme.every() if table.partition_scheme else None, "test")
        return rows(resources.lake, fact_death)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    maker = Maker(tmp_path_factory.mktemp("deaths"))
    with maker.resources:
        yield maker


@pytest.fixture(scope="module")
def once(maker: Maker, deaths: list[Death], tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """fact_death of deces.csv alone."""
    pack = tmp_path_factory.mktemp("once") / "pack"
    death_files.write_one(pack, deaths)
    return maker("once", pack)


def has_valid_date(death: Death) -> bool:
    year, month, day = [*death.date_deces.split("-"), "00", "00"][:3]
    try:
        date(int(year), int(month) or 7, int(day) or 1)
    except ValueError:
        return False
    return True


@pytest.mark.integration
def test_each_death_counts_once(once: pa.Table, deaths: list[Death]) -> None:
    counted = {d for d in deaths if has_valid_date(d)}
    assert len(once) == len(counted) < len(deaths)
    years = Counter(d.date_deces[:4] for d in counted)
    assert Counter(once["death_year"].to_pylist()) == years


@pytest.mark.parametrize(
    "form",
    [
        *(pytest.param(form, marks=pytest.mark.integration) for form in ("csv", "everything at once")),
        *(pytest.param(form, marks=pytest.mark.system) for form in FORMS if form not in ("csv", "everything at once")),
    ],
)
def test_every_form_gives_the_same_deaths(
    maker: Maker, once: pa.Table, deaths: list[Death], tmp_path: Path, form: str
) -> None:
    FORMS[form](tmp_path / "pack", deaths)
    assert differences(maker(form, tmp_path / "pack"), once) == []


@pytest.mark.integration
def test_birth_dates_keep_their_precision(once: pa.Table, deaths: list[Death]) -> None:
    found = Counter(zip(once["birth_precision"].to_pylist(), once["birth_year"].to_pylist(), strict=True))
    births = {d: d.date_naissance for d in deaths if has_valid_date(d)}.values()
    for year in range(1900, 1940):
        of_year = [b for b in births if b[:4] == str(year)]
        assert found["year", year] == sum(len(b) == 4 or b[5:7] == "00" for b in of_year)
        assert found["month", year] == sum(len(b) == 10 and b[5:7] != "00" and b[8:] == "00" for b in of_year)
    assert found["unknown", None] > 0


@pytest.mark.integration
def test_additional_columns_are_logged_and_not_read(maker: Maker, tmp_path: Path) -> None:
    death_files.write_csv(tmp_path / "pack", ODD, MORE)
    outcome = deliver(deces_insee_csv, tmp_path / "pack", tmp_path / "work")
    assert "'ajout0'" in outcome.messages[0]
    assert outcome.reading.kept == len(ODD)


@pytest.mark.integration
def test_fields_of_fixed_width_are_counted_in_characters(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    lines = [death.fixed(n) for n, death in enumerate(ODD)]
    lines[1:1] = ["", "COUPE*COURT/", ODD[0].fixed(0).replace("20190131", "20190231")]
    (tmp_path / "pack" / "deces-2019.txt").write_bytes(("\ufeff" + "\r\n".join(lines)).encode())
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == [(3, "datedeces", "missing"), (4, "datedeces", "not_a_date")]
    names = [c.name for c in deces_insee_fixe.columns]
    found = {row[names.index("actedeces")]: dict(zip(names, row, strict=True)) for row in outcome.rows}
    assert (found["12"]["nom"], found["12"]["prenom"]) == ("ÉLÈVE", "ZOÉ FRANÇOISE")
    assert (found["13"]["paysnaiss"], found["13"]["date_naissance"]) == ("ALGÉRIE", "1920-00-00")
    assert (found["15"]["prenom"], found["15"]["date_naissance"]) == ("ANNE/MARIE", "1927-00-00")
    assert (found[None]["nom"], found[None]["prenom"], found[None]["date_deces"]) == ("SEUL", None, "2019-03-00")
    assert {row["periode"] for row in found.values()} == {"2019"}


@pytest.mark.integration
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_text_after_the_last_field_is_ignored(tmp_path: Path, encoding: str, ending: bytes) -> None:
    (tmp_path / "pack").mkdir()
    lines = [death.fixed(0).encode(encoding) for death in ODD]
    clean = ending.join(lines) + ending
    lines[0] += b" \xff\xe9 "
    lines[1] += b"\x00\x00\x1f"
    lines[3] += b"\r \x1f"
    (tmp_path / "pack" / "deces-2019.txt").write_bytes(ending.join(lines) + ending)
    found = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "garbage", order="ALL")
    (tmp_path / "pack" / "deces-2019.txt").write_bytes(clean)
    assert found.rejected == []
    assert found.rows == deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "clean", order="ALL").rows


@pytest.mark.integration
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_a_file_of_fixed_width_that_ends_before_a_date_of_death_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "pack").mkdir()
    file = tmp_path / "pack" / "deces-2019.txt"
    first, last = ODD[1].fixed(0), ODD[0].fixed(0)
    for characters in (20, 161):
        file.write_bytes(f"{first}\n{last[:characters]}".encode(encoding))
        with pytest.raises(ChuError, match=r"deces-2019.txt ends in the middle of line 2: its transfer was cut"):
            deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / f"cut-{characters}")
    # The fields after the date may be blank, and editors remove blanks at the ends of lines.
    file.write_bytes(f"{first}\n{last[:162]}".encode(encoding))
    assert deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "whole").reading.kept == 2
    # A short line within the file is one reject.
    file.write_bytes(f"{last[:161]}\n{first}\n".encode(encoding))
    assert deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "short").rejected == [(1, "datedeces", "not_a_date")]


@pytest.mark.integration
def test_different_files_of_one_period_are_refused(tmp_path: Path) -> None:
    death_files.write_fixed(tmp_path / "pack" / "a", ODD)
    death_files.write_fixed(tmp_path / "pack" / "b", ODD[:-3])
    with pytest.raises(
        ChuError, match=r"several files named like deces.* have different content: a/deces-2019\.txt, b/deces-2019\.txt"
    ):
        deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")


@pytest.mark.integration
def test_a_pack_without_files_of_deaths(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    assert deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "optional").reading.deliveries == []
    with pytest.raises(ChuError, match=r"no file named like deces\.csv"):
        deliver(deces, tmp_path / "pack", tmp_path / "needed")
