"""What a request asks for: question, X, period and measure, from the parameters of an address, and back.

A parameter that is not understood is refused with a sentence in French, never guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from chu_platform import french
from chu_platform.portal.addresses import MEASURE, PERIOD, question_address
from chu_platform.portal.cells import Offered, Row, X, chosen, history, offered, periods_at, relation
from chu_platform.portal.questions import Measure, Parameter, Question
from chu_platform.portal.readable_periods import Period, is_written
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.spark_sql import UNKNOWN, WHOLE_PROFESSION

MAX_VALUE_LENGTH: Final = 200
# From the youngest; the unknown one last.
BAND_ORDER: Final = "try_cast(regexp_extract(code, '[0-9]+') AS INT) NULLS LAST"
UNREADABLE: Final = (
    "Les chiffres de cette question ne peuvent pas être lus : leur table publiée est endommagée. "
    "Les autres questions ne sont pas concernées."
)


# Other X beside that of the page: of each, its parameter, and what joins the values of the parameters of its question.
OTHERS: Final = ("avec", "avec2", "avec3")
JOINED: Final = "~"
# In front of a parameter of a question: one more X is to be compared.
ADDED: Final = "autre-"


class Refused(Exception):
    """A request that gets a page of its own: its status, and in French why."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Field:
    """A list of choices: the name of its parameter, the value chosen, and (value, text) of each option by group."""

    name: str
    label: str
    value: str
    groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]


@dataclass(frozen=True)
class Other:
    """An X that is compared with that of the page over time, and its rows."""

    x: X
    rows: Sequence[Row] = field(repr=False)


@dataclass(frozen=True)
class Choice:
    """What a page of a question is about.

    `explicit`: the measure was asked for. `rows` are all of X, `periods` those they cover. `asked` is the period of the
    address when another had to be taken. `others` are compared with X over time.
    """

    question: Question
    x: X
    period: Period
    measure: Measure
    explicit: bool
    periods: Sequence[Offered]
    rows: Sequence[Row] = field(repr=False)
    asked: str | None = None
    others: Sequence[Other] = ()

    @property
    def measures(self) -> Sequence[Measure]:
        """The measures of X, as they are displayed; a page opens with the first one."""
        return self.question.measures_at(self.x.get("level"))

    @property
    def only_months(self) -> bool:
        """Whether there are no periods longer than a month."""
        return all(o.period.grain == "month" for o in self.periods)

    def address(self, file: str = "", **changes: str) -> str:
        """The address of this view, of a file of it, or of a view that differs in some parameters.

        The first measure is not named in it. A view of another X is compared with none.
        """
        parameters = {p.name: _value(p, self.x) for p in self.question.parameters}
        if not parameters.keys() & changes.keys():
            parameters |= dict(zip(OTHERS, map(self.written, self.others), strict=False))
        parameters[PERIOD] = self.period.written
        if self.measure.key != self.measures[0].key:
            parameters[MEASURE] = self.measure.key
        return question_address(self.question, {**parameters, **changes}, file)

    def written(self, other: Other) -> str:
        """Another X as an address has it."""
        return JOINED.join(_value(p, other.x) for p in self.question.parameters)

    def without(self, other: Other) -> str:
        """The address of this view without one of the others."""
        return replace(self, others=[o for o in self.others if o is not other]).address()


def _value(parameter: Parameter, x: X) -> str:
    return parameter.separator.join(x[c] for c in parameter.columns)


def single(given: Iterable[tuple[str, str]], known: Sequence[str]) -> dict[str, str]:
    """Parameters as a mapping. Raises Refused for one that nobody knows, is given twice, or is no text."""
    found: dict[str, str] = {}
    for name, value in given:
        if name not in known:
            raise Refused("L’adresse contient un paramètre inconnu.")
        if name in found:
            raise Refused(f"Le paramètre « {name} » est donné deux fois.")
        if len(value) > MAX_VALUE_LENGTH or not value.isprintable():
            raise Refused(
                f"Le paramètre « {name} » n’est pas un texte lisible d’au plus {MAX_VALUE_LENGTH} caractères."
            )
        found[name] = value
    return found


def choose(snapshot: Snapshot, slug: str, given: Iterable[tuple[str, str]]) -> Choice:
    """The choice of an address. Raises Refused when there is no such question, X, period or measure."""
    question = snapshot.question(slug)
    if question is None:
        raise Refused("Cette question n’existe pas.", HTTPStatus.NOT_FOUND)
    if question.table.name in snapshot.unreadable:
        raise Refused(UNREADABLE, HTTPStatus.SERVICE_UNAVAILABLE)
    asked = single(given, [*(p.name for p in question.parameters), PERIOD, MEASURE, *OTHERS])
    if question.measure(asked.get(MEASURE)) is None:
        raise Refused("Cette mesure n’existe pas pour cette question.")
    written = asked.get(PERIOD) or None
    if written and not is_written(written):
        raise Refused("La période s’écrit 2019, 2019-T2, 2019-05 ou tout.")
    x = x_of(snapshot, question, asked)
    measures = question.measures_at(x.get("level"))
    measure = next((m for m in measures if m.key == asked.get(MEASURE)), measures[0])
    rows = history(snapshot, question, x)
    if not rows:
        _require_published(snapshot, question)
        raise Refused(
            "Rien n’est publié pour ce choix : il n’existe pas, ou n’a aucun événement dans les données.",
            HTTPStatus.NOT_FOUND,
        )
    periods = offered(rows)
    period, exact = chosen(periods, written)
    if period is None and written in _written_periods(snapshot, question):
        period, exact = chosen(periods, None)[0], False
    if period is None:
        raise Refused("Les données ne couvrent pas cette période.", HTTPStatus.NOT_FOUND)
    others = _others(snapshot, question, x, [asked[name] for name in OTHERS if asked.get(name)])
    return Choice(question, x, period, measure, MEASURE in asked, periods, rows, None if exact else written, others)


def _written_periods(snapshot: Snapshot, question: Question) -> frozenset[str]:
    """All periods for which the table has rows, as an address has them."""

    def find() -> frozenset[str]:
        grains = ("month", "quarter", "year", "all")
        return frozenset(p.written for grain in grains for p in periods_at(snapshot, question, grain))

    return snapshot.once(("written periods", question.slug), find)


def with_added(snapshot: Snapshot, slug: str, given: Iterable[tuple[str, str]]) -> str | None:
    """The address of a view with the X that a form adds to those compared; None if it adds none.

    Raises Refused where there are as many already as can be compared.
    """
    written = list(given)
    question = snapshot.question(slug)
    if question is None or not any(name.startswith(ADDED) for name, _ in written):
        return None
    adding = {f"{ADDED}{p.name}": p for p in question.parameters}
    asked = single(written, [*(p.name for p in question.parameters), PERIOD, MEASURE, *OTHERS, *adding])
    kept = {name: value for name, value in asked.items() if value and name not in adding}
    free = next((name for name in OTHERS if name not in kept), None)
    if free is None:
        raise Refused(f"Une courbe se compare avec {len(OTHERS)} autres au plus.")
    values = [asked.get(name) or kept.get(p.name) or p.default or "" for name, p in adding.items()]
    return question_address(question, {**kept, free: JOINED.join(values)})


def _others(snapshot: Snapshot, question: Question, own: X, written: Sequence[str]) -> list[Other]:
    """The other X of an address, each once. Raises Refused for one of which nothing is published."""
    found: list[Other] = []
    for text in written:
        values = text.split(JOINED)
        if len(values) != len(question.parameters) or not all(values):
            raise Refused("Un des choix à comparer n’a pas la forme attendue.")
        x = x_of(snapshot, question, {p.name: v for p, v in zip(question.parameters, values, strict=True)})
        if x == own or any(x == other.x for other in found):
            continue
        rows = history(snapshot, question, x)
        if not rows:
            raise Refused("Rien n’est publié pour un des choix à comparer.", HTTPStatus.NOT_FOUND)
        found.append(Other(x, rows))
    return found


def options(
    snapshot: Snapshot, question: Question, parameter: Parameter, x: X | None = None
) -> list[tuple[str, list[tuple[str, str]]]]:
    """What a parameter can be, as groups of (value, label); of places and diagnoses those that a list can hold.

    Only what is published: a choice that leads nowhere is not offered. With an X, places and diagnoses are those of its
    values of the parameters that have few, and regions those of its values of all others.
    """
    is_region = list(parameter.columns) == ["region_code"]
    others = [p for p in question.parameters if p is not parameter]
    few = [c for p in others if p.value_labels or is_region for c in p.columns]
    same = {c: x[c] for c in few if x and c in x}
    key = ("options", question.slug, parameter.name, *same.values())
    return snapshot.once(key, lambda: _options(snapshot, question, parameter, same))


def _options(
    snapshot: Snapshot, question: Question, parameter: Parameter, same: Mapping[str, str]
) -> list[tuple[str, list[tuple[str, str]]]]:
    table = sql_name(question.table.name)
    if parameter.value_labels:
        (column,) = map(sql_name, parameter.columns)
        there = {r["value"] for r in snapshot.rows(f"SELECT DISTINCT {column} AS value FROM {table}")}
        return [("", [(value, label) for value, label in parameter.value_labels.items() if value in there])]
    if list(parameter.columns) == ["level", "code"]:
        groups = []
        for level, texts in question.levels.items():
            if texts.searched:
                continue
            order = f"{BAND_ORDER}, strip_accents(label)" if texts.ordered else "strip_accents(label)"
            equal = "".join(f" AND {sql_name(c)} = ${c}" for c in same)
            rows = snapshot.rows(
                f"SELECT DISTINCT code, label FROM {table} WHERE level = $level{equal} "
                f"ORDER BY code = $unknown, {order}",
                {"level": level, "unknown": UNKNOWN, **same},
            )
            if rows:
                coded = level in ("department", "chapter")
                listed = [
                    (
                        f"{level}:{r['code']}",
                        f"{r['code']} – {r['label']}" if coded and r["code"] != UNKNOWN else r["label"],
                    )
                    for r in rows
                ]
                groups.append((french.capital(texts.plural) if len(rows) > 1 else texts.label, listed))
        return groups
    if list(parameter.columns) == ["profession", "speciality"]:
        rows = snapshot.rows(
            f"SELECT DISTINCT profession, speciality FROM {table} ORDER BY 1, speciality <> $whole, 2",
            {"whole": WHOLE_PROFESSION},
        )
        found: dict[str, list[tuple[str, str]]] = {}
        for r in rows:
            value = f"{r['profession']}{parameter.separator}{r['speciality']}"
            found.setdefault(r["profession"], []).append((value, r["speciality"]))
        return list(found.items())
    equal = " AND ".join(["true", *(f"{sql_name(c)} = ${c}" for c in same)])
    rows = snapshot.rows(
        f"SELECT DISTINCT region_code, region_label FROM {table} WHERE {equal} "
        "ORDER BY region_code <> 'all', region_code = '99', strip_accents(region_label)",
        {**same},
    )
    return [("", [(r["region_code"], french.capital(r["region_label"])) for r in rows])]


def x_of(snapshot: Snapshot, question: Question, asked: Mapping[str, str]) -> X:
    """The X of the parameters of an address. Raises Refused for one that is not understood."""
    x: dict[str, str] = {}
    for parameter in question.parameters:
        value = asked.get(parameter.name) or parameter.default or _most_frequent(snapshot, question, parameter)
        parts = value.split(parameter.separator, len(parameter.columns) - 1)
        if len(parts) != len(parameter.columns):
            raise Refused(f"Le paramètre « {parameter.name} » n’a pas la forme attendue.")
        if parameter.value_labels and value not in parameter.value_labels:
            raise Refused(f"Le paramètre « {parameter.name} » n’a pas une valeur connue.")
        x.update(zip(parameter.columns, parts, strict=True))
    return x


def _most_frequent(snapshot: Snapshot, question: Question, parameter: Parameter) -> str:
    """The X of the first view: the one with most events that is not masked."""

    def find() -> str:
        columns = ", ".join(parameter.columns)
        chapter = "AND level = 'chapter' AND code <> 'inconnu'" if "level" in parameter.columns else ""
        rows = snapshot.rows(
            f"SELECT {columns} FROM {relation(question)} WHERE NOT is_partial {chapter} "
            f"ORDER BY period_grain = 'all' DESC, is_masked, events DESC NULLS LAST, {columns} LIMIT 1"
        )
        if not rows:
            _require_published(snapshot, question)
        return parameter.separator.join(str(v) for v in rows[0].values()) if rows else parameter.separator

    return snapshot.once(("default", question.slug, parameter.name), find)


def _require_published(snapshot: Snapshot, question: Question) -> None:
    if not snapshot.rows(f"SELECT 1 FROM {sql_name(question.table.name)} LIMIT 1"):
        raise Refused("Cet indicateur n’a pas encore été calculé.", HTTPStatus.NOT_FOUND)
