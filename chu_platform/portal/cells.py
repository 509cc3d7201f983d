"""The figures of a question: one cell, its periods, its trend, its peers, and the cells that give its context."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import Any, Final

from chu_platform import french
from chu_platform.portal.questions import Measure, Question
from chu_platform.portal.readable_periods import Period, coarser
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.spark_sql import ALL, ELSEWHERE, UNKNOWN, UNKNOWN_LABEL, WHOLE_PROFESSION

X = Mapping[str, str]
Row = Mapping[str, Any]

# Maximum numbers of peers that a page shows; the downloads have all.
MAX_PEERS: Final = 40
MAX_PERIODS: Final = 200
MIN_VALUES_FOR_QUANTILES: Final = 5
# Levels whose cell is not one of several places: it has no rank, and is compared with the regions.
WHOLE_LEVELS: Final = ("total", "unattached", "france")
# SQL condition of the rows of regions: what lies elsewhere, or nobody knows where, is none of them.
ARE_REGIONS: Final = f"region_code NOT IN ('{ALL}', '{ELSEWHERE}', '{UNKNOWN}')"
BAND_START: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class Cell:
    """One figure with its X, its period, its interval, numerator and denominator. A masked cell has no figures.

    `reason` says why a row has no rate, where its table does. `counts` are the values of the counts of its measure
    (`Measure.counts`). `numerator` and `denominator` are also None if the measure has none. `name` distinguishes the
    cell from its peers. A `pending` cell has the figures of an earlier edition, because a correction waits. `usual` is
    what the figure would usually be, with its limits, if it is known. `episode` is the known episode it belongs to.
    `comparable` is None where the table does not say whether the year is.
    """

    x: X
    label: str
    name: str
    period: Period
    partial: bool
    masked: bool
    pending: bool
    value: float | None
    low: float | None
    high: float | None
    numerator: float | None
    denominator: float | None
    counts: Sequence[float | None]
    reason: str | None = None
    usual: tuple[float, float, float] | None = None
    episode: str | None = None
    comparable: bool | None = None

    @property
    def shown(self) -> bool:
        """Whether the cell has a figure."""
        return self.value is not None


@dataclass(frozen=True)
class Offered:
    """A period for which a cell exists."""

    period: Period
    partial: bool
    masked: bool


def relation(question: Question) -> str:
    """Quoted name of the question's table."""
    return sql_name(question.table.name)


def label_of(question: Question, row: Mapping[str, Any]) -> str:
    """French label of the X of a row."""
    if "profession" in row:
        if row["speciality"] == WHOLE_PROFESSION:
            return f"{row['profession']} (ensemble)"
        unknown = row["speciality"] == UNKNOWN_LABEL
        return f"{row['profession']} (spécialité inconnue)" if unknown else str(row["speciality"])
    parts = [str(row["label"])] if "label" in row else []
    if "region_label" in row:
        # The name of a place keeps its capital; other names of what is beside it do not.
        parts.append(str(row["region_label"]))
    others = [
        p.value_labels[row[p.columns[0]]] for p in question.parameters if p.value_labels and row[p.columns[0]] != ALL
    ]
    if not parts:
        parts, others = others[:1], others[1:]
    return french.capital(", ".join([*parts, *map(french.small, others)]) or "Ensemble des patients")


def _name(question: Question, row: Mapping[str, Any]) -> str:
    if not question.parameters:
        period = french.period(row["period_grain"], row["period_start"], row["period_end"])
        return f"{period} (incomplète)" if row["is_partial"] else period
    if "region_label" in row:
        return french.capital(row["label"] if "level" in row else row["region_label"])
    if question.course:
        return french.capital(row["label"])
    return french.age_band(row["age_band"]) if "age_band" in row else label_of(question, row)


def as_cell(question: Question, measure: Measure, row: Row) -> Cell:
    """A row as a cell of a measure."""

    def figure(column: str | None) -> float | None:
        return None if column is None or row[column] is None else float(row[column])

    def scaled(column: str | None) -> float | None:
        value = figure(column)
        return None if value is None else value * measure.factor

    usual = None
    if measure.usual and row[measure.usual.value] is not None:
        usual = (row[measure.usual.value], row[measure.usual.low], row[measure.usual.high])
    return Cell(
        {c: row[c] for c in question.columns},
        label_of(question, row),
        _name(question, row),
        _period(row),
        row["is_partial"],
        row["is_masked"],
        # Tables outside editions do not have the column.
        bool(row.get("revision_pending")),
        scaled(measure.value),
        scaled(measure.low),
        scaled(measure.high),
        figure(measure.numerator.column if measure.numerator else None),
        figure(measure.denominator.column if measure.denominator else None),
        [figure(count.column) for count in measure.counts],
        row.get("reason"),
        usual,
        row.get("episode"),
        row.get("is_comparable"),
    )


def _period(row: Row) -> Period:
    return Period(row["period_grain"], row["period_start"], row["period_end"])


def x_condition(question: Question, number: str = "") -> str:
    """SQL condition that is true for the rows of an X. Its columns, and `number`, name the parameters of the query."""
    return " AND ".join(f"{sql_name(c)} = ${c}{number}" for c in question.columns) or "true"


def history(snapshot: Snapshot, question: Question, x: X) -> Sequence[Row]:
    """All rows of an X, for all period grains, in order of time."""
    rows = snapshot.rows(f"SELECT * FROM {relation(question)} WHERE {x_condition(question)}", dict(x))
    # To sort here takes microseconds; for so few rows, ORDER BY takes as long as all the rest of the query.
    return sorted(rows, key=itemgetter("period_start"))


def offered(rows: Sequence[Row]) -> list[Offered]:
    """The periods of a history, the latest first."""
    return [Offered(_period(row), row["is_partial"], row["is_masked"]) for row in reversed(rows)]


def chosen(periods: Sequence[Offered], written: str | None) -> tuple[Period | None, bool]:
    """The requested period, or the shortest longer one that contains it; and whether it is the requested one.

    Without a request (`written` is None): the last complete year that is not masked, else `all`, else the last complete
    period that is not masked, else the last one that is not masked, else the last period.
    """
    by_text = {o.period.written: o.period for o in periods}
    if written is None:
        whole = [o.period for o in periods if o.period.grain == "year" and not o.partial and not o.masked]
        seen = [o.period for o in periods if not o.masked]
        complete = [o.period for o in periods if not o.partial and not o.masked]
        fallbacks = [*whole, *(p for p in seen if p.grain == "all"), *complete, *seen, *by_text.values()]
        return (fallbacks[0] if fallbacks else None), True
    if written in by_text:
        return by_text[written], True
    longer = next((by_text[text] for text in coarser(written) if text in by_text), None)
    return (longer if longer and longer.holds_year(written) else None), False


def at(rows: Sequence[Row], period: Period) -> Row:
    """The row of a history for one of its periods."""
    return next(r for r in rows if r["period_grain"] == period.grain and r["period_start"] == period.start)


def periods_at(snapshot: Snapshot, question: Question, grain: str) -> list[Period]:
    """All periods of a grain for which the table has rows, in order of time."""

    def find() -> list[Period]:
        rows = snapshot.rows(
            # A row of the period `all` may have a former end.
            f"SELECT period_start, max(period_end) AS period_end FROM {relation(question)} "
            "WHERE period_grain = $grain GROUP BY period_start ORDER BY 1",
            {"grain": grain},
        )
        return [Period(grain, r["period_start"], r["period_end"]) for r in rows]

    return snapshot.once(("periods", question.slug, grain), find)


def over_time(question: Question, measure: Measure, rows: Sequence[Row], grain: str) -> list[Cell]:
    """The cells of a history at a grain. For `all`, which has only one cell, the cells of the years."""
    wanted = "year" if grain == "all" else grain
    return [as_cell(question, measure, row) for row in rows if row["period_grain"] == wanted]


@dataclass(frozen=True)
class Peers:
    """The cells that an X is compared with in the same period, including its own cell.

    Attributes:
        title: French title of the comparison.
        cells: The cells, the highest figure first. If there are more than `MAX_PEERS`, the highest ones with a figure,
            and the chosen one.
        added: Whether the chosen one is none of the highest ones, and was added to them.
        natural: Whether the cells have a natural order (age bands, years); then they have no rank.
        shown: The number of all peers with a figure.
        masked: The number of all peers that are masked.
        absent: The number of all peers that have no figure and are not masked.
        p20, median, p80: Quantiles of the figures; None if there are too few.
        rank: The best and the worst rank that the intervals allow.
        rows: The rows of the cells, with all measures.
    """

    title: str
    cells: Sequence[Cell]
    natural: bool
    shown: int
    masked: int
    absent: int
    p20: float | None
    median: float | None
    p80: float | None
    rank: tuple[int, int] | None
    rows: Sequence[Row] = field(repr=False)
    added: bool = False

    @property
    def complete(self) -> bool:
        """Whether `cells` contains all peers."""
        return len(self.cells) == self.shown + self.masked + self.absent


@dataclass(frozen=True)
class _PeerGroup:
    """The peers that all cells of a group have in common: see `Peers`. `rows` and `cells` are cut after `most` + 1."""

    rows: Sequence[Row]
    cells: Sequence[Cell]
    shown: int
    masked: int
    whole: int
    quantiles: Sequence[float] | None


def peers(snapshot: Snapshot, question: Question, measure: Measure, own: Cell) -> Peers:
    """The peers of a cell."""
    condition, parameters, title, natural = peer_condition(question, own)
    most = MAX_PERIODS if natural else MAX_PEERS
    key = (question.slug, measure.key, measure.unit, condition, *sorted(parameters.items()))

    def find_group() -> _PeerGroup:
        return _peer_group(snapshot, question, measure, (condition, parameters), natural)

    def find_limits() -> tuple[Any, Any]:
        return _sorted_limits(snapshot, question, measure, condition, parameters)

    group = snapshot.kept(("peers", *key), find_group)
    found = list(group.cells)
    belongs = own.x.get("level") not in WHOLE_LEVELS and own.x.get("region_code") != ALL and not _is_unknown(own.x)
    ranks = None
    if measure.ranked and own.low is not None and belongs and not natural:
        lows, highs = snapshot.kept(("limits", *key), find_limits)
        above = len(lows) - int(lows.searchsorted(own.high, "right"))
        ranks = (above + 1, group.shown - int(highs.searchsorted(own.low, "left")))
    added = False
    if len(found) > most:
        # There are too many peers to show: leave out those without a figure.
        found = [c for c in found[:most] if c.shown]
        added = belongs and not natural and all(c.x != own.x for c in found)
        if added:
            found.append(own)
    enough = group.quantiles is not None and group.shown >= MIN_VALUES_FOR_QUANTILES
    p20, median, p80 = group.quantiles if enough and group.quantiles else (None, None, None)
    return Peers(
        title,
        sorted(found, key=_natural) if natural else found,
        natural,
        group.shown,
        group.masked,
        group.whole - group.shown - group.masked,
        p20,
        median,
        p80,
        ranks,
        group.rows,
        added,
    )


def _is_unknown(x: X) -> bool:
    """Whether an X is what could not be placed: it is none of the places or kinds that are compared."""
    return (
        x.get("code") == UNKNOWN or x.get("speciality") == UNKNOWN_LABEL or x.get("region_code") in (ELSEWHERE, UNKNOWN)
    )


def _peer_group(
    snapshot: Snapshot,
    question: Question,
    measure: Measure,
    where: tuple[str, Mapping[str, object]],
    natural: bool,
) -> _PeerGroup:
    condition, parameters = where
    value = sql_name(measure.value)
    most = MAX_PERIODS if natural else MAX_PEERS
    order = "period_start" if natural else f"{value} DESC NULLS LAST, {', '.join(question.columns)}"
    rows = snapshot.rows(
        f"SELECT * FROM {relation(question)} WHERE {condition} ORDER BY {order} LIMIT {most + 1}", parameters
    )
    summary = snapshot.rows(
        f"SELECT count({value}) AS shown, count(*) FILTER (is_masked) AS masked, count(*) AS whole, "
        f"quantile_cont({value}, [0.2, 0.5, 0.8]) AS quantiles FROM {relation(question)} WHERE {condition}",
        parameters,
    )[0]
    quantiles = summary.pop("quantiles")
    scaled = None if quantiles is None or None in quantiles else [q * measure.factor for q in quantiles]
    return _PeerGroup(rows, [as_cell(question, measure, row) for row in rows], quantiles=scaled, **summary)


def _sorted_limits(
    snapshot: Snapshot, question: Question, measure: Measure, condition: str, parameters: Mapping[str, object]
) -> tuple[Any, Any]:
    """The lower and the upper limits of the peers, each sorted, as arrays."""
    limits = (sql_name(measure.low or measure.value), sql_name(measure.high or measure.value))
    lows, highs = (
        snapshot.table(
            f"SELECT CAST({limit} AS DOUBLE) * {measure.factor} AS found FROM {relation(question)} "
            f"WHERE {condition} AND {limit} IS NOT NULL ORDER BY 1",
            parameters,
        )["found"].to_numpy()
        for limit in limits
    )
    return lows, highs


def peer_condition(question: Question, own: Cell) -> tuple[str, dict[str, object], str, bool]:
    """SQL condition of the peers, its parameters, their French title, and whether they have a natural order."""
    x = own.x
    same_period = {"grain": own.period.grain, "start": own.period.start}
    if not question.parameters:
        return "period_grain = $grain", {"grain": "year"}, "Les années entre elles", True
    shared: dict[str, object]
    natural = False
    if "level" in x:
        condition, shared, title = _same_level(question, x)
        natural = question.levels[str(shared["level"])].ordered
    elif "profession" in x:
        shared = {"whole": WHOLE_PROFESSION}
        if x["speciality"] == WHOLE_PROFESSION:
            condition, title = "speciality = $whole", "Les professions"
        else:
            condition, title = (
                "profession = $profession AND speciality NOT IN ($whole, $unknown)",
                f"Les spécialités : {x['profession']}",
            )
            shared |= {"profession": x["profession"], "unknown": UNKNOWN_LABEL}
    elif "survey" in x:
        condition, shared = f"survey = $survey AND {ARE_REGIONS}", {"survey": x["survey"]}
        title = "Les régions"
    elif "region_code" in x:
        shared = {column: value for column, value in x.items() if column != "region_code"}
        condition = " AND ".join((ARE_REGIONS, *(f"{sql_name(c)} = ${c}" for c in shared)))
        title = "Les régions"
    else:
        shared = {c: value for c, value in x.items() if c != "age_band"}
        condition = " AND ".join(f"{sql_name(c)} = ${c}" for c in shared) or "true"
        title, natural = "Les tranches d’âge", True
    return f"{condition} AND period_grain = $grain AND period_start = $start", {**shared, **same_period}, title, natural


def _same_level(question: Question, x: X) -> tuple[str, dict[str, object], str]:
    level = x["level"]
    if level in WHOLE_LEVELS:
        # The parts of the whole that are compared first.
        level = next(name for name, texts in question.levels.items() if texts.plural)
    same: dict[str, object] = {"level": level}
    if level not in ("category", "leaf"):
        shared = {c: value for c, value in x.items() if c not in ("level", "code")}
        equal = "".join(f" AND {sql_name(c)} = ${c}" for c in shared)
        return (
            f"level = $level AND code <> '{UNKNOWN}'{equal}",
            {**same, **shared},
            f"Les {question.levels[level].plural}",
        )
    inside = "chapter_code" if level == "category" else "category_code"
    condition = (
        f"level = $level AND code <> '{UNKNOWN}' AND code IN "
        f"(SELECT code FROM published_diagnosis WHERE level = $level AND {inside} = "
        f"(SELECT {inside} FROM published_diagnosis WHERE level = $level AND code = $code))"
    )
    title = "Les catégories du même chapitre" if level == "category" else "Les diagnostics de la même catégorie"
    return condition, {**same, "code": x["code"]}, title


def _natural(cell: Cell) -> tuple[bool, int, date]:
    """Sort key: ages from the youngest, with all ages and unknown age last; periods in order of time."""
    band = cell.x.get("age_band", cell.x.get("code"))
    age = BAND_START.match(band or "")
    return (band is not None and age is None, int(age.group()) if age else 0, cell.period.start)


def context_cells(snapshot: Snapshot, question: Question, measure: Measure, x: X, period: Period) -> list[Cell]:
    """The cells that give the context of an X in the same period.

    For an establishment: its department, its region and the whole group. For a diagnosis: its category and chapter.
    For a survey: the other survey. For a sex: the other sexes and, for a place, France; for
    the 18 regions, the places outside them.
    """
    wanted: list[X] = []
    if x.get("level") == "establishment":
        place = snapshot.rows(
            "SELECT department_code, region_code, region_code IN (SELECT region_code FROM published_department "
            "GROUP BY region_code HAVING count(*) = 1) AS is_region FROM published_establishment "
            "WHERE establishment_key = $code",
            {"code": x["code"]},
        )
        wanted = [
            {"level": level, "code": p[f"{level}_code"]}
            for p in place
            for level in ("department", "region")
            # An overseas department is its region.
            if level == "region" or not p["is_region"]
        ]
    elif x.get("level") in ("category", "leaf"):
        place = snapshot.rows(
            "SELECT category_code, chapter_code FROM published_diagnosis WHERE level = $level AND code = $code", dict(x)
        )
        wanted = [
            {"level": level, "code": p[f"{level}_code"]}
            for p in place
            for level in ("category", "chapter")
            if level != x["level"] and p[f"{level}_code"]
        ]
    elif "survey" in x:
        other = next(s for s in ("48h_mco", "ca_mco") if s != x["survey"])
        wanted = [{**x, "survey": other}]
    elif "sex" in x:
        wanted = [{**x, "sex": sex} for sex in ("F", "M", "all") if sex != x["sex"]]
        if x.get("region_code") == ALL:
            wanted.append({**x, "region_code": ELSEWHERE})
        if (x.get("level") in ("region", "department") or x.get("region_code") not in (None, ALL)) and (
            whole := of_france(question, x)
        ):
            wanted.append(whole)
    if question.slug == "consultations-etablissement" and x["level"] != "total":
        wanted.append({"level": "total", "code": "total"})
    if not wanted:
        return []
    parameters: dict[str, object] = {"grain": period.grain, "start": period.start}
    conditions = []
    for number, one in enumerate(wanted):
        conditions.append(" AND ".join(f"{sql_name(c)} = ${c}{number}" for c in one))
        parameters.update({f"{c}{number}": value for c, value in one.items()})

    def find() -> Sequence[Row]:
        return snapshot.rows(
            f"SELECT * FROM {relation(question)} WHERE period_grain = $grain AND period_start = $start "
            f"AND (({') OR ('.join(conditions)}))",
            parameters,
        )

    rows = snapshot.kept(("context", question.slug, *parameters.items()), find)
    found = [as_cell(question, measure, row) for row in rows]
    return sorted(found, key=lambda c: wanted.index(c.x))


def course_cells(snapshot: Snapshot, question: Question, measure: Measure, own: Cell) -> list[Cell]:
    """The cells of one X and period along the axis of its course, in order; none without a course."""
    course = question.course
    if course is None or course.level not in (None, own.x.get("level")):
        return []
    same = [c for c in question.columns if c != course.column]
    rows = snapshot.rows(
        f"SELECT * FROM {relation(question)} WHERE {' AND '.join(f'{sql_name(c)} = ${c}' for c in same)} "
        "AND period_grain = $grain AND period_start = $start",
        {**{c: own.x[c] for c in same}, "grain": own.period.grain, "start": own.period.start},
    )
    found = [as_cell(question, measure, row) for row in rows if row[course.column] in course.at]
    return sorted(found, key=lambda c: course.at[c.x[course.column]])


def of_france(question: Question, x: X) -> X | None:
    """The same of France, if the table has a row of France."""
    if "region_code" in x:
        return {**x, "region_code": ALL}
    return {**x, "level": "france", "code": ALL} if "france" in question.levels else None


@dataclass(frozen=True)
class PlaceSums:
    """A count of all places, and of those outside the 18 regions, for all sexes and ages."""

    whole: float
    elsewhere: float


def summed(snapshot: Snapshot, question: Question, column: str) -> list[tuple[Period, PlaceSums]]:
    """The sums of a count over all places, for each complete year without masked cells."""
    counted = f"sum({sql_name(column)})"
    rows = snapshot.rows(
        f"SELECT period_start, period_end, {counted} AS whole, "
        f"coalesce({counted} FILTER (region_code = '{ELSEWHERE}'), 0) AS elsewhere FROM {relation(question)} "
        f"WHERE sex = '{ALL}' AND age_band = '{ALL}' AND region_code <> '{ALL}' AND NOT is_partial "
        "GROUP BY ALL HAVING NOT bool_or(is_masked) ORDER BY period_start"
    )
    return [
        (Period("year", r["period_start"], r["period_end"]), PlaceSums(float(r["whole"]), float(r["elsewhere"])))
        for r in rows
    ]
