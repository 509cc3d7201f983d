"""Portal page of an indicator, as part of its declaration: question, measures and parameters, in French."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal


@dataclass(frozen=True)
class Count:
    """A numerator or a denominator: its column, and the label of what it counts."""

    column: str
    label: str


@dataclass(frozen=True)
class Usual:
    """What a count would usually be: its column, those of its limits, its label, and the short name of the limits."""

    value: str
    low: str
    high: str
    label: str
    limits: str


# Units of a share, by the number that it is displayed for: the unit, its share of a rate per 1 000, and the decimals.
PER: Final = {100: ("%", 0.1, 1), 100_000: ("pour 100 000", 100.0, 0)}


@dataclass(frozen=True)
class Measure:
    """A figure of an indicator: columns of its value and its limits, its numerator and denominator.

    `interval` describes the limits, or gives the reason if there are none. `sentence` is displayed after "En 2019, ";
    its placeholders are {value} (with its unit), {whose} (the patients of the denominator) and {where} (place or
    diagnosis). `decimals` is the number of decimals displayed. `limits` is the short name of the interval, for legends.
    `also` are other counts that are displayed beside the figure. `reason_without_limits` is displayed for a single
    figure without limits, if other figures of the measure have them. `better` says which figures are favourable: the
    higher or the lower ones; None where the figure tells neither (a use of care, a crude rate, which follows the age of
    the population). The trend shows `usual` beside the figure. `over_time` is the key of the measure that the trend
    shows in place of this one. A figure is displayed as its column times `factor`. A figure that `drifts` has no usual
    level, by its definition: no month of it is unusual. `base` is the figure of France, to which an index is relative.
    Shares in % have no decimals where a denominator is below `whole_below`: there one of it is more than one percent,
    or the share is published as a whole percent (`displayed_for`).
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
    reason_without_limits: str = ""
    also: Sequence[Count] = field(default_factory=list)
    usual: Usual | None = None
    over_time: str | None = None
    better: Literal["higher", "lower"] | None = None
    factor: float = 1.0
    drifts: bool = False
    base: float | None = None
    whole_below: float = 100

    def displayed_for(self, denominators: Iterable[float | None]) -> "Measure":
        """The measure with as many decimals as figures of all these denominators have."""
        is_whole = self.unit == "%" and any(d is not None and d < self.whole_below for d in denominators)
        return replace(self, decimals=0) if is_whole else self

    def for_each(self, number: int) -> "Measure":
        """The measure, of a share in ‰ for each `number` instead of 1 000: 641 ‰ are better read as 64 %."""
        if self.unit != "‰" or number not in PER:
            return self
        unit, factor, decimals = PER[number]
        return replace(self, unit=unit, factor=factor, decimals=decimals)

    @property
    def counts(self) -> Sequence[Count]:
        """The counts that are displayed beside the figure: numerator, denominator and the others."""
        return [*(count for count in (self.numerator, self.denominator) if count), *self.also]

    @property
    def is_count(self) -> bool:
        """Whether it is a number of what its numerator counts: the figures of places then add up."""
        return self.numerator is not None and self.unit == self.numerator.label

    @property
    def ranked(self) -> bool:
        """Whether figures may be ranked: their limits are a confidence interval."""
        return self.low is not None and "confiance" in self.limits

    @property
    def predicted(self) -> bool:
        """Whether the limits of figures are those of what is usual: a prediction interval."""
        return self.low is not None and "prévision" in self.limits


@dataclass(frozen=True)
class LevelTexts:
    """French texts of a level of a hierarchy (region, chapter, ...): `where` is its part of a sentence.

    Shares are displayed for each `per`. `first` is the key of the measure that a page of the level opens with, if it is
    not the first one of the question. `plural` is what its rows are together, which are compared with each other. The
    rows of an `ordered` level are in the order of the numbers in their codes, and have no rank. There are too many rows
    of a `searched` level to be listed. `measures` are the keys of the measures that a row of the level has, if it does
    not have all. `notice` is what a reader must know before any conclusion, under the title `beware`.
    """

    label: str
    where: str = ""
    plural: str = ""
    ordered: bool = False
    searched: bool = False
    per: int = 1000
    first: str | None = None
    measures: Sequence[str] | None = None
    beware: str = ""
    notice: str = ""


@dataclass(frozen=True)
class Parameter:
    """One dimension of an indicator, as a parameter of the page's address and as options of `chu kpi`.

    The value of the parameter is the values of its columns, joined by `separator`. `value_labels` are the labels of the
    values, if there are few of them. `options` are the options of `chu kpi` for this dimension: for each one, a SQL
    condition on a row of the indicator, with $value. `exclusive` options cannot be combined. `overview` is the SQL
    condition that selects rows if no option is given.
    """

    name: str
    label: str
    columns: Sequence[str]
    default: str
    value_labels: Mapping[str, str] | None = None
    separator: str = ":"
    options: Mapping[str, str] = field(default_factory=dict)
    exclusive: bool = False
    overview: str = "true"


@dataclass(frozen=True)
class Course:
    """How a figure grows along an axis: the cells of one X and period that differ in the column `column`, as a curve.

    `at` is where each value of the column is on the axis, which `across` names. `title` is the heading, `each` that of
    the points in a table, `point` names one of them ({at}: its place), `note` says how to read the curve. `level` is
    the level whose cells have such a curve, if not all have. In `steps`, the figure is at least that of the point
    before. With an `end`, both axes end there, and the curve is compared with the line of equality, which leads there.
    """

    column: str
    at: Mapping[str, float]
    title: str
    each: str
    point: str
    across: str
    note: str
    level: str | None = None
    steps: bool = False
    end: float | None = None


@dataclass(frozen=True, kw_only=True)
class IndicatorQuestion:
    """The portal's page of an indicator: its address, the question, the parameters and the measures.

    `yearly` tables have a column `year` instead of periods. `search` is the name of the list that the reader can
    search. `definition` is a list of paragraphs; `caution` warns against wrong conclusions. `levels` are the texts for
    the values of the column `level`. `has_map`: its figures of regions compare; not so where they follow the size of
    the region. `follows_size`: the figure grows with the size of the place. `compared` names, in the plural, the
    figures that exist for comparable years only. `course`: how the figures grow with time, shown as a curve.
    `related` are the slugs of questions to read on with.
    """

    number: int
    slug: str
    title: str
    short: str
    parameters: Sequence[Parameter]
    measures: Sequence[Measure]
    definition: Sequence[str]
    caution: str
    levels: Mapping[str, LevelTexts] = field(default_factory=dict)
    yearly: bool = False
    search: str | None = None
    has_map: bool = False
    follows_size: bool = False
    compared: str = "taux"
    course: Course | None = None
    related: Sequence[str] = ()

    @property
    def columns(self) -> Sequence[str]:
        """The columns of all parameters."""
        return [column for parameter in self.parameters for column in parameter.columns]

    def measure(self, key: str | None) -> Measure | None:
        """The measure with this key; the first measure if `key` is None; None for an unknown key."""
        if key is None:
            return self.measures[0]
        return next((m for m in self.measures if m.key == key), None)

    def measures_at(self, level: str | None) -> Sequence[Measure]:
        """The measures as they are displayed at a level (None: no level), the one that a page opens with first."""
        texts = self.levels.get(level or "")
        if texts is None:
            return self.measures
        there = [m for m in self.measures if texts.measures is None or m.key in texts.measures]
        return sorted((m.for_each(texts.per) for m in there), key=lambda m: m.key != texts.first)
