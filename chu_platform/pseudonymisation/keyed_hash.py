"""Pseudonyms and surrogates: keyed hashes of identifiers and of numbers, computed by the process of the key.

The key makes it possible to link a pseudonym to an identifier, so it never appears in a query, a log, a commit or the
Dagster UI, and only `key_process` reads it. Other processes know the identifier of a key, and its fingerprint.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

from chu_platform.errors import ChuError, reason_of
from chu_platform.pseudonymisation import key_process
from chu_platform.pseudonymisation.key_process import key_file, key_files, key_id
from chu_platform.tables.rows import ExternalSource

# Identifiers that are hashed at a time, so that their texts need little memory.
BATCH: Final = 100_000
# Source of a pseudonym in the lineage, in addition to the identifier.
SECRET_KEY: Final = ExternalSource("clé secrète, hors du lac")
# Name, size, time and number of each key file of a folder.
_Signature = tuple[tuple[str, int, int, int], ...]
_KNOWN: Final[dict[Path, tuple[_Signature, Mapping[Path, str | None]]]] = {}


@dataclass(frozen=True)
class PseudonymKey:
    """A key of pseudonyms, without the key: its file, and its fingerprint, which is the same for the same key."""

    file: Path
    fingerprint: str

    @property
    def identifier(self) -> str:
        """The identifier of the key, for commits and messages."""
        return key_id(self.fingerprint)

    def pseudonyms(self, kind: str, identifiers: Sequence[object]) -> list[str]:
        """Pseudonyms of identifiers of one kind (`patient`, ...). Raises ChuError if the key cannot be read any more."""
        starts = range(0, len(identifiers), BATCH)
        hashed = self._hashed(kind, (identifiers[start : start + BATCH] for start in starts))
        return [pseudonym for batch in hashed for pseudonym in batch]

    def surrogates(self, kind: str, numbers: pa.ChunkedArray) -> pa.ChunkedArray:
        """The surrogates of the numbers that a source gives to things of one kind (`stay`, ...)."""
        batches = (numbers.slice(start, BATCH).to_pylist() for start in range(0, len(numbers), BATCH))
        return pa.chunked_array([pa.array(b, pa.string()) for b in self._hashed(kind, batches)], pa.string())

    def _hashed(self, kind: str, batches: Iterable[Sequence[object]]) -> Iterator[list[str]]:
        request = {"do": "pseudonyms", "file": str(self.file), "kind": kind}
        with _process(self.file.parent) as process:
            for batch in batches:
                yield process.ask({**request, "identifiers": [str(identifier) for identifier in batch]})["pseudonyms"]


def known_keys(folder: Path) -> Mapping[Path, str | None]:
    """The fingerprint of each key file of a folder of secrets; None for a file that is none of a key.

    The files are read again only if they have changed. Raises ChuError if one cannot be read.
    """
    files = key_files(folder)
    states = [(file, file.stat()) for file in files]
    signature = tuple((str(file), s.st_size, s.st_mtime_ns, s.st_ino) for file, s in states)
    last = _KNOWN.get(folder)
    if last is None or last[0] != signature:
        found: Mapping[str, str | None] = {}
        if files:
            with _process(folder) as process:
                found = process.ask({"do": "fingerprints", "files": [str(f) for f in files]})["fingerprints"]
        last = _KNOWN[folder] = (signature, {Path(file): fingerprint for file, fingerprint in found.items()})
    return last[1]


def create_key(folder: Path) -> PseudonymKey:
    """Create a new key in a folder of secrets. Raises ChuError if it cannot be written."""
    with _process(folder) as process:
        fingerprint = process.ask({"do": "create"})["fingerprint"]
    return PseudonymKey(key_file(folder, fingerprint), fingerprint)


@dataclass(frozen=True)
class _Process:
    requests: IO[bytes]
    answers: IO[bytes]

    def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a request. Raises ChuError for one that the process could not fulfil."""
        self.requests.write(json.dumps(request).encode() + b"\n")
        self.requests.flush()
        line = self.answers.readline()
        if not line:
            raise ChuError("the process of the pseudonymisation key ended: run again")
        answer: Mapping[str, Any] = json.loads(line)
        if "errno" in answer:
            error = OSError(answer["errno"], os.strerror(answer["errno"]))
            raise ChuError(f"the pseudonymisation key {answer['file']} cannot be used: {reason_of(error)}")
        if "damaged" in answer:
            raise ChuError(f"{answer['damaged']} is no key file any more: restore it from its backup")
        return answer


@contextmanager
def _process(folder: Path) -> Iterator[_Process]:
    """The process of the key, until the end of the context. A signal of the terminal does not reach it."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(key_process.__file__)), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin and process.stdout
        yield _Process(process.stdin, process.stdout)
