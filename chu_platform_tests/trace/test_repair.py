"""`chu verify --repair` makes damaged tables again, inputs first, and says what it could not repair."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.ingest.delivered import rejects_of
from chu_platform.references.region import region
from chu_platform.sources.deces import deces
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.table import Table
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digests
from chu_platform_tests.storage.test_repair import flip
from chu_platform_tests.trace.conftest import changeable_copy

STAYS = "Hospitalisation/Hospitalisations.csv"


def files(home: Home, table: Table) -> list[Path]:
    return sorted(Path(f) for f in DeltaTable(home.lake.path(table)).file_uris())


@pytest.mark.integration
def test_damaged_tables_are_made_again(made: Home, tmp_path: Path) -> None:
    """A changed byte of an input, a lost file of one month, lost rejects, and an empty commit."""
    home = made.copy(tmp_path / "home")
    month = files(home, fact_consultation)[3]
    flip(files(home, region)[0])
    month.unlink()
    files(home, rejects_of(deces))[0].unlink()
    max((home.lake.path(hospitalisations) / "_delta_log").glob("*.json")).write_bytes(b"")
    done = home.chu("verify", "--repair", "--sample", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    repaired = {
        "sources/deces: made the whole table again",
        "sources/Hospitalisations: made the whole table again",
        "references/region: made the whole table again",
        f"facts/fact_consultation: made partitions {month.parent.name.removeprefix('month=')} again",
    }
    assert {line.removeprefix("REPAIRED ") for line in lines if line.startswith("REPAIRED")} == repaired
    assert len([line for line in lines if line.startswith("DAMAGED")]) == 4
    assert lines[-1].endswith("no findings")
    expected = digests(made.lake)
    assert digests(home.lake) == expected
    # Only the damaged tables have a new version, without the source that lost its only commit and begins again.
    versions = {f: DeltaTable(home.lake.root / f).version() for f in expected}
    newer = [f for f, v in versions.items() if v != DeltaTable(made.lake.root / f).version()]
    assert set(newer) == {region.folder, fact_consultation.folder}


@pytest.mark.system
def test_a_table_whose_delivery_is_gone_is_not_repaired_and_its_damage_does_not_spread(
    made: Home, tmp_path: Path
) -> None:
    home = changeable_copy(made, tmp_path)
    (home.pack / STAYS).unlink()
    files(home, hospitalisations)[0].unlink()
    reader = next(t for t in fact_readers() if hospitalisations in t.needs)
    flip(files(home, reader)[0])
    before = {t: home.lake.version(t) for t in (hospitalisations, reader)}
    done = home.chu("verify", "--repair", "--sample", "1")
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith("NOT REPAIRED")]
    assert len(lines) == 2, done.stdout
    assert lines[0].startswith("NOT REPAIRED sources/Hospitalisations: ") and STAYS.split("/")[0] in lines[0]
    assert lines[1] == (
        f"NOT REPAIRED {reader.layer}/{reader.name}: its input sources/Hospitalisations could not be repaired"
    )
    assert {t: home.lake.version(t) for t in before} == before


def fact_readers() -> list[Table]:
    from chu_platform.catalogue import catalogue

    return [t for t in catalogue() if t.layer.value == "facts"]
