"""Lineage of the tables, compared with origins determined by hand."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.lineage.table_lineage import lineage_of
from chu_platform.lineage.whole_lineage import Ends, influences_of, values_of
from chu_platform.tables.column_origins import Field
from chu_platform.tables.columns import DATE, DOUBLE, STRING, Column
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import PACK, Computed, Query
from chu_platform.tables.table import Layer, Table, Zone

pytestmark = pytest.mark.unit

EVERY = [made for table in catalogue() for made in table.outputs]
PUBLISHED = [t for t in EVERY if t.zone is Zone.PUBLISHED]

# Columns of constants, independent of the deliveries: names of grains, levels and surveys, and full grids of cells.
CONSTANT = {
    "kpi_consultation_rate_by_establishment": {"period_grain", "level"},
    "kpi_consultation_rate_by_diagnosis": {"period_grain", "level"},
    "kpi_consultation_rate_by_professional": {"period_grain"},
    "kpi_hospitalisation_rate": {"period_grain"},
    "kpi_hospitalisation_rate_by_diagnosis": {"period_grain", "level"},
    "kpi_hospitalisation_rate_by_sex_and_age": {"period_grain", "sex", "age_band"},
    "kpi_deaths_by_region": {"is_masked"},
    "kpi_mortality": {"level", "is_masked"},
    "kpi_deaths_by_month": {"period_grain", "is_masked"},
    "kpi_follow_up": {"period_grain", "level", "outcome"},
    "kpi_use_concentration": {"period_grain", "level", "code", "label"},
    "kpi_cycle": {"period_grain", "cycle", "level"},
    "kpi_prescription": {"period_grain", "level"},
    "kpi_attendance": {"period_grain", "level", "code", "label"},
    "kpi_satisfaction_by_region": {"survey", "is_masked"},
    "kpi_satisfaction_detail": {"survey", "theme", "level", "is_masked"},
    "death_coverage": {"age_group"},
    "published_quality": {"campaign_year", "indicator_key", "unit", "sites"},
    "published_satisfaction": {"survey"},
    "publication_coverage": {"indicator", "grain"},
    "published_diagnosis": {"level"},
}


def table(layer: Layer, name: str) -> Table:
    return next(t for t in EVERY if t.layer is layer and t.name == name)


def named(ends: Ends) -> set[str]:
    return {f"{e.field.table.name}.{e.field.column}" for e in ends}


def constant(one: Table) -> set[str]:
    return {c.name for c in one.columns if not values_of(Field(one, c.name))}


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        (
            "kpi_deaths_by_region",
            "deaths",
            {
                *("deces.date_deces", "deces.date_naissance", "deces.sexe"),
                *("deces_insee_fixe.datedeces", "deces_insee_fixe.datenaiss", "deces_insee_fixe.sexe"),
                *("deces_insee_csv.datedeces", "deces_insee_csv.datenaiss", "deces_insee_csv.sexe"),
                "department.region_code",
            },
        ),
        (
            "kpi_deaths_by_region",
            "population",
            # Delivered, or of the packaged reference.
            {"population.population", *(f"population_department_sex_age.{age}" for age in range(0, 95, 5))},
        ),
        (
            "kpi_deaths_by_region",
            "year",
            {"deces.date_deces", "deces_insee_fixe.datedeces", "deces_insee_csv.datedeces"},
        ),
        ("kpi_hospitalisation_rate", "days", {"Hospitalisations.Jour_Hospitalisation"}),
        # Patients are counted by their pseudonym.
        ("kpi_hospitalisation_rate", "patients", {"patient_pseudonym.patient_key", "Patient.Id_patient"}),
        (
            "kpi_satisfaction_by_region",
            "score_low",
            {"esatis48h_mco.score_all_rea_ajust", "esatisca_mco.score_all_ajust"},
        ),
        (
            "kpi_satisfaction_by_region",
            "weighted_low",
            {
                *("esatis48h_mco.score_all_rea_ajust", "esatis48h_mco.nb_rep_score_all_rea_ajust"),
                *("esatisca_mco.score_all_ajust", "esatisca_mco.nb_rep_score_all_ajust"),
            },
        ),
    ],
)
def test_the_delivered_columns_of_a_published_column(name: str, column: str, expected: set[str]) -> None:
    assert named(values_of(Field(table(Layer.PUBLISHED, name), column))) == expected


def test_influences_on_the_deaths_end_in_delivered_columns() -> None:
    """Equal lines are one death, so every column of the key decides; the place of death gives the region."""
    found = named(influences_of(Field(table(Layer.PUBLISHED, "kpi_deaths_by_region"), "deaths")))
    assert found >= {
        "deces.nom",
        "deces.prenom",
        "deces.lieu_naissance",
        "deces.code_lieu_deces",
        "deces.numero_acte_deces",
    }
    assert "Patient.Nom" not in found


@pytest.mark.parametrize(
    ("column", "place", "within"),
    [
        ("date_deces", "deces.csv", "date_deces"),
        ("sexe", "deces.csv", "sexe"),
    ],
)
def test_a_delivered_column_is_a_header_of_its_file(column: str, place: str, within: str) -> None:
    ends = values_of(Field(table(Layer.SOURCES, "deces"), column))
    assert [(e.source.name, e.source.column) for e in ends] == [(place, within)]


@pytest.mark.parametrize(
    ("name", "column", "place", "within"),
    [
        ("deces_insee_fixe", "nom", "deces-YYYY.txt", "caractères 1 à 80"),
        ("deces_insee_fixe", "sexe", "deces-YYYY.txt", "caractère 81"),
        ("deces_insee_csv", "periode", "deces-YYYY.csv", "nom du fichier, partie « period »"),
        ("Consultation", "month", "PostgreSQL « Consultation »", "Date"),
        ("participants", "finess", "YYYY", "finess"),
    ],
)
def test_the_position_of_a_column_in_a_delivery(name: str, column: str, place: str, within: str) -> None:
    (end,) = values_of(Field(table(Layer.SOURCES, name), column))
    assert place in end.source.name and end.source.column.startswith(within)


@pytest.mark.parametrize("one", PUBLISHED, ids=lambda t: f"{t.layer}/{t.name}")
def test_every_published_column_ends_in_source_columns(one: Table) -> None:
    assert constant(one) == CONSTANT.get(one.name, set())
    # Nothing is masked in a table of public figures.
    free = {"is_masked"} if one.public_source else set()
    assert [c for c in constant(one) - free if not influences_of(Field(one, c))] == []


def test_a_published_column_without_source_columns_is_found() -> None:
    """The test above can fail."""
    masked_table = table(Layer.PUBLISHED, "kpi_deaths_by_region")
    assert isinstance(masked_table.rows, Query)
    sql = masked_table.rows.sql.replace("k.population", "42 AS population")
    assert constant(replace(masked_table, rows=Query(sql))) == {"is_masked", "population"}


@pytest.mark.parametrize("one", EVERY, ids=lambda t: f"{t.layer}/{t.name}")
def test_every_column_has_a_lineage(one: Table) -> None:
    """A column that Python makes and `from_columns` does not declare is an error."""
    found = lineage_of(one)
    assert list(found.columns) == [c.name for c in one.columns]
    known = {(t, c.name) for t in EVERY for c in t.columns}
    fields = [o for origins in [*found.columns.values(), found.rows] for o in origins if isinstance(o, Field)]
    assert [f for f in fields if (f.table, f.column) not in known] == []
    assert {f.table for f in fields} <= {*one.reads.values(), one}


def undeclared() -> Iterator[tuple[Table, str]]:
    assert isinstance(kpi_deaths_by_region.exact.rows, Query)
    yield (
        replace(kpi_deaths_by_region.exact, rows=replace(kpi_deaths_by_region.exact.rows, from_columns={})),
        "rate_per_1000, rate_low, rate_high",
    )
    yield (
        replace(
            kpi_deaths_by_region.exact,
            rows=replace(kpi_deaths_by_region.exact.rows, from_columns={"rate_low": ["births"]}),
        ),
        "births",
    )
    one = table(Layer.PSEUDONYMS, "patient_pseudonym")
    assert isinstance(one.rows, Computed)
    yield replace(one, rows=replace(one.rows, from_columns={"Id_patient": ["patient.Id_patient"]})), "patient_key"
    wrong = {**one.rows.from_columns, "patient_key": ["patient.Number"]}
    yield replace(one, rows=replace(one.rows, from_columns=wrong)), "patient.Number"


@pytest.mark.parametrize(("wrong", "named_column"), list(undeclared()))
def test_columns_made_by_python_must_be_declared(wrong: Table, named_column: str) -> None:
    with pytest.raises(ChuError, match=named_column):
        lineage_of(wrong)


def test_only_masked_figures_have_the_mask_as_an_origin() -> None:
    masked_table = table(Layer.EDITIONS, "kpi_hospitalisation_rate")
    mask = Field(table(Layer.EDITIONS, "stay_mask_release"), "state")
    masked = {c for c, origins in lineage_of(masked_table).columns.items() if origins.get(mask) is Influence.MASK}
    assert masked == {
        *("events", "patients", "days", "mean_length_of_stay", "base_patients", "patient_years"),
        *("rate_per_1000", "rate_low", "rate_high", "intensity", "intensity_low", "intensity_high"),
    }


def test_a_count_of_rows_is_not_masked() -> None:
    # As if it were published: conditions on a mask in a published table mask its columns.
    coverage = replace(table(Layer.DISCLOSURE, "publication_coverage_exact"), layer=Layer.PUBLISHED)
    assert Influence.MASK not in {k for origins in lineage_of(coverage).columns.values() for k in origins.values()}


def test_a_condition_in_any_step_gives_an_influence() -> None:
    source = Table(
        "source",
        Layer.SOURCES,
        Zone.RESTRICTED,
        "",
        "",
        "",
        [Column(n, STRING, "", "") for n in "abc"],
        Computed(pa.table),
    )
    source = replace(source, rows=Computed(pa.table, from_columns={n: [PACK] for n in "abc"}))
    middle = Table(
        "middle", Layer.FACTS, Zone.PSEUDONYMISED, "", "", "", [Column("x", DATE, "", "")],
        Query("SELECT CASE WHEN b = 'b' THEN a END AS x FROM {source} WHERE c = 'c'"), {"source": source},
    )  # fmt: skip
    last = Table(
        "last",
        Layer.KPIS,
        Zone.PSEUDONYMISED,
        "",
        "",
        "",
        [Column("y", DOUBLE, "", "")],
        Query("SELECT x AS y FROM {m}"),
        {"m": middle},
    )
    assert named(values_of(Field(last, "y"))) == {"source.a"}
    assert named(influences_of(Field(last, "y"))) == {"source.b", "source.c"}


# Numbers that sources give to events of persons. Who may read the source knows the person.
NUMBERS_OF_SOURCES = {"Num_consultation", "Num_Hospitalisation"}
# Pseudonyms, and the public number of an establishment.
ALLOWED = {
    ("patient_key", "patient_pseudonym.patient_key"),
    ("professional_key", "professional_pseudonym.professional_key"),
    ("establishment_key", "etablissement_sante_history.identifiant_organisation"),
}


@pytest.mark.parametrize("one", [t for t in EVERY if t.zone is not Zone.RESTRICTED], ids=lambda t: t.folder)
def test_no_column_is_an_identifier_or_a_number_of_a_source(one: Table) -> None:
    """A column outside the restricted zone is never the unchanged value of such a column."""
    copied = [
        (name, f"{origin.table.name}.{origin.column}")
        for name, origins in lineage_of(one).columns.items()
        for origin, kind in origins.items()
        if isinstance(origin, Field) and kind is Influence.IDENTITY and origin.table.zone is Zone.RESTRICTED
        for column in origin.table.columns
        if column.name == origin.column and (column.identifying or column.name in NUMBERS_OF_SOURCES)
    ]
    assert [found for found in copied if found not in ALLOWED] == []
