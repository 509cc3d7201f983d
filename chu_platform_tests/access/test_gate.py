"""The gate: what each profile reads of a table, and that every answer is one entry of the journal."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from chu_platform.access.entries import Decision, Entry
from chu_platform.access.gate import Denied, Gate, Request
from chu_platform.access.journal import Journal
from chu_platform.access.seal import JournalError
from chu_platform.identity.principal import ANYBODY, Held, Principal
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import AccessPolicy, Grant, Profile, Purpose, RowsOf
from chu_platform.tables.columns import LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

pytestmark = pytest.mark.integration

TODAY = date(2026, 11, 30)
GRANTS = (
    Grant(Profile.ANALYST, Purpose.RESEARCH),
    Grant(Profile.HEAD, Purpose.STEERING, RowsOf.OWN_SITES, own="code"),
    Grant(Profile.CLINICIAN, Purpose.CARE_QUALITY, RowsOf.OWN_SITES, own="code", masks_small=True),
    Grant(Profile.STEWARD, Purpose.DATA_QUALITY, columns=["code"]),
    Grant(Profile.PRACTITIONER, Purpose.CARE_QUALITY, RowsOf.OWN_COUNTS, own="code"),
)
TABLE = Table(
    name="kpi_x",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un lieu",
    label="Lieux",
    owner="team:kpis",
    columns=[Column("code", STRING, "code", "Code", key=True), Column("patients", LONG, "patients", "Patients")],
    rows=Query("SELECT '1' AS code, 1 AS patients"),
    access=AccessPolicy(Purpose.STEERING, "RGPD, art. 6", None, "test", GRANTS),
)
ROWS: dict[str, list[Any]] = {"code": ["F010000024", "F010000032", "11"], "patients": [40, 7, 900]}


def holding(*held: Held) -> Principal:
    return Principal("claire", held)


def held(profile: Profile, purpose: Purpose, *sites: str, expires: date = TODAY) -> Held:
    return Held(profile, purpose, expires, frozenset(sites))


HEAD = held(Profile.HEAD, Purpose.STEERING, "010000024")
CLINICIAN = held(Profile.CLINICIAN, Purpose.CARE_QUALITY, "010000032")
ANALYST = held(Profile.ANALYST, Purpose.RESEARCH)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(tmp_path / "lake")
    write_deltalake(str(found.path(TABLE)), pa.table(ROWS))
    return found


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "secrets")


@pytest.fixture
def gate(lake: Lake, journal: Journal) -> Gate:
    return Gate(lake, journal, lambda: TODAY)


def entries(journal: Journal) -> Sequence[Entry]:
    found = [Entry.of_line(line) for line in journal.lines()]
    return [entry for entry in found if entry]


def masked(rows: pa.Table) -> pa.Table:
    """The rows without small figures, and what the function was given."""
    return rows.set_column(
        1, "patients", pa.array([None if v <= 10 else v for v in rows["patients"].to_pylist()], LONG)
    )


def test_an_analyst_reads_all_rows_and_a_head_their_own(gate: Gate, journal: Journal) -> None:
    assert gate.open_table(holding(ANALYST), TABLE).to_pydict() == ROWS
    assert gate.open_table(holding(HEAD), TABLE).to_pylist() == [{"code": "F010000024", "patients": 40}]
    assert gate.open_table(holding(HEAD), TABLE, Purpose.STEERING).num_rows == 1
    whole, own, _ = (entry.answer for entry in entries(journal))
    assert (whole.principal, whole.profile, whole.purpose, whole.rows) == ("claire", "analyst", "research", 3)
    assert (own.profile, own.purpose, own.rows, own.version, own.decision) == ("head", "steering", 1, 0, "allowed")
    assert own.table == "pseudonymised/kpis/kpi_x"


def test_a_practitioner_reads_the_rows_of_their_pseudonym_alone(gate: Gate, journal: Journal) -> None:
    own = replace(held(Profile.PRACTITIONER, Purpose.CARE_QUALITY), professional="F010000032")
    assert gate.open_table(holding(own), TABLE).to_pylist() == [{"code": "F010000032", "patients": 7}]
    for other in ("code = 'F010000024'", "code = '11'", "patients > 7"):
        with pytest.raises(Denied):
            gate.open_table(holding(own), TABLE, request=Request(other))
    # For this purpose the grant of an analyst opens nothing.
    both = holding(ANALYST, own)
    assert gate.open_table(both, TABLE, Purpose.CARE_QUALITY).num_rows == 1
    assert [e.answer.decision for e in entries(journal)] == ["allowed", "denied", "denied", "denied", "allowed"]


@pytest.mark.parametrize(
    ("principal", "request_"),
    [
        (ANYBODY, Request()),
        (holding(HEAD), Request("code = $code", {"code": "F010000032"})),
        (holding(HEAD), Request("code = $code", {"code": "11"})),
        (holding(replace(HEAD, expires=date(2026, 11, 29))), Request()),
        (holding(replace(HEAD, purpose=Purpose.RESEARCH)), Request()),
        (holding(held(Profile.HEAD, Purpose.STEERING)), Request()),
        (holding(held(Profile.AUDITOR, Purpose.AUDIT)), Request()),
        (holding(held(Profile.OPERATOR, Purpose.OPERATION)), Request()),
        (holding(CLINICIAN), Request()),
        (holding(held(Profile.PRACTITIONER, Purpose.CARE_QUALITY)), Request()),
    ],
    ids=["anybody", "other site", "region", "expired", "purpose", "no site", "auditor", "operator", "no mask", "own"],
)
def test_what_is_outside_a_grant_is_denied_in_one_sentence_and_one_entry(
    gate: Gate, journal: Journal, principal: Principal, request_: Request
) -> None:
    with pytest.raises(Denied) as caught:
        gate.open_table(principal, TABLE, request=request_)
    text = str(caught.value)
    assert "\n" not in text and not any(str(figure) in text for figure in ROWS["patients"])
    (entry,) = entries(journal)
    assert (entry.answer.decision, entry.answer.rows, entry.answer.principal) == (Decision.DENIED, 0, principal.name)


def test_a_head_of_one_site_who_treats_at_another_sees_each_by_its_own_grant(gate: Gate) -> None:
    both = holding(HEAD, CLINICIAN)
    of_one = gate.open_table(both, TABLE, request=Request("code = 'F010000024'"), mask_small=masked)
    of_other = gate.open_table(both, TABLE, request=Request("code = 'F010000032'"), mask_small=masked)
    assert of_one["patients"].to_pylist() == [40] and of_other["patients"].to_pylist() == [None]


def test_small_cells_are_masked_among_all_own_rows(gate: Gate) -> None:
    given: list[int] = []

    def mask(rows: pa.Table) -> pa.Table:
        given.append(rows.num_rows)
        return masked(rows)

    sites = holding(held(Profile.CLINICIAN, Purpose.CARE_QUALITY, "010000024", "010000032"))
    found = gate.open_table(sites, TABLE, request=Request("code = 'F010000032'"), mask_small=mask)
    assert found.to_pylist() == [{"code": "F010000032", "patients": None}] and given == [2]


def test_only_granted_columns_are_read(gate: Gate) -> None:
    steward = holding(held(Profile.STEWARD, Purpose.DATA_QUALITY))
    assert gate.open_table(steward, TABLE).to_pydict() == {"code": ROWS["code"]}


@pytest.mark.parametrize("columns", [[], ["not_a_column"]])
def test_a_grant_of_no_column_of_the_table_opens_nothing(gate: Gate, journal: Journal, columns: Sequence[str]) -> None:
    assert TABLE.access
    grant = Grant(Profile.STEWARD, Purpose.DATA_QUALITY, columns=columns)
    table = replace(TABLE, access=replace(TABLE.access, grants=[grant]))
    with pytest.raises(Denied):
        gate.open_table(holding(held(Profile.STEWARD, Purpose.DATA_QUALITY)), table)
    assert [entry.answer.decision for entry in entries(journal)] == [Decision.DENIED]


def test_a_table_without_a_policy_is_readable_by_nobody(gate: Gate, journal: Journal) -> None:
    everything = holding(*(held(profile, purpose, "010000024") for profile in Profile for purpose in Purpose))
    with pytest.raises(Denied):
        gate.open_table(everything, replace(TABLE, access=None))
    assert [entry.answer.decision for entry in entries(journal)] == [Decision.DENIED]


def test_computed_rows_pass_the_same_gate_and_are_not_computed_for_nothing(gate: Gate) -> None:
    computed = pa.table({"code": ["F010000024", "11"], "patients": [3, 4]})
    assert gate.open_table(holding(HEAD), TABLE, computed=lambda: computed)["patients"].to_pylist() == [3]

    def never() -> pa.Table:
        raise AssertionError

    with pytest.raises(Denied):
        gate.open_table(ANYBODY, TABLE, computed=never)


def test_all_rows_of_several_tables_are_one_entry(gate: Gate, journal: Journal) -> None:
    other = replace(TABLE, name="kpi_y")
    gate.admit(holding(ANALYST), [TABLE, other], "chu risk", 5)
    (entry,) = entries(journal)
    assert (entry.answer.table, entry.answer.rows, entry.answer.filter) == (
        "pseudonymised/kpis/kpi_x, pseudonymised/kpis/kpi_y",
        5,
        "chu risk",
    )
    for principal in (holding(HEAD), holding(CLINICIAN), ANYBODY):
        with pytest.raises(Denied):
            gate.admit(principal, [TABLE, other], "chu risk")
    assert len(entries(journal)) == 4


def test_without_a_journal_there_is_no_answer(gate: Gate, journal: Journal) -> None:
    gate.open_table(holding(ANALYST), TABLE)
    journal.file.unlink()
    journal.file.mkdir()
    with pytest.raises(JournalError):
        gate.open_table(holding(ANALYST), TABLE)
    with pytest.raises(JournalError):
        gate.admit(holding(ANALYST), [TABLE], "chu risk")
