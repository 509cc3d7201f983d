"""The operations on a Delta table that make no rows, and how delta-rs does them in this process.

delta-rs always does table properties, checkpoints and the clean-up of the log: Spark has no SQL for the last two.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError

from chu_platform.errors import ChuError
from chu_platform.storage.provenance import with_metadata

if TYPE_CHECKING:
    pass

# Values of the partition columns, None for null; empty for a table without any.
Partition = Mapping[str, str | None]
ZSTD: Final = WriterProperties(compression="ZSTD")


class Operations(Protocol):
    """What is done to the table in a folder; each commit carries `metadata` as its user metadata."""

    def optimize(
        self, path: Path, partitions: Sequence[Partition], z_order: Sequence[str], target_size: int, metadata: str
    ) -> None:
        """Rewrite the files of the partitions, in Z-order of the columns if any, to files of about `target_size` bytes.

        Raises ChuError when the table was written meanwhile: the table is then as that writer left it.
        """

    def vacuum(self, path: Path, metadata: str) -> None:
        """Delete the files that no version within the retention of the table's properties names, orphans included."""

    def restore(self, path: Path, version: int, metadata: str) -> None:
        """Make the rows and columns of a version those of a new one."""


class DeltaRs:
    """By delta-rs, in this process."""

    def optimize(
        self, path: Path, partitions: Sequence[Partition], z_order: Sequence[str], target_size: int, metadata: str
    ) -> None:
        """As Operations says."""
        for conjunction in _conjunctions(partitions):
            optimizer = DeltaTable(path).optimize
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
                    f"{path.name} was written while it was optimised, and is as that writer left it: "
                    "run its maintenance again"
                ) from None

    def vacuum(self, path: Path, metadata: str) -> None:
        """As Operations says."""
        DeltaTable(path).vacuum(dry_run=False, full=True, commit_properties=with_metadata(metadata))

    def restore(self, path: Path, version: int, metadata: str) -> None:
        """As Operations says."""
        DeltaTable(path).restore(version, commit_properties=with_metadata(metadata))


DELTA_RS: Final[Operations] = DeltaRs()


def _conjunctions(partitions: Sequence[Partition]) -> Iterator[list[tuple[str, str, str | list[str]]]]:
    """Filters of delta-rs that together select exactly the partitions, as few as it can express: each is a commit.

    delta-rs takes the empty text for null, but not within a list.
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
