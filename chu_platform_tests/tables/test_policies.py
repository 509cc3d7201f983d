"""Who may read which table: every table says it, and the profiles are those of the governance."""

import re
from collections.abc import Mapping
from typing import Final

import duckdb
import pyarrow as pa
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import delivered_tables, quarantine_of
from chu_platform.tables.access_policy import AccessPolicy, Grant, Profile, Purpose, RowsOf
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import NOBODY
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

pytestmark = pytest.mark.unit

MADE: Final = [made for table in catalogue() for made in table.outputs]
EVERY: Final = [*MADE, *map(quarantine_of, delivered_tables(catalogue()))]


def named(table: Table) -> str:
    return f"{table.layer}/{table.name}"


def granted(table: Table) -> set[Profile]:
    return {grant.profile for grant in table.access.grants} if table.access else set()


@pytest.mark.parametrize("table", EVERY, ids=named)
def test_every_table_has_a_policy(table: Table) -> None:
    policy = table.access
    assert policy is not None, "declare `access`"
    assert re.search(r"art\. |Sans objet", policy.legal_basis)
    assert policy.retention_reason
    assert policy.persons
    # Who is named or told apart is somebody.
    if table.layer not in (Layer.REJECTS, Layer.QUARANTINE):
        assert policy.persons != NOBODY or not any(c.identifying or c.sensitive for c in table.columns)
    names = {c.name for c in table.columns}
    for grant in policy.grants:
        assert grant.own is None or grant.own in names
        assert set(grant.columns or ()) <= names


@pytest.mark.parametrize("table", EVERY, ids=named)
def test_profiles_see_what_the_governance_says(table: Table) -> None:
    profiles = granted(table)
    # No rows for these.
    assert not profiles & {Profile.AUDITOR, Profile.OPERATOR}
    allowed: Mapping[Zone, set[Profile]] = {
        Zone.RESTRICTED: {Profile.STEWARD},
        Zone.PSEUDONYMISED: {Profile.ANALYST, Profile.HEAD, Profile.CLINICIAN, Profile.PRACTITIONER},
        Zone.PUBLISHED: {Profile.PUBLIC},
    }
    assert profiles <= allowed[table.zone]
    if table.layer is Layer.PSEUDONYMS:
        assert profiles == set()
    if table.zone is Zone.PUBLISHED:
        assert profiles == {Profile.PUBLIC}
    if any(c.identifying for c in table.columns):
        assert Profile.ANALYST not in profiles
    # Heads, clinicians and practitioners read figures of theirs, never rows of patients.
    if profiles - {Profile.ANALYST, Profile.STEWARD, Profile.PUBLIC}:
        assert table.layer is Layer.KPIS
        assert not any(c.name == "patient_key" for c in table.columns)


def test_exact_figures_of_a_site_are_those_of_its_head_and_masked_for_clinicians() -> None:
    (places,) = (t for t in MADE if named(t) == "kpis/kpi_consultation_rate_by_establishment")
    assert places.access
    (head,) = places.access.grants_of(Profile.HEAD, Purpose.STEERING)
    (clinician,) = places.access.grants_of(Profile.CLINICIAN, Purpose.CARE_QUALITY)
    assert (head.rows, head.own, head.masks_small) == (RowsOf.OWN_SITES, "code", False)
    assert (clinician.rows, clinician.own, clinician.masks_small) == (RowsOf.OWN_SITES, "code", True)
    assert places.access.grants_of(Profile.HEAD, Purpose.RESEARCH) == []


def test_a_practitioner_reads_their_own_counts() -> None:
    (counts,) = (t for t in MADE if Profile.PRACTITIONER in granted(t))
    assert named(counts) == "kpis/kpi_consultation_rate_by_professional"
    assert counts.access
    (own,) = counts.access.grants_of(Profile.PRACTITIONER, Purpose.CARE_QUALITY)
    assert (own.rows, own.own) == (RowsOf.OWN_COUNTS, "professional_key")


def test_a_new_table_is_readable_by_no_profile() -> None:
    table = Table(
        name="new",
        layer=Layer.KPIS,
        zone=Zone.PSEUDONYMISED,
        grain="une ligne",
        label="Nouvelle",
        owner="team:kpis",
        columns=[Column("code", STRING, "code", "Code", key=True)],
        rows=Query("SELECT '1' AS code"),
    )
    assert table.access is None
    # A policy without grants denies too, and a grant counts for its own purpose only.
    silent = AccessPolicy(Purpose.STEERING, "RGPD, art. 6(1)(e)", None, "tant que le lac existe")
    assert not any(silent.grants_of(profile, purpose) for profile in Profile for purpose in Purpose)


def test_a_grant_of_own_rows_names_their_column() -> None:
    with pytest.raises(ValueError, match="names the column"):
        Grant(Profile.HEAD, Purpose.STEERING, RowsOf.OWN_SITES)
    with pytest.raises(ValueError, match="names the column"):
        Grant(Profile.ANALYST, Purpose.STEERING, own="code")


def test_a_retention_in_months_says_which_rows_it_ends() -> None:
    with pytest.raises(ValueError, match="belong together"):
        AccessPolicy(Purpose.STEERING, "RGPD, art. 6(1)(e)", 12, "un an")


@pytest.mark.parametrize("table", [t for t in EVERY if t.access and t.access.expired], ids=named)
def test_the_rows_that_are_kept_too_long_can_be_counted(table: Table) -> None:
    assert table.access
    assert table.access.expired
    empty = pa.table({c.name: pa.array([], c.type) for c in table.columns})
    with duckdb.connect() as connection:
        connection.register("rows", empty)
        where = table.access.expired.format(limit="2020-01-31")
        assert connection.sql(f"SELECT count(*) FROM rows WHERE {where}").fetchall() == [(0,)]
