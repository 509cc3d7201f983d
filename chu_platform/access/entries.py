"""The entries of the access journal: one line of JSON each, chained by hashes and authenticated with a key.

An entry names its predecessor by the hash of its line, and carries an HMAC with the key of the journal. So an entry
that is changed, deleted or swapped breaks the chain, and a chain that somebody builds again lacks the right HMACs.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

# The predecessor of the first entry.
BEGINNING: Final = "0" * 64
SEAL: Final = "hmac"


class Decision(StrEnum):
    """What the gate has decided, or what maintenance has done to the journal itself."""

    ALLOWED = "allowed"
    DENIED = "denied"
    PURGED = "purged"


@dataclass(frozen=True)
class Answer:
    """What the gate answered, without any figure.

    `principal` is the name of the account. `table` is the folder of the table; `version` is its Delta version, None for
    a table that is not in the lake. `filter` is the SQL condition of the rows that were asked for, and `rows` their
    number in the answer. `profile` and `purpose` are empty in a denial for which no profile was found.
    """

    principal: str
    profile: str
    purpose: str
    table: str
    version: int | None
    filter: str
    rows: int
    decision: Decision


@dataclass(frozen=True)
class Entry:
    """An answer in the journal: `sequence` counts from 1; `previous` is the hash of the line before."""

    sequence: int
    time: datetime
    answer: Answer
    previous: str
    seal: str

    @classmethod
    def sealed(cls, key: bytes, sequence: int, time: datetime, answer: Answer, previous: str) -> "Entry":
        """The entry with its HMAC."""
        unsealed = cls(sequence, time.astimezone(UTC), answer, previous, "")
        return cls(sequence, unsealed.time, answer, previous, _hmac(key, unsealed._content))

    @classmethod
    def of_line(cls, line: bytes) -> "Entry | None":
        """The entry of a line; None if it is none."""
        try:
            found: Mapping[str, Any] = json.loads(line)
            entry = cls.of_row({**found, "time": datetime.fromisoformat(found["time"])})
        except (ValueError, KeyError, TypeError):
            return None
        return entry if entry.line == line else None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Entry":
        """The entry of a row of the table `governance/access`."""
        answer = Answer(
            row["principal"],
            row["profile"],
            row["purpose"],
            row["table"],
            row["version"],
            row["filter"],
            row["rows"],
            Decision(row["decision"]),
        )
        return cls(row["sequence"], row["time"], answer, row["previous"], row[SEAL])

    @property
    def row(self) -> Mapping[str, Any]:
        """The entry as a row of the table `governance/access`."""
        return {"sequence": self.sequence, "time": self.time, **self._answered, SEAL: self.seal}

    @property
    def line(self) -> bytes:
        """The line of the file, without its end."""
        return _text({**json.loads(self._content), SEAL: self.seal})

    @property
    def hash(self) -> str:
        """The hash by which the next entry names this one."""
        return hashlib.sha256(self.line).hexdigest()

    def is_authentic(self, key: bytes) -> bool:
        """Whether the entry was written with the key, and not changed since."""
        return hmac.compare_digest(self.seal, _hmac(key, self._content))

    @property
    def _answered(self) -> Mapping[str, Any]:
        a = self.answer
        return {
            "principal": a.principal,
            "profile": a.profile,
            "purpose": a.purpose,
            "table": a.table,
            "version": a.version,
            "filter": a.filter,
            "rows": a.rows,
            "decision": a.decision.value,
            "previous": self.previous,
        }

    @property
    def _content(self) -> bytes:
        return _text({"sequence": self.sequence, "time": self.time.astimezone(UTC).isoformat(), **self._answered})


def _text(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def _hmac(key: bytes, content: bytes) -> str:
    return hmac.digest(key, content, "sha256").hex()
