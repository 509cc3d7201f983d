"""Coarser forms of the quasi-identifying columns, by name of the column: what a generalisation would show instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Form:
    """A form of a column: a French name, and DuckDB SQL over a fact, its patient and its establishment."""

    label: str
    sql: str


OMITTED: Final = Form("omis", "NULL")
# The bands that the portal shows, by their first age.
_WIDE_AGES: Final = (
    "CASE WHEN age IS NULL THEN NULL WHEN age < 15 THEN 0 WHEN age < 25 THEN 15 WHEN age < 45 THEN 25 "
    "WHEN age < 65 THEN 45 WHEN age < 75 THEN 65 WHEN age < 85 THEN 75 ELSE 85 END"
)
# From the finest to the coarsest. A column that is not listed has one coarser form: it is omitted.
FORMS: Final[Mapping[str, Sequence[Form]]] = {
    "date": [
        Form("mois", "month"),
        Form("trimestre", "concat(year(date), '-', quarter(date))"),
        Form("année", "year(date)"),
    ],
    "age": [Form("tranche de 5 ans", "age_band"), Form("tranche large", _WIDE_AGES), OMITTED],
    "birth_year": [Form("5 ans", "birth_year // 5"), Form("10 ans", "birth_year // 10"), OMITTED],
    "establishment_key": [Form("département", "department_code"), Form("région", "region_key"), OMITTED],
    "days": [
        Form("classe", "CASE WHEN days < 2 THEN 0 WHEN days < 8 THEN 1 WHEN days < 31 THEN 2 ELSE 3 END"),
        OMITTED,
    ],
    # Two values: a coarser form would be none.
    "sex": [],
}


def forms_of(column: str) -> Sequence[Form]:
    """The coarser forms of a quasi-identifying column, the finest first."""
    return FORMS.get(column, [OMITTED])


def are_forms(columns: Sequence[str]) -> Sequence[str]:
    """Those of the columns that are coarser forms of others among them, and so say nothing more."""
    return [c for c in columns if any(form.sql == c for other in columns for form in FORMS.get(other, ()))]
