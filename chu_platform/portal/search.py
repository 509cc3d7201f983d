"""Finding an X by words: establishments by name, FINESS number or commune, diagnoses by code or words."""

import re
from dataclasses import dataclass
from typing import Any, Final

from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name

MAX_RESULTS: Final = 50
MAX_LENGTH: Final = 80
CODE: Final = re.compile(r"([A-Za-z]\d{2})\.(\w{1,3})")
# Letters without accents and case: what is searched, and what is searched for.
PLAIN: Final = "lower(strip_accents({}))"


@dataclass(frozen=True)
class Found:
    """A result: the X it leads to, its name, where it lies, and whether anything of it is visible."""

    x: str
    label: str
    detail: str
    visible: bool


@dataclass(frozen=True)
class Results:
    """The first results and how many there are."""

    found: list[Found]
    count: int


def establishments(snapshot: Snapshot, words: str) -> Results:
    """The establishments whose name, FINESS number, commune or department hold every word."""
    _prepare(snapshot)
    condition, parameters = _every_word(words)
    return _results(
        snapshot,
        f"FROM found_establishment WHERE {condition}",
        parameters,
        "code = upper($whole) DESC, finess = $whole DESC NULLS LAST, visible DESC, starts_with(text, $whole) DESC, label",
        "establishment",
    )


def diagnoses(snapshot: Snapshot, question: Question, words: str) -> Results:
    """The diagnoses of a question whose code begins with the words, or whose label holds every word."""
    _prepare(snapshot)
    words = CODE.sub(r"\1\2", words)
    condition, parameters = _every_word(words)
    return _results(
        snapshot,
        f"FROM found_diagnosis WHERE indicator = $indicator AND (starts_with(lower(code), $whole) OR {condition})",
        {**parameters, "indicator": question.table.name},
        "lower(code) = $whole DESC, starts_with(lower(code), $whole) DESC, "
        "list_position(['chapter', 'category', 'leaf'], level), visible DESC, code",
        None,
    )


def inside(snapshot: Snapshot, question: Question, level: str, code: str) -> Results:
    """What lies below a place or a diagnosis, if it can be searched: departments of a region, categories of a chapter, ..."""
    _prepare(snapshot)
    below = {
        "region": "SELECT 'department' AS level, code, label, code AS detail, visible FROM found_department "
        "WHERE region_code = $code",
        "department": "SELECT 'establishment' AS level, code, label, detail, visible FROM found_establishment "
        "WHERE department_code = $code",
        "chapter": "SELECT level, code, label, detail, visible FROM found_diagnosis WHERE indicator = $indicator "
        "AND level = 'category' AND chapter_code = $code",
        "category": "SELECT level, code, label, detail, visible FROM found_diagnosis WHERE indicator = $indicator "
        "AND level = 'leaf' AND category_code = $code",
    }
    if level not in below or question.search is None:
        return Results([], 0)
    return _results(
        snapshot,
        f"FROM ({below[level]})",
        {"code": code, **({"indicator": question.table.name} if "$indicator" in below[level] else {})},
        "visible DESC, code" if level in ("chapter", "category") else "visible DESC, strip_accents(label)",
        None,
    )


def _results(snapshot: Snapshot, source: str, parameters: dict[str, Any], order: str, level: str | None) -> Results:
    named = f"'{level}' AS level" if level else "level"
    rows = snapshot.rows(
        f"SELECT {named}, code, label, detail, visible, count(*) OVER () AS count {source} ORDER BY {order} LIMIT {MAX_RESULTS}",
        parameters,
    )
    found = [Found(f"{r['level']}:{r['code']}", r["label"], r["detail"] or "", r["visible"]) for r in rows]
    return Results(found, rows[0]["count"] if rows else 0)


def _every_word(words: str) -> tuple[str, dict[str, Any]]:
    """The condition that `text` holds every word, and its parameters; `whole` is all of them."""
    parts = words.split()[:8]
    condition = " AND ".join(f"contains(text, {PLAIN.format(f'$word{i}')})" for i in range(len(parts))) or "true"
    return condition, {"whole": " ".join(parts).lower(), **{f"word{i}": part for i, part in enumerate(parts)}}


def _prepare(snapshot: Snapshot) -> None:
    """The tables that are searched, made once a snapshot.

    An establishment without a visible figure is found by its name and number. A diagnosis without one is not found.
    """

    def make() -> bool:
        snapshot.rows(
            f"""
            CREATE OR REPLACE TABLE found_establishment AS
            SELECT k.code, k.label, k.finess, e.department_code, e.department_label, e.region_code, k.visible,
                   concat_ws(' · ', e.commune_label, e.department_label, 'FINESS ' || k.finess) AS detail,
                   {PLAIN.format("concat_ws(' ', k.label, k.finess, e.commune_label, e.department_label)")} AS text
            FROM (
                SELECT code, any_value(label) AS label, bool_or(NOT is_masked) AS visible,
                       CASE WHEN starts_with(code, 'F') THEN substr(code, 2) END AS finess
                FROM kpi_consultation_rate_by_establishment WHERE level = 'establishment' GROUP BY code
            ) k LEFT JOIN published_establishment e ON e.establishment_key = k.code
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
        return True

    snapshot.once("search", make)
