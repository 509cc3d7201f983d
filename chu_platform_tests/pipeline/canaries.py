"""A pack with canaries: unique values in place of identities, and the search for these values in files.

Every name, address, town, e-mail and free text of persons contains one word. Numbers and birth dates, which cannot
contain a word, are digits that occur nowhere else. So are all numbers of consultations and stays.
"""

import csv
import re
import shutil
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres

WORD = "CANARI"
CARD = "9182736450918273"
TELEPHONE = "0918273645"
PROFESSIONAL = "99182736459"
BIRTH_US, BIRTH_ISO = "3/17/1899", "1899-03-17"
# Added to the numbers of consultations and of stays. The sums are whole numbers of ten digits.
CONSULTATIONS, STAYS = 1_917_000_000, 1_918_000_000
# What stands before such a number is looked at last: a search for digits at its beginning is ten times faster.
SOURCE_NUMBERS = re.compile(rb"191[78][0-9]{6}(?![0-9A-Za-z])(?<![0-9A-Za-z.][0-9]{10})")
# The canaries that are not words.
NUMBERS = (CARD, TELEPHONE, PROFESSIONAL, BIRTH_US, BIRTH_ISO)
IDENTITIES = tuple(text.lower().encode() for text in (WORD, *NUMBERS))
MIN_BLOB_LENGTH = 16


def plant_in_files(pack: Path, target: Path) -> None:
    """Copy a pack, replace the identities in its files with canaries, and add rows that are rejected."""
    shutil.copytree(pack, target)
    register = target / "Etablissement de SANTE"
    _rewrite(
        target / "DECES EN FRANCE" / "deces.csv",
        ",",
        "utf-8",
        dict.fromkeys(("nom", "prenom", "lieu_naissance", "pays_naissance", "numero_acte_deces"), _marked),
        [
            {"nom": f"{WORD}MORT", "date_naissance": BIRTH_ISO, "date_deces": "2018-05-05", "sexe": "1"},
            {"nom": f"{WORD}IMPOSSIBLE", "date_naissance": BIRTH_ISO, "date_deces": "2019-13-45", "sexe": "1"},
            {"nom": f"{WORD}SEXE", "date_deces": "2019-01-05", "sexe": f"{WORD}"},
        ],
    )
    _rewrite(
        register / "professionnel_sante.csv",
        ";",
        "cp1252",
        dict.fromkeys(("nom", "prenom", "commune"), _marked),
        [
            {"identifiant": "", "nom": f"{WORD}SANSNUMERO"},
            {"identifiant": PROFESSIONAL, "nom": f"{WORD}AVECNUMERO", "profession": "Infirmier"},
        ],
    )
    _rewrite(
        register / "etablissement_sante.csv",
        ";",
        "utf-8",
        {
            **dict.fromkeys(("adresse", "email", "enseigne_commerciale_site", "voie"), _marked),
            **{n: lambda _: TELEPHONE for n in ("telephone", "telephone_2", "telecopie")},
        },
        [{"identifiant_organisation": "C010000001", "raison_sociale_site": f"CABINET DU DOCTEUR {WORD}"}],
    )
    stays = target / "Hospitalisation" / "Hospitalisations.csv"
    header, *rows = stays.read_bytes().splitlines(keepends=True)
    numbered = (row.split(b";", 1) for row in rows)
    stays.write_bytes(header + b"".join(b"%d;%s" % (STAYS + int(number), rest) for number, rest in numbered))
    with stays.open("a", encoding="ascii") as file:
        file.write(f"{STAYS + 999901};{WORD};F010000107;S02800;Fracture {WORD};27/09/2017;17\n")
        file.write(f"{STAYS + 999902};1;F010000107;S02800;Fracture {WORD};99/99/2017;17\n")
        file.write(f"{STAYS + 999903};1;F010000107;S02800;{WORD};27/09/2017;-4\n")
        file.write(f"{STAYS + 999904};{WORD}\n")


def plant_in_database(server: EmbeddedPostgres, dump: Path, database: str) -> None:
    """Restore the dump, replace the identities of its persons with canaries, and add a row that is rejected."""
    server.restore(dump, database)
    connection = psycopg2.connect(server.url(database))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE "Patient" SET "Nom" = left('{WORD}' || "Nom", 20), "Prenom" = '{WORD}', "Adresse" = '1 {WORD}',
                "Ville" = '{WORD}', "EMail" = '{WORD.lower()}@example.org',
                "Tel" = '{TELEPHONE}', "Num_Secu" = '{CARD}';
            UPDATE "Patient" SET "Date" = '{BIRTH_US}' WHERE "Id_patient" % 50 = 0;
            UPDATE "AAAA" SET "Nom" = '{WORD}', "Prenom" = '{WORD}', "Adresse" = '{WORD}';
            UPDATE "Professionnel_de_sante" SET "Nom" = '{WORD}', "Prenom" = '{WORD}';
            UPDATE "Consultation" SET "Motif" = '{WORD}', "Num_consultation" = {CONSULTATIONS} + "Num_consultation";
            UPDATE "Prescription" SET "Num_consultation" = {CONSULTATIONS} + "Num_consultation";
            UPDATE "Salle" SET "Num_consultation" = {CONSULTATIONS} + "Num_consultation";
            INSERT INTO "Professionnel_de_sante" ("Identifiant", "Nom") VALUES ('{PROFESSIONAL}', '{WORD}');
            UPDATE "Consultation" SET "Id_prof_sante" = '{PROFESSIONAL}' WHERE "Num_consultation" % 20 = 0;
            ALTER TABLE "Consultation" ALTER "Date" DROP NOT NULL;
            INSERT INTO "Consultation" ("Num_consultation", "Id_patient", "Motif")
                VALUES ({CONSULTATIONS} + 999999, 1, '{WORD}');
            """
        )
    connection.close()


def canary_in(content: bytes, with_source_numbers: bool = True) -> str | None:
    """A canary in the content, in letters of either case; numbers of consultations and stays are sought if wanted."""
    lower = content.lower()
    found = next((text for text in IDENTITIES if text in lower), None)
    if found is None and with_source_numbers and (number := SOURCE_NUMBERS.search(content)):
        found = number.group()
    return found.decode() if found else None


def canaries_in(folder: Path, excluded: Sequence[Path] = (), with_source_numbers: bool = True) -> list[str]:
    """Every file below `folder` that contains a canary, in its bytes, its Parquet values or its compressed parts."""
    found = []
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        if any(file.is_relative_to(other) for other in excluded):
            continue
        for where, content in _readings(file):
            canary = canary_in(content, with_source_numbers)
            if canary:
                found.append(f"{file.relative_to(folder)}, {where}: {canary}")
                break
    return found


def _marked(text: str) -> str:
    return f"{WORD}{text}"


def _rewrite(
    file: Path,
    separator: str,
    encoding: str,
    changes: "Mapping[str, object]",
    added: Sequence[Mapping[str, str]],
) -> None:
    with file.open(encoding=encoding, errors="surrogateescape", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=separator)
        names = list(reader.fieldnames or [])
        rows = list(reader)
    with file.open("w", encoding=encoding, errors="surrogateescape", newline="") as stream:
        writer = csv.DictWriter(stream, names, delimiter=separator, lineterminator="\n", restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, **{n: change(row[n]) for n, change in changes.items()}})  # type: ignore[operator]
        writer.writerows(added)


def _readings(file: Path) -> Iterator[tuple[str, bytes]]:
    """The content of a file: its bytes, and its decompressed values."""
    content = file.read_bytes()
    yield "bytes", content
    if file.suffix == ".parquet":
        # The values are compressed in the bytes of the file.
        for name, column in _columns(file):
            yield f"column {name}", column
        yield "footer", repr(pq.read_metadata(file)).encode() + repr(pq.read_schema(file).metadata).encode()
    elif content.startswith(b"SQLite format 3"):
        yield "compressed values", b"\n".join(_decompressed(file))


def _columns(file: Path) -> Iterator[tuple[str, bytes]]:
    parquet = pq.ParquetFile(file)
    for name in parquet.schema_arrow.names:
        column = parquet.read([name])[name].combine_chunks()
        if pa.types.is_nested(column.type):  # an action in a checkpoint of a log
            yield name, repr(column.to_pylist()).encode()
        else:
            texts = pc.drop_null(pc.unique(column).cast(pa.string()))
            yield name, "\n".join(texts.to_pylist()).encode()


def _decompressed(database: Path) -> Iterator[bytes]:
    """The long binary values of a database, decompressed if they are compressed."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    connection.text_factory = bytes
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for row in connection.execute(f'SELECT * FROM "{table.decode()}"'):
            for value in row:
                if isinstance(value, bytes) and len(value) >= MIN_BLOB_LENGTH:
                    try:
                        yield zlib.decompress(value)
                    except zlib.error:
                        yield value
    connection.close()
