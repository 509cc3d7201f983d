"""What the portal asks of an indicator: the question, its measures and the parameters of its page, in French."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Count:
    """A numerator or a denominator: its column, and what it counts."""

    column: str
    words: str


@dataclass(frozen=True)
class Measure:
    """A figure of an indicator: its column, its limits, its numerator and denominator.

    `interval` describes the limits; for a measure without limits, it says why there are none. `sentence` goes on after
    "En 2019, " and takes the {value} with its unit, {whose} patients it is a part of, and {where} for the place or the
    diagnosis. `decimals` is the number of decimals shown. `limits` names the interval in short, for legends; `bounds`
    are the smallest and the largest possible value, where pages cut an interval. `alone` says why a single figure has
    no limits where others have.
    """

    key: str
    label: str
    unit: str
    value: str
    low: str | None
    high: str | None
    interval: str
    numerator: Count | None
    denominator: Count | None
    sentence: str
    decimals: int = 1
    limits: str = "intervalle de confiance à 95 %"
    bounds: tuple[float, float] | None = None
    alone: str = ""

    @property
    def ranked(self) -> bool:
        """Whether the limits are a confidence interval, so that figures may be ranked."""
        return self.low is not None and "confiance" in self.limits


@dataclass(frozen=True)
class LevelWords:
    """A level of a hierarchy (region, chapter, ...): its label, and how a sentence goes on after what was done."""

    label: str
    where: str = ""


@dataclass(frozen=True)
class Parameter:
    """One dimension of an indicator, as a parameter of the page's address and as options of `chu kpi`.

    The value of the parameter is that of its columns, joined by `separator`. `words` are the labels of the values,
    where these are few. `options` are the options of `chu kpi` on this dimension: for each, an SQL condition on a row
    of the indicator, with $value. `exclusive` options are never combined. `overview` is an SQL condition: the rows
    shown when no option is given.
    """

    name: str
    label: str
    columns: Sequence[str]
    default: str
    words: Mapping[str, str] | None = None
    separator: str = ":"
    options: Mapping[str, str] = field(default_factory=dict)
    exclusive: bool = False
    overview: str = "true"


@dataclass(frozen=True, kw_only=True)
class IndicatorQuestion:
    """The portal's page of an indicator: its address, the question, the parameters and the measures.

    `yearly` tables have a column `year` instead of periods. `search` names the list that a reader searches in.
    `definition` is a list of paragraphs; `caution` says what must not be concluded. `levels` are the words for the
    values of the column `level`. `compared_by` is the key of the measure used for comparisons, if it is not the
    chosen one. `follows_size`: the figure of a place grows with the size of the place, so the map compares nothing.
    """

    number: int
    slug: str
    title: str
    short: str
    parameters: Sequence[Parameter]
    measures: Sequence[Measure]
    definition: Sequence[str]
    caution: str
    levels: Mapping[str, LevelWords] = field(default_factory=dict)
    yearly: bool = False
    search: str | None = None
    has_map: bool = False
    compared_by: str | None = None
    follows_size: bool = False

    @property
    def columns(self) -> Sequence[str]:
        """The columns of all parameters."""
        return [column for parameter in self.parameters for column in parameter.columns]

    def measure(self, key: str | None) -> Measure | None:
        """The measure with that key, the first one without a key, None for an unknown key."""
        if key is None:
            return self.measures[0]
        return next((m for m in self.measures if m.key == key), None)
