"""What the story tells of the platform itself: its size, needs, model, measured times, scaling, and recommended tools.

Figures of the platform come from published tables and the described catalogue; a table that has no rows gives none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chu_platform import french
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.table import Layer

# The facts that a committee knows, in the order in which they are shown, and their dimensions by the keys of columns.
FACTS: Final = (
    "fact_consultation", "fact_prescription", "fact_hospitalisation", "fact_death", "fact_satisfaction",
    "fact_quality_indicator",
)  # fmt: skip
# Queries whose times are shown, and how.
TIMED: Final = {
    "deaths_by_region": "décès par région en 2019",
    "large_join": "prescriptions et consultations, jointes",
    "full_scan": "lecture de tous les décès",
}
ENGINES: Final = {"sail": "Sail", "spark": "Spark", "duckdb": "DuckDB"}
CLUSTERS: Final = {"one_worker": "un", "two_workers": "deux", "dynamic": "de zéro à deux"}


@dataclass(frozen=True)
class Star:
    """A fact of the model: its label, what a row is, and the labels of the dimensions that it refers to."""

    label: str
    grain: str
    dimensions: Sequence[str]


@dataclass(frozen=True)
class Timed:
    """The measured times of a query by engine, as texts; `None` where it was not measured."""

    query: str
    times: Sequence[str | None]


@dataclass(frozen=True)
class Scaled:
    """A measured program on a cluster: workers, seconds, executor seconds, as texts."""

    workers: str
    seconds: str
    executor_seconds: str


@dataclass(frozen=True)
class Chosen:
    """A recommended tool: its domain, its score of four, the next candidate with its score."""

    domain: str
    candidate: str
    score: str
    next_one: str


@dataclass(frozen=True)
class PlatformStory:
    """All that the story tells of the platform."""

    tables: int
    checks: int
    answered: int
    unanswered: int
    deciders: Sequence[str]
    stars: Sequence[Star]
    engines: Sequence[str]
    timed: Sequence[Timed]
    timed_where: str
    apart: str
    scaled: Sequence[Scaled]
    scaled_where: str
    chosen: Sequence[Chosen]


def platform_story_of(snapshot: Snapshot) -> PlatformStory:
    """What can be told now."""
    catalogue = snapshot.catalogue
    needs = _rows(snapshot, "need", "SELECT reader, indicator FROM need ORDER BY need")
    times = _times(snapshot)
    programs = _programs(snapshot)
    return PlatformStory(
        tables=len(catalogue.tables),
        checks=sum(len(table.checks) for table in catalogue.tables),
        answered=sum(row["indicator"] is not None for row in needs),
        unanswered=sum(row["indicator"] is None for row in needs),
        deciders=list(dict.fromkeys(row["reader"] for row in needs)),
        stars=_stars(snapshot),
        engines=[ENGINES[name] for name in ENGINES if any(row["engine"] == name for row in times)],
        timed=_timed(times),
        timed_where=_where(times),
        apart=_apart(snapshot),
        scaled=[_scaled(row) for row in programs],
        scaled_where=_where(programs),
        chosen=_chosen(snapshot),
    )


def _rows(snapshot: Snapshot, table: str, sql: str) -> Sequence[Mapping[str, Any]]:
    """The rows of a query over a table of the platform; none before the table was made."""
    return snapshot.rows(sql) if table in snapshot.versions else []


def _stars(snapshot: Snapshot) -> Sequence[Star]:
    by_name = {t.name: t for t in snapshot.catalogue.tables if t.layer in (Layer.FACTS, Layer.DIMENSIONS)}
    found = []
    for fact in (by_name[name] for name in FACTS if name in by_name):
        referred = (check.refers_to for check in fact.checks if check.refers_to)
        names = dict.fromkeys(identifier.split("/")[-1] for identifier in referred)
        # A history has the versions of a dimension: the dimension stands for both.
        dimensions = [
            by_name[n].label
            for n in names
            if n in by_name and by_name[n].layer is Layer.DIMENSIONS and not by_name[n].is_history
        ]
        found.append(Star(fact.label, fact.grain, dimensions))
    return found


def _times(snapshot: Snapshot) -> Sequence[Mapping[str, Any]]:
    """The warm times of the platform's own layout, of the machine that measured last, at its largest scale."""
    rows = _rows(
        snapshot,
        "response_time",
        "SELECT * FROM response_time WHERE layout = 'platform' AND state = 'warm' ORDER BY scale, measured_at",
    )
    if not rows:
        return []
    last = max(rows, key=lambda row: str(row["measured_at"]))
    here = [row for row in rows if row["machine"] == last["machine"]]
    return [row for row in here if row["scale"] == here[-1]["scale"]]


def _timed(rows: Sequence[Mapping[str, Any]]) -> Sequence[Timed]:
    by_key = {(row["query"], row["engine"]): row for row in rows}
    engines = [name for name in ENGINES if any(row["engine"] == name for row in rows)]
    return [
        Timed(label, [_time(by_key[query, e]) if (query, e) in by_key else None for e in engines])
        for query, label in TIMED.items()
        if any((query, e) in by_key for e in engines)
    ]


def _time(row: Mapping[str, Any]) -> str:
    """A median with its interval, in milliseconds or seconds."""
    if row["low_ms"] is None:
        return french.amount(row["median_ms"], "ms", 0)
    return f"{french.number(row['median_ms'])} ms ({french.number(row['low_ms'])} à {french.number(row['high_ms'])})"


def _where(rows: Sequence[Mapping[str, Any]]) -> str:
    """Machine, scale and day of measurements, and the load beside them."""
    if not rows:
        return ""
    loads = [row["others"] for row in rows if row["others"] is not None]
    load = f" ; d’autres processus ont pris jusqu’à {french.percent(max(loads), 0)} de la machine" if loads else ""
    day = max(str(row["measured_at"])[:10] for row in rows)
    return f"{rows[0]['machine']}, échelle {french.measured(rows[0]['scale'])}, le {day}{load}"


def _apart(snapshot: Snapshot) -> str:
    """How often another layout is faster or slower than that of the platform, as `response_time` compares them."""
    rows = _rows(
        snapshot,
        "response_time",
        "WITH here AS (SELECT * FROM response_time WHERE machine = (SELECT arg_max(machine, measured_at) FROM response_time)) "
        "SELECT count(verdict) AS compared, count(*) FILTER (verdict = 'faster') AS faster, "
        "count(*) FILTER (verdict = 'slower') AS slower FROM here WHERE scale = (SELECT max(scale) FROM here)",
    )
    if not rows or not rows[0]["compared"]:
        return ""
    compared, faster, slower = (rows[0][name] for name in ("compared", "faster", "slower"))
    return (
        f"De {french.counted(compared, 'comparaison', 'comparaisons')} avec d’autres dispositions (partitions, ordre Z, "
        f"compartiments…), {french.number(faster)} sont plus rapides que la nôtre, {french.number(slower)} plus lentes, et "
        f"{french.number(compared - faster - slower)} ne se distinguent pas : les intervalles se recouvrent, les médianes "
        "diffèrent peu, ou le temps de processeur ne confirme pas l’écart."
    )


def _programs(snapshot: Snapshot) -> Sequence[Mapping[str, Any]]:
    """The whole programs that were measured on clusters, of the machine and scale that were measured last."""
    rows = _rows(
        snapshot,
        "scaling_benchmark",
        "SELECT * FROM scaling_benchmark WHERE query = 'program' ORDER BY measured_at",
    )
    here = [r for r in rows if (r["machine"], r["scale"]) == (rows[-1]["machine"], rows[-1]["scale"])]
    return sorted(here, key=lambda row: list(CLUSTERS).index(row["cluster"]))


def _scaled(row: Mapping[str, Any]) -> Scaled:
    return Scaled(
        CLUSTERS[row["cluster"]], french.number(row["median_ms"] / 1000), french.number(row["executor_seconds"])
    )


def _chosen(snapshot: Snapshot) -> Sequence[Chosen]:
    rows = _rows(
        snapshot,
        "recommendation",
        "WITH scores AS (SELECT domain, any_value(domain_label) AS label, min(place) AS place, candidate, "
        "sum(weight * mark) / 100.0 AS score FROM recommendation GROUP BY domain, candidate) "
        "SELECT any_value(label) AS label, max({'score': score, 'candidate': candidate}, 2) AS best FROM scores "
        "GROUP BY domain ORDER BY min(place)",
    )
    found = []
    for row in rows:
        first, second = row["best"]
        found.append(
            Chosen(
                row["label"],
                first["candidate"],
                french.number(first["score"], 2),
                f"{second['candidate']} {french.number(second['score'], 2)}",
            )
        )
    return found
