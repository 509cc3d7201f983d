"""A whole lake of format 4, whose key has no identifier, is upgraded: its rows stay, and its key gets one."""

import json
import re
from pathlib import Path

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.pseudonymisation.key_process import key_files
from chu_platform.storage.lake_format import FILE, FORMAT, format_of
from chu_platform.storage.provenance import KEY, last_data_commit
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digests

pytestmark = pytest.mark.system

KEY_OF_COMMIT = re.compile(r', \\"key\\": \\"[0-9a-f]{16}\\"')


@pytest.fixture
def old(made: Home, tmp_path: Path) -> Home:
    """The shared lake as format 4 had it: no identifier in commits and record, the key beside the folder of keys."""
    home = made.copy(tmp_path / "home")
    root = home.lake.root
    (root / FILE).write_text(json.dumps({"format": 4, "version": "0.2.0"}))
    record = root / "restricted" / ".key.json"
    record.write_text(json.dumps({"fingerprint": json.loads(record.read_text())["fingerprint"]}))
    for commit in root.glob("*/*/*/_delta_log/*.json"):
        commit.write_text(KEY_OF_COMMIT.sub("", commit.read_text()))
    (key,) = key_files(home.secrets)
    key.rename(home.secrets / "pseudonymisation.key")
    return home


def test_an_older_lake_is_upgraded_and_nothing_is_made_again(old: Home) -> None:
    before = digests(old.lake)
    with_persons = [t for t in catalogue() if t.pseudonymised and old.lake.open(t) is not None]
    assert len(with_persons) > 20
    assert not any(KEY in (last_data_commit(old.lake.place_of(t), old.lake.require(t)) or {}) for t in with_persons)
    refused = old.chu("materialize")
    assert (
        refused.returncode == 1 and "has format 4, and this version needs format 5: run `chu upgrade`" in refused.stderr
    )
    done = old.chu("upgrade")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert format_of(old.lake.root) == FORMAT == 5
    (key,) = key_files(old.secrets)
    assert key.parent == old.secrets / "keys" and key.stem.startswith("pseudonymisation-")
    identifier = key.stem.removeprefix("pseudonymisation-")
    assert json.loads((old.lake.root / "restricted" / ".key.json").read_text())["key"] == identifier
    for table in with_persons:
        commit = last_data_commit(old.lake.place_of(table), old.lake.require(table))
        assert commit and commit[KEY] == identifier, table.folder
    assert digests(old.lake) == before
    assert old.chu("upgrade").returncode == 0
    done = old.chu("materialize")
    assert done.returncode == 0, done.stderr[-2000:]
    assert digests(old.lake) == before
