"""Identifiers and codes get one form, however a spreadsheet, a register or a person writes them."""

from collections.abc import Callable, Mapping
from typing import Final

import duckdb
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.identifiers import (
    BLANKS,
    CERTIFICATE,
    COMMUNE,
    DIAGNOSIS,
    FINESS,
    ORGANISATION,
    PLAIN,
    POSTAL_CODE,
    PROFESSIONAL,
)
from chu_platform.ingest.number_forms import COUNT, RESULT
from chu_platform_tests.ingest.test_csv_properties import PROFILE
from chu_platform_tests.seeds import choose_seed

pytestmark = pytest.mark.unit

DUCKDB: Final = duckdb.connect()


def one_form(typing: str, text: str | None) -> str | None:
    query = f"SELECT {typing.format(text='written')} FROM (SELECT ?::VARCHAR AS written)"
    ((value,),) = DUCKDB.cursor().execute(query, [text]).fetchall()
    return None if value is None else str(value)


DIGITS: Final = st.integers(0, 9).map(str)


def digits(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=length, max_size=length)


CORSICAN: Final = st.sampled_from(["2A", "2B"])
FINESS_NUMBERS: Final = st.one_of(
    digits(9).filter(lambda n: n[0] != "0" or n[1] != "0"), CORSICAN.flatmap(lambda d: digits(7).map(lambda n: d + n))
)
RPPS: Final = digits(10).map(lambda n: f"1{n}")
DEPARTMENTS: Final = st.integers(1, 95).map(lambda n: f"{n:02}")
ADELI: Final = st.one_of(
    st.builds(lambda d, n: d + n, DEPARTMENTS, digits(7)),
    st.builds(lambda d, letter, n: d + letter + n, DEPARTMENTS, st.sampled_from("AMZ"), digits(6)),
    st.builds(lambda d, n: d + n, CORSICAN, digits(7)),
)
# Identifiers in their usual form, by the SQL that gives it.
USUAL: Final[Mapping[str, tuple[str, st.SearchStrategy[str]]]] = {
    "finess": (FINESS, FINESS_NUMBERS),
    "organisation": (ORGANISATION, FINESS_NUMBERS.map(lambda n: f"F{n}")),
    "rpps": (PROFESSIONAL, RPPS),
    "adeli": (PROFESSIONAL, ADELI),
    "postal code": (POSTAL_CODE, st.builds(lambda d, n: d + n, DEPARTMENTS, digits(3))),
    "commune": (
        COMMUNE,
        st.builds(lambda d, n: d + n, st.one_of(DEPARTMENTS, CORSICAN, st.just("97")), digits(3)),
    ),
    "diagnosis": (
        DIAGNOSIS,
        st.builds(
            lambda a, n, rest: a + n + rest, st.sampled_from("ASZ"), digits(2), st.text("0123456789", max_size=3)
        ),
    ),
}


def _as_number(text: str) -> str:
    """A spreadsheet takes a text of digits for a number: leading zeros are lost."""
    return str(int(text)) if text.isdigit() else text


def _without_zero(text: str) -> str:
    """As `_as_number`, behind the letter of an organisation."""
    return f"F{_as_number(text[1:])}" if text.startswith("F") else _as_number(text)


# What happens to an identifier on its way into a file. Each is undone.
DISGUISES: Final[Mapping[str, Callable[[str], str]]] = {
    "lost zeros": _without_zero,
    "decimal number": lambda text: f"{_as_number(text)}.0" if text.isdigit() else text,
    "formula": lambda text: f'="{text}"',
    "apostrophe": lambda text: f"'{text}",
    "lower case": str.lower,
    "blank inside": lambda text: f"{text[:2]} {text[2:]}",
    "no-break blank inside": lambda text: f"{text[:3]}\u00a0{text[3:]}",
}
# Of a code of a diagnosis, a blank or a decimal point would be another code.
OF_CODES: Final = [name for name in DISGUISES if "blank" not in name and name != "decimal number"]


@pytest.mark.parametrize("kind", USUAL)
@seed(choose_seed())
@settings(PROFILE, max_examples=30)
@given(data=st.data())
def test_every_disguise_is_undone(kind: str, data: st.DataObject) -> None:
    typing, usual = USUAL[kind]
    identifier = data.draw(usual)
    name = data.draw(st.sampled_from([*DISGUISES] if kind != "diagnosis" else OF_CODES))
    blanks = st.text(st.sampled_from(BLANKS), max_size=3)
    written = data.draw(blanks) + DISGUISES[name](identifier) + data.draw(blanks)
    assert one_form(typing, written) == identifier, (name, written)
    assert one_form(typing, identifier) == identifier


@seed(choose_seed())
@settings(PROFILE, max_examples=30)
@given(st.one_of(RPPS.map(lambda n: (n, f"8{n}")), ADELI.map(lambda n: (n, f"0{n}"))))
def test_national_identifiers_have_a_prefix(pair: tuple[str, str]) -> None:
    identifier, national = pair
    assert one_form(PROFESSIONAL, national) == identifier
    assert one_form(PROFESSIONAL, f"\u00a0{national.lower()}") == identifier


@pytest.mark.parametrize(
    ("typing", "written", "expected"),
    [
        (PROFESSIONAL, "0011234567", "011234567"),
        (PROFESSIONAL, "11234567", "011234567"),
        (PROFESSIONAL, "810000000000", "10000000000"),
        (PROFESSIONAL, "8-10000000001", "10000000001"),
        (PROFESSIONAL, "8 10000000001", "10000000001"),
        (PROFESSIONAL, "8 - 10000000001", "10000000001"),
        (PROFESSIONAL, "0-011234567", "011234567"),
        (PROFESSIONAL, "0-01a003753", "01A003753"),
        (PROFESSIONAL, "D 12", "D 12"),
        (ORGANISATION, "1010000024", "F010000024"),
        (ORGANISATION, "12a0000154", "F2A0000154"),
        (ORGANISATION, "1-010000024", "F010000024"),
        (ORGANISATION, "312345678901234", "312345678901234"),
        (ORGANISATION, "010000024", "F010000024"),
        (ORGANISATION, "R10100000038453", "R10100000038453"),
        (ORGANISATION, "F30001086501012007", "F30001086501012007"),
        (ORGANISATION, "f 300010865 01012007", "F30001086501012007"),
        (POSTAL_CODE, "BE-1000", "BE-1000"),
        (POSTAL_CODE, "F-01000", "01000"),
        (POSTAL_CODE, "fr75004", "75004"),
        (POSTAL_CODE, "F75004", "75004"),
        (POSTAL_CODE, "E-28001", "E-28001"),
        (COMMUNE, "2a004", "2A004"),
        (COMMUNE, "20004", "20004"),
        (COMMUNE, "99139", "99139"),
        (DIAGNOSIS, "s02.80", "S0280"),
        (DIAGNOSIS, "ZZ99", "ZZ99"),
        *(
            (CERTIFICATE, written, "12")
            for written in ("012", "12.0", "12,00", '="12"', "'12", "N° 12", "nº12", " 1 2")
        ),
        *((CERTIFICATE, written, "12") for written in ("000000012\u00a0", "No 12", "N. 12", "00012.0", "1\u202f2")),
        *(
            (CERTIFICATE, written, "9BIS")
            for written in ("9bis", "9BIS", "9 bis", "9-Bis", "9/bis", "009bis", "n°9bis")
        ),
        (CERTIFICATE, "a3005", "A3005"),
        (CERTIFICATE, "0A7", "A7"),
        (CERTIFICATE, "12/3", "12/3"),
        (CERTIFICATE, "12-3", "12-3"),
        (CERTIFICATE, "n", "N"),
        (CERTIFICATE, "NORD1", "NORD1"),
        (CERTIFICATE, "000", "0"),
        (CERTIFICATE, "1234567890", "1234567890"),
        (PLAIN, "\u202f6\u00a0", "6"),
        (PLAIN, "a b", "a b"),
        *((typing, "\u00a0 ", None) for typing in (PLAIN, FINESS, PROFESSIONAL, COMMUNE, CERTIFICATE)),
        *((typing, None, None) for typing in (PLAIN, FINESS, ORGANISATION, DIAGNOSIS, CERTIFICATE)),
    ],
)
def test_identifiers(typing: str, written: str | None, expected: str | None) -> None:
    assert one_form(typing, written) == expected


# Every column of text of a source by which rows of different deliveries are joined.
JOINED: Final = {
    ("Consultation", "Id_prof_sante"): PROFESSIONAL,
    ("Professionnel_de_sante", "Identifiant"): PROFESSIONAL,
    ("professionnel_sante", "identifiant"): PROFESSIONAL,
    ("activite_professionnel_sante", "identifiant"): PROFESSIONAL,
    ("activite_professionnel_sante", "identifiant_organisation"): ORGANISATION,
    ("etablissement_sante", "identifiant_organisation"): ORGANISATION,
    ("Hospitalisations", "identifiant_organisation"): ORGANISATION,
    ("Consultation", "Code_diag"): DIAGNOSIS,
    ("Diagnostic", "Code_diag"): DIAGNOSIS,
    ("Hospitalisations", "Code_diagnostic"): DIAGNOSIS,
    ("Professionnel_de_sante", "Code_specialite"): PLAIN,
    ("Specialites", "Code_specialite"): PLAIN,
    ("Prescription", "Code_CIS"): PLAIN,
    ("Medicaments", "Code_CIS"): PLAIN,
    ("etablissement_sante", "code_commune"): COMMUNE,
    ("deces", "code_lieu_deces"): COMMUNE,
    ("deces", "code_lieu_naissance"): COMMUNE,
    ("deces_insee_csv", "lieudeces"): COMMUNE,
    ("deces_insee_csv", "lieunaiss"): COMMUNE,
    ("opposition_deces", "lieudeces"): COMMUNE,
    ("deces", "numero_acte_deces"): CERTIFICATE,
    ("deces_insee_csv", "actedeces"): CERTIFICATE,
    ("deces_insee_fixe", "actedeces"): CERTIFICATE,
    ("opposition_deces", "actedeces"): CERTIFICATE,
}


def test_the_sources_use_them() -> None:
    typings = {(t.name, c): sql for t in delivered_tables(catalogue()) for c, sql in delivered_rows(t).typing.items()}
    assert {column: typings.get(column) for column in JOINED} == JOINED
    finess = [(t.name, c.name) for t in delivered_tables(catalogue()) for c in t.columns if "finess" in c.name.lower()]
    names = [(table, column) for table, column in finess if not column.startswith("rs_")]
    assert len(names) > 15
    assert [column for column in names if typings.get(column) != FINESS] == []


@pytest.mark.parametrize(
    "text", ["10999000017", "810999000017", "010999000017", " 010999000017\u00a0", "10999000017.0"]
)
def test_an_rpps_of_any_length(text: str) -> None:
    assert one_form(PROFESSIONAL, text) == "10999000017"


@pytest.mark.parametrize(
    ("text", "count", "result"),
    [
        ("4", 4, 4.0),
        ("4,0", 4, 4.0),
        ("4.0", 4, 4.0),
        ("4.", 4, 4.0),
        (".5", None, 0.5),
        ("-,5 %", None, -0.5),
        (".", None, None),
        ("1 060", 1060, 1060.0),
        ("12\u202f345\u00a0678", 12345678, 12345678.0),
        (" 60 ", 60, 60.0),
        ("4.000", None, 4.0),
        ("4.5", None, 4.5),
        ("75,5 %", None, 75.5),
        ("75.5\u00a0%", None, 75.5),
        ("90%", None, 90.0),
        ("1 06", None, None),
        ("10 60", None, None),
        ("1 060 5", None, None),
        ("7,5,5", None, None),
        ("%", None, None),
        ("x4", None, None),
    ],
)
def test_numbers_of_surveys(text: str, count: int | None, result: float | None) -> None:
    assert one_form(COUNT, text) == (None if count is None else str(count))
    found = one_form(RESULT, text)
    assert (None if found is None else float(found)) == result
