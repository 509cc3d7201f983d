"""Reads what the attackers know from a lake, or an edition from a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from chu_platform.attack.figures import BASE, KEY_COLUMNS, MEASURES, OF_YEAR, PERIOD_COLUMNS, REPEATED, WHOLE_STAYS
from chu_platform.attack.inputs import FACTS, PERSON_TABLES, ROUNDED_TABLES, Inputs, Registers, Tables
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.storage.edition_manifest import editions
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import delta_table
from chu_platform.tables.table import Layer, Table, Zone

# Earlier versions that readers of the published zone still find there.
MAX_EARLIER: Final = 3
# Columns of exact tables that the attacks read.
FACT_COLUMNS: Final = (
    *("date", "patient_key", "professional_key", "diagnosis_key", "start_minute", "is_night_slot", "days"),
    "medication_key",
)
_READ: Final = frozenset((*PERIOD_COLUMNS, *KEY_COLUMNS, *MEASURES, BASE, WHOLE_STAYS, OF_YEAR, *REPEATED.values()))


def read_inputs(
    lake: Lake, earlier: Sequence[Path], insiders: int, log_progress: Callable[[str], None] = lambda _: None
) -> Inputs:
    """The published zone, the public registers, the exact tables, and earlier editions.

    Earlier editions are the superseded ones, older versions that the published zone still holds, and those in the
    folders `earlier`.
    Raises ChuError when the published zone or a register is missing, because then nothing is attacked.
    """
    published = [t for t in catalogue() if t.zone is Zone.PUBLISHED and lake.open(t) is not None]
    if not any(t.name in PERSON_TABLES for t in published):
        raise ChuError(
            f"the published zone of {lake.place} has no indicator of persons: nothing to attack; materialise first"
        )
    tables = {t.name: _stored(lake, t) for t in published}
    log_progress(f"{len(tables)} published tables, {sum(map(len, tables.values()))} rows")
    exact = {
        t.name: lake.arrow(e, [c.name for c in e.columns if c.name in _READ])
        for t in published
        if t.name in PERSON_TABLES and (e := _exact(t)) is not None
    }
    for name in FACTS:
        fact = _named(Layer.FACTS, name)
        exact[name] = lake.arrow(fact, [c.name for c in fact.columns if c.name in FACT_COLUMNS])
    return Inputs(
        tables,
        _registers(lake),
        public_sources=frozenset(t.name for t in published if t.public_source),
        exact=exact,
        earlier=[*_superseded(lake), *_older_versions(lake, published, log_progress), *map(tables_in, earlier)],
        insiders=insiders,
    )


def tables_in(folder: Path) -> Tables:
    """The indicators of persons in a copy of a published zone: one Delta table per folder, below any layer."""
    found = {
        path.parent.name: DeltaTable(path.parent).to_pyarrow_table()
        for path in sorted(folder.glob("**/_delta_log"))
        if path.parent.name in (*PERSON_TABLES, *ROUNDED_TABLES)
    }
    if not found:
        raise ChuError(f"{folder} holds no published indicator: give the folder of a copy of a published zone")
    return found


def _stored(lake: Lake, table: Table, version: int | None = None) -> pa.Table:
    """All that any reader finds in a published table, declared or not."""
    return lake.require(table, version).to_pyarrow_table()


def _registers(lake: Lake) -> Registers:
    """The delivered registers as the lake holds them: professionals by pseudonym, which tells them apart as well."""

    def columns(layer: Layer, name: str, *names: str) -> pa.Table:
        return lake.arrow(_named(layer, name), names)

    return Registers(
        establishments=columns(
            Layer.DIMENSIONS, "dim_establishment", "establishment_key", "department_code", "region_key"
        ),
        practices=columns(
            Layer.DIMENSIONS, "bridge_professional_establishment", "professional_key", "establishment_key"
        ),
        professions=columns(
            Layer.DIMENSIONS, "dim_professional", "professional_key", "profession_label", "speciality_label"
        ),
        codes=columns(Layer.REFERENCES, "cim10", "code", "category_code"),
        moves=columns(Layer.DIMENSIONS, "establishment_history", "establishment_key", "department_code"),
        careers=columns(
            *(
                Layer.DIMENSIONS,
                "professional_history",
                "professional_key",
                "speciality_label",
                "valid_from",
                "valid_to",
            )
        ),
        medications=columns(Layer.DIMENSIONS, "dim_medication", "medication_key", "form_label"),
        chapters=columns(Layer.REFERENCES, "cim10_chapter", "chapter_code", "first_category", "last_category"),
    )


def _named(layer: Layer, name: str) -> Table:
    return next(t for t in catalogue() if t.layer is layer and t.name == name)


def _exact(table: Table) -> Table | None:
    """The exact rows of a published table: in editions, those of closed periods."""
    return table.edition.reads.get("candidate") if table.edition else table.reads.get("exact")


def _superseded(lake: Lake) -> list[Tables]:
    """The last editions before the current one, which were published before."""
    return [
        {
            name: delta_table(lake.place / folder, version).to_pyarrow_table()
            for folder, version in edition.tables.items()
            if (name := folder.rpartition("/")[2]) in (*PERSON_TABLES, *ROUNDED_TABLES)
        }
        for edition in editions(lake.place)[:-1][-MAX_EARLIER:]
    ]


def _older_versions(lake: Lake, published: Sequence[Table], log_progress: Callable[[str], None]) -> list[Tables]:
    """The last versions before the current one of each published table: any reader of the zone can read them.

    Versions whose files are deleted are left out.
    """
    indicators = [t for t in published if t.name in (*PERSON_TABLES, *ROUNDED_TABLES)]
    found: list[Tables] = []
    for back in range(1, MAX_EARLIER + 1):
        edition: dict[str, pa.Table] = {}
        for table in indicators:
            version = lake.version(table) - back
            if version < 0:
                continue
            try:
                edition[table.name] = _stored(lake, table, version)
            except (DeltaError, OSError):
                log_progress(f"version {version} of {table.folder} cannot be read any more")
        if edition:
            found.append(edition)
    return found
