"""What an attack found: the keys of disclosed figures, never their values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Finding:
    """One disclosed figure: its table, the key of its row as (column, value) pairs, and what is disclosed."""

    table: str
    key: tuple[tuple[str, str], ...]
    what: str

    def __str__(self) -> str:
        return " ".join([self.table, *(f"{column}={value}" for column, value in self.key), f"({self.what})"])


@dataclass(frozen=True)
class Result:
    """The result of one attack: how many cells it tried, and those that are disclosed.

    `undecided` of the cells are neither disclosed nor proved to be safe.
    `left_out` says why the attack could not try something that it should have tried; empty if it tried everything.
    """

    number: int
    title: str
    tried: int
    found: Sequence[Finding] = ()
    left_out: Sequence[str] = field(default=())
    undecided: int = 0

    @classmethod
    def of(
        cls,
        number: int,
        title: str,
        tried: int,
        found: Iterable[Finding],
        left_out: Sequence[str] = (),
        undecided: int = 0,
    ) -> "Result":
        """The result with its findings sorted, each once."""
        return cls(number, title, tried, sorted(set(found)), left_out, undecided)

    @property
    def disclosed(self) -> int:
        """The number of disclosed cells."""
        return len(self.found)
