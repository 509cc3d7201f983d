"""Volumes as Kubernetes mounts them: the folder belongs to root, and the group of the pod may write to it.

Whatever a run or a command keeps in CHU_SECRETS is made there, for the user of the pod alone. The test has the group of
the folders, and no capability: it may write there, and may not change their modes.
"""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chu_platform_tests.pipeline.home import Home

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes folders of another user"),
]

OTHER_USER = 12345
# As the kubelet leaves a volume of a pod with `fsGroup`.
MODE_OF_A_CLAIM = 0o2775
WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
WRITES = """
import json, sys
from pathlib import Path
from chu_platform.access.entries import Answer, Decision
from chu_platform.access.journal import Journal
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.ingest.persons import Kind
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.rights.certificate import PUBLIC_FILE, sign, verify
from chu_platform.settings import load_settings
from chu_platform.storage.lake import Lake

settings = load_settings()
secrets = settings.secrets_folder
lake = Lake(settings.lake_folder)
lake.prepare()
key = lake_key(lake, secrets)
Oppositions(secrets).add("request", [(Kind.PATIENT, "12")], "2026-01-01T00:00:00")
entry = Journal(secrets).append(Answer("a", "head", "steering", "kpis/x", 1, "true", 1, Decision.ALLOWED))
certificate = settings.home / "certificates" / "request.json"
sign(secrets, {"request": "request"}, certificate)
print(json.dumps({
    "key": key.file.relative_to(secrets).as_posix(),
    "pseudonym": key.pseudonyms("patient", ["12"])[0],
    "listed": Oppositions(secrets).listed(Kind.PATIENT, ["12", "13"]),
    "entry": entry.sequence,
    "certified": verify(secrets / PUBLIC_FILE, certificate),
}))
"""


@pytest.fixture
def pod(tmp_path: Path) -> Home:
    """CHU_HOME and CHU_SECRETS as claims, with those of accounts, journal and seal mounted into the secrets."""
    home, keys = tmp_path / "home", tmp_path / "keys"
    for folder in (home, keys, *(keys / name for name in ("accounts", "journal", "seals"))):
        folder.mkdir()
        os.chown(folder, OTHER_USER, os.getegid())
        folder.chmod(MODE_OF_A_CLAIM)
    return Home(home, tmp_path / "pack", {"CHU_SECRETS": str(keys), "CHU_ACCESS": "accounts"})


def in_the_pod(pod: Home, *command: str) -> str:
    done = subprocess.run(
        [*WITHOUT_CAPABILITIES, sys.executable, *command],
        env=pod.environment(),
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_kept_in_the_secrets_is_made_in_mounted_claims(pod: Home) -> None:
    made = json.loads(in_the_pod(pod, "-c", WRITES))
    assert made["key"].startswith("keys/pseudonymisation-") and len(made["pseudonym"]) == 32
    assert (made["listed"], made["entry"], made["certified"]) == (["12"], 1, {"request": "request"})
    granted = ("--profile", "operator", "--purpose", "operation", "--expires", "2099-12-31")
    in_the_pod(pod, "-m", "chu_platform.cli", "user", "add", "exploitation", *granted)
    assert "exploitation" in in_the_pod(pod, "-m", "chu_platform.cli", "user", "list")
    # The second process finds all of it again.
    again = json.loads(in_the_pod(pod, "-c", WRITES))
    assert (again["key"], again["pseudonym"], again["entry"]) == (made["key"], made["pseudonym"], 2)
    files = [file for file in pod.secrets.rglob("*") if file.is_file()]
    readable = {f.name for f in files if stat.S_IMODE(f.stat().st_mode) & 0o077}
    assert len(files) >= 8
    assert readable <= {"certificate-public.pem", "journal.lock"}, "neither has a secret"
    assert stat.S_IMODE((pod.secrets / "keys").stat().st_mode) == 0o700
