"""Care-quality results of sites, as HAS publishes them: those of one site, and how all sites are distributed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chu_platform import french
from chu_platform.portal.reader import Snapshot

MAX_SITES: Final = 50
NONE: Final = "–"
Columns = Sequence[tuple[str, bool]]
Rows = Sequence[Sequence[str]]
RESULT_COLUMNS: Final[Columns] = (
    ("Indicateur", False),
    ("Campagne", True),
    ("Résultat", True),
    ("Intervalle à 95 %", True),
    ("Dossiers ou séjours", True),
    ("Classe ou motif", False),
    ("Sites : médiane (P20 à P80)", True),
    ("Rangs possibles", True),
)
NATION_COLUMNS: Final[Columns] = (
    ("Indicateur", False),
    ("Campagne", True),
    ("Sites", True),
    ("P20", True),
    ("Médiane", True),
    ("P80", True),
)


@dataclass(frozen=True)
class Site:
    """A site with results: its FINESS number, its name (the number where the register has none), its region."""

    finess: str
    label: str
    region: str


def sites(snapshot: Snapshot, words: str) -> Sequence[Site]:
    """The sites whose FINESS number is one of the words, or whose name and region hold every word."""
    parts = words.lower().split()
    conditions = " AND ".join(f"contains(text, strip_accents($word{i}))" for i in range(len(parts)))
    rows = snapshot.rows(
        f"""
        SELECT site_finess, arg_max(site_label, campaign_year) AS label, arg_max(region_label, campaign_year) AS region,
               lower(strip_accents(concat_ws(' ', site_finess, label, region))) AS text
        FROM published_quality GROUP BY site_finess HAVING {conditions}
        ORDER BY label NULLS LAST, site_finess LIMIT {MAX_SITES + 1}
        """,
        {f"word{i}": part for i, part in enumerate(parts)},
    )
    return [Site(r["site_finess"], r["label"] or f"Site {r['site_finess']}", r["region"]) for r in rows]


def results_of(snapshot: Snapshot, column: str, code: str) -> Rows:
    """The results of a site, the newest campaign first; `column` is `site_finess` or `establishment_key`."""
    rows = snapshot.rows(
        f"SELECT * FROM published_quality WHERE {column} = $code "
        "ORDER BY campaign_year DESC, indicator_label, indicator_key",
        {"code": code},
    )
    return [_result(row) for row in rows]


def nation(snapshot: Snapshot) -> Rows:
    """How the results of all sites are distributed, for the last campaign of each indicator."""
    return snapshot.once("quality of all sites", lambda: _nation(snapshot))


def _nation(snapshot: Snapshot) -> Rows:
    rows = snapshot.rows(
        """
        SELECT DISTINCT indicator_label, unit, campaign_year, sites, national_p20, national_median, national_p80
        FROM published_quality WHERE sites > 0
        QUALIFY campaign_year = max(campaign_year) OVER (PARTITION BY indicator_key) ORDER BY indicator_label
        """
    )
    return [
        [
            _named(r),
            r["campaign_year"],
            french.number(r["sites"]),
            *(french.number(r[f"national_{q}"], 1) for q in ("p20", "median", "p80")),
        ]
        for r in rows
    ]


def _named(row: dict[str, Any]) -> str:
    return f"{row['indicator_label']} ({row['unit']})"


def _result(row: dict[str, Any]) -> Sequence[str]:
    low, high = row["lower_bound"], row["upper_bound"]
    ranks = NONE
    if row["rank_first"] is not None:
        ranks = (
            f"{french.number(row['rank_first'])} à {french.number(row['rank_last'])} sur {french.number(row['sites'])}"
        )
    spread = NONE
    if row["national_median"] is not None:
        between = french.interval(row["national_p20"], row["national_p80"])
        spread = f"{french.number(row['national_median'], 1)} ({between})"
    return [
        _named(row),
        row["campaign_year"],
        NONE if row["value"] is None else french.number(row["value"], 1),
        NONE if low is None or high is None else french.interval(low, high),
        NONE if row["denominator"] is None else french.number(row["denominator"]),
        row["class"] or NONE,
        spread,
        ranks,
    ]
