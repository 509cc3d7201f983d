"""A rule that the facts of care share: events lie after the birth of their patient.

Here: the rule. Not here: how an age is computed (tables.sql).
"""

from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.tables.checks import Check, none_in


def not_before_birth(event: str) -> Check:
    """An event (`un séjour`) is not dated before its patient's birth: a warning, as such ones count without an age."""
    return none_in(
        "not_before_birth",
        "SELECT count(*) FROM {this} t JOIN {other} p USING (patient_key) WHERE t.age IS NULL AND p.birth_year IS NOT NULL",
        f"{event} ne précède pas la naissance du patient ; sinon, son âge n’est pas compté",
        dim_patient,
        blocking=False,
    )
