"""The key of a lake: made once, never replaced, and compared with the fingerprint or with a stored pseudonym."""

import hashlib
import hmac
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from chu_platform import cli
from chu_platform.automation.build_definitions import build_defs
from chu_platform.errors import ChuError
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.run_resources import RunResources
from chu_platform.pseudonymisation.key_process import FORMER_FILE, key_files
from chu_platform.pseudonymisation.keyed_hash import create_key
from chu_platform.pseudonymisation.lake_key import lake_key, require_key
from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.settings import Settings
from chu_platform.sources.patient import patient
from chu_platform.storage.key_record import FILE
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import FORMAT, record_format
from chu_platform.tables.table import Table

pytestmark = pytest.mark.integration

KEY, OTHER = "5e" * 32, "5f" * 32
ELSEWHERE = (
    r"the pseudonymisation key( [0-9a-f]{{16}})? with which the lake \S+ was made is not in \S+/keys, where there is "
    r"{}: restore the key file from its backup, or set CHU_SECRETS to its folder$"
)
MISSING, ANOTHER = ELSEWHERE.format("no key"), ELSEWHERE.format("only another one")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.prepare()
    return lake


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def put_key(folder: Path, key: str) -> None:
    """Make this key the only one of a folder, where earlier versions had it."""
    remove_keys(folder)
    folder.mkdir(exist_ok=True, mode=0o700)
    (folder / FORMER_FILE).write_text(key, encoding="ascii")


def remove_keys(folder: Path) -> None:
    for file in key_files(folder):
        file.unlink()


def read_key(folder: Path) -> str:
    (file,) = key_files(folder)
    return file.read_text(encoding="ascii")


def pseudonym(kind: str, identifier: object) -> str:
    """By the definition: the first half of the keyed hash of kind and identifier."""
    return hmac.new(bytes.fromhex(KEY), f"{kind}:{identifier}".encode(), hashlib.sha256).hexdigest()[:32]


def put(lake: Lake, table: Table, **values: Any) -> None:
    """A table of the lake with one row. The other columns are null."""
    row = [pa.array([values.get(c.name)], c.type) for c in table.columns]
    write_deltalake(str(lake.path(table)), pa.table(row, names=[c.name for c in table.columns]))


def old_lake(lake: Lake, kind: str = "patient") -> None:
    """Pseudonyms made with KEY, as an earlier version made them: without a fingerprint of the key."""
    if kind == "patient":
        put(lake, patient_pseudonym, Id_patient=7, patient_key=pseudonym(kind, 7))
    else:
        put(lake, professional_pseudonym, Identifiant="10001", professional_key=pseudonym(kind, "10001"))


def fingerprint(lake: Lake) -> str | None:
    file = lake.root / "restricted" / FILE
    return json.loads(file.read_text())["fingerprint"] if file.exists() else None


def test_a_new_lake_gets_a_key_and_its_fingerprint(lake: Lake, secrets: Path) -> None:
    assert require_key(lake, secrets) is None
    assert not secrets.exists()
    key = lake_key(lake, secrets)
    secret = bytes.fromhex(read_key(secrets))
    assert key.file == secrets / "keys" / f"pseudonymisation-{key.identifier}.key"
    modes = [path.stat().st_mode & 0o777 for path in (key.file, key.file.parent, secrets)]
    assert modes == [0o600, 0o700, 0o700]
    assert fingerprint(lake) == key.fingerprint == hmac.digest(secret, b"fingerprint of the key:1", "sha256").hex()
    assert key.fingerprint.startswith(key.identifier)
    assert lake_key(lake, secrets) == require_key(lake, secrets) == key


def test_a_key_of_an_earlier_version_is_moved(lake: Lake, secrets: Path) -> None:
    put_key(secrets, KEY)
    key = lake_key(lake, secrets)
    assert key_files(secrets) == [key.file] == [secrets / "keys" / f"pseudonymisation-{key.identifier}.key"]
    assert read_key(secrets) == KEY
    assert key.pseudonyms("patient", [7, 8]) == [pseudonym("patient", 7), pseudonym("patient", 8)]


def test_the_key_of_the_lake_is_found_among_others(lake: Lake, secrets: Path) -> None:
    key = lake_key(lake, secrets)
    create_key(secrets)
    assert lake_key(lake, secrets) == key
    other_lake = Lake(lake.root.parent / "other")
    other_lake.prepare()
    assert lake_key(other_lake, secrets).fingerprint not in (key.fingerprint, None)
    assert len(key_files(secrets)) == 3


@pytest.mark.parametrize("content", ["5e" * 31, "no key", ""])
def test_a_damaged_key_is_no_key_of_a_new_lake(lake: Lake, secrets: Path, content: str) -> None:
    put_key(secrets, content)
    with pytest.raises(ChuError, match=r"pseudonymisation.key is not a key of 32 bytes in hexadecimal: restore"):
        lake_key(lake, secrets)


def test_only_the_process_of_the_key_opens_its_file(lake: Lake, secrets: Path) -> None:
    """An audit hook in another process sees every file that it opens, and none is a key."""
    program = f"""
import sys
opened = []
sys.addaudithook(lambda name, arguments: opened.append(str(arguments[0])) if name == "open" else None)
from pathlib import Path
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.storage.key_record import FILE
from chu_platform.storage.lake import Lake
lake = Lake(Path({str(lake.root)!r}))
key = lake_key(lake, Path({str(secrets)!r}))
assert lake_key(lake, Path({str(secrets)!r})).pseudonyms("patient", range(3)) == key.pseudonyms("patient", range(3))
assert any(name.endswith(".key.json") for name in opened), "the hook sees nothing"
print([name for name in opened if name.endswith(".key")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert len(read_key(secrets)) == 64


def test_a_missing_key_is_never_replaced(lake: Lake, secrets: Path, tmp_path: Path) -> None:
    lake_key(lake, secrets)
    for use in (lake_key, require_key):
        with pytest.raises(ChuError, match=MISSING):
            use(lake, tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_another_key_is_refused(lake: Lake, secrets: Path) -> None:
    lake_key(lake, secrets)
    before = fingerprint(lake)
    put_key(secrets, OTHER)
    for use in (lake_key, require_key):
        with pytest.raises(ChuError, match=ANOTHER):
            use(lake, secrets)
    assert fingerprint(lake) == before


@pytest.mark.parametrize("kind", ["patient", "professional"])
def test_the_key_of_an_older_lake_is_compared_with_a_pseudonym(lake: Lake, secrets: Path, kind: str) -> None:
    old_lake(lake, kind)
    with pytest.raises(ChuError, match=MISSING):
        lake_key(lake, secrets)
    put_key(secrets, OTHER)
    with pytest.raises(ChuError, match=ANOTHER):
        lake_key(lake, secrets)
    assert fingerprint(lake) is None
    put_key(secrets, KEY)
    assert lake_key(lake, secrets).pseudonyms(kind, ["x"]) == [pseudonym(kind, "x")]
    assert fingerprint(lake) is not None


def test_pseudonyms_that_cannot_be_read_stop_the_first_comparison(lake: Lake, secrets: Path) -> None:
    old_lake(lake)
    for file in lake.path(patient_pseudonym).glob("*.parquet"):
        file.unlink()
    put_key(secrets, KEY)
    with pytest.raises(ChuError, match=r"because restricted/pseudonyms/patient_pseudonym cannot be read: restore"):
        lake_key(lake, secrets)


@pytest.mark.parametrize("text", ["", "{}", "[]", "{"])
def test_a_damaged_fingerprint_is_refused(lake: Lake, secrets: Path, text: str) -> None:
    old_lake(lake)
    put_key(secrets, KEY)
    file = lake.root / "restricted" / FILE
    file.write_text(text)
    with pytest.raises(ChuError, match=r"\.key\.json is damaged: delete it, and the next run compares the key"):
        lake_key(lake, secrets)
    file.unlink()
    lake_key(lake, secrets)


def _first_run(root: Path, secrets: Path, start: Any, results: Any) -> None:
    start.wait()
    try:
        results.put(lake_key(Lake(root), secrets).fingerprint)
    except ChuError as error:
        results.put(str(error))


def concurrent_runs(lake: Lake, folders: list[Path]) -> list[str]:
    """What first runs give that start together, one for each folder of secrets: the key or the error."""
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    processes = [context.Process(target=_first_run, args=(lake.root, f, start, results)) for f in folders]
    for process in processes:
        process.start()
    start.set()
    found = [results.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    return found


def test_first_runs_at_the_same_time_use_the_same_key(lake: Lake, secrets: Path) -> None:
    assert len(set(concurrent_runs(lake, [secrets] * 6))) == len(key_files(secrets)) == 1


def test_of_first_runs_with_different_folders_one_makes_the_key(lake: Lake, tmp_path: Path) -> None:
    folders = [tmp_path / f"secrets{n}" for n in range(6)]
    found = concurrent_runs(lake, folders)
    assert sum(len(key_files(f)) for f in folders) == 1
    assert sum("where there is no key" in f for f in found) == 5


@pytest.fixture
def command(lake: Lake, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs `chu` on the lake in this process; its errors are those that the user gets in one line."""
    values = {"HOME": tmp_path, "LAKE": lake.root, "SECRETS": secrets, "SOURCES": tmp_path / "no_pack"}
    for name, value in values.items():
        monkeypatch.setenv(f"CHU_{name}", str(value))
    return lambda *arguments: cli.app(list(arguments), standalone_mode=False)


def test_commands_refuse_a_lake_without_its_key(lake: Lake, secrets: Path, command: Callable[..., None]) -> None:
    old_lake(lake)
    record_format(lake.root, FORMAT - 1)
    with pytest.raises(ChuError, match=MISSING):
        command("upgrade")
    put_key(secrets, KEY)
    command("upgrade")
    assert fingerprint(lake) is not None
    put_key(secrets, OTHER)
    with pytest.raises(ChuError, match=ANOTHER):
        command("materialize")
    remove_keys(secrets)
    with pytest.raises(ChuError, match=MISSING):
        command("materialize")
    assert lake.version(patient_pseudonym) == 0


def test_a_dagster_run_fails_without_the_key(lake: Lake, secrets: Path, tmp_path: Path) -> None:
    old_lake(lake)
    put(lake, patient, Id_patient=7)
    put_key(secrets, OTHER)
    settings = Settings(_env_file=None, home=tmp_path, lake=lake.root, secrets=secrets)
    with RunResources(settings, lambda _: None) as resources, dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(resources).resolve_implicit_global_asset_job_def()
        run = job.execute_in_process(
            instance=instance, asset_selection=[key_of(patient_pseudonym)], raise_on_error=False
        )
    (failure,) = [e.step_failure_data for e in run.all_events if e.is_step_failure]
    assert failure.user_failure_data is not None
    assert "where there is only another one" in (failure.user_failure_data.description or "")
    assert lake.version(patient_pseudonym) == 0
