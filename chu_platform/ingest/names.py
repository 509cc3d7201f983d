"""SQL that gives names of persons and places one form, whatever a program or a keyboard made of them.

Files write one name with decomposed accents (a letter and its accent as two characters), in small letters, with several
or no-break blanks, with other hyphens or apostrophes. Accents stay: they may tell two persons apart.
"""

from typing import Final

from chu_platform.ingest.identifiers import BLANKS

_USUAL: Final = "[A-Z0-9]+(?:[ ''-][A-Z0-9]+)*"
_APOSTROPHES: Final = "[\u2018\u2019\u02bc\u00b4`\u2032]"
_HYPHENS: Final = "[\u00ad\u2010-\u2015\u2212]"


def _replaced(text: str, pattern: str, by: str) -> str:
    return f"regexp_replace({text}, '{pattern}', '{by}', 'g')"


def name_form(text: str) -> str:
    """DuckDB SQL of the form of a name: composed capitals, with one blank, hyphen or apostrophe between words.

    It is null for an empty name.

    A name in its usual form passes the first branch, for speed.
    """
    composed = f"upper(nfc_normalize({text}))"
    signs = _replaced(_replaced(composed, _APOSTROPHES, "''"), _HYPHENS, "-")
    form = _replaced(_replaced(signs, f"[{BLANKS}]+", " "), " *([''-]) *", "\\1")
    return f"CASE WHEN regexp_full_match({text}, '{_USUAL}') THEN {text} ELSE nullif(trim({form}), '') END"


# For `Delivered.typing`.
NAME: Final = name_form("{text}")
