"""Finding an X by words: establishments by name, FINESS number or commune, diagnoses by code or words, or all at once.

Where nothing has a word, the word nearest to it is searched instead, so that a typing error finds what was meant.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from chu_platform.portal.addresses import question_address, search_address
from chu_platform.portal.cells import Cell, Row, relation
from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.spark_sql import UNKNOWN

MAX_RESULTS: Final = 50
MAX_LENGTH: Final = 80
MAX_WORDS: Final = 8
# A shorter word has no typing errors; a long one may have two.
FEWEST_LETTERS: Final = 4
LONG_WORD: Final = 8
# Suggestions while somebody types: of each kind, and in all.
MAX_OF_KIND: Final = 4
MAX_SUGGESTIONS: Final = 8
NO_COMMUNE: Final = "Commune non publiée"
# Of the establishments of a place without a visible figure, so many are listed.
MAX_OF_PLACE: Final = 10
CODE: Final = re.compile(r"([A-Za-z]\d{2})\.(\w{1,3})")
# Letters without accents and case: what is searched, and what is searched for.
PLAIN: Final = "lower(strip_accents({}))"


class Match(Enum):
    """What is searched: the words as they are, known words nearest to them, or these where nothing has the words."""

    EXACT = "exact"
    NEAREST = "nearest"
    EITHER = "either"


@dataclass(frozen=True)
class Found:
    """A result: the X it leads to, its name, where it lies, and whether anything of it is visible.

    `place` is where an establishment without a visible figure lies as far as that is public, and `alike` how many of
    the results without one lie there.
    """

    x: str
    label: str
    detail: str
    visible: bool
    place: str = ""
    alike: int = 0


@dataclass(frozen=True)
class Results:
    """The first results and how many there are. `instead` are the words that were searched instead of unknown ones."""

    found: list[Found]
    count: int
    instead: str | None = None


@dataclass(frozen=True)
class Hit:
    """A result of a search among everything: where it leads, its name, what it is, and whether a figure is visible.

    `place` and `alike` are those of `Found`.
    """

    address: str
    label: str
    detail: str
    visible: bool
    place: str = ""
    alike: int = 0


@dataclass(frozen=True)
class Hits:
    """The results of a kind, such as "Diagnostics", and how many there are; `address` leads to all of them."""

    title: str
    found: Sequence[Hit]
    count: int
    address: str = ""
    instead: str | None = None


def establishments(snapshot: Snapshot, words: str, match: Match = Match.EITHER) -> Results:
    """The establishments whose name, FINESS number, commune or department hold every word, visible ones first.

    Those without a visible figure follow by place, of each place the first ones.
    """
    _prepare(snapshot)

    def find(asked: str) -> Results:
        condition, parameters = _every_word(asked)
        return _results(
            snapshot,
            f"FROM found_establishment WHERE {condition}",
            parameters,
            "code = upper($whole) DESC, finess = $whole DESC NULLS LAST, visible DESC, place, "
            "starts_with(text, $whole) DESC, label, code",
            "establishment",
        )

    return _found(snapshot, "establishment", words, find, match)


def diagnoses(snapshot: Snapshot, question: Question, words: str, match: Match = Match.EITHER) -> Results:
    """The diagnoses of a question whose code begins with the words, or whose label holds every word."""
    _prepare(snapshot)

    def find(asked: str) -> Results:
        condition, parameters = _every_word(asked)
        return _results(
            snapshot,
            f"FROM found_diagnosis WHERE indicator = $indicator AND (starts_with(lower(code), $whole) OR {condition})",
            {**parameters, "indicator": question.table.name},
            "lower(code) = $whole DESC, starts_with(lower(code), $whole) DESC, "
            "list_position(['chapter', 'category', 'leaf'], level), visible DESC, code",
            None,
        )

    return _found(snapshot, "diagnosis", CODE.sub(r"\1\2", words), find, match)


def everything(snapshot: Snapshot, words: str, most: int = MAX_RESULTS) -> Sequence[Hits]:
    """The questions, places, establishments and diagnoses that words find, at most so many of each; no empty kind.

    What is like the words is searched only where nothing at all has them.
    """
    _prepare(snapshot)
    return _kinds(snapshot, words, most, Match.EXACT) or _kinds(snapshot, words, most, Match.NEAREST)


def _kinds(snapshot: Snapshot, words: str, most: int, match: Match) -> Sequence[Hits]:
    asked = _plain(words).split()
    titled = [q for q in snapshot.questions if asked and all(w in _plain(f"{q.title} {q.short}") for w in asked)]
    found = [
        Hits("Questions", [Hit(question_address(q, {}), q.title, "", True) for q in titled][:most], len(titled)),
        _places(snapshot, words, most, match),
    ]
    for question in snapshot.questions:
        if question.search is None:
            continue
        by_place = question.search == "etablissements"
        results = establishments(snapshot, words, match) if by_place else diagnoses(snapshot, question, words, match)
        hits = [
            Hit(question_address(question, {"x": f.x}), f.label, f.detail, f.visible, f.place, f.alike)
            for f in results.found[:most]
        ]
        address = search_address(question.search, question, results.instead or words)
        found.append(Hits(question.short, hits, results.count, address, results.instead))
    return [hits for hits in found if hits.count]


def _places(snapshot: Snapshot, words: str, most: int, match: Match) -> Hits:
    """The regions and departments whose name or code the words are, for each question that can be asked of them."""

    def find(asked: str) -> Results:
        condition, parameters = _every_word(asked)
        return _results(
            snapshot,
            f"FROM found_place WHERE code = $whole OR {condition}",
            parameters,
            "code = $whole DESC, starts_with(text, $whole) DESC, level = 'region' DESC, label",
            None,
        )

    found = _found(snapshot, "place", words, find, match)
    asked_of_places = [q for q in snapshot.questions if {"region", "department"} <= q.levels.keys()]
    hits = [
        Hit(question_address(q, {"x": f.x}), f.label, q.short, f.visible or bool(q.table.public_source))
        for f in found.found
        for q in asked_of_places
    ]
    return Hits("Régions et départements", hits[:most], found.count * len(asked_of_places), "", found.instead)


def _found(snapshot: Snapshot, kind: str, words: str, find: Callable[[str], Results], match: Match) -> Results:
    """What `find` finds for the words, or for the known words of a kind nearest to them."""
    if match is not Match.NEAREST:
        found = find(words)
        if found.count or match is Match.EXACT:
            return found
    nearest = [_nearest(snapshot, kind, word) for word in words.split()[:MAX_WORDS]]
    if None in nearest or not nearest:
        return Results([], 0)
    instead = " ".join(word for word in nearest if word)
    return replace(find(instead), instead=instead)


def _nearest(snapshot: Snapshot, kind: str, word: str) -> str | None:
    """The word itself if a text has it, else the known word, or beginning of one, with the fewest typing errors.

    One error is allowed in a word of at least 4 letters, two in one of at least 8; the first letter may be swapped with
    the second one, but is else right. A word with digits is no text.
    """
    plain = _plain(word)
    nearest = snapshot.kept(("nearest", plain), lambda: _nearest_of_all(snapshot, plain))
    return nearest.get(kind)


def _nearest_of_all(snapshot: Snapshot, plain: str) -> Mapping[str, str]:
    """The nearest word of each kind that has one: a query costs more than what it reads of the other kinds."""
    rows = snapshot.rows("SELECT DISTINCT kind FROM found_word WHERE contains(word, $word)", {"word": plain})
    same = {row["kind"]: plain for row in rows}
    if len(plain) < FEWEST_LETTERS or not plain.isalpha():
        return same
    errors = 1 if len(plain) < LONG_WORD else 2
    rows = snapshot.rows(
        """
        SELECT kind, word FROM (
            SELECT kind, word, texts, damerau_levenshtein(word, $word) AS whole,
                   damerau_levenshtein(left(word, length($word)), $word) AS beginning
            FROM found_word
            WHERE length(word) >= length($word) - $errors AND left(word, 1) IN ($word[1], $word[2])
        ) WHERE least(whole, beginning) <= $errors
        QUALIFY row_number() OVER (PARTITION BY kind ORDER BY least(whole, beginning), whole, texts DESC, word) = 1
        """,
        {"word": plain, "errors": errors},
    )
    return {row["kind"]: row["word"] for row in rows} | same


def _plain(text: str) -> str:
    """The text as it is searched: without accents and case."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@dataclass(frozen=True)
class Inside:
    """What lies below a place or a diagnosis: its level, its rows in a period, and how many there are.

    `grain` is that of the rows: they are those of the whole period where shorter ones are not published.
    """

    level: str
    grain: str
    rows: Sequence[Row]
    count: int


# Of each level that has one: the level below, and the relation that has its codes.
BELOW: Final = {
    "region": ("department", "found_department WHERE region_code = $code"),
    "department": ("establishment", "found_establishment WHERE department_code = $code"),
    "chapter": (
        "category",
        "found_diagnosis WHERE indicator = $indicator AND level = 'category' AND chapter_code = $code",
    ),
    "category": ("leaf", "found_diagnosis WHERE indicator = $indicator AND level = 'leaf' AND category_code = $code"),
}


def inside(snapshot: Snapshot, question: Question, own: Cell) -> Inside | None:
    """What lies below the place or diagnosis of a cell, in its period, the highest figures first; None if nothing does.

    Departments of a region, categories of a chapter, ... Their order is that of the first measure of their level.
    """
    if question.search is None or own.x.get("level") not in BELOW:
        return None
    _prepare(snapshot)
    level, source = BELOW[own.x["level"]]
    column = sql_name(question.measures_at(level)[0].value)
    given = {"code": own.x["code"], **({"indicator": question.table.name} if "$indicator" in source else {})}
    for grain, start in ((own.period.grain, own.period.start), ("all", None)):
        when = "" if start is None else " AND period_start = $start"
        rows = snapshot.rows(
            f"""
            SELECT *, count(*) OVER () AS found FROM {relation(question)}
            WHERE level = $level AND period_grain = $grain{when} AND code IN (SELECT code FROM {source})
            ORDER BY is_masked, {column} DESC NULLS LAST, label, code LIMIT {MAX_RESULTS}
            """,
            {**given, "level": level, "grain": grain, **({"start": start} if when else {})},
        )
        if rows:
            return Inside(level, grain, rows, rows[0]["found"])
    return None


def _results(snapshot: Snapshot, source: str, parameters: dict[str, Any], order: str, level: str | None) -> Results:
    """The first rows of a source; `level` is that of all of them, which then have a place, or None."""
    columns = f"'{level}' AS level, place" if level else "level, '' AS place"
    few = f"QUALIFY visible OR row_number() OVER (PARTITION BY place, visible ORDER BY {order}) <= {MAX_OF_PLACE}"
    rows = snapshot.rows(
        f"SELECT {columns}, code, label, detail, visible, count(*) OVER () AS count, "
        f"count(*) FILTER (NOT visible) OVER (PARTITION BY place) AS alike "
        f"{source} {few if level else ''} ORDER BY {order} LIMIT {MAX_RESULTS}",
        parameters,
    )
    found = [
        Found(f"{r['level']}:{r['code']}", r["label"], r["detail"] or "", r["visible"], r["place"], r["alike"])
        for r in rows
    ]
    return Results(found, rows[0]["count"] if rows else 0)


def _every_word(words: str) -> tuple[str, dict[str, Any]]:
    """The condition that `text` holds every word, and its parameters; `whole` is all of them."""
    parts = words.split()[:MAX_WORDS]
    condition = " AND ".join(f"contains(text, {PLAIN.format(f'$word{i}')})" for i in range(len(parts))) or "true"
    return condition, {"whole": " ".join(parts).lower(), **{f"word{i}": part for i, part in enumerate(parts)}}


def _prepare(snapshot: Snapshot) -> None:
    """The tables that are searched, made once a snapshot.

    An establishment without a visible figure is found by its name and number, and by its commune if HAS publishes results
    of it: its place is that commune with the department, else the department that its FINESS number begins with. A diagnosis without a
    visible figure is not found.
    """
    sites = "(SELECT NULL AS code, NULL AS commune WHERE false)"
    if "published_satisfaction" in snapshot.versions and "published_satisfaction" not in snapshot.unreadable:
        sites = (
            "(SELECT 'F' || site_finess AS code, arg_max(commune_label, campaign_year) AS commune "
            "FROM published_satisfaction GROUP BY 1)"
        )

    def make() -> bool:
        snapshot.rows(
            f"""
            CREATE OR REPLACE TABLE found_establishment AS
            SELECT k.code, k.label, k.finess, e.department_code, e.department_label, e.region_code, k.visible,
                   CASE WHEN k.visible THEN ''
                        ELSE coalesce(s.commune || ' (' || left(k.finess, 2) || ')', d.department_label || ', d’après le numéro FINESS', '{NO_COMMUNE}')
                   END AS place,
                   concat_ws(' · ', coalesce(e.commune_label, s.commune), e.department_label, 'FINESS ' || k.finess) AS detail,
                   {PLAIN.format("concat_ws(' ', k.label, k.finess, coalesce(e.commune_label, s.commune), e.department_label)")} AS text
            FROM (
                SELECT code, any_value(label) AS label, bool_or(NOT is_masked) AS visible,
                       CASE WHEN starts_with(code, 'F') THEN substr(code, 2) END AS finess
                FROM kpi_consultation_rate_by_establishment WHERE level = 'establishment' GROUP BY code
            ) k LEFT JOIN published_establishment e ON e.establishment_key = k.code
            LEFT JOIN {sites} s ON s.code = k.code
            LEFT JOIN published_department d ON d.department_code = left(k.finess, 2)
            """
        )
        snapshot.rows(
            """
            CREATE OR REPLACE TABLE found_department AS
            SELECT d.department_code AS code, d.department_label AS label, d.region_code, bool_or(NOT k.is_masked) AS visible
            FROM published_department d JOIN kpi_consultation_rate_by_establishment k
                ON k.level = 'department' AND k.code = d.department_code
            GROUP BY ALL
            """
        )
        each = " UNION ALL ".join(
            f"SELECT '{name}' AS indicator, level, code, bool_or(NOT is_masked) AS visible FROM {sql_name(name)} GROUP BY ALL"
            for name in ("kpi_consultation_rate_by_diagnosis", "kpi_hospitalisation_rate_by_diagnosis")
        )
        snapshot.rows(
            f"""
            CREATE OR REPLACE TABLE found_diagnosis AS
            SELECT v.indicator, d.level, d.code, d.label, d.category_code, d.chapter_code, v.visible,
                   CASE WHEN d.level = 'chapter' THEN 'Chapitre ' || d.code
                        ELSE d.code || ' · chapitre ' || d.chapter_code END AS detail,
                   {PLAIN.format("concat_ws(' ', d.code, d.label)")} AS text
            FROM published_diagnosis d JOIN ({each}) v ON v.level = d.level AND v.code = d.code
            ORDER BY v.indicator, d.level, d.code
            """
        )
        snapshot.rows(
            f"""
            CREATE OR REPLACE TABLE found_place AS
            SELECT level, code, any_value(label) AS label, bool_or(NOT is_masked) AS visible,
                   CASE level WHEN 'department' THEN 'Département ' || code ELSE 'Région' END AS detail,
                   {PLAIN.format("any_value(label)")} AS text
            FROM kpi_consultation_rate_by_establishment
            WHERE level IN ('region', 'department') AND code <> '{UNKNOWN}' GROUP BY level, code
            """
        )
        snapshot.rows(
            """
            CREATE OR REPLACE TABLE found_word AS
            SELECT kind, word, count(*) AS texts FROM (
                SELECT kind, unnest(list_distinct(regexp_extract_all(text, '[a-z0-9]+'))) AS word FROM (
                    SELECT 'establishment' AS kind, text FROM found_establishment
                    UNION ALL SELECT 'diagnosis', text FROM found_diagnosis
                    UNION ALL SELECT 'place', text FROM found_place
                )
            ) GROUP BY ALL
            """
        )
        return True

    snapshot.once("search", make)
