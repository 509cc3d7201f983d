"""`chu journal verify`: whether the access journal is what was written, and where it is not."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.access.archive import FOLDER, archived
from chu_platform.access.entries import BEGINNING, Entry
from chu_platform.access.journal import Journal
from chu_platform.access.seal import JournalError, Seal, read_key, read_seal
from chu_platform.errors import ChuError, reason_of
from chu_platform.storage.lake import Lake

MAX_LISTED: Final = 20


@dataclass(frozen=True)
class Head:
    """Number and hash of an entry that was the last one once, as `Journal.head` tells them, and as was kept elsewhere.

    Whoever restores journal, seal and lake from one old backup sets them back together: only what lies elsewhere tells.
    """

    sequence: int
    hash: str

    @classmethod
    def of_text(cls, text: str) -> "Head":
        """The head in a text NUMBER:HASH. Raises ChuError if it is none."""
        found = re.fullmatch(r"(\d+):([0-9a-f]{64})", text.strip())
        if not found:
            raise ChuError("a head of the journal is NUMBER:HASH, as `chu journal head` prints it")
        return cls(int(found[1]), found[2])


@dataclass(frozen=True)
class Verified:
    """The number of entries, the sequence of the first and of the last one (0 without entries), and what is wrong."""

    entries: int
    first: int
    last: int
    findings: Sequence[str]


def verify_journal(lake: Lake, journal: Journal, kept: Head | None = None) -> Verified:
    """Check every entry in the lake and in the file, their chain, and that it begins and ends where the seal says.

    With a head that was `kept` elsewhere, also that the journal still has this entry. Raises ChuError if the journal
    cannot be read.
    """
    if read_key(journal.key_file) is None and not journal.file.exists() and not journal.seal_file.exists():
        if archived(lake) or kept:
            raise JournalError(f"the journal, its key and its seal are missing, but there were entries ({FOLDER})")
        return Verified(0, 0, 0, [])
    with journal.changing() as key:
        findings: list[str] = []
        seal = _seal(journal, key, findings)
        try:
            placed = list(_placed(lake, journal, findings))
        except OSError as error:
            raise JournalError(f"the access journal cannot be read: {reason_of(error)}") from None
    found = [(place, entry) for place, entry in placed if seal is None or entry.sequence > seal.cut]
    findings += _broken(found, key, seal)
    if kept:
        findings += _set_back(found, seal, kept)
    numbers = [entry.sequence for _, entry in found]
    listed = findings[:MAX_LISTED]
    if len(findings) > MAX_LISTED:
        listed.append(f"{len(findings) - MAX_LISTED} more findings")
    return Verified(len(found), min(numbers, default=0), max(numbers, default=0), listed)


def _seal(journal: Journal, key: bytes, findings: list[str]) -> Seal | None:
    """The seal; None, with a finding, if it is missing or was changed."""
    try:
        seal = read_seal(journal.seal_file, key)
    except JournalError as error:
        findings.append(str(error))
        return None
    if seal is None:
        findings.append(f"the seal {journal.seal_file} is missing: an end that was cut off cannot be seen")
    return seal


def _placed(lake: Lake, journal: Journal, findings: list[str]) -> Iterator[tuple[str, Entry]]:
    """The entries with their places: those in the lake, then those of the file that were not moved before."""
    try:
        there = archived(lake)
    except (ChuError, ValueError) as error:
        findings.append(f"{FOLDER} cannot be read ({type(error).__name__}): restore it from the backup")
        there = []
    hashes = {entry.hash for entry in there}
    yield from ((f"entry {entry.sequence} in {FOLDER}", entry) for entry in there)
    for number, line in enumerate(journal.lines(), 1):
        place = f"line {number} of {journal.file}"
        entry = Entry.of_line(line)
        if entry is None:
            findings.append(f"{place} is not an entry")
        elif entry.hash not in hashes:
            yield f"entry {entry.sequence}, {place}", entry


def _broken(found: Sequence[tuple[str, Entry]], key: bytes, seal: Seal | None) -> Iterator[str]:
    """One sentence for each entry that is not authentic or does not follow the one before, and for a wrong end."""
    last, last_hash = (seal.cut, seal.cut_hash) if seal else (0, BEGINNING)
    for place, entry in found:
        if not entry.is_authentic(key):
            yield f"{place} was changed, or written without the key"
        elif entry.sequence != last + 1:
            yield f"{place} follows entry {last}: {_gap(last, entry.sequence)}"
        elif entry.previous != last_hash:
            yield f"{place} does not follow the entry before it, which is another one"
        last, last_hash = entry.sequence, entry.hash
    if seal and seal.last > last:
        yield f"entries {last + 1} to {seal.last} are missing at the end"
    elif seal and seal.last == last and last_hash != seal.last_hash:
        yield f"the last entry, {last}, is not the one that the seal names"
    elif seal and last > seal.last + 1:
        # One more is an entry whose process was killed before it could renew the seal.
        yield f"the seal names entry {seal.last} as the last one, but the journal reaches {last}: it is an older seal"


def _set_back(found: Sequence[tuple[str, Entry]], seal: Seal | None, kept: Head) -> Iterator[str]:
    """A sentence if an entry whose head was kept elsewhere is another one now, or not there."""
    hashes = {entry.sequence: entry.hash for _, entry in found}
    if seal:
        hashes[seal.cut] = seal.cut_hash
        if kept.sequence < seal.cut:
            return  # purged since
    if kept.sequence not in hashes:
        yield f"entry {kept.sequence}, whose hash was kept elsewhere, is missing: journal and seal were set back"
    elif hashes[kept.sequence] != kept.hash:
        yield f"entry {kept.sequence} is not the one whose hash was kept elsewhere: the journal was written anew"


def _gap(last: int, next_one: int) -> str:
    if next_one <= last:
        return "the order was changed, or an entry is there twice"
    return (
        f"entry {last + 1} is missing" if next_one == last + 2 else f"entries {last + 1} to {next_one - 1} are missing"
    )
