"""The opposition list: what it holds, what it refuses, and which delivered rows it keeps out."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import Delivered, delivered_rows
from chu_platform.ingest.opposed_rows import contact_form, mentions
from chu_platform.ingest.oppositions import KEY_FILE, Oppositions
from chu_platform.ingest.persons import Kind, by_identity, by_number
from chu_platform.ingest.reading import NoDatabase, ReadingContext, read
from chu_platform.tables.table import Table
from chu_platform_tests.ingest.deliveries import stored, table_of

pytestmark = pytest.mark.unit

AT = "2026-11-30T12:00:00+00:00"
PERSON = [(Kind.PERSON, "DE LA TOUR|ANNE-MARIE|1950-03-17"), (Kind.DAY, "1950-03-17")]
NAMED = [(Kind.NAME, "DE LA TOUR|ANNE-MARIE"), (Kind.CONTACT, "0612345678"), (Kind.PATIENT, "42")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "secrets"
    found.mkdir(mode=0o700)
    return found


def test_a_list_tells_who_is_on_it_and_holds_no_text(folder: Path) -> None:
    empty = Oppositions(folder)
    assert (empty.entries, empty.digest, empty.listed(Kind.PATIENT, ["42"])) == ([], "", [])
    listed = empty.add("a", [*PERSON, *NAMED], AT)
    assert listed.listed(Kind.PATIENT, ["41", "42", "043"]) == ["42"]
    assert listed.listed(Kind.DEATH, ["42"]) == []
    assert [listed.has(kind) for kind in (Kind.DAY, Kind.DEATH)] == [True, False]
    written = listed.file.read_text()
    assert not any(text in written for _, text in [*PERSON, *NAMED] if len(text) > 2)
    assert {entry.request for entry in listed.entries} == {"a"}
    assert (listed.file.stat().st_mode & 0o777, (folder / KEY_FILE).stat().st_mode & 0o777) == (0o600, 0o600)


def test_a_text_is_listed_once(folder: Path) -> None:
    first = Oppositions(folder).add("a", NAMED, AT)
    second = first.add("b", NAMED, AT)
    assert (second.digest, len(second.entries)) == (first.digest, len(NAMED))
    third = second.add("b", [(Kind.PATIENT, "7")], AT)
    assert third.digest != first.digest
    assert third.listed(Kind.PATIENT, ["7", "42"]) == ["7", "42"]


def test_a_line_that_was_not_written_whole_counts_for_nothing(folder: Path) -> None:
    listed = Oppositions(folder).add("a", NAMED, AT)
    with listed.file.open("a") as stream:
        stream.write('{"request": "b", "ki')
    again = Oppositions(folder)
    assert again.digest == listed.digest
    assert Oppositions(folder).add("b", [(Kind.PATIENT, "7")], AT).listed(Kind.PATIENT, ["7"]) == ["7"]
    assert all(json.loads(line) for line in listed.file.read_text().splitlines())


def test_damage_is_named(folder: Path) -> None:
    listed = Oppositions(folder).add("a", NAMED, AT)
    key = (folder / KEY_FILE).read_text()
    (folder / KEY_FILE).unlink()
    lost = r"opposition.key of the opposition list does not exist: restore it"
    with pytest.raises(ChuError, match=lost):
        Oppositions(folder).listed(Kind.PATIENT, ["42"])
    with pytest.raises(ChuError, match=lost):
        Oppositions(folder).add("b", [(Kind.PATIENT, "7")], AT)
    (folder / KEY_FILE).write_text(key[2:])
    with pytest.raises(ChuError, match=r"opposition.key is not the key of the opposition list: restore it"):
        Oppositions(folder).listed(Kind.PATIENT, ["42"])
    listed.file.write_text("{}\n" + listed.file.read_text())
    with pytest.raises(ChuError, match=r"oppositions.jsonl line 1 is damaged: restore the file from its backup"):
        _ = Oppositions(folder).entries


@pytest.mark.parametrize(
    ("text", "is_about"),
    [
        ("7;De La Tour;Anne-Marie;x", True),
        ('7,"DE LA TOUR","ANNE-MARIE ROSE",x', True),
        ("DE LA TOUR*ANNE-MARIE ROSE/", True),
        ("Anne-Marie;de la  tour;7", True),
        ("7;De La Tour;Anne;x", False),
        ("7;De La Tour;x;Anne-Marie", False),
        ("7;x;y;06 12 34 56 78", True),
        ("7;x;y;106 12 34 56 78", False),
        ("42;x;2020-01-01;1", True),
        ("7;x;2020-01-01;42", False),
        ("7;42", True),
        ("", False),
    ],
)
def test_which_texts_are_about_a_person(folder: Path, text: str, is_about: bool) -> None:
    listed = Oppositions(folder).add("a", NAMED, AT)
    source = Delivered(delivered_rows(table_of()).reader, persons=[by_number("id")])
    columns = ["id", "label", "day", "amount"]
    assert list(mentions(source, columns, listed, [text, "8;x;2020-01-01;1"])) == [is_about, False]


def test_a_contact_has_one_form() -> None:
    found = [contact_form(text) for text in ("06.12.34.56.78", "(06) 12-34 56 78", "A.B@Example.org", "75001")]
    assert found == ["0612345678", "0612345678", "ab@exampleorg", None]


def delivered(table: Table, folder: Path, work: Path, lines: Sequence[str]) -> tuple[list[object], list[int], int]:
    """Labels of the kept rows, lines of the rejects, and the number of withdrawn rows of a file with these lines."""
    pack = work / "pack"
    for name in ("pack", "scratch", "rows", "quarantine"):
        (work / name).mkdir()
    (pack / "things.csv").write_text("\n".join(["id;label;day;amount;extra", *lines]) + "\n", encoding="utf-8")
    context = ReadingContext(pack, work / "scratch", NoDatabase(), lambda _: None, oppositions=Oppositions(folder))
    reading = read(table, None, work / "rows", work / "quarantine", context)
    assert reading.rows_in == reading.kept + len(reading.rejects) + reading.withdrawn == len(lines)
    extra = [value for (value,) in stored(work / "quarantine", ["value"])]
    kept = [label for (label,) in stored(work / "rows", ["label"])]
    withdrawn_lines = {line for line in lines if line.endswith(";gone")}
    assert "gone" not in extra and len(extra) == len(lines) - len(withdrawn_lines)
    return kept, [line for _, line, *_ in reading.rejects], reading.withdrawn


def test_rows_of_a_patient_are_neither_kept_nor_rejected(folder: Path, tmp_path: Path) -> None:
    base = table_of()
    table = replace(base, rows=replace(delivered_rows(base), persons=[by_number("id")], max_rejected_share=0.5))
    Oppositions(folder).add("a", NAMED, AT)
    lines = ["1;a;2020-01-01;1;x", "42;b;2020-01-01;1;gone", "42;c;2020-99-01;1;gone", "2;d;2020-99-01;1;x"]
    assert delivered(table, folder, tmp_path, [*lines, "3;e;2020-01-01;1;x"]) == (["a", "e"], [5], 2)


def test_rows_of_an_identity_are_compared_by_day_first(folder: Path, tmp_path: Path) -> None:
    base = table_of()
    identity = by_identity("label", "label", "day", 'CAST("day" AS VARCHAR)')
    table = replace(base, rows=replace(delivered_rows(base), persons=[identity]))
    Oppositions(folder).add("a", [(Kind.PERSON, "ZOE|ZOE|2020-01-02"), (Kind.DAY, "2020-01-02")], AT)
    lines = ["1;Zoé;2020-01-01;1;x", "2; zoé ;2020-01-02;1;gone", "3;Zoël;2020-01-02;1;x"]
    assert delivered(table, folder, tmp_path, lines) == (["Zoé", "Zoël"], [], 1)


def test_without_a_list_nothing_changes(folder: Path, tmp_path: Path) -> None:
    base = table_of()
    table = replace(base, rows=replace(delivered_rows(base), persons=[by_number("id")]))
    assert delivered(table, folder, tmp_path, ["42;a;2020-01-01;1;x"]) == (["a"], [], 0)
