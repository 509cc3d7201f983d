"""What the lake holds of the persons of a request: their rows, names, numbers and pseudonyms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.opposed_rows import contact_form
from chu_platform.ingest.persons import Kind, PersonKey, first_words, form, names_text, person_text
from chu_platform.pseudonymisation.consultation_surrogate import consultation_surrogate
from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.pseudonymisation.stay_surrogate import stay_surrogate
from chu_platform.rights.case import Case
from chu_platform.rights.requests import Identity, Request
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import BIRTH, patient
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.storage.lake import Lake
from chu_platform.storage.scratch_folder import scratch
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.table import Table

# Columns of a patient that lead to one person by themselves.
OF_ONE_PERSON: Final = ("EMail", "Tel", "Num_Secu")
# The surrogates of what happened to a patient: the source with the number, and the table of the surrogates.
EVENTS: Final = (
    (consultation, "Num_consultation", consultation_surrogate, "consultation_key"),
    (hospitalisations, "Num_Hospitalisation", stay_surrogate, "stay_key"),
)
# Columns of family and first names in sources without declared persons.
OTHER_NAMES: Final = ((professionnel_de_sante, "Nom", "Prenom"), (professionnel_sante, "nom", "prenom"))
MEMORY_LIMIT: Final = "1GB"


def case_of(lake: Lake, request: Request, number: str, by: str, at: str) -> Case:
    """The case of a request: what the lake holds of its persons now."""
    with scratch(lake) as folder, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = {sql_text(str(folder))}")
        search = _Search(lake, connection)
        identities = [*request.identities, *search.identities_of_patients(request.patients)]
        patients = list(dict.fromkeys([*request.patients, *search.patients_of(identities)]))
        identities = list(dict.fromkeys([*identities, *search.identities_of_patients(patients)]))
        tokens = search.tokens_of(patients)
        texts: dict[str, list[str]] = {
            Kind.PATIENT: patients,
            Kind.PERSON: search.texts(person_text(*_sql(identity)) for identity in identities),
            Kind.NAME: search.texts(names_text(*_sql(identity)[:2]) for identity in identities),
            Kind.DAY: list(dict.fromkeys([*(i.birth for i in identities), *(d.day for d in request.deaths)])),
            Kind.DEATH: [death.key for death in request.deaths],
            Kind.CONTACT: [found for token in tokens if (found := contact_form(token))],
        }
        owned = search.owned_by(patients)
        rows = search.rows_of(texts, owned)
        names = search.names_of(identities, rows)
        shared = search.shared(names, rows)
        return Case(
            number,
            by,
            at,
            texts,
            owned,
            [n for n in names if n not in shared],
            shared,
            tokens,
            search.pseudonyms_of(patients),
            {table.folder: len(found) for table, found in rows.items() if found},
            sorted({f["name"] for t, found in rows.items() if found for f in lake.provenance(t).get("files", ())}),
        )


def _sql(identity: Identity) -> tuple[str, str, str]:
    """SQL of family name, form of the first names, and date of birth."""
    return sql_text(identity.family), form(sql_text(identity.first)), sql_text(identity.birth)


def persons_tables() -> Sequence[Table]:
    """The sources with declared persons."""
    return [t for t in delivered_tables(catalogue()) if delivered_rows(t).persons]


@dataclass(frozen=True)
class _Search:
    lake: Lake
    connection: duckdb.DuckDBPyConnection

    def _all(self, query: str) -> list[Any]:
        return self.connection.execute(query).fetchall()

    def _has(self, table: Table) -> bool:
        return self.lake.open(table) is not None

    def identities_of_patients(self, patients: Sequence[str]) -> Sequence[Identity]:
        """The identities of patients, by number."""
        if not patients or not self._has(patient):
            return []
        found = self._all(
            f'SELECT "Nom", "Prenom", {BIRTH} FROM {self.lake.relation(patient)} '
            f'WHERE CAST("Id_patient" AS VARCHAR) IN ({_listed(patients)})'
        )
        return [Identity(*row) for row in found if None not in row]

    def patients_of(self, identities: Sequence[Identity]) -> Sequence[str]:
        """The numbers of the patients with these identities."""
        if not identities or not self._has(patient):
            return []
        wanted = self.texts(person_text(*_sql(identity)) for identity in identities)
        text = person_text('"Nom"', form('"Prenom"'), BIRTH)
        found = self._all(
            f'SELECT CAST("Id_patient" AS VARCHAR) FROM {self.lake.relation(patient)} '
            f"WHERE {text} IN ({_listed(wanted)})"
        )
        return [number for (number,) in found]

    def texts(self, expressions: Iterable[str]) -> list[str]:
        """The texts of SQL expressions, without nulls and repetitions."""
        found = [self._all(f"SELECT {text}")[0][0] for text in expressions]
        return list(dict.fromkeys(text for text in found if text))

    def tokens_of(self, patients: Sequence[str]) -> list[str]:
        """The numbers and addresses that no other patient has."""
        if not patients or not self._has(patient):
            return []
        rows = self.lake.relation(patient)
        found: list[str] = []
        for column in OF_ONE_PERSON:
            found += [
                token
                for (token,) in self._all(
                    f'SELECT "{column}" FROM {rows} WHERE "{column}" IS NOT NULL GROUP BY 1 '
                    f'HAVING bool_and(CAST("Id_patient" AS VARCHAR) IN ({_listed(patients)}))'
                )
                if contact_form(token)
            ]
        return list(dict.fromkeys(found))

    def pseudonyms_of(self, patients: Sequence[str]) -> list[str]:
        """The pseudonyms of patients, and the surrogates of their consultations and stays."""
        if not patients:
            return []
        of_patient = f'CAST("Id_patient" AS VARCHAR) IN ({_listed(patients)})'
        found = []
        if self._has(patient_pseudonym):
            found += self._all(f"SELECT patient_key FROM {self.lake.relation(patient_pseudonym)} WHERE {of_patient}")
        for source, number, surrogate, key in EVENTS:
            if self._has(source) and self._has(surrogate):
                found += self._all(
                    f"SELECT {key} FROM {self.lake.relation(surrogate)} WHERE {number} IN "
                    f"(SELECT {number} FROM {self.lake.relation(source)} WHERE {of_patient})"
                )
        return [pseudonym for (pseudonym,) in found]

    def owned_by(self, patients: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The numbers of what happened to patients, by name of the source."""
        return {
            source.name: [
                n
                for (n,) in self._all(
                    f"SELECT CAST({number} AS VARCHAR) FROM {self.lake.relation(source)} "
                    f'WHERE CAST("Id_patient" AS VARCHAR) IN ({_listed(patients)})'
                )
            ]
            for source, number, *_ in EVENTS
            if patients and self._has(source)
        }

    def rows_of(
        self, texts: Mapping[str, Sequence[str]], owned: Mapping[str, Sequence[str]]
    ) -> Mapping[Table, Sequence[Mapping[str, object]]]:
        """The rows of the persons in each source with declared persons."""
        found: dict[Table, Sequence[Mapping[str, object]]] = {}
        for table in persons_tables():
            wanted = rows_condition(delivered_rows(table).persons, texts, owned)
            if self._has(table) and wanted:
                rows: pa.Table = self.connection.sql(
                    f"SELECT * FROM {self.lake.relation(table)} WHERE {wanted}"
                ).to_arrow_table()
                found[table] = rows.to_pylist()
        return found

    def names_of(
        self, identities: Sequence[Identity], rows: Mapping[Table, Sequence[Mapping[str, object]]]
    ) -> list[tuple[str, str]]:
        """Family and first names of the persons, as they are written in the request and in the rows of deaths."""
        found = [(i.family, i.first) for i in identities]
        found += [
            (str(row["nom"]), str(row["prenom"]))
            for of_table in rows.values()
            for row in of_table
            if row.get("nom") and row.get("prenom")
        ]
        return list(dict.fromkeys(found))

    def shared(
        self, names: Sequence[tuple[str, str]], rows: Mapping[Table, Sequence[Mapping[str, object]]]
    ) -> list[tuple[str, str]]:
        """Those of the names that other rows of persons have, too."""
        wanted = {f"{family}|{first}": self._name(family, first) for family, first in names}
        shared = set()
        columns: list[tuple[Table, str, str]] = [*OTHER_NAMES]
        for table in persons_tables():
            present = {column.name for column in table.columns}
            pair = next((p for p in (("nom", "prenom"), ("Nom", "Prenom")) if {*p} <= present), None)
            if pair:
                columns.append((table, *pair))
        for table, family, first in columns:
            if not wanted or not self._has(table):
                continue
            text = names_text(f'"{family}"', first_words(f'"{first}"'))
            counted: dict[str, str] = dict(
                self._all(
                    f"SELECT {text}, count(*) FROM {self.lake.relation(table)} "
                    f"WHERE {text} IN ({_listed([*wanted.values()])}) GROUP BY 1"
                )
            )
            own = [self._name(str(r[family]), str(r[first])) for r in rows.get(table, ()) if r[family] and r[first]]
            shared |= {name for name, count in counted.items() if int(count) > own.count(name)}
        return [(family, first) for family, first in names if wanted[f"{family}|{first}"] in shared]

    def _name(self, family: str, first: str) -> str:
        """The text of kind `name` with the first one of the first names."""
        return str(self._all(f"SELECT {names_text(sql_text(family), first_words(sql_text(first)))}")[0][0])


def rows_condition(
    persons: Sequence[PersonKey], texts: Mapping[str, Sequence[str]], owned: Mapping[str, Sequence[str]]
) -> str | None:
    """SQL that is true for a stored row that belongs to a person with one of these texts; None if no row can.

    `owned` are the numbers that belong to the person, by name of the table that tells it (`PersonKey.through`).
    """
    conditions = []
    for key in persons:
        wanted = owned.get(key.through.table, ()) if key.through else texts.get(key.kind, ())
        if wanted:
            conditions += [f"coalesce({text} IN ({_listed(wanted)}), false)" for text in key.keys]
    return " OR ".join(conditions) or None


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(sql_text, texts)) or "NULL"
