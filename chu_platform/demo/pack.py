"""The synthetic pack: all delivered files, with the folders and names of the real pack."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chu_platform.demo import (
    care_dump,
    deaths,
    establishments,
    population,
    quality_indicators,
    satisfaction,
    shared_tables,
    stays,
)
from chu_platform.demo.sizes import Sizes
from chu_platform.errors import ChuError
from chu_platform.oracle.expected_indicators import write_expected

WORKERS = 2
# Keys have as many characters as the real ones, which is enough for this scale.
MAX_SCALE = 10
FOLDERS = (
    "BDD PostgreSQL",
    "DECES EN FRANCE",
    "Etablissement de SANTE",
    "Hospitalisation",
    "Satisfaction",
    "Population",
)


def write_pack(folder: Path, scale: float, seed: int = 2023, progress: Callable[[str], None] = print) -> None:
    """Write a synthetic pack into `folder`, and its expected indicators into `<folder>-expected`.

    At scale 1 it has the row counts of the real pack (2.3 GB); larger scales show how times and memory grow. The same
    scale and seed give the same bytes. Both folders are written under names that end in `.partial`, and renamed when
    they are complete. Raises ChuError when one of the folders is not empty, when the scale is not in ]0, MAX_SCALE], or
    when the CIM-10 list or the embedded PostgreSQL is not installed.
    """
    if not 0 < scale <= MAX_SCALE:
        raise ChuError(f"the scale must be above 0 and at most {MAX_SCALE}, not {scale}")
    targets = (expected_folder(folder), folder)
    for target in targets:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ChuError(f"{target} exists and is not an empty folder: nothing was written")
    partial = [target.with_name(f"{target.name}.partial") for target in targets]
    for staging in partial:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    results, pack = partial
    try:
        _write_files(pack, Sizes.at(scale), seed, progress)
        write_expected(pack, results)
        progress("Expected indicators written")
        for staging, target in zip(partial, targets, strict=True):
            staging.rename(target)
    except BaseException:
        for staging in partial:
            shutil.rmtree(staging, ignore_errors=True)
        raise
    progress(f"Pack in {folder}, expected indicators in {expected_folder(folder)}")


def _write_files(pack: Path, sizes: Sizes, seed: int, progress: Callable[[str], None]) -> None:
    """Write the delivered files. The large files are made by two threads, since DuckDB runs without Python's lock."""
    care, registry, register, hospital, surveys, people = (pack / name for name in FOLDERS)
    for target in (care, registry, register, hospital, surveys, people):
        target.mkdir()
    progress(f"Writing {sizes.deaths:,} deaths, {sizes.consultations:,} consultations, {sizes.patients:,} patients")
    shared = shared_tables.create(sizes, seed)
    with shared.connection, ThreadPoolExecutor(WORKERS) as executor:
        dump = executor.submit(care_dump.write, shared, care / "DATA2023")
        organisations = register / "etablissement_sante.csv"
        files = [
            executor.submit(establishments.write_organisations, shared, organisations),
            executor.submit(establishments.write_professionals, shared, register / "professionnel_sante.csv"),
            executor.submit(establishments.write_activities, shared, register / "activite_professionnel_sante.csv"),
        ]
        stays.write(shared, hospital / "Hospitalisations.csv")
        satisfaction.write(shared, surveys)
        quality_indicators.write(shared, surveys)
        progress("Stays and satisfaction surveys written")
        population.write(people / population.FILE, deaths.IN_FRANCE * deaths.scale(sizes.deaths))
        deaths.write(shared, registry / "deces.csv", executor)
        progress("Register of deaths written")
        for file in files:
            file.result()
        progress("Establishments, professionals and activities written")
        dump.result()
        progress("Dump of the care database written")


def expected_folder(folder: Path) -> Path:
    """Folder of the expected indicators of a pack."""
    return folder.with_name(f"{folder.name}-expected")
