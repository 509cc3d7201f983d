"""By what the rows of a source belong to a person: declared with the source, in SQL over its typed rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a text of a person is.

    `patient`: the number of a patient. `person`: names and date of birth. `name`: names alone. `death`: date, place and
    certificate number of a death. `day`: a date of birth or of death, which few persons share: only the rows of such a
    day are compared in full. `contact`: a telephone number, an e-mail address or another number of one person.
    """

    PATIENT = "patient"
    PERSON = "person"
    NAME = "name"
    DEATH = "death"
    DAY = "day"
    CONTACT = "contact"


@dataclass(frozen=True)
class Through:
    """A table of the care database that tells whom a number belongs to: its columns of the number and of the owner."""

    table: str
    number: str
    owner: str


@dataclass(frozen=True)
class PersonKey:
    """A way in which rows belong to a person: one of `keys`, SQL of texts over the typed row, is a text of this kind.

    `columns` are the delivered columns that the keys use. `day` is SQL of the day of the row. With `through`, the key
    is a number whose owner another table tells, and the owner's text is of this kind.
    """

    kind: Kind
    columns: Sequence[str]
    keys: Sequence[str]
    day: str | None = None
    through: Through | None = None


def form(text: str) -> str:
    """SQL of a name in capitals without accents; hyphens stay, other signs become blanks. Null for an empty name."""
    capitals = f"upper(strip_accents(nfc_normalize({text})))"
    return f"nullif(trim(regexp_replace({capitals}, '[^A-Z0-9-]+', ' ', 'g')), '')"


def first_words(text: str, count: int = 1) -> str:
    """SQL of the first words of the form of a name."""
    return f"array_to_string(string_split({form(text)}, ' ')[1:{count}], ' ')"


def names_text(family: str, first: str) -> str:
    """SQL of the text of kind `name`; null if a part is null. `first` is SQL of the form of the first names."""
    return f"{form(family)} || '|' || {first}"


def person_text(family: str, first: str, birth: str) -> str:
    """SQL of the text of kind `person`; null if a part is null. `birth` is SQL of a date YYYY-MM-DD."""
    return f"{names_text(family, first)} || '|' || {birth}"


def by_number(column: str) -> PersonKey:
    """The rows of the patient whose number is in this column."""
    return PersonKey(Kind.PATIENT, [column], [f'CAST("{column}" AS VARCHAR)'])


def through_number(column: str, through: Through) -> PersonKey:
    """The rows with a number of which another table tells the patient."""
    return PersonKey(Kind.PATIENT, [column], [f'CAST("{column}" AS VARCHAR)'], through=through)


def by_names(family: str, first: str) -> PersonKey:
    """The rows of a person by the names alone, in a table without birth dates."""
    return PersonKey(Kind.NAME, [family, first], [names_text(f'"{family}"', form(f'"{first}"'))])


def by_identity(family: str, first: str, birth: str, day: str, *, has_all_first_names: bool = False) -> PersonKey:
    """The rows of a person by names and date of birth. `day` is SQL of the date YYYY-MM-DD in the column `birth`.

    If the rows of a register have all first names of a person, the first one or two of them are compared as well.
    """
    names = [form(f'"{first}"')]
    if has_all_first_names:
        names += [first_words(f'"{first}"', count) for count in (1, 2)]
    keys = [person_text(f'"{family}"', of_row, day) for of_row in names]
    return PersonKey(Kind.PERSON, [family, first, birth], keys, day)


# The patient of a consultation.
OF_CONSULTATION: Final = Through("Consultation", "Num_consultation", "Id_patient")
