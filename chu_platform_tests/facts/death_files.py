"""Writers of the same deaths in every delivered format, independent of the platform."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

COLUMNS = (
    "nomprenom",
    "sexe",
    "datenaiss",
    "lieunaiss",
    "commnaiss",
    "paysnaiss",
    "datedeces",
    "lieudeces",
    "actedeces",
)
WIDTHS = (80, 1, 8, 5, 30, 30, 8, 5, 9)
# First year with files of less than a year.
FIRST_MONTHLY = "2017"
GARBAGE = ("", " ", "   00000", " é~#12")


class Death(NamedTuple):
    """A line of deces.csv."""

    nom: str
    prenom: str
    sexe: str
    date_naissance: str
    code_lieu_naissance: str
    lieu_naissance: str
    pays_naissance: str
    date_deces: str
    code_lieu_deces: str
    numero_acte_deces: str

    def insee(self) -> list[str]:
        """The nine fields of INSEE's files."""
        return [
            f"{self.nom}*{self.prenom}/",
            self.sexe,
            self.date_naissance.replace("-", "").ljust(8, "0"),
            _place(self.code_lieu_naissance),
            self.lieu_naissance,
            self.pays_naissance,
            self.date_deces.replace("-", "").ljust(8, "0"),
            _place(self.code_lieu_deces),
            self.numero_acte_deces,
        ]

    def fixed(self, number: int) -> str:
        """The fixed-width line, with meaningless text after the last field."""
        cells = (value[:width].ljust(width) for value, width in zip(self.insee(), WIDTHS, strict=True))
        return "".join(cells) + GARBAGE[number % len(GARBAGE)]


def _place(code: str) -> str:
    """The code of a place as INSEE writes it: deces.csv has lost some leading zeros."""
    return code.zfill(5) if code.isdecimal() and len(code) == 4 else code


ODD = (
    Death("ÉLÈVE", "ZOÉ FRANÇOISE", "2", "1931-02-28", "2A004", "AJACCIO", "", "2019-01-31", "2A004", "12"),
    Death("D'AOÛT", "NOËL", "1", "1920-00-00", "99352", "ORAN", "ALGÉRIE", "2019-01-31", "20004", "13"),
    Death("STAR*RED", "JEAN", "1", "1920-03-04", "75056", "PARIS", "", "2019-02-01", "75112", "14"),
    Death("BARRE", "ANNE/MARIE", "2", "1927", "69123", "LYON", "", "2019-02-02", "69385", "15"),
    Death("SEUL", "", "1", "1927-05-00", "", "", "", "2019-03-00", "", ""),
    Death("N" * 50, "P" * 60, "1", "1927-05-01", "97411", "V" * 35, "W" * 40, "2019-11-12", "97411", "1"),
    Death("SANSDATE", "MARC", "1", "", "91352", "ALGER", "ALGERIE", "1973-07-14", "91352", "17"),
    Death(
        "COUPE",
        "A UN BLANC",
        "1",
        "1950-01-02",
        "75056",
        "V" * 29 + " SUITE",
        "W" * 29 + " SUITE",
        "2019-04-01",
        "75112",
        "19",
    ),
    Death("SANSDATE", "MARC", "1", "0000-00-00", "91352", "ALGER", "ALGERIE", "1973-07-14", "91352", "18"),
)


def deaths_of(file: Path) -> list[Death]:
    """The lines of a deces.csv."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [Death(*row) for row in list(csv.reader(stream))[1:]]


def write_one(folder: Path, deaths: Iterable[Death]) -> None:
    """deces.csv: comma, quotes only where needed, ISO dates."""
    folder.mkdir(parents=True)
    with (folder / "deces.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([Death._fields, *deaths])


def write_csv(folder: Path, deaths: Iterable[Death], more: Sequence[str] = ()) -> None:
    """INSEE's CSV files, one per year: semicolons, all fields quoted. `more` are additional columns."""
    folder.mkdir(parents=True)
    for year, found in by_year(deaths).items():
        with (folder / f"Deces_{year}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter=";", quoting=csv.QUOTE_ALL)
            writer.writerow([*COLUMNS, *more])
            writer.writerows([*death.insee(), *("x" for _ in more)] for death in found)


def write_fixed(folder: Path, deaths: Iterable[Death]) -> None:
    """INSEE's text files, one per year: before 2000 in ISO-8859-1, later ones in UTF-8."""
    folder.mkdir(parents=True)
    for year, found in by_year(deaths).items():
        lines = "".join(f"{death.fixed(number)}\n" for number, death in enumerate(found))
        (folder / f"deces-{year}.txt").write_bytes(lines.encode("iso-8859-1" if year < "2000" else "utf-8"))


def write_periods(folder: Path, deaths: Iterable[Death]) -> None:
    """Monthly files repeated in quarterly files and in yearly files, in both INSEE formats, with duplicate lines."""
    write_fixed(folder, deaths)
    for year, found in by_year(d for d in deaths if d.date_deces >= FIRST_MONTHLY).items():
        for month in range(1, 13):
            inside = [d for d in found if d.date_deces[5:7] == f"{month:02d}"]
            lines = "".join(f"{death.fixed(number + 1)}\r\n" for number, death in enumerate([*inside, *inside[:2]]))
            if not lines:
                continue
            if month % 2:
                (folder / f"deces-{year}-m{month:02d}.txt").write_bytes(lines.encode("iso-8859-1"))
            else:
                with (folder / f"Deces_{year}_M{month:02d}.csv").open("w", encoding="iso-8859-1", newline="") as stream:
                    writer = csv.writer(stream, delimiter=";", quoting=csv.QUOTE_ALL)
                    writer.writerows([COLUMNS, *(death.insee() for death in inside)])
        quarter = [d.fixed(3) for d in found if d.date_deces[5:7] in ("01", "02", "03")]
        if quarter:
            (folder / f"deces-{year}-t1.txt").write_text("\n".join(quarter), encoding="utf-8")


def by_year(deaths: Iterable[Death]) -> dict[str, list[Death]]:
    """Deaths by year."""
    found: dict[str, list[Death]] = defaultdict(list)
    for death in deaths:
        found[death.date_deces[:4]].append(death)
    return found
