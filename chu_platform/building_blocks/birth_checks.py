"""A check that the facts of care share: events lie after the birth of their patient."""

from chu_platform.tables.checks import Check, none_in
from chu_platform.tables.table import Table


def not_before_birth(event: str, patients: Table) -> Check:
    """An event (`un séjour`) is not dated before the birth of its patient in `patients`: a warning, since such events
    count without an age.
    """
    return none_in(
        "not_before_birth",
        "SELECT count(*) FROM {this} t JOIN {other} p USING (patient_key) WHERE t.age IS NULL AND p.birth_year IS NOT NULL",
        f"{event} ne précède pas la naissance du patient ; sinon, son âge n’est pas compté",
        patients,
        blocking=False,
    )
