"""The access journal: what is written, what is refused, and every way of changing it is found at its place."""

import json
import multiprocessing
import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.access.archive import FOLDER, archived, keep_journal
from chu_platform.access.entries import BEGINNING, Answer, Decision, Entry
from chu_platform.access.journal import Journal
from chu_platform.access.seal import SECTOR_BYTES, JournalError
from chu_platform.access.verification import Head, Verified, verify_journal
from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake

ANSWER = Answer("claire", "head", "steering", "pseudonymised/kpis/kpi_x", 3, "code = 'F010000024'", 2, Decision.ALLOWED)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
Lines = list[bytes]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with the entries 1 to 6."""
    found = Journal(tmp_path / "secrets", lambda: NOW)
    for number in range(1, 7):
        found.append(replace(ANSWER, rows=number))
    return found


def check(lake: Lake, journal: Journal) -> Sequence[str]:
    return verify_journal(lake, journal).findings


def write(journal: Journal, lines: Lines) -> None:
    journal.file.write_bytes(b"".join(line + b"\n" for line in lines))


@pytest.mark.unit
def test_an_entry_says_who_saw_how_many_rows_of_what_and_only_its_owner_may_read_it(
    journal: Journal, lake: Lake
) -> None:
    assert verify_journal(lake, journal) == Verified(6, 1, 6, [])
    first = json.loads(journal.lines()[0])
    assert {name: first[name] for name in ("principal", "profile", "purpose", "table", "version", "filter")} == {
        "principal": "claire",
        "profile": "head",
        "purpose": "steering",
        "table": "pseudonymised/kpis/kpi_x",
        "version": 3,
        "filter": "code = 'F010000024'",
    }
    assert (first["sequence"], first["time"], first["rows"], first["decision"]) == (1, NOW.isoformat(), 1, "allowed")
    assert first["previous"] == BEGINNING
    for file in (journal.file, journal.key_file, journal.seal_file):
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    assert journal.key_file.read_text() not in journal.file.read_text()


@pytest.mark.unit
def test_a_journal_that_is_set_back_with_its_seal_is_found_by_a_head_that_was_kept_elsewhere(
    lake: Lake, journal: Journal, tmp_path: Path
) -> None:
    backup = shutil.copytree(tmp_path / "secrets", tmp_path / "backup")
    for number in (7, 8):
        journal.append(replace(ANSWER, rows=number))
    kept = Head.of_text(f" {journal.head()}\n")
    assert kept.sequence == 8 and verify_journal(lake, journal, kept).findings == []
    journal.append(ANSWER)
    assert verify_journal(lake, journal, kept).findings == []
    shutil.rmtree(tmp_path / "secrets")
    shutil.copytree(backup, tmp_path / "secrets")
    assert check(lake, journal) == [], "alone it cannot tell"
    assert verify_journal(lake, journal, kept).findings == [
        "entry 8, whose hash was kept elsewhere, is missing: journal and seal were set back"
    ]
    for number in range(7, 12):
        journal.append(replace(ANSWER, rows=number + 1))
    assert check(lake, journal) == []
    assert verify_journal(lake, journal, kept).findings == [
        "entry 8 is not the one whose hash was kept elsewhere: the journal was written anew"
    ]
    shutil.rmtree(tmp_path / "secrets")
    with pytest.raises(JournalError, match="are missing, but there were entries"):
        verify_journal(lake, journal, kept)
    assert journal.head() is None
    for wrong in ("8", "8:abc", "x:" + "0" * 64):
        with pytest.raises(ChuError, match="NUMBER:HASH"):
            Head.of_text(wrong)


@pytest.mark.integration
def test_a_journal_that_is_set_back_before_what_the_lake_has_is_found(
    lake: Lake, journal: Journal, tmp_path: Path
) -> None:
    backup = shutil.copytree(tmp_path / "secrets", tmp_path / "backup")
    for number in (7, 8):
        journal.append(replace(ANSWER, rows=number))
    keep_journal(lake, journal, NOW)
    shutil.rmtree(tmp_path / "secrets")
    shutil.copytree(backup, tmp_path / "secrets")
    (found,) = check(lake, journal)
    assert found.startswith("the seal names entry 6 as the last one, but the journal reaches 8")


def flipped(lines: Lines) -> Lines:
    return [*lines[:2], lines[2].replace(b'"rows":3', b'"rows":4'), *lines[3:]]


def rebuilt(lines: Lines) -> Lines:
    """A chain that is whole, but for the key, without the third entry."""
    key, previous, found = bytes(32), BEGINNING, []
    for number, line in enumerate([*lines[:2], *lines[3:]], 1):
        entry = Entry.of_line(line)
        assert entry
        again = Entry.sealed(key, number, entry.time, entry.answer, previous)
        previous = again.hash
        found.append(again.line)
    return found


@pytest.mark.unit
@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (flipped, "entry 3, line 3 of {file} was changed, or written without the key"),
        (lambda x: [*x[:2], *x[3:]], "entry 4, line 3 of {file} follows entry 2: entry 3 is missing"),
        (lambda x: [*x[:1], *x[4:]], "entry 5, line 2 of {file} follows entry 1: entries 2 to 4 are missing"),
        (lambda x: [x[0], x[2], x[1], *x[3:]], "entry 3, line 2 of {file} follows entry 1: entry 2 is missing"),
        (lambda x: [*x[:2], x[1], *x[2:]], "entry 2, line 3 of {file} follows entry 2: the order was changed"),
        (lambda x: x[:-1], "entries 6 to 6 are missing at the end"),
        (lambda x: x[:3], "entries 4 to 6 are missing at the end"),
        (lambda _: [], "entries 1 to 6 are missing at the end"),
        (lambda x: [*x[:3], b"{}", *x[3:]], "line 4 of {file} is not an entry"),
        (rebuilt, "entry 1, line 1 of {file} was changed, or written without the key"),
    ],
    ids=["flip", "delete", "delete several", "swap", "repeat", "tail", "long tail", "all", "insert", "rebuild"],
)
def test_every_change_is_found_and_its_place_named(
    journal: Journal, lake: Lake, change: Callable[[Lines], Lines], finding: str
) -> None:
    write(journal, change(journal.lines()))
    findings = check(lake, journal)
    assert any(f.startswith(finding.format(file=journal.file)) for f in findings), findings
    # Later entries do not hide it.
    journal.append(ANSWER)
    assert check(lake, journal) != []


@pytest.mark.unit
def test_an_older_seal_a_changed_one_and_a_missing_one_are_found(journal: Journal, lake: Lake) -> None:
    seal = journal.seal_file.read_text()
    for _ in range(2):
        journal.append(ANSWER)
    newest = journal.seal_file.read_text()
    journal.seal_file.write_text(seal)
    assert "it is an older seal" in check(lake, journal)[0]
    journal.seal_file.write_text(newest.replace('"last": 8', '"last": 7'))
    assert "was changed" in check(lake, journal)[0]
    journal.seal_file.unlink()
    assert "is missing" in check(lake, journal)[0]
    with pytest.raises(JournalError, match="is missing: restore it from the backup"):
        journal.append(ANSWER)


@pytest.mark.unit
def test_a_journal_that_is_removed_with_its_seal_is_missed(journal: Journal, lake: Lake) -> None:
    journal.file.unlink()
    assert check(lake, journal) == ["entries 1 to 6 are missing at the end"]
    shutil.rmtree(journal.seal_file.parent)
    assert "is missing" in check(lake, journal)[0]


@pytest.mark.unit
def test_a_kill_at_any_moment_leaves_a_journal_that_goes_on(journal: Journal, lake: Lake) -> None:
    seal = journal.seal_file.read_bytes()
    journal.append(ANSWER)
    # Killed before the seal was renewed, and, the next time, in the middle of a line.
    journal.seal_file.write_bytes(seal)
    assert check(lake, journal) == []
    with journal.file.open("ab") as stream:
        stream.write(b'{"sequence":8,"ti')
    assert check(lake, journal) == []
    assert journal.append(ANSWER).sequence == 8
    assert verify_journal(lake, journal) == Verified(8, 1, 8, [])


@pytest.mark.unit
@pytest.mark.parametrize("part", ["file", "seal_file", "key_file"])
def test_a_journal_that_cannot_be_written_is_one_sentence(tmp_path: Path, part: str) -> None:
    journal = Journal(tmp_path)
    getattr(journal, part).mkdir(parents=True)
    with pytest.raises(JournalError, match=r"^the .*journal.* (cannot be (read|written)|is missing): \S") as caught:
        journal.append(ANSWER)
    assert "\n" not in str(caught.value)


@pytest.mark.unit
def test_without_a_journal_there_is_nothing_to_find(tmp_path: Path, lake: Lake) -> None:
    journal = Journal(tmp_path / "secrets")
    assert verify_journal(lake, journal) == Verified(0, 0, 0, [])
    assert not (tmp_path / "secrets").exists()


@pytest.mark.unit
def test_an_entry_is_on_the_disk_before_its_seal_and_both_before_the_answer(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bytes]] = []

    def noting(flush: Callable[[int], None]) -> Callable[[int], None]:
        def flush_and_note(descriptor: int) -> None:
            flush(descriptor)
            file = Path(f"/proc/self/fd/{descriptor}").resolve()
            flushed.append((file.name, file.read_bytes()))

        return flush_and_note

    monkeypatch.setattr(os, "fsync", noting(os.fsync))
    monkeypatch.setattr(os, "fdatasync", noting(os.fdatasync))
    entry = journal.append(ANSWER)
    assert [name for name, _ in flushed] == [journal.file.name, journal.seal_file.name]
    (_, lines), (_, seal) = flushed
    assert lines.endswith(entry.line + b"\n")
    assert json.loads(seal)["last_hash"] == entry.hash and len(seal) == SECTOR_BYTES


@pytest.mark.unit
def test_a_seal_of_an_earlier_version_is_read_and_goes_on(journal: Journal, lake: Lake) -> None:
    journal.seal_file.write_text(journal.seal_file.read_text().strip())
    assert check(lake, journal) == []
    journal.append(ANSWER)
    assert check(lake, journal) == []
    assert journal.seal_file.stat().st_size == SECTOR_BYTES
    assert stat.S_IMODE(journal.seal_file.stat().st_mode) == 0o600


@pytest.mark.unit
def test_threads_of_one_process_write_one_chain(journal: Journal, lake: Lake) -> None:
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda _: journal.append(ANSWER), range(40)))
    assert {entry.sequence for entry in entries} == {*range(7, 47)}
    assert verify_journal(lake, journal) == Verified(46, 1, 46, [])


def append_many(secrets: Path, number: int) -> None:
    for _ in range(number):
        Journal(secrets).append(ANSWER)


@pytest.mark.integration
def test_several_processes_write_one_chain(tmp_path: Path, lake: Lake) -> None:
    started = [
        multiprocessing.get_context("fork").Process(target=append_many, args=(tmp_path / "secrets", 10))
        for _ in range(3)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0
    assert verify_journal(lake, Journal(tmp_path / "secrets")) == Verified(30, 1, 30, [])


# In the lake.


@pytest.mark.integration
def test_entries_that_were_moved_are_verified_with_those_of_the_file(journal: Journal, lake: Lake) -> None:
    assert "moved 6 entries" in (keep_journal(lake, journal, NOW) or "")
    assert journal.lines() == []
    journal.append(ANSWER)
    assert verify_journal(lake, journal) == Verified(7, 1, 7, [])
    # Killed between the commit and the end of the file: the next move leaves out what is there.
    moved = [entry.line for entry in archived(lake)]
    write(journal, [*moved, *journal.lines()])
    assert verify_journal(lake, journal) == Verified(7, 1, 7, [])
    assert "moved 1 entries" in (keep_journal(lake, journal, NOW) or "")
    whole = Head.of_text(journal.head() or "")
    assert verify_journal(lake, journal, whole).findings == []
    assert keep_journal(lake, journal, NOW) is None
    assert verify_journal(lake, journal) == Verified(7, 1, 7, [])


@pytest.mark.integration
@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("sequence = 3", f"entry 4 in {FOLDER} follows entry 2: entry 3 is missing"),
        ("sequence >= 5", "entry 7, line 1 of .* follows entry 4: entries 5 to 6 are missing"),
    ],
)
def test_what_is_deleted_in_the_lake_is_found(journal: Journal, lake: Lake, statement: str, finding: str) -> None:
    keep_journal(lake, journal, NOW)
    journal.append(ANSWER)
    DeltaTable(str(lake.root / FOLDER)).delete(statement)
    (found,) = check(lake, journal)
    assert re.match(finding, found), found


@pytest.mark.integration
def test_what_is_changed_in_the_lake_is_found_and_a_damaged_file_stays(journal: Journal, lake: Lake) -> None:
    keep_journal(lake, journal, NOW)
    place = str(lake.root / FOLDER)
    DeltaTable(place).update(updates={"principal": "'paul'"}, predicate="sequence = 2")
    found = check(lake, journal)
    assert found[0] == f"entry 2 in {FOLDER} was changed, or written without the key"
    journal.append(ANSWER)
    write(journal, [journal.lines()[0].replace(b"claire", b"paul")])
    with pytest.raises(JournalError, match="is damaged, and stays where it is: run `chu journal verify`"):
        keep_journal(lake, journal, NOW)
    assert len(journal.lines()) == 1


@pytest.mark.integration
def test_entries_of_thirteen_months_are_purged_behind_a_signed_cut(tmp_path: Path, lake: Lake) -> None:
    times = [datetime(2025, month, 28, tzinfo=UTC) for month in (8, 9, 10, 11, 12)]
    journal = Journal(tmp_path / "secrets", lambda: times.pop(0) if times else NOW)
    for _ in range(5):
        journal.append(ANSWER)
    # The entry of the purge is the sixth.
    assert "purged 3" in (keep_journal(lake, journal, NOW) or "")
    assert verify_journal(lake, journal) == Verified(3, 4, 6, [])
    assert [entry.sequence for entry in archived(lake)] == [4, 5]
    purge = Entry.of_line(journal.lines()[0])
    assert purge
    assert (purge.answer.decision, purge.answer.rows, purge.answer.filter) == (Decision.PURGED, 3, "sequence <= 3")
    # Nothing of the old rows is left in the folder of the table.
    kept = b"".join(file.read_bytes() for file in (lake.root / FOLDER).glob("*.parquet"))
    assert len(list((lake.root / FOLDER).glob("*.parquet"))) == 1 and kept
    # A cut that nobody signed is found.
    moved = journal.seal_file.read_text()
    journal.seal_file.write_text(moved.replace('"cut": 3', '"cut": 4'))
    assert "was changed" in check(lake, journal)[0]
    journal.seal_file.write_text(moved)
    keep_journal(lake, journal, NOW)
    assert verify_journal(lake, journal) == Verified(3, 4, 6, [])
