"""Requests for erasure: what is read, and what is refused with the line and the column, without any value."""

import io
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.rights.requests import COLUMNS, Death, Identity, read_deaths, read_persons
from chu_platform.settings import Settings

pytestmark = pytest.mark.unit

HEADER = ",".join(COLUMNS)


def request(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "request.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_request_names_numbers_or_identities(tmp_path: Path) -> None:
    found = read_persons(request(tmp_path, HEADER, "042,,,", ",Dupont,Zoé,1954-03-02", "42,,,"))
    assert (found.patients, found.identities) == (["42"], [Identity("Dupont", "Zoé", "1954-03-02")])


def test_a_request_from_the_standard_input_is_not_opened_again(tmp_path: Path) -> None:
    missing = tmp_path / "stdin"
    assert read_persons(missing, io.BytesIO(f"{HEADER}\r\n42,,,\r\n".encode())).patients == ["42"]
    with pytest.raises(ChuError, match="stdin line 2, column patient: it is not a whole number"):
        read_persons(missing, io.BytesIO(f"{HEADER}\nx,,,\n".encode()))
    with pytest.raises(ChuError, match="stdin is not a CSV file in UTF-8"):
        read_persons(missing, io.BytesIO(b"\xff"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["patient", "42"], "line 1: the columns must be patient,family_name,first_names,birth_date"),
        ([HEADER], "names nobody: give a line"),
        ([HEADER, "x7,,,"], "line 2, column patient: it is not a whole number"),
        ([HEADER, "1,,,", "2,Dupont,Zoé,1954-03-02"], "line 3: give the number of a patient or an identity, not both"),
        ([HEADER, ",Dupont,,1954-03-02"], "line 2, column first_names: it is empty"),
        ([HEADER, ",Dupont,Zoé,02/03/1954"], r"column birth_date: it is no date YYYY-MM-DD \(shape 99/99/9999\)"),
        ([HEADER, ",Dupont,Zoé,1954-13-02"], "column birth_date: it is no date"),
        ([HEADER, "1,,"], "line 2: it does not have 4 columns"),
    ],
)
def test_a_wrong_request_is_refused_without_its_values(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(ChuError, match=message) as refused:
        read_persons(request(tmp_path, *lines))
    assert not any(value in str(refused.value) for value in ("Dupont", "Zoé", "1954", "x7"))


def test_a_list_of_insee_is_read_as_a_delivered_one(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path / "home")
    header = "Date de décès;Code du lieu de décès;Numéro d'acte de décès"
    found = read_deaths(settings, request(tmp_path, header, "17032019;01004;12", "18032019;01004;"))
    assert found.deaths == [Death("2019-03-17|01004|12", "2019-03-17"), Death("2019-03-18|01004|", "2019-03-18")]
    assert list((tmp_path / "home" / "work").iterdir()) == []
    with pytest.raises(ChuError, match=r"line 3, column datedeces: \w+, shape \S+: correct it"):
        read_deaths(settings, request(tmp_path, header, "17032019;01004;12", "31x2019;01004;3"))
