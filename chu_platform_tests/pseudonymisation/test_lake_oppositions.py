"""A lake that knows requests of erasure is never made without the list of them."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.oppositions import FILE, Oppositions
from chu_platform.ingest.persons import Kind
from chu_platform.pseudonymisation.lake_oppositions import lake_oppositions
from chu_platform.pseudonymisation.opposition import opposition
from chu_platform.rights.erase import erase
from chu_platform.rights.requests import read_persons
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake

pytestmark = pytest.mark.integration

GONE = r"the opposition list \S+ does not exist, and the lake \S+ was made with one of 1 entries: restore the file"
AT = "2026-12-01T00:00:00+00:00"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a lake with a table of the list that has one entry, and of a folder without that list."""
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_folder)
    lake.prepare()
    settings.secrets_folder.mkdir(exist_ok=True)
    row = {"request": "a", "kind": "patient", "hash": "0" * 64, "requested_at": AT}
    write_deltalake(settings.lake_folder / opposition.folder, pa.Table.from_pylist([row]))
    return settings


def test_a_missing_list_is_an_error_if_the_lake_knows_requests(settings: Settings) -> None:
    with RunResources(settings, lambda _: None) as resources, pytest.raises(ChuError, match=GONE):
        _ = resources.oppositions


def test_a_new_request_begins_no_list_in_place_of_the_missing_one(settings: Settings, tmp_path: Path) -> None:
    request = tmp_path / "request.csv"
    request.write_text("patient,family_name,first_names,birth_date\n7,,,\n", encoding="utf-8")
    with pytest.raises(ChuError, match=GONE):
        erase(settings, read_persons(request), "somebody", lambda _: None)
    assert not (settings.secrets_folder / FILE).exists()


def test_the_list_may_be_empty_or_not_exist_yet(settings: Settings, tmp_path: Path) -> None:
    new = Lake(tmp_path / "new")
    new.prepare()
    assert not lake_oppositions(new, settings.secrets_folder).entries
    # An operator took back the only request.
    (settings.secrets_folder / FILE).touch()
    lake = Lake(settings.lake_folder)
    assert not lake_oppositions(lake, settings.secrets_folder).entries
    Oppositions(settings.secrets_folder).add("b", [(Kind.PATIENT, "7")], AT)
    assert lake_oppositions(lake, settings.secrets_folder).has(Kind.PATIENT)
