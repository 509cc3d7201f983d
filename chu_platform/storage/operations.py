"""OPTIMIZE, VACUUM and restore of a Delta table: the interface, and the implementation with delta-rs.

Table properties, checkpoints and the clean-up of the log always use delta-rs: Spark has no SQL for the last two.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from deltalake import WriterProperties
from deltalake.exceptions import CommitFailedError

from chu_platform.errors import ChuError
from chu_platform.storage.provenance import with_metadata
from chu_platform.storage.store import LakePath, delta_table

# Values of the partition columns by name, None for null; empty for a table without partition columns.
PartitionValues = Mapping[str, str | None]
ZSTD: Final = WriterProperties(compression="ZSTD")


class Operations(Protocol):
    """Operations on the Delta table in the folder `path`. Each commit has `metadata` as its user metadata."""

    def optimize(
        self,
        path: LakePath,
        partitions: Sequence[PartitionValues],
        z_order: Sequence[str],
        target_size: int,
        metadata: str,
    ) -> None:
        """Rewrite the files of the partitions as files of about `target_size` bytes, in Z-order of the given columns.

        Raises ChuError if another tool wrote the table at the same time; the commit of that tool stays.
        """

    def vacuum(self, path: LakePath, metadata: str) -> None:
        """Delete files that no version within the table's retention names, also files that no commit ever named."""

    def restore(self, path: LakePath, version: int, metadata: str) -> None:
        """Commit the rows and columns of a version as a new version."""


class DeltaRs:
    """The operations with delta-rs, in this process."""

    def optimize(
        self,
        path: LakePath,
        partitions: Sequence[PartitionValues],
        z_order: Sequence[str],
        target_size: int,
        metadata: str,
    ) -> None:
        """See `Operations`."""
        for conjunction in _conjunctions(partitions):
            optimizer = delta_table(path).optimize
            common: dict[str, Any] = {
                "partition_filters": conjunction or None,
                "target_size": target_size,
                "writer_properties": ZSTD,
                "commit_properties": with_metadata(metadata),
            }
            try:
                if z_order:
                    optimizer.z_order(z_order, **common)
                else:
                    optimizer.compact(**common)
            except CommitFailedError:
                raise ChuError(
                    f"another tool wrote {path.name} while it was optimised; its commit stays: run maintenance again"
                ) from None

    def vacuum(self, path: LakePath, metadata: str) -> None:
        """See `Operations`."""
        delta_table(path).vacuum(dry_run=False, full=True, commit_properties=with_metadata(metadata))

    def restore(self, path: LakePath, version: int, metadata: str) -> None:
        """See `Operations`."""
        delta_table(path).restore(version, commit_properties=with_metadata(metadata))


DELTA_RS: Final[Operations] = DeltaRs()


def _conjunctions(partitions: Sequence[PartitionValues]) -> Iterator[list[tuple[str, str, str | list[str]]]]:
    """Partition filters of delta-rs that together select exactly the partitions.

    As few filters as possible, because each one is a commit. In a filter, delta-rs reads an empty text as null, but not
    within a list.
    """
    listed: dict[tuple[tuple[tuple[str, str | None], ...], str], list[str]] = {}
    for partition in partitions:
        items = list(partition.items())
        last, value = items[-1] if items else ("", None)
        if value is None:
            yield [(column, "=", text or "") for column, text in items]
        else:
            listed.setdefault((tuple(items[:-1]), last), []).append(value)
    for (leading, last), values in listed.items():
        yield [*((column, "=", text or "") for column, text in leading), (last, "in", values)]
