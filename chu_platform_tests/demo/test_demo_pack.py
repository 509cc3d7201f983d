"""The whole pack: reproducible bytes, layout of files, refused arguments."""

import hashlib
from pathlib import Path

import pytest

from chu_platform.demo import shared_tables, stays
from chu_platform.demo.pack import write_pack
from chu_platform.demo.sizes import CONSULTATIONS_BY_YEAR, DEATHS, Sizes, shares
from chu_platform.errors import ChuError

pytestmark = pytest.mark.integration

LAYOUT = {
    "BDD PostgreSQL/DATA2023",
    "DECES EN FRANCE/deces.csv",
    "Etablissement de SANTE/etablissement_sante.csv",
    "Etablissement de SANTE/professionnel_sante.csv",
    "Etablissement de SANTE/activite_professionnel_sante.csv",
    "Hospitalisation/Hospitalisations.csv",
    "Satisfaction/ESATIS48H_MCO_recueil2017_donnees.csv",
    "Satisfaction/ESATIS48H_MCO_recueil2017_lexique.csv",
    "Satisfaction/2019/resultats-esatis48h-mco-open-data-2019.csv",
    "Satisfaction/2019/resultats-esatisca-mco-open-data-2019.csv",
    "Satisfaction/2019/resultats-iqss-open-data-2019.csv",
    "Satisfaction/2020/resultats-esatis48h-mco-open-data-2020.xlsx",
    "Satisfaction/2020/resultats-esatisca-mco-open-data-2020.xlsx",
    "Satisfaction/2020/resultats-iqss-open-data-2020.xlsx",
    "Satisfaction/2020/~$resultats-esatis48h-mco-open-data-2020.xlsx",
}


def checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def silent(message: str) -> None:
    pass


def test_another_seed_gives_other_stays(pack: Path, tmp_path: Path) -> None:
    """All files: `test_other_seed`. The rows of the lake of the same seed are always the same: `test_golden_rows`."""
    shared = shared_tables.create(Sizes.at(0.001), 7)
    with shared.connection:
        stays.write(shared, tmp_path / "stays.csv")
    ours, others = (pack / "Hospitalisation" / "Hospitalisations.csv", tmp_path / "stays.csv")
    assert len(others.read_bytes().splitlines()) > 1
    assert ours.read_bytes() != others.read_bytes()


def test_layout(pack: Path) -> None:
    files = checksums(pack).keys()
    # The population does not depend on the seed.
    assert files >= LAYOUT | {"Population/population_department_sex_age.csv"}
    real = [Path(name) for name in files if name.startswith("Satisfaction") and (pack / name).stat().st_size > 0]
    real = [path for path in real if not path.name.startswith(("~$", "."))]
    assert sum(path.suffix == ".csv" for path in real) == 27
    assert sum(path.suffix == ".xlsx" for path in real) == 7
    assert any((pack / name).stat().st_size == 0 for name in files)
    assert not any(name.endswith((".utf8", ".0")) for name in files), "temporary files are deleted"


@pytest.mark.parametrize("scale", [0, -1, 10.5, float("nan")])
def test_refuses_a_scale_out_of_range(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ChuError, match="scale"):
        write_pack(tmp_path / "pack", scale)
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize("name", ["pack", "pack-expected"])
def test_refuses_a_folder_that_is_not_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("kept")
    with pytest.raises(ChuError, match="not an empty folder"):
        write_pack(tmp_path / "pack", 0.001)
    assert [path.name for path in (tmp_path / name).iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(stays, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        write_pack(tmp_path / "pack", 0.001, progress=silent)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "pack").write_text("")
    with pytest.raises(ChuError, match="not an empty folder"):
        write_pack(tmp_path / "pack", 0.001)


def test_sizes_at_scale_one_are_those_of_the_real_pack() -> None:
    sizes = Sizes.at(1)
    assert sizes.consultations == sum(CONSULTATIONS_BY_YEAR.values()) == 1_027_157
    assert (sizes.patients, sizes.professionals, sizes.deaths) == (100_000, 1_048_575, DEATHS)
    assert sizes.organisations + sizes.duplicated_organisations == 416_665


def test_shares_add_up() -> None:
    assert sum(shares(1_000, {1: 1.0, 2: 1.0, 3: 1.0}).values()) == 1_000
    assert shares(1_027_157, {y: float(n) for y, n in CONSULTATIONS_BY_YEAR.items()}) == CONSULTATIONS_BY_YEAR
