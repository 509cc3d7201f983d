"""Compare the HAS files of a folder with a lake, value by value, and print how many values of each column are lost.

    python -m chu_platform_tests.facts.compare_has_files FOLDER LAKE

The files are read without the platform. The results of care-quality indicators are compared with
`fact_quality_indicator`, those of e-Satis with `fact_satisfaction`, and every other column with the source table. A
line without a FINESS number is not a site, and is left out. The values of a table that the lake does
not have are lost. The exit status is 1 if a value is lost, or if no file was compared.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from chu_platform_tests.facts.quality_files import files, indicators, lines, number, site_of, words

E_SATIS: Final = re.compile(
    r"(?:esatis(?:48h|ca)_mco_recueil|resultats-(?:iqss-)?esatis(?:48h|ca)-mco-open-data-)(20\d\d)(?:_donnees)?\.(?:csv|xlsx)"
)
SURVEYS: Final = {"esatis48h": "48h_mco", "esatisca": "ca_mco"}
# Columns of e-Satis that fact_satisfaction holds; `all` is `all_rea` or `all`.
FACT_COLUMNS: Final = {
    "score_{all}_ajust": "score",
    "nb_rep_score_{all}_ajust": "answers",
    "classement": "class",
    "taux_reco_brut": "recommendation_rate",
    "nb_reco_brut": "recommendation_answers",
}
QUALITY_COLUMNS: Final = {
    "value": "value",
    "denominator": "denominator",
    "lower": "lower_bound",
    "upper": "upper_bound",
    "category": "class",
    "control": "control",
}
Row = Mapping[str, Any]


class Lake:
    """The rows of tables of a lake, by key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.absent: set[str] = set()

    def by_key(self, table: str, *key: str) -> dict[tuple[str, ...], Row]:
        """The rows of a table; the names of their columns are in lower case. None if the table is `absent`."""
        try:
            rows = DeltaTable(self._folder / table).to_pyarrow_table().to_pylist()
        except TableNotFoundError:
            self.absent.add(table)
            return {}
        in_lower_case = ({name.lower(): value for name, value in row.items()} for row in rows)
        return {tuple(str(row[name]) for name in key): row for row in in_lower_case}


def same(delivered: str, found: Any) -> bool:
    """Whether a cell of the lake holds what was delivered: the same number, or the same text without outer blanks."""
    if isinstance(found, str):
        return found.strip() == delivered.strip() or site_of(delivered) == found
    if found is None:
        return False
    given = number(delivered)
    return given is not None and abs(given - float(found)) < 1e-9


def held(delivered: str, fact: Row, column: str) -> bool:
    """Whether a fact holds a delivered cell. Words in place of a number are its class, unless the file has a class."""
    if column not in ("class", "control") and number(delivered) is None:
        return fact.get("class") is not None
    return same(delivered, fact.get(column))


def care_quality(folder: Path, lake: Lake) -> Iterator[tuple[str, str, bool]]:
    """File, column and whether the lake holds it, for each value of the care-quality files."""
    found = list(files(folder))
    if not found:
        return
    facts = lake.by_key("pseudonymised/facts/fact_quality_indicator", "campaign_year", "site_finess", "indicator_key")
    for survey, campaign, file in found:
        rows = lines(file)
        source = lake.by_key(f"restricted/sources/{survey}_{campaign}", "finess")
        named = indicators(rows[0])
        for line in rows:
            site = site_of(line["finess"])
            if site is None:
                continue
            in_facts: set[str] = set()
            for code, columns in named.items():
                fact = facts.get((campaign, site, f"{survey}.{code}"), {})
                for kind, name in columns.items():
                    in_facts.add(name)
                    if cell := words(line.get(name)):
                        yield file.name, name, held(cell, fact, QUALITY_COLUMNS[kind])
            yield from in_source(file, line, source.get((site,), {}), in_facts)


def e_satis(folder: Path, lake: Lake) -> Iterator[tuple[str, str, bool]]:
    """File, column and whether the lake holds it, for each value of the e-Satis files."""
    found = [f for f in sorted(folder.rglob("*")) if E_SATIS.fullmatch(f.name.lower()) and f.stat().st_size]
    if not found:
        return
    facts = lake.by_key("pseudonymised/facts/fact_satisfaction", "campaign_year", "survey", "site_finess")
    for file in found:
        match = E_SATIS.fullmatch(file.name.lower())
        assert match
        campaign = match.group(1)
        survey = next(name for start, name in SURVEYS.items() if start in file.name.lower())
        names = {n.format(all="all_rea" if survey == "48h_mco" else "all"): f for n, f in FACT_COLUMNS.items()}
        source = lake.by_key(f"restricted/sources/esatis{survey}", "campaign_year", "finess_geo")
        for line in lines(file):
            site = site_of(line["finess_geo"])
            if site is None:
                continue
            fact = facts.get((campaign, survey, site), {})
            for name, column in names.items():
                if cell := words(line.get(name)):
                    yield file.name, name, held(cell, fact, column)
            yield from in_source(file, line, source.get((campaign, site), {}), set(names))


def in_source(file: Path, line: Mapping[str, str], row: Row, left_out: set[str]) -> Iterator[tuple[str, str, bool]]:
    """The other columns of a line, in the source table."""
    for name, text in line.items():
        if name not in left_out and (cell := words(text)):
            yield file.name, name, same(cell, row.get(name))


def compare(folder: Path, lake: Lake) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Delivered and lost values, by file and column."""
    delivered: Counter[tuple[str, str]] = Counter()
    lost: Counter[tuple[str, str]] = Counter()
    for reader in (care_quality, e_satis):
        for file, column, held in reader(folder, lake):
            delivered[file, column] += 1
            lost[file, column] += not held
    return delivered, lost


def main(folder: str, lake: str) -> int:
    """Print a line per column; returns the exit status."""
    tables = Lake(Path(lake))
    delivered, lost = compare(Path(folder), tables)
    for (file, column), number_of_values in delivered.items():
        print(f"{file} {column}: {number_of_values} delivered, {lost[file, column]} lost")
    for table in sorted(tables.absent):
        print(f"{table} is not in the lake: its values count as lost")
    print(f"{delivered.total()} values delivered, {lost.total()} lost")
    return 1 if lost.total() or not delivered else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
