"""A patient to erase from a made lake; a search for traces, without the code of the platform; a pack without them."""

import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow.parquet as pq
from deltalake import DeltaTable

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.storage.lake import Lake
from chu_platform_tests.pipeline.canaries import _readings

DUMP = Path("BDD PostgreSQL", "DATA2023")
STAYS = Path("Hospitalisation", "Hospitalisations.csv")
REQUEST_HEADER = "patient,family_name,first_names,birth_date"


@dataclass(frozen=True)
class Canary:
    """A patient whose names, number of social security, and pseudonyms nobody else has."""

    number: int
    family: str
    first: str
    birth: str
    unique: Sequence[str]
    consultations: Sequence[int]
    stays: Sequence[int]

    def request(self, folder: Path, *, by_identity: bool = False) -> str:
        """The path of a request for the erasure."""
        file = folder / "request.csv"
        month, day, year = self.birth.split("/")
        identity = f",{self.family},{self.first},{year}-{int(month):02}-{int(day):02}"
        line = identity if by_identity else f"{self.number},,,"
        file.write_text(f"{REQUEST_HEADER}\n{line}\n", encoding="utf-8")
        return str(file)


def rows_of(lake: Lake, folder: str) -> list[dict[str, Any]]:
    """The current rows of a table."""
    rows: list[dict[str, Any]] = DeltaTable(lake.root / folder).to_pyarrow_table().to_pylist()
    return rows


def canary_of(lake: Lake) -> Canary:
    """The first patient with consultations, prescriptions and stays whose names nobody else in the lake has."""
    patients = rows_of(lake, "restricted/sources/Patient")
    consultations = rows_of(lake, "restricted/sources/Consultation")
    prescribed = {row["Num_consultation"] for row in rows_of(lake, "restricted/sources/Prescription")}
    stays = rows_of(lake, "restricted/sources/Hospitalisations")
    taken = set()
    for table in ("AAAA", "Professionnel_de_sante", "deces", "professionnel_sante"):
        for row in rows_of(lake, f"restricted/sources/{table}"):
            named = {name.lower(): str(value).upper() for name, value in row.items()}
            taken.add((named["nom"], named["prenom"].split()[0] if named["prenom"] else ""))
    for patient in sorted(patients, key=lambda row: row["Id_patient"]):
        number, names = patient["Id_patient"], (patient["Nom"].upper(), patient["Prenom"].upper())
        own = [row["Num_consultation"] for row in consultations if row["Id_patient"] == number]
        own_stays = [row["Num_Hospitalisation"] for row in stays if row["Id_patient"] == number]
        same = sum((p["Nom"].upper(), p["Prenom"].upper()) == names for p in patients)
        if not own or not own_stays or not prescribed.intersection(own) or same > 1 or names in taken:
            continue
        unique = [patient["Num_Secu"], patient["EMail"]]
        unique = [u for u in unique if sum(u in (p["Num_Secu"], p["EMail"]) for p in patients) == 1]
        keys = (
            ("patient_pseudonym", "Id_patient", "patient_key", [number]),
            ("consultation_surrogate", "Num_consultation", "consultation_key", own),
            ("stay_surrogate", "Num_Hospitalisation", "stay_key", own_stays),
        )
        for table, column, key, numbers in keys:
            unique += [r[key] for r in rows_of(lake, f"restricted/pseudonyms/{table}") if r[column] in numbers]
        return Canary(number, patient["Nom"], patient["Prenom"], patient["Date"], unique, own, own_stays)
    raise AssertionError("no patient fits: choose another seed")


def traces(folder: Path, canary: Canary, excluded: Sequence[Path] = ()) -> list[str]:
    """The files below a folder in which the patient is found."""
    found = []
    for file in sorted(f for f in folder.rglob("*") if f.is_file() and not f.is_symlink()):
        if any(file.is_relative_to(other) for other in excluded):
            continue
        if any(_has(content, canary) for content in contents(file)):
            found.append(file.relative_to(folder).as_posix())
    return found


def _has(content: bytes, canary: Canary) -> bool:
    lower = content.lower()
    if any(text.lower().encode(encoding) in lower for text in canary.unique for encoding in ("utf-8", "utf-16-le")):
        return True
    family, first = (name.lower().encode() for name in (canary.family, canary.first))
    start = 0
    while (at := lower.find(family, start)) >= 0:
        near = lower[max(0, at - len(first) - 8) : at + len(family) + len(first) + 8]
        if first in near:
            return True
        start = at + 1
    return False


def contents(file: Path) -> Iterator[bytes]:
    """The bytes of a file, and its decompressed values and rows."""
    for _, content in _readings(file):
        yield content
    if file.suffix == ".parquet":
        for batch in pq.ParquetFile(file).iter_batches():
            yield "\n".join(";".join(map(str, row.values())) for row in batch.to_pylist()).encode()


def pack_without(canary: Canary, pack: Path, target: Path, server: EmbeddedPostgres) -> None:
    """Copy a pack without the rows of a patient."""
    shutil.copytree(pack, target)
    header, *lines = (target / STAYS).read_text(encoding="utf-8").splitlines(keepends=True)
    place = next(csv.reader([header], delimiter=";")).index("Id_patient")
    kept = [line for line in lines if next(csv.reader([line], delimiter=";"))[place] != str(canary.number)]
    assert len(lines) - len(kept) == len(canary.stays)
    (target / STAYS).write_text("".join([header, *kept]), encoding="utf-8")
    server.restore(pack / DUMP, "without")
    connection = psycopg2.connect(server.url("without"))
    with connection, connection.cursor() as cursor:
        for table in ("Prescription", "Salle"):
            cursor.execute(
                f'DELETE FROM "{table}" WHERE "Num_consultation" IN '
                '(SELECT "Num_consultation" FROM "Consultation" WHERE "Id_patient" = %s)',
                [canary.number],
            )
        for table in ("Consultation", "Adher", "Patient"):
            cursor.execute(f'DELETE FROM "{table}" WHERE "Id_patient" = %s', [canary.number])
    connection.close()
    (target / DUMP).unlink()
    server.dump("without", target / DUMP)
