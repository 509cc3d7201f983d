"""Known episodes of excess mortality: the excess of a place in them, and what is published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.addresses import PERIOD, Addresses
from chu_platform.portal.cells import relation, x_condition
from chu_platform.portal.choices import Choice
from chu_platform.portal.readable_periods import Period
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.sentences import NO_FIGURE


@dataclass(frozen=True)
class Episode:
    """An episode: its months, the excess of X in them (None where it is not known), and its published figure.

    `address` is the view of its month with the highest excess, or of its first one; `is_chosen`: the view shows one of
    its months.
    """

    label: str
    first: Period
    last: Period
    excess: float | None
    published: str
    source: str
    address: str
    is_chosen: bool

    @property
    def choice(self) -> tuple[str, str, bool]:
        """As an entry of a list of choices."""
        return self.address, self.label, self.is_chosen

    @property
    def months(self) -> str:
        """As "août 2003", "janvier 2015 à mars 2015"."""
        return self.first.label if self.first == self.last else f"{self.first.label} à {self.last.label}"


def episodes_of(snapshot: Snapshot, choice: Choice) -> Sequence[Episode]:
    """The episodes of a question whose table names them, for its X, as far as the table covers them."""
    question = choice.question
    if all(c.name != "episode" for c in question.table.columns):
        return []
    rows = snapshot.rows(
        f"""
        SELECT e.label, e.first_month, e.last_month, e.published_deaths, e.counted, e.source,
            sum(excess) FILTER (known) AS excess, max_by(period_start, coalesce(excess, 0)) AS worst
        FROM published_mortality_episode e
            JOIN (SELECT period_start, excess, bool_and(excess IS NOT NULL) OVER (PARTITION BY episode) AS known
                  FROM {relation(question)} WHERE {x_condition(question)} AND episode IS NOT NULL) m
                ON m.period_start BETWEEN e.first_month AND e.last_month
        GROUP BY ALL ORDER BY e.first_month
        """,
        dict(choice.x),
    )
    return [
        Episode(
            r["label"],
            _month(r["first_month"]),
            _month(r["last_month"]),
            r["excess"],
            f"{french.number(r['published_deaths'])} {r['counted']}",
            r["source"],
            choice.address(**{PERIOD: _month(r["worst"]).written}),
            r["first_month"] <= choice.period.start <= r["last_month"],
        )
        for r in rows
    ]


def episode_table(
    episodes: Sequence[Episode], addresses: Addresses
) -> tuple[list[tuple[str, bool]], list[list[str | Markup | None]]]:
    """The episodes as columns and rows of a table."""
    columns = [
        ("Épisode", False),
        ("Mois", False),
        ("Excédent ici (décès)", True),
        ("Publié", False),
        ("Source", False),
    ]
    rows: list[list[str | Markup | None]] = [
        [
            addresses.link(e.address, french.capital(e.label)),
            e.months,
            NO_FIGURE if e.excess is None else french.number(e.excess, 0),
            e.published,
            e.source,
        ]
        for e in episodes
    ]
    return columns, rows


def _month(start: date) -> Period:
    return Period("month", start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1))
