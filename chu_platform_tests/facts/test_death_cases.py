"""Files of deaths as users deliver them: the shared cases, and cases of public repositories (docs/public-cases.md)."""

import csv
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize

import duckdb
import pytest

from chu_platform.dimensions.dim_region import dim_region
from chu_platform.errors import ChuError
from chu_platform.facts.fact_death import fact_death
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.graph.step_result import StepResult
from chu_platform.ingest.delivered import rejects_of
from chu_platform.recomputation.death_inputs import DEATH_KEYS, create_deaths
from chu_platform.references.department import department
from chu_platform.references.region import region
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.deces_insee_fixe import deces_insee_fixe
from chu_platform.sources.opposition_deces import opposition_deces
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform_tests.facts.death_files import COLUMNS, Death
from chu_platform_tests.ingest.deliveries import deliver
from chu_platform_tests.ingest.real_files import CASES, needs_cases
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

MADE = (region, department, dim_region, opposition_deces, deces, deces_insee_csv, deces_insee_fixe, fact_death)
HEADER = ",".join(Death._fields)


class Fact(NamedTuple):
    """What a fact says of a death."""

    year: str
    day: date | None
    sex: str
    department: str | None
    region: str


def died(day: str, place: str = "69381", sexe: str = "1") -> Death:
    """A death with an invented person who has the date, place and sex as name, so that different ones are different."""
    return Death(f"MORT {day} {place}", "ESSAI", sexe, "1935-03-10", "01004", "VILLE", "", day, place, "7")


def insee(death: Death, **cells: str) -> str:
    """A line of INSEE's CSV files; `cells` replace fields of it."""
    fields = dict(zip(COLUMNS, death.insee(), strict=True)) | cells
    return ";".join(f'"{value}"' for value in fields.values())


def write(pack: Path, name: str, lines: Sequence[str], encoding: str = "utf-8") -> None:
    pack.mkdir(parents=True, exist_ok=True)
    (pack / name).write_text("".join(f"{line}\n" for line in lines), encoding=encoding)


class Maker:
    """Makes the tables of deaths from a pack, in a lake of its own, with one engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log: list[str] = []
        self._first = RunResources(Settings(home=folder / "engine"), self.log.append)

    def __enter__(self) -> "Maker":
        self._first.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._first.__exit__(*error)

    def _resources(self, pack: Path) -> RunResources:
        home = self._folder / f"home-{pack.parent.name}"
        resources = RunResources(Settings(home=home, sources=pack), self.log.append)
        resources.__dict__["engine"] = self._first.engine
        return resources

    def steps(self, pack: Path) -> dict[Table, StepResult]:
        """The results of the steps of all tables, in the lake of the pack."""
        resources = self._resources(pack)
        resources.lake.prepare()
        return {
            t: run_step(resources, t, t.partition_scheme.every() if t.partition_scheme else None, "test") for t in MADE
        }

    def __call__(self, pack: Path) -> Lake:
        """The lake of the pack, with all tables."""
        self.steps(pack)
        return self._resources(pack).lake


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    with Maker(tmp_path_factory.mktemp("lakes")) as maker:
        yield maker


def facts(lake: Lake) -> Counter[Fact]:
    columns = ("death_year", "death_date", "sex", "department_code", "region_key")
    return Counter(Fact(*(row[c] for c in columns)) for row in rows(lake, fact_death).to_pylist())


def recomputed(lake: Lake) -> Counter[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        for table in (*DEATH_KEYS, department, region):
            connection.execute(f'CREATE VIEW "raw_{table.name}" AS FROM {lake.relation(table, lake.version(table))}')
        create_deaths(connection)
        return Counter(connection.execute("SELECT year::VARCHAR, sex, region, band FROM death").fetchall())


def assert_recomputed(lake: Lake) -> None:
    """The independent recomputation counts the same deaths."""
    of_fact = rows(lake, fact_death).to_pylist()
    columns = ("death_year", "sex", "region_key", "age_band")
    assert recomputed(lake) == Counter(tuple(row[c] for c in columns) for row in of_fact)


def rejected(lake: Lake, table: Any) -> list[tuple[int, str]]:
    return sorted((r["line"], r["reason"]) for r in rows(lake, rejects_of(table)).to_pylist())


# Forms of a date of death in deces.csv, in INSEE's CSV files and in a line of fixed width, with the day of the fact.
FORMS = [
    (("2019", "2019-00-00"), ("20190000", "2019"), ("20190000", "2019    "), None),
    (("2019-05", "2019-05-00"), ("20190500", "201905"), ("20190500", "201905  "), None),
    (("2019-05-17",), ("20190517",), ("20190517",), date(2019, 5, 17)),
    (("1970", "1970-00-00"), ("19700000", "1970"), ("19700000",), None),
]


def test_a_partial_date_is_one_death_in_every_form(maker: Maker, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    death = died("2019")
    own = [death._replace(date_deces=day) for days, _, _, _ in FORMS for day in days]
    write(pack, "deces.csv", [HEADER, *(",".join(d) for d in own)])
    csv_lines = [insee(death, datedeces=day) for _, days, _, _ in FORMS for day in days]
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *csv_lines])
    line = death._replace(date_deces="20190000").fixed(0)
    write(pack, "deces-2019.txt", [line.replace("20190000", day) for _, _, days, _ in FORMS for day in days])
    lake = maker(pack)
    assert [rejected(lake, t) for t in (deces, deces_insee_csv, deces_insee_fixe)] == [[], [], []]
    found = facts(lake)
    assert found == Counter(Fact(days[0][:4], day, "M", "69", "84") for days, _, _, day in FORMS)
    assert_recomputed(lake)


# Spellings of dates that every format reads, and the date.
SPELLINGS = {
    "2019": "2019",
    "20190000": "2019-00-00",
    "2019-00": "2019-00-00",
    "201900": "2019-00-00",
    "2019.0": "2019",
    "201906": "2019-06",
    "2019-6": "2019-06",
    "2019-06": "2019-06",
    "20190600": "2019-06-00",
    "20190617": "2019-06-17",
    "2019-06-17": "2019-06-17",
    "2019-6-7": "2019-06-07",
    " 2019-06-17 ": "2019-06-17",
    "\u00a020190617\t": "2019-06-17",
    "2019-06-17 00:00:00": "2019-06-17",
    "2019-06-17T00:00:00.000Z": "2019-06-17",
    "2019-06-17 13:45": "2019-06-17",
    "20190617.0": "2019-06-17",
    "20190600.00": "2019-06-00",
    "2019/06/17": "2019-06-17",
    "2019/6/7": "2019-06-07",
    "2019/06": "2019-06",
    "2019/00/00": "2019-00-00",
    "2019.06.17": "2019-06-17",
    "2019.6.7": "2019-06-07",
    "2019/06/17 00:00:00": "2019-06-17",
    "17/06/2019": "2019-06-17",
    "17-6-2019": "2019-06-17",
    "17.06.2019 00:00:00": "2019-06-17",
    "7/7/2019": "2019-07-07",
    "00/06/2019": "2019-06-00",
    "6/2019": "2019-06",
    "17062019": "2019-06-17",
}


def with_zeros(day: str) -> str:
    """A date with 00 for what is unknown."""
    return f"{day}-00-00"[:10]


def test_every_format_reads_every_spelling_of_a_date(tmp_path: Path) -> None:
    """Dates of death and of birth, and dates of the opposition list."""
    pack = tmp_path / "pack"
    deaths = [Death(f"MORT{n}", "", "1", d, "", "", "", d, "69381", "7") for n, d in enumerate(SPELLINGS)]
    write(pack, "deces.csv", [HEADER, *(",".join(d) for d in deaths)])
    names = [f"MORT{n}" for n in range(len(deaths))]
    cells = zip(names, SPELLINGS, strict=True)
    lines = [insee(deaths[0], nomprenom=f"{name}*/", datenaiss=d, datedeces=d) for name, d in cells]
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *lines])
    short = {n: d.strip("\u00a0\t ") for n, d in enumerate(SPELLINGS) if len(d.strip("\u00a0\t ")) <= 8}
    fixed = deaths[0]._replace(date_naissance="", date_deces="20190000").fixed(0)
    write(
        pack,
        "deces-2019.txt",
        [f"MORT{n}*/".ljust(80) + fixed[80:154] + f"{d:8}" + fixed[162:] for n, d in short.items()],
    )
    full = [with_zeros(d) for d in SPELLINGS.values()]
    for table, read in ((deces, range(len(full))), (deces_insee_csv, range(len(full))), (deces_insee_fixe, short)):
        outcome = deliver(table, pack, tmp_path / table.name)
        assert outcome.rejected == []
        columns = [c.name for c in table.columns]
        found = [dict(zip(columns, row, strict=True)) for row in outcome.rows]
        dates = {row["nom"]: with_zeros(row["date_deces"]) for row in found}
        assert dates == {names[n]: full[n] for n in read}
        if table is not deces_insee_fixe:
            births = {row["nom"]: with_zeros(row["date_naissance"]) for row in found}
            assert births == dates
    write(
        pack, "fichier-opposition-deces-26.csv", ["datedeces,lieudeces,actedeces", *(f"{d},69381,7" for d in SPELLINGS)]
    )
    outcome = deliver(deces, pack, tmp_path / "withdrawn")
    assert (outcome.reading.kept, outcome.reading.withdrawn, outcome.reading.remarks) == (0, len(deaths), [])


# Spellings of one unknown date of birth, and of a month and day without a year.
UNKNOWN_BIRTHS = ("", "0", "000", "0000", "00000000", "0000-00-00", "00/00/0000", "0.0", "inconnue", "NULL", "n/a", "?")
MONTH_AND_DAY = ("00000510", "510", "0510", "0000-05-10", "510.0")


def test_an_unknown_birth_is_one_in_every_spelling(maker: Maker, tmp_path: Path) -> None:
    """The three formats: the same death is counted once, and one with another birth is another one."""
    pack = tmp_path / "pack"
    births = [*UNKNOWN_BIRTHS, *MONTH_AND_DAY, "00001003", "1003", "1935"]
    deaths = [died("2019-05-06")._replace(date_naissance=birth) for birth in births]
    write(pack, "deces.csv", [HEADER, *(",".join(d) for d in deaths)])
    lines = [insee(d, datenaiss=d.date_naissance) for d in deaths]
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *lines])
    fixed = deaths[0].fixed(0)
    # A line of fixed width has no room for other spellings: they are rejects.
    in_fixed = [f"{fixed[:81]}{birth:8}{fixed[89:]}" for birth in births if birth.isdigit() and len(birth) in (4, 8)]
    write(pack, "deces-2019.txt", in_fixed)
    lake = maker(pack)
    assert [rejected(lake, t) for t in (deces, deces_insee_csv, deces_insee_fixe)] == [[], [], []]
    found = rows(lake, fact_death).to_pylist()
    # Unknown, 10 May, 3 October, 1935.
    assert Counter(row["birth_year"] for row in found) == {None: 3, 1935: 1}
    assert_recomputed(lake)


def test_words_for_no_value_are_empty(maker: Maker, tmp_path: Path) -> None:
    """One death in every format, but names that somebody may bear stay names; a warning counts the words."""
    pack = tmp_path / "pack"
    empty = died("2019-05-06")._replace(
        prenom="",
        date_naissance="",
        code_lieu_naissance="",
        lieu_naissance="",
        code_lieu_deces="",
        numero_acte_deces="",
    )
    words = ("NULL", "\\N", "NA", "N/A", "null", "None", "nan", "#N/A")
    texts = Death._fields[3:7] + Death._fields[8:]
    deaths = [empty._replace(**dict.fromkeys(texts, word)) for word in words]
    named = [empty._replace(nom="NULL"), empty._replace(nom="NA"), empty._replace(prenom="NAN")]
    write(pack, "deces.csv", [HEADER, *(",".join(quoted(*d)) for d in [empty, *deaths, *named])])
    lines = [insee(d, datenaiss=d.date_naissance) for d in (empty, *deaths)]
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *lines])
    assert facts(maker(pack)) == Counter({Fact("2019", date(2019, 5, 6), "M", None, "99"): 1 + len(named)})
    assert_recomputed(maker(pack))
    (remark,) = deliver(deces, pack, tmp_path / "work").reading.remarks
    assert "deces.csv: cells with a word for no value, such as NULL or NA, were read as empty" in remark
    assert f"{len(words)} of 'numero_acte_deces'" in remark


def test_a_birth_that_other_files_may_spell_otherwise_is_named(tmp_path: Path) -> None:
    """From the first one on, with its line; dates that do not exist are the same in every file."""
    pack = tmp_path / "pack"
    births = ["1935-03-10"] * 200 + ["1935-02-31", "1935-13-45", "25/12/1935", "03/10/1935", "10031935"]
    deaths = [died("2019-05-06")._replace(date_naissance=birth, nom=f"N{n}") for n, birth in enumerate(births)]
    write(pack, "deces.csv", [HEADER, *(",".join(d) for d in deaths)])
    (text,) = deliver(deces, pack, tmp_path / "work").reading.partly_understood
    assert "2 of the 205 values (1.0 %) of the column 'date_naissance' are not understood" in text
    assert "shape 99/99/9999, line 205, 206" in text


@pytest.mark.parametrize("table", [deces, deces_insee_csv])
@pytest.mark.parametrize(
    ("births", "wrong"),
    [
        (["14612", "11231", "02/01/1940", "1940-13-45", "19401", "1940 01 02", "jan 1940"], 7),
        (["1940-01-02", "1940", "1940-00-00", "1940-00-05", "19400102.0", "1940/01/02", "0000-00-00", "194001"], 0),
    ],
)
def test_births_that_are_no_dates_are_counted(tmp_path: Path, table: Table, births: list[str], wrong: int) -> None:
    """Above 1 % a warning, above 10 % the source stops; nothing is read from a text that begins with four digits."""
    for times, others, blocks in ((1, 200, False), (2, 40, True)):
        pack = tmp_path / f"pack {times}"
        days = births * times + ["1935-03-10"] * others
        deaths = [died("2019-05-06")._replace(date_naissance=birth, nom=f"N{n}") for n, birth in enumerate(days)]
        write(pack, "deces.csv", [HEADER, *(",".join(d) for d in deaths)])
        lines = [insee(d, datenaiss=d.date_naissance) for d in deaths]
        write(pack, "Deces_2019.csv", [";".join(COLUMNS), *lines])
        outcome = deliver(table, pack, tmp_path / f"work {times}")
        assert (outcome.rejected, outcome.reading.kept) == ([], len(deaths))
        found = [(m.wrong, m.blocks) for m in outcome.reading.misunderstood]
        assert found == ([(wrong * times, blocks)] if wrong else [])


DAMAGED_DATES = {
    "0191-10-02": "year_out_of_range",
    "2107-01-05": "year_out_of_range",
    "9999": "year_out_of_range",
    "1881-12-31": "year_out_of_range",
    "2019-02-30": "not_a_date",
    "2019-13-01": "not_a_date",
    "2019-0": "not_a_date",
    "20190": "not_a_date",
    "20190230": "not_a_date",
    "201913": "not_a_date",
    "01022019": "not_a_date",
    "0": "year_out_of_range",
    "inconnue": "year_out_of_range",
    "2019-05-17T22:00:00Z": "not_a_date",
    "42901": "not_a_date",
    "2019-00-45": "not_a_date",
    "01/02/2019": "not_a_date",
    "-019-02-03": "not_a_date",
}


def test_damaged_dates_are_rejects(tmp_path: Path) -> None:
    kept = [died("1882-01-01"), died(str(date.today().year)), died("2019-00-17")]
    # Others, because a file of which most rows are rejected is refused.
    kept += [died(f"2019-01-{day:02}") for day in range(1, 29)]
    write(tmp_path / "pack", "deces.csv", [HEADER, *(",".join(d) for d in [*kept, *map(died, DAMAGED_DATES)])])
    outcome = deliver(deces, tmp_path / "pack", tmp_path / "work")
    first = len(kept) + 2
    assert sorted(outcome.rejected) == [(first + n, "date_deces", why) for n, why in enumerate(DAMAGED_DATES.values())]
    assert outcome.reading.kept == len(kept)


def test_dates_and_sexes_of_a_connector(tmp_path: Path) -> None:
    whole = shifted(0, 0)
    damaged = [shifted(0, 0, day=day) for day in ("2020XX01", "00000000", "14990101", "        ")]
    write(tmp_path / "pack", "deces-2019.txt", [whole[:167], shifted(0, 0, sexe="9"), *damaged, whole, whole])
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == [
        (3, "datedeces", "not_a_date"),
        (4, "datedeces", "year_out_of_range"),
        (5, "datedeces", "year_out_of_range"),
        (6, "datedeces", "missing"),
    ]
    assert sorted(row[1] for row in outcome.rows) == [2, 2, 2, 9]


PLACES = {
    "1053": ("01", "84"),
    "01053": ("01", "84"),
    "2a004": ("2A", "94"),
    "2B033": ("2B", "94"),
    "20004": (None, "94"),
    "2004": ("02", "32"),
    "97611": ("976", "06"),
    "98506": ("976", "06"),
    "97411": ("974", "04"),
    "98405": ("974", "04"),
    "98401": (None, "99"),
    "98735": (None, "99"),
    "91352": (None, "99"),
    "92353": (None, "99"),
    "94354": (None, "99"),
    "91228": ("91", "11"),
    "94028": ("94", "11"),
    "99352": (None, "99"),
    "97502": (None, "99"),
    "97123": (None, "99"),
    "97127": (None, "99"),
    "97701": (None, "99"),
    "97801": (None, "99"),
    "97105": ("971", "01"),
    "75": (None, "99"),
    "7511": ("07", "84"),
    "750112": (None, "99"),
    "0": (None, "99"),
    "": (None, "99"),
}


def test_places(maker: Maker, tmp_path: Path) -> None:
    """Each place has an own day, so that the facts tell them apart."""
    days = {place: date(2019, 3, 1) + timedelta(n) for n, place in enumerate(PLACES)}
    lines = [",".join(died(day.isoformat(), place)) for place, day in days.items()]
    # The same death with and without the zero, and in another letter case.
    again = [died(days["1053"].isoformat(), "1053")._replace(code_lieu_deces="01053", code_lieu_naissance="1004")]
    again += [died(days["2a004"].isoformat(), "2a004")._replace(code_lieu_deces="2A004")]
    write(tmp_path / "pack", "deces.csv", [HEADER, *lines, *(",".join(d) for d in again)])
    # A line that was cut in the place: four digits are not a code without its zero.
    write(tmp_path / "pack", "deces-2019.txt", [died("2019-12-31", "69381").fixed(0)[:166]])
    lake = maker(tmp_path / "pack")
    expected = {Fact("2019", days[place], "M", *where) for place, where in PLACES.items()}
    expected.add(Fact("2019", date(2019, 12, 31), "M", None, "99"))
    assert facts(lake) == Counter(expected)
    assert_recomputed(lake)


def test_cut_names_are_one_death(maker: Maker, tmp_path: Path) -> None:
    """Names are cut at 68 characters in one file, at 80 in another, at a blank or not, with a slash or without."""
    names = ("N" * 40, f"{'P' * 26} SECOND TROISIEME")
    whole = died("2019-04-05")._replace(nom=names[0], prenom=names[1])
    other = whole._replace(prenom=f"AUTRE {names[1]}")
    text = f"{names[0]}*{names[1]}/"
    write(tmp_path / "pack", "deces.csv", [HEADER, ",".join(whole), ",".join(other)])
    cut = [text[:68], text[:67] + "/", text[:79], text[:80], text]
    lines = [insee(whole, nomprenom=name) for name in cut]
    write(tmp_path / "pack", "Deces_2019.csv", [";".join(COLUMNS), *lines])
    fixed = whole.fixed(0)
    write(tmp_path / "pack", "deces-2019.txt", [fixed, text[:68].ljust(80) + fixed[80:]])
    lake = maker(tmp_path / "pack")
    assert facts(lake).total() == 2
    assert_recomputed(lake)


def shifted(name: int, town: int, day: str = "20190312", birth: str = "19350310", sexe: str = "2") -> str:
    """A line of which the name and the town have so many characters more than 80 and 30."""
    return (
        "AMELINE*ZOE/".ljust(80 + name)
        + f"{sexe}{birth}99352"
        + "ORAN".ljust(30 + town)
        + f"{'ALGERIE':30}{day}69381000000042"
    )


@pytest.mark.parametrize(("name", "town"), [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-2, 0), (-1, -1), (-1, 1)])
def test_shifted_lines_are_read_in_their_places(tmp_path: Path, name: int, town: int) -> None:
    births = {"19350310": "2", "00000000": "2", "20000101": "2", "19120000": "1"}
    lines = [shifted(name, town, birth=birth, sexe=sexe) for birth, sexe in births.items()]
    write(tmp_path / "pack", "deces-2019.txt", lines)
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == []
    assert {row[2]: row[1] for row in outcome.rows} == {birth: int(sexe) for birth, sexe in births.items()}
    for names, _, _, birthplace, place, country, day, *rest in outcome.rows:
        assert (names, birthplace) == ("AMELINE*ZOE/", "99352")
        assert (place, country, day, *rest[:2]) == ("ORAN", "ALGERIE", "20190312", "69381", "42")


def test_damaged_lines_are_not_taken_for_shifted_ones(tmp_path: Path) -> None:
    lines = [
        shifted(0, 0, birth="18991301"),
        shifted(0, 0, birth="09310310"),
        shifted(0, 0, birth="        "),
        shifted(0, 0, day="20190345"),
        shifted(0, 0, day="21070312"),
    ]
    write(tmp_path / "pack", "deces-2019.txt", lines)
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == [(4, "datedeces", "not_a_date"), (5, "datedeces", "year_out_of_range")]
    assert {(row[1], row[2], row[3]) for row in outcome.rows} == {
        (2, "18991301", "99352"),
        (2, "09310310", "99352"),
        (2, None, "99352"),
    }


def test_a_line_of_which_no_part_is_in_a_known_place_is_a_reject(tmp_path: Path) -> None:
    """However far a name and a town are shifted, a line is read right, or rejected."""
    days = ("20170211", "20161130", "20101204", "19820101")
    cases = [(n, t, day) for n in range(-40, 41) for t in range(-30, 41) for day in days if not (n - t) % 5]
    lines = [shifted(n, t, day=day) for n, t, day in cases]
    write(tmp_path / "pack", "deces-2019.txt", [shifted(0, 0)] * len(lines) + lines)
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    read = Counter((row[1], row[2], row[3], row[6], row[7]) for row in outcome.rows)
    assert read.keys() == {(2, "19350310", "99352", day, "69381") for day in (*days, "20190312")}
    near = [case for case in cases if abs(case[0]) <= 24 and abs(case[1]) <= 24]
    assert len(near) + len(lines) <= outcome.reading.kept
    assert "misplaced" in {reason for _, _, reason in outcome.rejected}


@pytest.mark.parametrize("cut", [0, 9])
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_glued_lines_are_split(tmp_path: Path, encoding: str, cut: int) -> None:
    """Two or three records in a line, as of files that were joined and do not end with a line feed."""
    records = [shifted(0, 0, birth=f"19{n}0310").replace("ZOE", "ZOÉ") for n in range(10, 30)]
    whole, stripped = records[0][: 176 - cut], records[4][: 176 - cut]
    lines = [whole + records[1], *records[2:4], stripped + records[5][: 176 - cut] + records[6], *records[7:]]
    write(tmp_path / "pack", "deces-2019.txt", lines, encoding)
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == []
    assert outcome.reading.rows_in == len(records)
    assert Counter(row[:4] + row[6:8] for row in outcome.rows) == Counter(
        ("AMELINE*ZOÉ/", 2, f"19{n}0310", "99352", "20190312", "69381") for n in range(10, 30)
    )


def test_rejects_behind_glued_lines_have_their_line(tmp_path: Path) -> None:
    good, bad = shifted(0, 0), shifted(0, 0, day="20190230")
    write(tmp_path / "pack", "deces-2019.txt", [good * 3, good, bad, good + bad, *[good] * 30])
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == [(3, "datedeces", "not_a_date"), (4, "datedeces", "not_a_date")]
    assert (outcome.reading.rows_in, outcome.reading.kept) == (37, 35)


@pytest.mark.parametrize(
    "line",
    [
        shifted(0, 0) + shifted(0, 0)[:120],
        shifted(0, 0)[:120] + shifted(0, 0),
        shifted(0, 0) + shifted(0, 0, birth="19991310"),
        shifted(0, 0) + "x" * 50 + shifted(3, 0),
    ],
)
def test_a_second_record_in_an_unknown_place_is_a_reject(tmp_path: Path, line: str) -> None:
    write(tmp_path / "pack", "deces-2019.txt", [line, *[shifted(0, 0)] * 30])
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == [(1, None, "glued_records")]
    assert outcome.reading.kept == 30


def test_other_text_behind_a_record_is_ignored(tmp_path: Path) -> None:
    """Also if a line has many letters of two bytes."""
    wide = "É" * 40 + shifted(0, 0)[40:94] + "Ü" * 60 + shifted(0, 0)[154:]
    write(tmp_path / "pack", "deces-2019.txt", [shifted(0, 0) + " " * 90, shifted(0, 0) + ";" + " " * 80 + "x", wide])
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == []
    assert {row[6:9] for row in outcome.rows} == {("20190312", "69381", "42")}


@pytest.mark.parametrize("encoding", ["cp437", "iso-8859-1", "cp1252"])
def test_a_stray_byte_does_not_shift_a_line_in_utf_8(tmp_path: Path, encoding: str) -> None:
    texts = [("HÉLÈNE ZOÉ*ŒUVRE D’ÂGE/", "LYéN"), ("HELENE*É/", "éèà SAINT-ÉTIENNE"), ("é*É/", "LYON")]
    lines = [f"{name:80}11935031001004{town:30}{'':30}2018091569381        1" for name, town in texts]
    stray = {letter: letter.encode(encoding) for letter in "éèà"}
    coded = [b"".join(stray.get(letter) or letter.encode() for letter in line) for line in lines]
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "deces-2018.txt").write_bytes(b"\n".join(coded) + b"\n")
    outcome = deliver(deces_insee_fixe, tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == []
    assert {row[1:4] + row[6:9] for row in outcome.rows} == {(1, "19350310", "01004", "20180915", "69381", "1")}
    names = {row[0] for row in outcome.rows}
    assert names == {name.replace("é", stray["é"].decode("cp1252")) for name, _ in texts}
    assert outcome.reading.deliveries[0].lines_in_fallback == 3


@needs_cases
def test_shared_cases_of_deces_csv(maker: Maker, tmp_path: Path) -> None:
    """Case 1 (partial dates), in deces.csv and in INSEE's format, and case 3 (places)."""
    pack = tmp_path / "pack"
    with (CASES / "01-deces-partial" / "deces.csv").open(encoding="utf-8", newline="") as file:
        first = [Death(*row) for row in list(csv.reader(file))[1:]]
    with (CASES / "03-deces-places" / "deces.csv").open(encoding="utf-8", newline="") as file:
        third = [Death(*row) for row in list(csv.reader(file))[1:]]
    lines = [",".join(value or '""' for value in death) for death in [*first, *third]]
    write(pack, "deces.csv", [HEADER, *lines])
    by_month = [d.insee() for d in first if "/" not in d.date_deces]
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *(";".join(f'"{c}"' for c in cells) for cells in by_month)])
    lake = maker(pack)
    # 30 February, month 13, and a French date.
    assert [line for line, _ in rejected(lake, deces)] == [22, 23, 24]
    with (CASES / "03-deces-places" / "expected.csv").open(encoding="utf-8", newline="") as file:
        places = {
            row["code_lieu_deces"]: (row["department_code"] or None, row["region_key"]) for row in csv.DictReader(file)
        }
    assert len(places) == len(third)
    places |= {"97422": ("974", "04"), "97405": ("974", "04"), "56178": ("56", "53")}
    kept = [d for n, d in enumerate([*first, *third], 2) if n not in (22, 23, 24)]
    expected = Counter(
        Fact(
            d.date_deces[:4],
            date.fromisoformat(d.date_deces) if len(d.date_deces) == 10 and "-00" not in d.date_deces else None,
            "MF"[int(d.sexe) - 1],
            *places[d.code_lieu_deces],
        )
        for d in kept
    )
    assert facts(lake) == expected
    assert_recomputed(lake)


@needs_cases
def test_shared_case_of_fixed_width(maker: Maker, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    shutil.copy(CASES / "04-insee-fixed" / "deces-2019.txt", pack)
    lake = maker(pack)
    assert rejected(lake, deces_insee_fixe) == [(26, "not_a_date"), (36, "not_a_date"), (37, "not_a_date")]
    found = facts(lake)
    # 41 lines, three rejects; lines 31 and 32 are one death.
    assert found.total() == 41 - 3 - 1
    assert {fact.year for fact in found} == {"2019"}
    assert found[Fact("2019", None, "M", "69", "84")] == 3
    assert found[Fact("2019", date(2019, 11, 2), "M", "13", "93")] == 2
    assert found[Fact("2019", date(2019, 3, 12), "unknown", "69", "84")] == 1
    read = {row["nomprenom"]: row for row in rows(lake, deces_insee_fixe).to_pylist()}
    assert {"AMÉLINE*ZOÉ/", "AMÉLINE*ZOE/", "SANSETOILE", "DOUBLE*MARIE/ANNE/", "SEULNOM*/", "NUL UN/"} <= read.keys()
    assert read["AMÉLINE*ZOE/"]["datenaiss"] == "19300101"
    assert read["LATIN*UN/"]["commnaiss"] == "MÜHLHAUSEN"
    assert read["COURT*UN/"]["actedeces"] is None
    assert_recomputed(lake)


LIST_HEADER = '"Date de décès";"Code du lieu de décès";"Numéro d\'acte de décès"'


def test_the_opposition_list_withdraws_deaths_from_every_form(maker: Maker, tmp_path: Path) -> None:
    """The list arrives after the deaths were read: the next run leaves them out, and says how many rows these are."""
    pack = tmp_path / "pack"
    withdrawn = [
        died("2019-03-12", "1053")._replace(numero_acte_deces="00031"),
        died("2019-00-00", "2a004")._replace(numero_acte_deces="B2"),
    ]
    others = [
        died("2019-03-12", "1053")._replace(numero_acte_deces="32"),
        died("2019-03-12", "1054")._replace(numero_acte_deces="31"),
        died("2019-03-13", "1053")._replace(numero_acte_deces="31"),
        died("2019-03-12", "1053")._replace(numero_acte_deces=""),
    ]
    # A withdrawn row that would be a reject is not kept among the rejects either.
    damaged = withdrawn[0]._replace(sexe="X")
    write(pack, "deces.csv", [HEADER, *(",".join(d) for d in [*withdrawn, *others, damaged])])
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *(insee(d) for d in [*withdrawn, *others])])
    write(
        pack,
        "deces-2019.txt",
        [withdrawn[1]._replace(code_lieu_deces="2A004").fixed(0), others[0]._replace(code_lieu_deces="1053 ").fixed(1)],
    )
    lake = maker(pack)
    assert facts(lake).total() == 2 + len(others) + 1  # a place of four characters in a line of fixed width is unknown
    assert rejected(lake, deces) == [(8, "not_a_whole_number")]
    lines = [LIST_HEADER, '"20190312";"01053";"31"', '"2019";"2A004";"B2"']
    write(pack, "fichier-opposition-deces-260407.csv", lines, "iso-8859-1")
    counts = {table: step.delivery for table, step in maker.steps(pack).items()}
    assert {t.name: (d.rows_in, d.kept, d.rejected, d.withdrawn) for t, d in counts.items() if d} == {
        "opposition_deces": (2, 2, 0, 0),
        "deces": (7, 4, 0, 3),
        "deces_insee_csv": (6, 4, 0, 2),
        "deces_insee_fixe": (2, 1, 0, 1),
    }
    assert facts(lake).total() == len(others) + 1
    assert_recomputed(lake)
    names = {row["nom"] for t in (deces, deces_insee_csv, deces_insee_fixe) for row in rows(lake, t).to_pylist()}
    assert names == {d.nom for d in others}
    # Nothing has changed since.
    assert all(step.up_to_date for step in maker.steps(pack).values())


# Spellings of the number of a certificate, which programs and people make of the first one.
CERTIFICATES = (
    ("3000", "3000.0", "3000,0", '="3000"', "'3000", " 3000 ", "000003000", "N° 3000"),
    ("A3005", "a3005", " A3005", '="a3005"', "'A3005", "A3005 ", "a3005\u00a0", "A 3005"),
    ("3009BIS", "3009bis", "3009 bis", "3009-BIS", "'3009bis", "03009Bis", "3009/bis", '="3009bis"'),
)


# Spellings of the same names of persons and places: letter case, blanks, accents as characters of their own, hyphens
# and apostrophes. Letters, and accents, tell persons apart.
NAME_SPELLINGS = (
    ("LE GOFF", "le goff", "Le  Goff", "LE\u00a0GOFF", "LE-GOFF", "LE - GOFF", "LE\u2010GOFF"),
    ("D'ÉTÉ", "D\u2019ÉTÉ", normalize("NFD", "D'ÉTÉ"), "d\u2019été", "D ÉTÉ", "D' ÉTÉ", "D\u00b4ÉTÉ"),
    ("DETE", "dete", "DETE ", " DETE", "Dete", "DETE\u00a0", "DETE"),
    ("DÉTÉ", "dété", "DÉTÉ", normalize("NFD", "dété"), "Dété", "DÉTÉ ", "DÉTÉ"),
)


def test_a_name_is_one_in_every_spelling(maker: Maker, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    names = [name for same in NAME_SPELLINGS for name in same]
    deaths = [died("2019-03-12")._replace(nom=name, prenom=name, lieu_naissance=name) for name in names]
    write(pack, "deces.csv", [HEADER, *(",".join(quoted(*d)) for d in deaths)])
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *(";".join(quoted(*d.insee())) for d in deaths)])
    write(pack, "deces-2019.txt", [d.fixed(0) for d in deaths])
    lake = maker(pack)
    assert facts(lake).total() == len(NAME_SPELLINGS)
    assert_recomputed(lake)


def test_a_number_in_thousands_is_no_certificate(tmp_path: Path) -> None:
    """3,000 may be 3 or 3000: the death is kept with the text, the column is named; no withdrawal rests on it."""
    pack = tmp_path / "pack"
    texts = ("3,000", "3.000,00", "3,5", "3.000", "3,001")
    deaths = [died("2019-03-12")._replace(numero_acte_deces=text) for text in texts]
    write(pack, "deces.csv", [HEADER, *(",".join(quoted(*d)) for d in deaths)])
    outcome = deliver(deces, pack, tmp_path / "work")
    place = [c.name for c in deces.columns].index("numero_acte_deces")
    assert {row[place] for row in outcome.rows} == {*texts}
    reading = outcome.reading
    (text,) = [*reading.not_understood, *reading.partly_understood]
    assert "none of the 5 values of the column 'numero_acte_deces' is understood" in text
    lines = [LIST_HEADER, '"20190312";"69381";"3"', '"20190312";"69381";"3,000"']
    write(pack, "fichier-opposition-deces-26.csv", lines)
    with pytest.raises(ChuError, match=r"1 of 2 withdrawals cannot be read \(line 3, column actedeces: not_a_cert"):
        deliver(deces, pack, tmp_path / "list of deces")
    assert deliver(opposition_deces, pack, tmp_path / "list").rejected == [(3, "actedeces", "not_a_certificate")]


# Lists of one withdrawal, of the death of 1 May 2019 at 2A004 with the number 1, as spreadsheets save it.
LISTED = (
    "01/05/2019;2A004;1",
    "1/5/2019;2a004;001",
    "01/05/2019 00:00:00;2A004;1.0",
    "01-05-2019;2A004;1",
    "2019-05-01;2A004;1",
    "2019-05-01 00:00:00;2A004;00001",
    '="20190501";="2A004";="1"',
    "20190501.0;2A004;1",
)


@pytest.mark.parametrize("line", LISTED)
def test_a_list_that_a_spreadsheet_saved_withdraws(tmp_path: Path, line: str) -> None:
    pack = tmp_path / "pack"
    deaths = [died("2019-05-01", place)._replace(numero_acte_deces="1") for place in ("2A004", "01053")]
    write(pack, "deces.csv", [HEADER, *(",".join(d) for d in deaths)])
    write(pack, "fichier-opposition-deces.csv", [LIST_HEADER, line, "02/05/2019;1053;2"])
    outcome = deliver(deces, pack, tmp_path / "work")
    assert [row[8] for row in outcome.rows] == ["01053"]
    assert (outcome.reading.withdrawn, outcome.reading.remarks) == (1, [])


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("05/17/2019;2A004;1", "column datedeces: not_a_date, shape 99/99/9999"),
        ("43586;2A004;1", "column datedeces: not_a_date, shape 99999"),
        (";2A004;1", "column datedeces: missing"),
        ("20190501;AJACCIO;1", "column lieudeces: not_a_place, shape aaaaaaa"),
        ('20190501;"1,053";1', "column lieudeces: not_a_place"),
        ("20190501;2A004;3,000", "column actedeces: not_a_certificate"),
        ("20190501;;N", "column actedeces: missing"),
        ("20190501;2A004;1;5;6", "line 3"),
    ],
)
@pytest.mark.parametrize("table", [deces, deces_insee_csv])
def test_a_withdrawal_that_cannot_be_read_stops_the_deaths(tmp_path: Path, table: Table, line: str, where: str) -> None:
    pack = tmp_path / "pack"
    write(pack, "deces.csv", [HEADER, ",".join(died("2019-05-01"))])
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), insee(died("2019-05-01"))])
    write(pack, "fichier-opposition-deces.csv", [LIST_HEADER, "20190502;01053;2", line])
    with pytest.raises(ChuError) as failure:
        deliver(table, pack, tmp_path / "work")
    message = str(failure.value)
    assert message.startswith("fichier-opposition-deces.csv: 1 of 2 withdrawals cannot be read (line 3")
    assert where in message
    assert "43586" not in message and "AJACCIO" not in message


def test_an_incomplete_withdrawal_withdraws_all_that_it_may_name(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    numbers = ("1", "2", "")
    deaths = [
        died(day, place)._replace(numero_acte_deces=number)
        for day in ("2019-05-01", "2019-05-02", "2019-05-03")
        for place in ("2A004", "01053")
        for number in numbers
    ]
    write(pack, "deces.csv", [HEADER, *(",".join(d) for d in deaths)])
    write(pack, "fichier-opposition-deces.csv", [LIST_HEADER, "20190501;2A004;", "20190502;;2", "20190503;01053;1"])
    outcome = deliver(deces, pack, tmp_path / "work")
    left = {(row[7][-2:], row[8], row[9] or "") for row in outcome.rows}
    every = {(day, place, number) for day in ("01", "02", "03") for place in ("2A004", "01053") for number in numbers}
    gone = {("01", "2A004", n) for n in numbers} | {("02", p, "2") for p in ("2A004", "01053")} | {("03", "01053", "1")}
    assert left == every - gone
    (remark,) = outcome.reading.remarks
    assert remark.startswith("fichier-opposition-deces.csv: 2 withdrawals have no place or no number")


def test_a_list_without_rows_withdraws_nothing(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    write(pack, "deces.csv", [HEADER, ",".join(died("2019-05-01"))])
    write(pack, "fichier-opposition-deces.csv", [LIST_HEADER])
    reading = deliver(deces, pack, tmp_path / "work").reading
    assert (reading.kept, reading.withdrawn, reading.remarks) == (1, 0, [])
    assert [(applied.origin.name, applied.rows) for applied in reading.lists] == [("fichier-opposition-deces.csv", 0)]
    listed = deliver(opposition_deces, pack, tmp_path / "list")
    assert (listed.reading.kept, listed.rejected, listed.reading.misunderstood) == (0, [], [])


def quoted(*cells: str) -> list[str]:
    return ['"' + cell.replace('"', '""') + '"' for cell in cells]


def test_a_certificate_number_is_one_in_every_spelling(maker: Maker, tmp_path: Path) -> None:
    """The three formats and the opposition list: each death is counted once, and withdrawn.

    A list in each spelling withdraws from one format; by each list, the deaths in all spellings.
    """
    deaths = [[died("2019-03-12")._replace(numero_acte_deces=n) for n in numbers] for numbers in CERTIFICATES]
    pack = tmp_path / "pack"
    every = [d for same in deaths for d in same]
    write(pack, "deces.csv", [HEADER, *(",".join(quoted(*d)) for d in every)])
    write(pack, "Deces_2019.csv", [";".join(COLUMNS), *(";".join(quoted(*d.insee())) for d in every)])
    write(pack, "deces-2019.txt", [d.fixed(0) for d in every])
    assert facts(maker(pack)).total() == len(CERTIFICATES)
    for list_of in range(len(CERTIFICATES[0])):
        lines = [";".join(quoted("20190312", "69381", numbers[list_of])) for numbers in CERTIFICATES]
        write(pack, "fichier-opposition-deces-26.csv", [LIST_HEADER, *lines])
        table = (deces, deces_insee_csv, deces_insee_fixe)[list_of % 3]
        reading = deliver(table, pack, tmp_path / f"{table.name}-{list_of}").reading
        assert (reading.kept, reading.withdrawn, reading.remarks) == (0, len(every), [])


def test_a_list_without_effect_is_remarked(tmp_path: Path) -> None:
    """A part of a list may name deaths that are not delivered; not all of it, on days of which deaths are delivered."""
    pack = tmp_path / "pack"
    days = [f"2019-03-{day:02}" for day in range(1, 26)]
    write(pack, "deces.csv", [HEADER, *(",".join(died(day)) for day in days)])
    known = '"20190301";"69381";"7"'
    unknown = [f'"{day.replace("-", "")}";"69381";"7/2019"' for day in days[1:]]
    undelivered = [f'"2018{day[4:].replace("-", "")}";"69381";"7"' for day in days]
    for name, lines in {"26": [known, *unknown], "25": [*undelivered], "24": [known, *unknown[:15]]}.items():
        write(pack, f"fichier-opposition-deces-{name}.csv", [LIST_HEADER, *lines])
    reading = deliver(deces, pack, tmp_path / "work").reading
    assert reading.withdrawn == 1
    (remark,) = reading.remarks
    assert remark.startswith(
        "fichier-opposition-deces-26.csv: 1 of its 25 withdrawals that concern days of deces names"
    )


@pytest.mark.parametrize(
    ("ending", "blank"), [("\r\r\n", ""), ("\n", "\u00a0"), ("\n", "\t"), ("\n", " "), ("\r\n", "\u202f")]
)
def test_line_ends_and_blanks_hide_no_withdrawal(tmp_path: Path, ending: str, blank: str) -> None:
    """Neither in the list nor in a file of deaths; what is kept is the same in every format."""
    deaths = [died("2019-03-12")._replace(numero_acte_deces=number) for number in ("2", "31")]
    padded = [Death(*(f"{blank}{value}{blank}" for value in death)) for death in deaths]
    files = {
        "deces.csv": [HEADER, *(",".join(d) for d in padded)],
        "Deces_2019.csv": [";".join(COLUMNS), *(";".join(blank + c + blank for c in d.insee()) for d in deaths)],
        "deces-2019.txt": [
            d._replace(numero_acte_deces=f"{blank}{d.numero_acte_deces}{blank}").fixed(0) for d in deaths
        ],
        "fichier-opposition-deces-26.csv": [LIST_HEADER, f'"20190312";"69381{blank}";"31{blank}"'],
    }
    (tmp_path / "pack").mkdir()
    for name, found in files.items():
        (tmp_path / "pack" / name).write_bytes("".join(line + ending for line in found).encode())
    for table in (deces, deces_insee_csv, deces_insee_fixe):
        outcome = deliver(table, tmp_path / "pack", tmp_path / table.name)
        assert (outcome.reading.kept, outcome.reading.withdrawn) == (1, 1)
        assert {"2", "69381", "ESSAI"} <= set(outcome.rows[0])


@needs_cases
def test_shared_case_of_opposition(maker: Maker, tmp_path: Path) -> None:
    shutil.copytree(CASES / "07-insee-opposition", tmp_path / "pack")
    steps = maker.steps(tmp_path / "pack")
    delivery = steps[deces_insee_csv].delivery
    assert delivery
    assert (delivery.rows_in, delivery.kept, delivery.rejected, delivery.withdrawn) == (4, 3, 0, 1)
    assert {fact.day for fact in facts(maker(tmp_path / "pack"))} == {
        date(2019, 3, 10),
        date(2019, 3, 11),
        date(2019, 3, 13),
    }
