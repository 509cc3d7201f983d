"""The contents of a table as its commits record them: by partition, the identity of the rows and the hash of each file.

Every data commit records the contents of the whole table after it, under the key "contents" of its metadata. So the
last data commit is enough to recognise unchanged partitions, and to find files that were changed behind the log.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from chu_platform.storage.provenance import CONTENTS
from chu_platform.storage.row_identity import ALGORITHM
from chu_platform.storage.store import LakePath
from chu_platform.storage.store_path import StorePath

OLD_NAME: Final = re.compile(r"part-\d{5}-([0-9a-f]{40})[^/]*\.parquet")


@dataclass(frozen=True)
class PartitionContents:
    """Identity of the rows of a partition, and SHA-256 of each of its files, by path relative to the table's folder."""

    identity: str
    files: Mapping[str, str]

    @classmethod
    def of_files(cls, identity: str, root: LakePath, files: Sequence[str]) -> Self:
        """The contents of these files below `root`, which are read for their hashes."""
        return cls(identity, {name: sha256(root / name) for name in files})

    @property
    def comparable(self) -> bool:
        """Whether the identity was computed as new ones are."""
        return self.identity.partition(":")[0] == ALGORITHM

    def describes(self, files: Sequence[str]) -> bool:
        """Whether the identity is that of exactly these files, and can be compared with a new one."""
        return self.comparable and set(files) == set(self.files)


def recorded_contents(data_commit: Mapping[str, Any]) -> Mapping[str, PartitionContents]:
    """The contents that a data commit records, by partition folder; empty for a commit of an older version."""
    return {
        folder: PartitionContents(entry["identity"], entry["files"])
        for folder, entry in data_commit.get(CONTENTS, {}).items()
    }


def recorded_hashes(contents: Mapping[str, PartitionContents]) -> Mapping[str, str]:
    """SHA-256 of each file in the contents of a table, by path relative to the table's folder."""
    return {name: hash_ for partition in contents.values() for name, hash_ in partition.files.items()}


def as_metadata(contents: Mapping[str, PartitionContents]) -> Mapping[str, Any]:
    """The contents as an entry of commit metadata."""
    return {CONTENTS: {f: {"identity": c.identity, "files": dict(c.files)} for f, c in sorted(contents.items())}}


def hash_in_name(name: str) -> str | None:
    """Start of the SHA-256 of a file in its name, as versions before 0.3 wrote it; None for any other name."""
    match = OLD_NAME.fullmatch(name.rpartition("/")[2])
    return match[1] if match else None


def expected_hash(name: str, recorded: Mapping[str, str]) -> str | None:
    """SHA-256 of a file as recorded (see `recorded_hashes`), or its start from the name; None if neither says it."""
    return recorded.get(name) or hash_in_name(name)


def is_changed(file: LakePath, expected: str | None) -> bool:
    """Whether a file does not have the expected hash or start of a hash. False, without reading it, for None."""
    return expected is not None and not sha256(file).startswith(expected)


def sha256(file: LakePath) -> str:
    """SHA-256 of a file, in hexadecimal."""
    if isinstance(file, StorePath):
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        return digest.hexdigest()
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
