"""`chu risk`: how many patients share the quasi-identifying values of a row, and what these values tell about them.

A class is the set of rows with the same quasi-identifying values. In a table and its generalisations:

- k (k-anonymity, Sweeney 2002) is the smallest number of patients of a class. With k = 1, one row is one patient.
- l (l-diversity, Machanavajjhala and others 2007) is the smallest number of different sensitive values of a class.
- t (t-closeness, Li and others 2007) is the largest distance between the distribution of the sensitive values in a
  class and in the table: half the sum of the absolute differences of their shares (earth mover's distance of values
  that are all equally far from each other).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from chu_platform.catalogue import catalogue
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.errors import ChuError
from chu_platform.risk.forms import Form, are_forms, forms_of
from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.scratch_folder import scratch
from chu_platform.tables.columns import Column
from chu_platform.tables.table import Table, Zone

PATIENT: Final = "patient_key"
ESTABLISHMENT: Final = "establishment_key"
# As for counts that are published: a class of fewer patients is small.
SMALL: Final = 11
AS_STORED: Final = "telle que stockée"
# Steps of the generalisations of all columns together.
STEPS: Final = 3


@dataclass(frozen=True)
class Generalisation:
    """A form for each of the quasi-identifying columns of a table, with a French name."""

    name: str
    forms: Sequence[Form]


@dataclass(frozen=True)
class Risk:
    """The figures of a table in one generalisation. Shares are of its rows, from 0 to 1.

    `alone` is the share in classes of one patient, `small` in classes of fewer than SMALL, `alike` in classes of one
    sensitive value. `k_rows` is the smallest number of rows of a class.
    """

    table: str
    generalisation: str
    classes: int
    k: int
    k_rows: int
    alone: float
    small: float
    l: int  # noqa: E741
    t: float
    alike: float


def tables_at_risk() -> Sequence[Table]:
    """The tables with rows of single patients: with a patient and a sensitive column, outside the restricted zone."""
    return [
        table
        for table in catalogue()
        if table.zone is not Zone.RESTRICTED
        and any(c.name == PATIENT for c in table.columns)
        and any(c.sensitive for c in table.columns)
    ]


def quasi_identifying(table: Table) -> Sequence[Column]:
    """The quasi-identifying columns of a table and of its patients.

    Columns that are coarser forms of others are left out, such as the month beside the date.
    """
    columns = {c.name: c for t in (dim_patient, table) for c in t.columns if c.quasi_identifying}
    return [c for name, c in columns.items() if name not in are_forms(list(columns))]


def generalisations(columns: Sequence[Column]) -> Iterator[Generalisation]:
    """As stored; with one column in its next form; with all columns in their next forms, step by step."""
    stored = {c: Form("", c.name) for c in columns}
    yield Generalisation(AS_STORED, [*stored.values()])
    for column in columns:
        for form in forms_of(column.name)[:1]:
            yield Generalisation(_named([column], [form]), [*{**stored, column: form}.values()])
    for step in range(STEPS):
        forms = [(forms_of(c.name)[: step + 1] or [stored[c]])[-1] for c in columns]
        yield Generalisation(f"toutes les colonnes, étape {step + 1} ({_named(columns, forms)})", forms)


def _named(columns: Sequence[Column], forms: Sequence[Form]) -> str:
    """The forms that are not those stored, in French."""
    return ", ".join(f"{c.label} : {f.label}" for c, f in zip(columns, forms, strict=True) if f.label)


def risks_of(lake: Lake, table: Table) -> Iterator[Risk]:
    """The figures of a table in each generalisation. Raises ChuError if a table is not in the lake, or damaged."""
    (sensitive,) = (c.name for c in table.columns if c.sensitive)
    columns = quasi_identifying(table)
    size = sum(f["size_bytes"] for f in active_files(lake.require(table)))
    with scratch(lake, Zone.PSEUDONYMISED) as temporary, bounded_connection(temporary, size) as connection:
        try:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE event AS {_rows(lake, table, sensitive)}")
            for generalisation in generalisations(columns):
                yield _risk(connection, table, generalisation)
        except duckdb.Error:
            # Its messages may contain values of rows.
            raise ChuError(f"{table.folder} or its dimensions cannot be read: run `chu verify --repair`") from None


def _rows(lake: Lake, table: Table, sensitive: str) -> str:
    """The rows of a table, with what is known of their patients and establishments."""
    names = {c.name for c in table.columns}
    joins = f"LEFT JOIN {lake.relation(dim_patient)} patient USING ({PATIENT})"
    others = [f"patient.{c.name}" for c in dim_patient.columns if c.name not in names]
    if ESTABLISHMENT in names:
        joins += f" LEFT JOIN {lake.relation(dim_establishment)} establishment USING ({ESTABLISHMENT})"
        others += ["establishment.department_code", "establishment.region_key"]
    listed = ", ".join(["fact.*", *others])
    return f"SELECT {listed}, {PATIENT} AS person, {sensitive} AS hidden FROM {lake.relation(table)} fact {joins}"


def _risk(connection: duckdb.DuckDBPyConnection, table: Table, generalisation: Generalisation) -> Risk:
    forms = ", ".join(f"{form.sql} AS q{n}" for n, form in enumerate(generalisation.forms))
    values = ", ".join(f"q{n}" for n in range(len(generalisation.forms)))
    found = connection.execute(
        f"""
        WITH typed AS (SELECT {forms}, person, hidden FROM event),
        share AS (SELECT hidden, count(*) / sum(count(*)) OVER () AS share FROM event GROUP BY hidden),
        class AS (
            SELECT {values}, count(DISTINCT person) AS persons, count(*) AS rows FROM typed GROUP BY ALL
        ),
        valued AS (SELECT {values}, hidden, count(*) AS n FROM typed GROUP BY ALL),
        -- A value that a class does not have contributes its share in the table: all shares together are 1.
        distance AS (
            SELECT {values}, count(*) AS distinct_values, sum(n) AS rows,
                   (1 + sum(abs(n / class_rows - share) - share)) / 2 AS distance
            FROM (SELECT *, sum(n) OVER (PARTITION BY {values}) AS class_rows FROM valued) JOIN share USING (hidden)
            GROUP BY {values}
        ),
        persons AS (
            SELECT count(*) AS classes, min(persons) AS k, min(rows) AS k_rows,
                   sum(rows) FILTER (persons = 1) / sum(rows) AS alone,
                   sum(rows) FILTER (persons < {SMALL}) / sum(rows) AS small
            FROM class
        )
        SELECT classes, k, k_rows, coalesce(alone, 0), coalesce(small, 0), min(distinct_values), max(distance),
               coalesce(sum(rows) FILTER (distinct_values = 1) / sum(rows), 0)
        FROM persons, distance GROUP BY ALL
        """
    ).fetchall()
    if not found:
        raise ChuError(f"{table.folder} has no rows: there is no risk to measure")
    return Risk(table.folder, generalisation.name, *found[0])


def find_table(name: str) -> Table:
    """The table at risk with this asset key or folder. Raises ChuError if there is none."""
    known = tables_at_risk()
    for table in known:
        if name.strip("/") in (f"{table.layer}/{table.name}", table.folder):
            return table
    raise ChuError(f"{name!r} has no sensitive column: choose one of {', '.join(f'{t.layer}/{t.name}' for t in known)}")


def tables_of(name: str | None) -> Sequence[Table]:
    """The table of this name; without a name, all tables at risk. Raises ChuError if there is none."""
    return [find_table(name)] if name else tables_at_risk()


def risks_by_table(lake: Lake, name: str | None) -> Mapping[Table, Sequence[Risk]]:
    """The figures of the table of this name; without a name, of all tables at risk."""
    return {table: list(risks_of(lake, table)) for table in tables_of(name)}
