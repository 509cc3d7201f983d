"""The primary rules: which cells are unsafe by themselves.

A cell is a row of a released table. Each indicator declares its rules (`Release.rules`). The limits are those of ATIH
(no count from 1 to 10) and of INSEE and CASD (at least 3 contributors, none above 85 %).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Final

from chu_platform.sdc.suppression_rules import SMALL_CELL

# A figure rests on at least this number of professionals, and no one of them makes more than this share of its events.
FEWEST_CONTRIBUTORS: Final = 3
LARGEST_SHARE: Final = 0.85
# Shares of events have twelve decimals, so the shares of ten events may add up to slightly more than 10.
ROUNDING: Final = 1e-6
# The columns that identify a cell of one indicator.
CELL: Final = ("period_grain", "period_start", "level", "code")
# The professionals behind a cell: their number, the largest share of one, and the events of the smallest part of them
# whose events follow from the published figures of the cell.
CONTRIBUTORS: Final = ("professionals", "largest_share", "computable_events")
# The level of cells that are not released, but can be computed from released cells.
HIDDEN: Final = "hidden"


class Reason(StrEnum):
    """Why the figures of a cell are masked: a primary rule, or the protection of other cells (`secondary`)."""

    SIZE = "size"
    CONTRIBUTORS = "contributors"
    UNANIMITY = "unanimity"
    COMPLEMENT = "complement"
    SECONDARY = "secondary"


@dataclass(frozen=True)
class Quantiles:
    """Quantiles over contributors. Each is published only if enough contributors are on each side of it.

    Attributes:
        over: The column with the number of contributors.
        shares: The share of the contributors below each quantile, by the column of the quantile.
    """

    over: str
    shares: Mapping[str, float]

    def fewest(self, column: str) -> int:
        """The least number of contributors with which a quantile is published."""
        outer = min(self.shares[column], 1 - self.shares[column])
        return ceil(round(FEWEST_CONTRIBUTORS / outer, 6))

    def shown(self, rows: str) -> str:
        """DuckDB SQL of the `rows` (a query), in which the quantiles that must not be published are null."""
        tested = (f"CASE WHEN {self.over} >= {self.fewest(c)} THEN {c} END AS {c}" for c in self.shares)
        return f"SELECT * REPLACE ({', '.join(tested)}) FROM ({rows})"


@dataclass(frozen=True)
class PrimaryRules:
    """The primary rules of an indicator, by the columns that they test.

    Attributes:
        counts: Counts of persons or events, whole or fractional: from 1 to 10 is unsafe (`size`).
        parts: Pairs of numbers of persons, the part and the whole: if the part is the whole, something is known of
            everybody (`unanimity`); if 1 to 10 persons are not in the part, of them (`complement`).
        repeats: Pairs of persons and whole events: with one event more than persons, one person had two
            (`complement`).
        repeats_where: SQL: the rows in which the persons are those of the events.
        contributors: Whether professionals contribute the events. The rows then have the columns of CONTRIBUTORS: fewer
            than 3, one with more than 85 % of the events, or 10 events or fewer in a part that can be computed, is
            unsafe (`contributors`), and so is a row for which they are not known.
        flags: Columns that are true in unsafe rows, by the reason: what an indicator tests itself.
        quantiles: The quantiles over contributors; these are masked alone, not with their row.
    """

    counts: Sequence[str]
    parts: Sequence[tuple[str, str]] = ()
    repeats: Sequence[tuple[str, str]] = ()
    repeats_where: str = "true"
    contributors: bool = False
    flags: Mapping[Reason, str] = field(default_factory=dict)
    quantiles: Quantiles | None = None

    @property
    def columns(self) -> Sequence[str]:
        """The tested columns, without those of the contributors."""
        pairs = (column for pair in (*self.parts, *self.repeats) for column in pair)
        return list(dict.fromkeys([*self.counts, *pairs]))

    def tested(self, rows: str, indicator: str) -> str:
        """DuckDB SQL of the `rows` (a table, or a query in brackets) with every column that the rules test.

        For contributors, the rows have the columns of `CELL`, and the SQL reads the table `contributors`.
        """
        if not self.contributors:
            return rows
        return f"""(
            FROM {rows} LEFT JOIN (
                SELECT {", ".join(f"contributors.{c}" for c in (*CELL, *CONTRIBUTORS))}
                FROM contributors WHERE contributors.indicator = '{indicator}'
            ) USING ({", ".join(CELL)})
        )"""

    @property
    def reason(self) -> str:
        """SQL: the first rule that makes a row unsafe (`Reason`), or NULL."""
        conditions = {
            Reason.SIZE: [f"({c} > 0 AND {c} <= {SMALL_CELL + ROUNDING})" for c in self.counts],
            Reason.CONTRIBUTORS: [
                f"coalesce(professionals, 0) < {FEWEST_CONTRIBUTORS}",
                f"coalesce(largest_share, 1) > {LARGEST_SHARE}",
                f"coalesce(computable_events, 0) <= {SMALL_CELL}",
            ]
            * self.contributors,
            Reason.UNANIMITY: [f"({part} > 0 AND {part} = {whole})" for part, whole in self.parts],
            Reason.COMPLEMENT: [
                *(f"({whole} - {part} BETWEEN 1 AND {SMALL_CELL})" for part, whole in self.parts),
                *(f"({events} - {persons} = 1 AND {self.repeats_where})" for persons, events in self.repeats),
            ],
        }
        for why, flag in self.flags.items():
            conditions[why] = [*conditions[why], flag]
        cases = " ".join(f"WHEN {' OR '.join(any_of)} THEN '{why}'" for why, any_of in conditions.items() if any_of)
        return f"(CASE {cases} END)"
