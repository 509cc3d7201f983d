"""The pseudonym of the professional that an account is bound to, for the command that adds accounts.

Accounts keep the pseudonym, not the number: what they are compared with is pseudonymised, and the number is not needed.
"""

import re
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.storage.duckdb_session import small_connection
from chu_platform.storage.lake import Lake

RPPS: Final = re.compile(r"\d{11}")
ADELI: Final = re.compile(r"\d[0-9A-Z]{2}\d{6}")


def pseudonym_of_number(lake: Lake, rpps: str | None, adeli: str | None) -> str | None:
    """The pseudonym of the professional with an RPPS or ADELI number; None without a number.

    Raises ChuError, without the number, if there are two, if it has not the form of one, or if no source knows it.
    """
    given = [
        (name, form, number)
        for name, form, number in (("RPPS", RPPS, rpps), ("ADELI", ADELI, adeli))
        if number is not None
    ]
    if not given:
        return None
    if len(given) > 1:
        raise ChuError("an account is bound to one professional: give --rpps or --adeli, not both")
    ((name, form, text),) = given
    number = text.strip().upper()
    if not form.fullmatch(number):
        raise ChuError(f"this is no {name} number: RPPS has 11 digits, ADELI 9 characters, the department first")
    lake.require(professional_pseudonym)
    with small_connection() as connection:
        found = connection.execute(
            f"SELECT professional_key FROM {lake.relation(professional_pseudonym)} WHERE Identifiant = ?", [number]
        ).fetchone()
    if found is None:
        raise ChuError(f"no source of the lake has a professional with this {name} number: check it")
    return str(found[0])
