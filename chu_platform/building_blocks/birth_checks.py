"""Check shared by the fact tables of care: no event is dated before the birth of its patient."""

from chu_platform.tables.checks import Check, none_in
from chu_platform.tables.table import Table


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
