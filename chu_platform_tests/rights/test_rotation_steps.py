"""The steps of a rotation, on a lake of two tables whose main job is a function of the test."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.errors import ChuError
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.pseudonymisation.bound_professional import pseudonym_of_number
from chu_platform.pseudonymisation.key_process import key_files
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.rights import rotate as module
from chu_platform.rights.rotate import FILE, rotate
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform.tables.table import Table

pytestmark = pytest.mark.integration

FIGURES = kpi_consultation_rate_by_professional.exact
PROFESSIONALS = ("10000012345", "10001012328")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    lake = Lake(settings.lake_folder)
    lake.prepare()
    main_job(settings)
    return lake


def put(lake: Lake, table: Table, rows: list[dict[str, object]]) -> None:
    columns = [pa.array([row.get(c.name) for row in rows], c.type) for c in table.columns]
    fields = [pa.field(c.name, c.type) for c in table.columns]
    made = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    write_deltalake(str(lake.path(table)), made, mode="overwrite")


def main_job(settings: Settings, more_events: int = 0) -> None:
    """Pseudonyms and figures under the key of the lake; none is written again if it is the same."""
    lake = Lake(settings.lake_folder)
    found = lake_key(lake, settings.secrets_folder).pseudonyms("professional", PROFESSIONALS)
    if lake.open(professional_pseudonym) and pseudonyms(lake) == set(found):
        return
    rows = zip(PROFESSIONALS, found, strict=True)
    put(lake, professional_pseudonym, [{"Identifiant": i, "professional_key": p} for i, p in rows])
    events = [{"professional_key": p, "events": n + more_events} for n, p in enumerate(found, 5)]
    put(lake, FIGURES, events)


def pseudonyms(lake: Lake) -> set[object]:
    rows = DeltaTable(lake.path(professional_pseudonym)).to_pyarrow_table()
    return set(rows["professional_key"].to_pylist())


def bind(lake: Lake, settings: Settings) -> None:
    """Add the account of a practitioner."""
    own = pseudonym_of_number(lake, PROFESSIONALS[0], None)
    held = Held(Profile.PRACTITIONER, Purpose.CARE_QUALITY, date.max, professional=own)
    Accounts(settings.accounts_folder).add("practitioner", held)


def bound(settings: Settings) -> str | None:
    """The professional that the account is bound to."""
    found = Accounts(settings.accounts_folder).principal("practitioner")
    return found.held[0].professional if found else None


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, job: Callable[[Settings], None] = main_job) -> None:
    monkeypatch.setattr(module, "run_main_job", lambda given, _: job(given))
    rotate(settings, lambda _: None)


def test_a_rotation_gives_other_pseudonyms_and_destroys_the_key(
    lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, (old,) = pseudonyms(lake), key_files(settings.secrets_folder)
    run(settings, monkeypatch)
    (new,) = key_files(settings.secrets_folder)
    assert new != old and not old.exists()
    assert len(pseudonyms(lake)) == 2 and not before & pseudonyms(lake)
    assert not (lake.root / "restricted" / FILE).exists()
    for table in (professional_pseudonym, FIGURES):
        files = [f for f in lake.path(table).rglob("*.parquet") if "_delta_log" not in f.parts]
        assert len(files) == 1, "no file of an old version"
        with pytest.raises(Exception, match="No files in log segment"):
            DeltaTable(lake.path(table), version=0).to_pyarrow_table()


def test_another_figure_keeps_the_old_key(lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (old,) = key_files(settings.secrets_folder)

    def wrong(given: Settings) -> None:
        main_job(given, more_events=1)

    with pytest.raises(ChuError, match=r"kpi_consultation_rate_by_professional differ under the new key: nothing was"):
        run(settings, monkeypatch, wrong)
    assert old in key_files(settings.secrets_folder) and len(key_files(settings.secrets_folder)) == 2
    assert DeltaTable(lake.path(FIGURES), version=0).to_pyarrow_table().num_rows == 2


@pytest.mark.parametrize("step", ["run_main_job", "_rename_accounts", "purge_history", "purge_temporary", "_destroy"])
def test_a_killed_rotation_goes_on(lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    before = pseudonyms(lake)
    bind(lake, settings)
    monkeypatch.setattr(module, "run_main_job", lambda given, _: main_job(given))
    original = getattr(module, step)
    calls = 0

    def dying(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        result = original(*arguments)
        if calls == (2 if step == "run_main_job" else 1):
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr(module, step, dying)
        with pytest.raises(KeyboardInterrupt):
            rotate(settings, lambda _: None)
    run(settings, monkeypatch)
    assert len(key_files(settings.secrets_folder)) == 1
    assert len(pseudonyms(lake)) == 2 and not before & pseudonyms(lake)
    assert bound(settings) == pseudonym_of_number(lake, PROFESSIONALS[0], None)
