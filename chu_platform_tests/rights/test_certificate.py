"""A certificate is valid as it was signed, and not if anything in it is altered."""

import json
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.rights.certificate import PUBLIC_FILE, sign, verify

pytestmark = pytest.mark.unit

STATEMENT = {"request": "0a", "rows_erased": {"restricted/sources/Patient": 1}, "found": 0, "still_held_by": ["é"]}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "home" / "certificate.json"
    sign(tmp_path / "secrets", STATEMENT, file)
    return file


def test_a_certificate_verifies(certificate: Path, tmp_path: Path) -> None:
    public = tmp_path / "secrets" / PUBLIC_FILE
    assert verify(public, certificate) == STATEMENT
    # The layout of the file, and the order of what it says, do not matter.
    read = json.loads(certificate.read_text())
    read["certificate"] = dict(reversed(read["certificate"].items()))
    certificate.write_text(json.dumps(read))
    assert verify(public, certificate) == STATEMENT
    private = [f for f in (tmp_path / "secrets" / "keys").iterdir() if f.name != PUBLIC_FILE.name]
    assert [f.stat().st_mode & 0o777 for f in private] == [0o600]


@pytest.mark.parametrize(
    "altered",
    [
        {"certificate": {**STATEMENT, "found": 1}},
        {"certificate": {**STATEMENT, "still_held_by": []}},
        {"certificate": {k: v for k, v in STATEMENT.items() if k != "request"}},
        {"certificate": {**STATEMENT, "more": 1}},
        {"signature": "00" * 64},
        {"signature": "no"},
        {"more": 1},
    ],
    ids=str,
)
def test_an_altered_certificate_does_not_verify(certificate: Path, tmp_path: Path, altered: dict[str, object]) -> None:
    certificate.write_text(json.dumps({**json.loads(certificate.read_text()), **altered}))
    with pytest.raises(ChuError, match="altered"):
        verify(tmp_path / "secrets" / PUBLIC_FILE, certificate)


def test_another_key_does_not_verify(certificate: Path, tmp_path: Path) -> None:
    sign(tmp_path / "other", STATEMENT, tmp_path / "other.json")
    with pytest.raises(ChuError, match="was altered, or was signed with another key"):
        verify(tmp_path / "other" / PUBLIC_FILE, certificate)
    with pytest.raises(ChuError, match="is no public key of certificates"):
        verify(tmp_path / "nothing.pem", certificate)
