"""The places of the profiles: establishments and sites, departments, regions; finding one by its code or by words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chu_platform.portal.reader import Snapshot
from chu_platform.portal.search import PLAIN
from chu_platform.tables.spark_sql import UNKNOWN

ESTABLISHMENT, DEPARTMENT, REGION = "establishment", "department", "region"
LEVELS: Final = {ESTABLISHMENT: "Établissement", DEPARTMENT: "Département", REGION: "Région"}
MAX_FOUND: Final = 50
MAX_WORDS: Final = 8


@dataclass(frozen=True)
class Place:
    """A place: its level, its code, its name, and where it lies as far as that is public.

    The code of an establishment is F and its FINESS number, or the key of a practice. `has_results` tells whether HAS
    publishes results of it, `is_region` whether it is the only department of its region: both are the same territory.
    """

    level: str
    code: str
    label: str
    finess: str | None
    commune: str | None
    department: str | None
    department_label: str | None
    region: str | None
    region_label: str | None
    has_results: bool
    is_region: bool

    @property
    def key(self) -> str:
        """Its value in an address."""
        return f"{self.level}:{self.code}"

    @property
    def detail(self) -> str:
        """What tells it from places of the same name."""
        finess = f"FINESS {self.finess}" if self.finess else ""
        parts = (self.commune, self.department_label, self.region_label, finess)
        return " · ".join(dict.fromkeys(p for p in parts if p and p != self.label))


def place_of(snapshot: Snapshot, key: str) -> Place | None:
    """The place of an address; None if there is none."""
    if territory := _territories(snapshot).get(key):
        return territory
    return snapshot.kept(("place", key), lambda: _named(snapshot, *key.split(":", 1)) if ":" in key else None)


def _named(snapshot: Snapshot, level: str, code: str) -> Place | None:
    _prepare(snapshot)
    rows = snapshot.rows(
        "SELECT * EXCLUDE (text) FROM profile_place WHERE level = $level AND code = $code",
        {"level": level, "code": code},
    )
    return _place(rows[0]) if rows else None


def found_places(snapshot: Snapshot, words: str) -> Sequence[Place]:
    """The places whose name, FINESS number, commune or department hold every word, at most `MAX_FOUND` + 1.

    Regions and departments come first, then establishments with results of HAS. One that is named by
    its FINESS number is the only one.
    """
    _prepare(snapshot)
    parts = words.lower().split()[:MAX_WORDS]
    conditions = " AND ".join(f"contains(text, {PLAIN.format(f'$word{i}')})" for i in range(len(parts))) or "true"
    rows = snapshot.rows(
        f"""
        SELECT * EXCLUDE (text), coalesce(finess = $whole, false) AS is_named
        FROM profile_place WHERE {conditions}
        ORDER BY is_named DESC, list_position(['{REGION}', '{DEPARTMENT}', '{ESTABLISHMENT}'], level),
                 has_results DESC, strip_accents(label), code
        LIMIT {MAX_FOUND + 1}
        """,
        {"whole": " ".join(parts), **{f"word{i}": part for i, part in enumerate(parts)}},
    )
    named = [r for r in rows if r.pop("is_named")]
    return [_place(r) for r in (named if len(named) == 1 else rows)]


def listed_places(snapshot: Snapshot) -> Mapping[str, Sequence[Place]]:
    """The regions and the departments, by the label of their level."""
    places = _territories(snapshot).values()
    return {f"{LEVELS[level]}s": [p for p in places if p.level == level] for level in (REGION, DEPARTMENT)}


def _territories(snapshot: Snapshot) -> Mapping[str, Place]:
    """The regions and the departments by their keys, in order of their names."""

    def find() -> Mapping[str, Place]:
        _prepare(snapshot)
        rows = snapshot.rows(
            f"SELECT * EXCLUDE (text) FROM profile_place WHERE level <> '{ESTABLISHMENT}' "
            "ORDER BY strip_accents(label), code"
        )
        return {place.key: place for place in map(_place, rows)}

    return snapshot.once("territories", find)


def _place(row: Mapping[str, Any]) -> Place:
    return Place(**row)


def _prepare(snapshot: Snapshot) -> None:
    """The table of all places, made once a snapshot.

    An establishment is there if it has a row of consultations, masked or not, or a result of HAS; its place is known if
    it has a visible figure or a result.
    """

    def make() -> bool:
        snapshot.rows(
            f"""
            CREATE OR REPLACE TABLE profile_place AS
            WITH place AS (
                SELECT department_code, department_label, region_code, region_label FROM published_department
            ),
            region AS (SELECT DISTINCT region_code, region_label FROM place),
            site AS (
                SELECT 'F' || site_finess AS code, arg_max(site_label, campaign_year) AS label,
                       any_value(commune_label) AS commune, any_value(department_code) AS department,
                       arg_max(region_code, campaign_year) AS region
                FROM published_satisfaction GROUP BY site_finess
                UNION ALL
                SELECT 'F' || site_finess, arg_max(site_label, campaign_year), NULL, any_value(department_code),
                       arg_max(region_code, campaign_year)
                FROM published_quality GROUP BY site_finess
            ),
            establishment AS (
                SELECT code, any_value(label) AS label, any_value(commune) AS commune,
                       any_value(department) AS department, any_value(region) AS region, bool_or(has_results) AS has_results
                FROM (
                    SELECT establishment_key AS code, establishment_label AS label, commune_label AS commune,
                           department_code AS department, region_code AS region, false AS has_results
                    FROM published_establishment
                    UNION ALL SELECT *, true FROM site
                    UNION ALL
                    SELECT code, any_value(label), NULL, NULL, NULL, false FROM kpi_consultation_rate_by_establishment
                    WHERE level = '{ESTABLISHMENT}' AND code <> '{UNKNOWN}' GROUP BY code
                ) GROUP BY code
            ),
            every_place AS (
                SELECT '{ESTABLISHMENT}' AS level, e.code,
                       coalesce(e.label, 'Site FINESS ' || substr(e.code, 2)) AS label,
                       CASE WHEN starts_with(e.code, 'F') THEN substr(e.code, 2) END AS finess,
                       e.commune, d.department_code AS department, d.department_label,
                       r.region_code AS region, r.region_label, e.has_results, false AS is_region
                FROM establishment e
                -- A FINESS number may be that of an entity in another region.
                LEFT JOIN place d ON d.department_code = e.department AND d.region_code = e.region
                LEFT JOIN region r ON r.region_code = e.region
                UNION ALL
                SELECT '{DEPARTMENT}', department_code, department_label, NULL, NULL, department_code, department_label,
                       region_code, region_label, true, count(*) OVER (PARTITION BY region_code) = 1 FROM place
                UNION ALL
                SELECT '{REGION}', region_code, region_label, NULL, NULL, NULL, NULL, region_code, region_label, true, false
                FROM region
            )
            SELECT *, {PLAIN.format("concat_ws(' ', label, finess, commune, department_label, code)")} AS text
            FROM every_place ORDER BY level, code
            """
        )
        return True

    snapshot.once("places", make)
