"""Which months of a monthly figure are a signal, and whether the last one is unusual."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from chu_platform import french
from chu_platform.portal.addresses import CONTROLS, MEASURE, question_address
from chu_platform.portal.cells import WHOLE_LEVELS, Cell, Row, X, as_cell, history, label_of, periods_at
from chu_platform.portal.charts.control import control_chart
from chu_platform.portal.charts.grammar import Chart
from chu_platform.portal.control_limits import (
    MAX_SHARE_WITHOUT,
    MIN_MONTHS,
    Limits,
    Rule,
    Signal,
    Values,
    limits_of,
    signals_of,
)
from chu_platform.portal.questions import Measure, Question
from chu_platform.portal.readable_periods import Period
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.sentences import figure
from chu_platform.portal.views import unit_and_title
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.spark_sql import ALL, UNKNOWN

MONTHS_OF_PREDICTION: Final = "deces-mois"
FOLLOWS_SIZE: Final = (
    "Ce taux suit d’abord la taille du lieu, et la base n’est pas la sienne : une carte de contrôle y montrerait la part du lieu "
    "dans l’échantillon, et non son activité. Elle existe pour l’ensemble de la base."
)
# With more signals, one mean does not describe a series.
MAX_SHARE_OF_SIGNALS: Final = 1 / 3
# A month has 28 to 31 days.
COUNTS_DAYS: Final = "base_patients"


@dataclass(frozen=True)
class Control:
    """The whole months of an X for a measure, with limits and signals; or `why` there are none."""

    question: Question
    measure: Measure
    x: X
    label: str
    cells: Sequence[Cell | None]
    months: Sequence[Period]
    limits: Limits | None
    signals: Sequence[Signal]
    why: str = ""

    @property
    def values(self) -> Values:
        """The figures by month."""
        return [c.value if c else None for c in self.cells]

    @property
    def address(self) -> str:
        """Its page."""
        return control_address(self.question, self.x, self.measure)

    @property
    def exists(self) -> bool:
        """Whether anything is published of the X, by month or not."""
        return bool(self.label)

    @property
    def last(self) -> Cell | None:
        """The last month."""
        return self.cells[-1] if self.cells else None

    def of_month(self, month: int) -> Sequence[Signal]:
        """The signals that a month is part of."""
        return [s for s in self.signals if month in s.months]


def control_address(question: Question, x: X, measure: Measure) -> str:
    """The page of the control chart of an X and a measure."""
    asked = {p.name: p.separator.join(x[c] for c in p.columns) for p in question.parameters}
    asked[MEASURE] = measure.key
    return f"{CONTROLS}{question.slug}?{urlencode(asked)}"


def measures_of(question: Question, x: X | None = None) -> Sequence[Measure]:
    """The measures of a question, or of an X of it, that may have a control chart.

    Left out: what has a prediction of its own, sums, what drifts, and shares of the base, which depend on how many days a
    month has.
    """
    there = {m.key for m in question.measures_at(x.get("level") if x else None)}
    return [
        m
        for m in question.measures
        if m.key in there
        and not m.drifts
        and not m.predicted
        and not m.is_count
        and not m.usual
        and not (m.denominator and m.denominator.column == COUNTS_DAYS)
    ]


def has_controls(question: Question, x: X | None = None) -> bool:
    """Whether a question, or an X of it, may have control charts: it has rates by month that are no matter of size."""
    is_by_month = not question.yearly and not question.table.public_source and bool(measures_of(question, x))
    return is_by_month and (not question.follows_size or x is None or x.get("level") in WHOLE_LEVELS)


def control_of(snapshot: Snapshot, question: Question, x: X, measure: Measure, rows: Sequence[Row] = ()) -> Control:
    """The control chart of an X for a measure; `rows` are its rows, where they are read already."""
    months = periods_at(snapshot, question, "month")
    own = rows or history(snapshot, question, x)
    label = label_of(question, own[0]) if own else ""
    found = {r["period_start"]: as_cell(question, measure, r) for r in own if r["period_grain"] == "month"}
    partial = {start for start, cell in found.items() if cell.partial}
    months = [p for p in months if p.start not in partial]
    cells = [found.get(p.start) for p in months]
    if not has_controls(question, x):
        return Control(question, measure, x, label, cells, months, None, [], FOLLOWS_SIZE)
    values = [c.value if c else None for c in cells]
    limits = limits_of(values)
    if limits is None:
        return Control(question, measure, x, label, cells, months, None, [], _why_not(cells))
    return Control(question, measure, x, label, cells, months, limits, signals_of(values, limits))


def _why_not(cells: Sequence[Cell | None]) -> str:
    shown = sum(bool(c and c.shown) for c in cells)
    if shown < MIN_MONTHS:
        return (
            f"{french.counted(shown, 'mois entier a', 'mois entiers ont')} un chiffre visible ; il en faut au moins {MIN_MONTHS} "
            "pour des limites."
        )
    return (
        f"Plus de {french.percent(MAX_SHARE_WITHOUT, 0)} des mois sont masqués ou sans chiffre. Ce sont le plus souvent les plus "
        "bas : sans eux, les limites seraient trop hautes."
    )


def drawn(control: Control) -> Chart | None:
    """The chart; None without limits."""
    if control.limits is None:
        return None
    unit, title = unit_and_title(control.measure)
    return control_chart(
        f"{title}, par mois",
        unit,
        control.measure.decimals,
        [p.label for p in control.months],
        [str(p.start.year) if p.start.month == 1 else "" for p in control.months],
        control.values,
        [n for n, c in enumerate(control.cells) if c and c.masked],
        control.limits,
        control.signals,
    )


@dataclass(frozen=True)
class Verdict:
    """Whether the last month is unusual: its figure with a short answer, and why. `unusual` is None without an answer."""

    answer: str
    why: str
    unusual: bool | None


def verdict(control: Control) -> Verdict:
    """Whether the last month is unusual."""
    if not control.months:
        return Verdict("Aucun mois entier n’est publié", "", None)
    when = control.months[-1].when
    last = control.last
    if last is None or last.value is None:
        state = "le chiffre est masqué" if last and last.masked else "il n’y a pas de chiffre"
        return Verdict(f"{when}, {state}", control.why, None)
    said = f"{when}, {figure(control.measure, last.value)}"
    if control.limits is None:
        return Verdict(f"{said} : rien ne dit si c’est inhabituel", control.why, None)
    limits = french.interval(control.limits.low, control.limits.high, "", control.measure.decimals)
    found = control.of_month(len(control.cells) - 1)
    if not found:
        why = f"Entre les limites ({limits}), sans suite de mois du même côté."
        return Verdict(f"{said} : ce n’est pas inhabituel", why, False)
    reasons = french.capital(" ; ".join(_reason(s, control) for s in found))
    return Verdict(f"{said} : c’est inhabituel", f"{reasons} (limites : {limits}).", True)


def unstable(control: Control) -> str:
    """That the figure has no single level, where so many months are signals; else nothing."""
    marked = {m for s in control.signals for m in s.months}
    if len(marked) <= MAX_SHARE_OF_SIGNALS * len(control.months):
        return ""
    return (
        f"{french.counted(len(marked), 'mois', 'mois')} sur {len(control.months)} font partie d’un signal : le niveau a changé plus d’une fois, "
        "et une moyenne d’ensemble le décrit mal. Cherchez d’abord ce qui a changé, puis jugez le dernier mois."
    )


def _reason(signal: Signal, control: Control) -> str:
    side = "au-dessus" if signal.above else "au-dessous"
    if signal.rule is Rule.BEYOND:
        return f"{side} des limites"
    if signal.rule is Rule.RUN:
        begun = french.small(control.months[signal.months[0]].label)
        return f"{len(signal.months)} mois de suite {side} de la moyenne, depuis {begun}"
    return f"deux mois sur trois près de la limite {'haute' if signal.above else 'basse'}, ou au-delà"


def told(signal: Signal, control: Control) -> tuple[str, str, str]:
    """A signal as a line of a table: months, rule, side."""
    months = [control.months[m] for m in signal.months]
    when = months[0].label if len(months) == 1 else f"{months[0].label} à {months[-1].label}"
    if signal.rule is Rule.NEAR:
        when = french.listed([m.label for m in months])
    return when, str(signal.rule), "au-dessus" if signal.above else "au-dessous"


@dataclass(frozen=True)
class LastMonth:
    """A monthly figure on the page of the last month: what it is of, the month, its verdict, its address."""

    group: str
    label: str
    verdict: Verdict
    address: str


def last_months(snapshot: Snapshot) -> Sequence[LastMonth]:
    """Whether the last month is unusual, for each monthly figure that can tell."""
    return snapshot.once("last months", lambda: [*_controls(snapshot), *_deaths(snapshot)])


def _controls(snapshot: Snapshot) -> Sequence[LastMonth]:
    found = []
    for question in snapshot.questions:
        if not has_controls(question) or question.table.name in snapshot.unreadable:
            continue
        for x, rows in _by_x(snapshot, question):
            for measure in measures_of(question, x):
                control = control_of(snapshot, question, x, measure, rows)
                name = control.label if question.parameters else "Ensemble des patients"
                label = f"{name} : {french.small(measure.label)}"
                said = verdict(control)
                if unstable(control):
                    said = replace(
                        said, why=f"{said.why} Le niveau a changé plus d’une fois : voir la carte de contrôle."
                    )
                found.append(LastMonth(question.short, label, said, control.address))
    return found


def _by_x(snapshot: Snapshot, question: Question) -> Sequence[tuple[X, Sequence[Row]]]:
    """The X that have months and no matter of size, with their rows by month."""
    columns = list(question.columns)
    where = f"AND level IN {WHOLE_LEVELS}" if question.follows_size else ""
    where += f" AND code <> '{UNKNOWN}'" if "code" in columns else ""
    rows = snapshot.rows(
        f"SELECT * FROM {sql_name(question.table.name)} WHERE period_grain = 'month' {where} ORDER BY period_start"
    )
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(str(row[c]) for c in columns), []).append(row)
    return [(dict(zip(columns, x, strict=True)), found[x]) for x in sorted(found)]


def _deaths(snapshot: Snapshot) -> Sequence[LastMonth]:
    """Deaths have a prediction for each month: that of the last month that has one."""
    question = snapshot.question(MONTHS_OF_PREDICTION)
    if question is None or question.table.name in snapshot.unreadable:
        return []
    measure = question.measures[0]
    rows = snapshot.rows(
        f"SELECT * FROM {sql_name(question.table.name)} WHERE sex = '{ALL}' AND expected IS NOT NULL "
        f"QUALIFY period_start = max(period_start) OVER () ORDER BY region_code <> '{ALL}', strip_accents(region_label)"
    )
    found = []
    for row in rows:
        cell = as_cell(question, measure, row)
        assert cell.low is not None and cell.high is not None and cell.value is not None
        unusual = cell.low > 0 or cell.high < 0
        answer = "c’est inhabituel" if unusual else "ce n’est pas inhabituel"
        limits = french.interval(cell.low, cell.high, "", 0)
        why = f"Intervalle de prévision à 95 % de l’excédent : {limits}{', sans 0' if unusual else ', qui contient 0'}."
        said = Verdict(f"{cell.period.when}, excédent de {figure(measure, cell.value)} : {answer}", why, unusual)
        address = question_address(
            question, {"region": cell.x["region_code"], "sexe": ALL, "periode": cell.period.written}
        )
        found.append(LastMonth(question.short, cell.label, said, address))
    return found
