"""An establishment changes its region between two deliveries of the register, from the delivery to `chu kpi`.

Expected figures are computed from the delivered files alone, by the tables of the oracle.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.editions.readable import released_relation
from chu_platform.history.etablissement_sante_history import etablissement_sante_history
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.oracle import pack_tables
from chu_platform.tables.table import Layer
from chu_platform_tests import small_duckdb
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system

FOLDER = "Etablissement de SANTE"
REGISTER = f"{FOLDER}/etablissement_sante.csv"
FIRST_DELIVERY, SECOND_DELIVERY = date(2014, 3, 1), date(2019, 7, 2)
INDICATOR = "kpi_consultation_rate_by_establishment"
# Half of the consultations and of the stays are before the second delivery.
NEW = {"code_commune": "6088", "code_postal": "6000", "cedex": "06000 NICE", "commune": ""}
NEW_PLACE = {"department": "06", "region": "93"}
# The delivered stays, with the key of their establishment.
STAY_FILE = "Hospitalisation/Hospitalisations.csv"
STAYS = f"""
    SELECT strptime("Date_Entree", '%d/%m/%Y')::DATE < DATE '{SECOND_DELIVERY}' AS is_before,
           left(identifiant_organisation, 10) AS id
    FROM read_csv('{{file}}', header = true, all_varchar = true, delim = ';', quote = '', escape = '')"""
HISTORY = next(t for t in catalogue() if t.layer is Layer.DIMENSIONS and t.name == "establishment_history")


@dataclass(frozen=True)
class Moved:
    """A home after both deliveries, the delivered rows, and the establishments that moved.

    One of them has consultations, with its former place; the other one has stays.
    """

    home: Home
    establishment: str
    hospital: str
    former: Mapping[str, str]
    delivered: duckdb.DuckDBPyConnection

    def ask(self, *options: str) -> list[Mapping[str, Any]]:
        """The answer of `chu kpi`."""
        done = self.home.chu("kpi", INDICATOR, "--json", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[Mapping[str, Any]] = json.loads(done.stdout)
        return found

    def events(self, *options: str) -> dict[str, float]:
        """The shares of consultations by region."""
        return {r["code"]: r["events"] for r in self.ask(*options) if r["level"] == "region"}


def write(pack: Path, lines: list[str], day: date) -> None:
    file = pack / REGISTER
    file.write_bytes("".join(lines).encode("cp1252"))
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    os.utime(file, (moment, moment))


def history(home: Home) -> list[tuple[Any, ...]]:
    with small_duckdb.connect() as connection:
        return connection.sql(f"FROM {home.lake.relation(etablissement_sante_history)} ORDER BY ALL").fetchall()


def published(home: Home) -> list[tuple[Any, ...]]:
    with small_duckdb.connect() as connection:
        rows = released_relation(home.lake, kpi_consultation_rate_by_establishment.masked)
        return connection.sql(f"FROM {rows} ORDER BY ALL").fetchall()


@pytest.fixture(scope="module")
def moved(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """A lake of before there were histories, then the register of 2014, then that of 2019."""
    folder = tmp_path_factory.mktemp("moved")
    pack = Path(shutil.copytree(made.pack, folder / "pack"))
    home = made.copy(folder / "home", pack)
    shutil.rmtree(home.lake.root / "restricted" / Layer.HISTORY)
    with duckdb.connect() as delivered:
        pack_tables.load(delivered, pack)
        # One of whose professionals many have consultations before and after, and that has stays.
        establishment, department, region = delivered.execute(
            """
            SELECT o.id, o.department, o.region FROM organisation o
            JOIN attachment a ON a.organisation = o.id JOIN consultation c ON c.professional = a.professional
            WHERE o.id LIKE 'F%' AND o.region NOT IN ('93', 'inconnu') GROUP BY ALL
            ORDER BY least(count(*) FILTER (c.date < ?), count(*) FILTER (c.date >= ?)) DESC, o.id LIMIT 1
            """,
            [SECOND_DELIVERY, SECOND_DELIVERY],
        ).fetchall()[0]
        hospital = delivered.execute(
            f"""
            SELECT id FROM ({STAYS.format(file=pack / STAY_FILE)}) JOIN organisation USING (id)
            WHERE region NOT IN ('93', 'inconnu') AND id <> ? GROUP BY id
            ORDER BY least(count(*) FILTER (is_before), count(*) FILTER (NOT is_before)) DESC,
                     count(*) FILTER (NOT is_before) DESC, id LIMIT 1
            """,
            [establishment],
        ).fetchall()[0][0]
        text = (pack / REGISTER).read_bytes().decode("cp1252")
        header, *lines = text.splitlines(keepends=True)
        write(pack, [header, *reversed(lines)], FIRST_DELIVERY)
        home.materialize()
        write(
            pack,
            [header, *(_elsewhere(header, line, {establishment, hospital}) for line in reversed(lines))],
            SECOND_DELIVERY,
        )
        home.materialize()
        yield Moved(home, establishment, hospital, {"department": department, "region": region}, delivered)


def _elsewhere(header: str, line: str, establishments: Set[str]) -> str:
    """The line of the register, in another place if it is that of one of the establishments."""
    names, cells = header.rstrip("\r\n").split(";"), line.rstrip("\r\n").split(";")
    row = dict(zip(names, cells, strict=False))
    if row.get("identifiant_organisation") not in establishments:
        return line
    assert len(cells) == len(names)
    return ";".join(NEW.get(name, value) for name, value in row.items()) + line[len(line.rstrip("\r\n")) :]


def expected(moved: Moved, since: str, until: str, as_known_today: bool = False) -> dict[str, float]:
    """The shares of consultations by region, of the delivered rows."""
    is_new = "true" if as_known_today else f"c.date >= DATE '{SECOND_DELIVERY}'"
    rows = moved.delivered.execute(
        f"""
        WITH shared AS (SELECT *, 1.0 / count(*) OVER (PARTITION BY professional) AS share FROM attachment)
        SELECT CASE WHEN o.id IN ($moved, $hospital) AND {is_new} THEN '93' ELSE o.region END AS region, sum(share)
        FROM consultation c JOIN shared USING (professional) JOIN organisation o ON o.id = organisation
        WHERE c.date >= $since::DATE AND c.date < $until::DATE GROUP BY 1
        """,
        {"moved": moved.establishment, "hospital": moved.hospital, "since": since, "until": until},
    ).fetchall()
    return {region: float(share) for region, share in rows}


RANGES = [
    ("2015-06", "2019-06", "2019-07-01"),
    ("2019-07", "2023-03", "2023-04-01"),
    ("2019-01", "2019-12", "2020-01-01"),
]


@pytest.mark.parametrize(("first", "last", "until"), RANGES, ids=["before", "after", "the year"])
@pytest.mark.parametrize("as_known_today", [False, True], ids=["then", "today"])
def test_consultations_count_in_the_region_of_their_day(
    moved: Moved, first: str, last: str, until: str, as_known_today: bool
) -> None:
    options = ["--from", first, "--to", last, *(["--as-known-today"] if as_known_today else [])]
    assert moved.events(*options) == pytest.approx(expected(moved, f"{first}-01", until, as_known_today))


def test_known_today_is_another_answer(moved: Moved) -> None:
    options = ("--from", "2015-06", "--to", "2019-06")
    then, today = moved.events(*options), moved.events(*options, "--as-known-today")
    assert then[moved.former["region"]] > today.get(moved.former["region"], 0)
    assert then.get("93", 0) < today["93"]
    assert sum(then.values()) == pytest.approx(sum(today.values()))
    refused = moved.home.chu("kpi", "kpi_hospitalisation_rate", "--as-known-today")
    assert refused.returncode != 0 and "--as-known-today" in refused.stderr + refused.stdout


def test_stays_name_the_version_of_their_day(moved: Moved) -> None:
    lake = moved.home.lake
    stay = next(t for t in catalogue() if t.name == "fact_hospitalisation")
    with small_duckdb.connect() as connection:
        found = connection.sql(
            f"""
            SELECT f.date < DATE '{SECOND_DELIVERY}' AS is_before, region_key, count(*)
            FROM {lake.relation(stay)} f JOIN {lake.relation(HISTORY)} USING (establishment_version)
            GROUP BY ALL
            """
        ).fetchall()
    delivered = moved.delivered.execute(
        f"""
        SELECT is_before, CASE WHEN id IN ($moved, $hospital) AND NOT is_before THEN '93'
                               ELSE coalesce(region, 'inconnu') END AS region, count(*)
        FROM ({STAYS.format(file=moved.home.pack / STAY_FILE)}) LEFT JOIN organisation USING (id) GROUP BY ALL
        """,
        {"moved": moved.establishment, "hospital": moved.hospital},
    ).fetchall()
    assert sorted(found) == sorted(delivered)


def test_the_versions_of_the_establishment(moved: Moved) -> None:
    with small_duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT valid_from, valid_to, department_code, region_key FROM {moved.home.lake.relation(HISTORY)} "
            "WHERE establishment_key = ? ORDER BY 1",
            [moved.establishment],
        ).fetchall()
    assert found == [
        (date(1800, 1, 1), SECOND_DELIVERY, *moved.former.values()),
        (SECOND_DELIVERY, date(9999, 12, 31), *NEW_PLACE.values()),
    ]


def test_equal_deliveries_and_maintenance_leave_the_history(moved: Moved) -> None:
    home, before = moved.home, history(moved.home)
    header, *lines = (home.pack / REGISTER).read_bytes().decode("cp1252").splitlines(keepends=True)
    write(home.pack, [header, *sorted(lines)], date(2021, 1, 1))
    version = home.lake.version(etablissement_sante_history)
    home.materialize("--select", f"key:history/{etablissement_sante_history.name}+ or key:sources/etablissement_sante")
    assert home.lake.version(etablissement_sante_history) == version
    assert history(home) == before
    home.materialize("--select", f"key:history/{etablissement_sante_history.name}", "--force")
    assert history(home) == before


def test_a_history_is_rebuilt_from_what_it_continued(moved: Moved) -> None:
    done = moved.home.chu("rebuild", f"history/{etablissement_sante_history.name}")
    assert done.returncode == 0 and "EQUAL" in done.stdout, done.stdout + done.stderr


def test_the_next_edition_is_verified(moved: Moved) -> None:
    before = published(moved.home)
    released = moved.home.chu("release")
    assert released.returncode == 0, released.stdout + released.stderr
    # Months, quarters and years that ended before the move are as they were published.
    ends = [c.name for c in kpi_consultation_rate_by_establishment.masked.columns].index("period_end")
    grains = [c.name for c in kpi_consultation_rate_by_establishment.masked.columns].index("period_grain")

    def closed(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [r for r in rows if r[grains] != "all" and r[ends] <= date(2019, 7, 1)]

    assert closed(published(moved.home)) == closed(before)
    verified = moved.home.chu("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
