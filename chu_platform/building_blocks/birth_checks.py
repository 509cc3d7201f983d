"""What fact tables of care share about events that are unlikely: flags of rows, and checks that count them.

They do not block: one wrong date of birth concerns one person.
"""

from typing import Final

from chu_platform.tables.checks import Check, between, none_in
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Table

# Nobody is known to have lived longer than 122 years.
MAX_AGE: Final = 130


def flags(others: str = "") -> Column:
    """The column with the flags of `flagged`; `others` describes those that only one table has."""
    described = f"before_birth (avant la naissance), age_over_{MAX_AGE} (plus de {MAX_AGE} ans){others}"
    return Column(
        "flags", STRING, f"signes d’une erreur de saisie : {described} ; vide s’il n’y en a pas", "Signalements"
    )


def flagged(event: str, birth: str, age: str, others: str = "") -> str:
    """SQL of the flags of an event, null without any. `others` is SQL of further flags, each null or a text."""
    return (
        f"nullif(concat_ws(', ', CASE WHEN {birth} > {event} THEN 'before_birth' END, "
        f"CASE WHEN {age} > {MAX_AGE} THEN 'age_over_{MAX_AGE}' END{others}), '')"
    )


def plausible_age() -> Check:
    """Warn of ages that nobody reaches. The events count in the last age band."""
    return between("age", 0, MAX_AGE, blocking=False)


def not_before_birth(event: str, patients: Table) -> Check:
    """Warn when events (`event`: `un séjour`) are dated before the birth of their patient in `patients`.

    The check does not block: such events are counted without an age.
    """
    return none_in(
        "not_before_birth",
        "SELECT count(*) FROM {this} t JOIN {other} p USING (patient_key) WHERE t.age IS NULL AND p.birth_year IS NOT NULL",
        f"{event} ne précède pas la naissance du patient ; sinon, son âge n’est pas compté",
        patients,
        blocking=False,
    )
