"""SQL that gives identifiers and codes one form, however a delivery writes them: the only place where this is done.

The tables of the sources hold this form, so every dimension, fact and recomputation joins on it. Deliveries differ in
blanks around and inside of an identifier (no-break ones too), in what spreadsheet programs do (leading zeros lost,
`.0` added, `="01053"` or `'01053` to keep the zeros), in letter case, and in prefixes of national identifiers.

The constants are DuckDB SQL of the text `{text}`, for `Delivered.typing`. A text in its usual form passes the first
branch, for speed. A text of no known form stays as it is delivered, in capitals and without blanks around it.
"""

from typing import Final

# Blanks of Unicode that occur around values, the byte order mark and blanks without width among them.
BLANKS: Final = (
    " \t\r\n\v\f\u0085\u00a0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b"
    "\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)


def trimmed(text: str) -> str:
    """SQL of a text without blanks around it."""
    return f"trim({text}, '{BLANKS}')"


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, '{pattern}')"


# What spreadsheet programs add: ="01053", '01053, 1053.0. An identifier is no decimal number: 3,000 may be 3 or 3000.
_PLAIN: Final = (
    f"regexp_replace(regexp_replace({trimmed('{text}')}, '^=?[\"'']+|\"$', '', 'g'), '^(\\d+)[.,]00?$', '\\1')"
)
_CAPITALS: Final = f"upper({trimmed(_PLAIN)})"
_FILLED: Final = f"nullif({_CAPITALS}, '')"
_WITHOUT_BLANKS: Final = f"regexp_replace({_CAPITALS}, '[{BLANKS}]+', '', 'g')"


def _one_form(usual: str, *others: tuple[str, str]) -> str:
    """SQL of a text that has the form `usual` (a pattern), or else one of the `others`: a pattern and its usual form.

    The usual form is SQL of `{text}`, here the text in capitals without any blank.
    """
    branches = " ".join(f"WHEN {_matches('t', pattern)} THEN {form.format(text='t')}" for pattern, form in others)
    # A list of one text names it, so that its SQL is not repeated for each pattern.
    rewritten = f"[CASE WHEN {_matches('t', usual)} THEN t {branches} END FOR t IN [{_WITHOUT_BLANKS}]][1]"
    return _escaped(f"CASE WHEN {_matches('{text}', usual)} THEN {{text}} ELSE coalesce({rewritten}, {_FILLED}) END")


def _escaped(sql: str) -> str:
    """SQL whose braces, but those of `{text}`, are doubled for `str.format`."""
    return sql.replace("{", "{{").replace("}", "}}").replace("{{text}}", "{text}")


def _padded(length: int) -> str:
    return f"lpad({{text}}, {length}, '0')"


# Any other identifier: nothing but blanks and traces of spreadsheets is removed.
PLAIN: Final = _escaped(
    f"CASE WHEN {_matches('{text}', '[0-9A-Za-z]+')} THEN {{text}} ELSE nullif({trimmed(_PLAIN)}, '') END"
)
# FINESS number of a site or a legal entity: nine characters, for instance 010000024, 2A0000154.
FINESS: Final = _one_form("\\d[0-9AB]\\d{7}", ("\\d{1,8}", _padded(9)))
# Identifier of an organisation: F and its FINESS number, or another prefix. A few have a date behind the FINESS number.
# The national identifier of a structure is 1 and the FINESS number.
ORGANISATION: Final = _one_form(
    "[A-Z]\\d[0-9AB]\\d{7}",
    ("[A-Z]\\d[0-9AB]\\d{15}", "{text}"),
    ("F\\d{1,8}", "concat('F', lpad({text}[2:], 9, '0'))"),
    ("\\d[0-9AB]\\d{7}", "concat('F', {text})"),
    ("\\d{8}", "concat('F0', {text})"),
    ("1-?\\d[0-9AB]\\d{7}", "concat('F', right({text}, 9))"),
)
# Identifier of a professional: RPPS (11 digits) or ADELI (9 characters, the department first). The national identifier
# is 8 and the RPPS, or 0 and the ADELI, sometimes with a dash between them; a column padded to its length has 0 before
# the RPPS.
PROFESSIONAL: Final = _one_form(
    "\\d{11}|\\d[0-9A-Z]{2}\\d{6}",
    ("[08]\\d{11}", "{text}[2:]"),
    ("0[0-9A-Z]{9}", "{text}[2:]"),
    ("8-\\d{11}|0-\\d[0-9A-Z]{2}\\d{6}", "{text}[3:]"),
    ("\\d{1,8}", _padded(9)),
    ("\\d[A-Z]\\d{6}", "concat('0', {text})"),
    ("[1-9]\\d{9}", "concat('0', {text})"),
)
# Postal code in France, sometimes behind F or FR.
POSTAL_CODE: Final = _one_form("\\d{5}", ("\\d{4}", _padded(5)), ("FR?-?\\d{5}", "right({text}, 5)"))
# INSEE code of a commune or of a country: five characters, for instance 01053, 2A004, 99139.
COMMUNE: Final = _one_form("\\d[0-9AB]\\d{3}", ("\\d{4}", _padded(5)))
# The same in a file of fixed width: four digits are not a code without its zero, but what a cut left of a line.
COMMUNE_OF_FIXED_WIDTH: Final = "upper({text})"
# Number of a death certificate: without zeros before it, letters in capitals. A column of numbers may have 3000.0 or
# 3003,00. People write `N° 12`, `12 bis` and `12-BIS`. Only zeros become 0.
_NUMBER_SIGN: Final = "^N(?:[°º˚O]\\.?|\\.)(\\d)"
_JOINT: Final = "(\\d)[-./_]+([A-Z])"
_WITHOUT_SIGN: Final = f"regexp_replace({_WITHOUT_BLANKS}, '{_NUMBER_SIGN}', '\\1')"
_WITHOUT_DECIMALS: Final = f"regexp_replace({_WITHOUT_SIGN}, '^(\\d+)[.,]00?$', '\\1')"
_WITHOUT_JOINT: Final = f"regexp_replace({_WITHOUT_DECIMALS}, '{_JOINT}', '\\1\\2')"
_DIGITS: Final = _matches("{text}", "\\d+")
_USUAL_NUMBER: Final = _matches("{text}", "[1-9]\\d*")
CERTIFICATE: Final = _escaped(
    f"CASE WHEN {_USUAL_NUMBER} THEN {{text}} WHEN {_DIGITS} THEN coalesce(nullif(ltrim({{text}}, '0'), ''), '0') "
    f"WHEN {_FILLED} IS NOT NULL THEN coalesce(nullif(ltrim({_WITHOUT_JOINT}, '0'), ''), '0') END"
)
# Digits with points or commas: what a spreadsheet program or a format makes of an identifier, such as 3,000 or
# 750.000.001. It stays as it is delivered, and is not understood.
_REWRITTEN: Final = _escaped(_matches("{text}", "\\d+([.,]\\d+)+"))


def is_identifier(text: str) -> str:
    """SQL that is null for an identifier that was rewritten as a number; `text` is SQL of the typed text."""
    # The first branch is for speed: nearly no identifier has a point or a comma.
    return (
        f"CASE WHEN NOT (contains({text}, '.') OR contains({text}, ',')) THEN 1 "
        f"WHEN NOT {_REWRITTEN.format(text=text)} THEN 1 END"
    )


# CIM-10 code, in capitals and without the point.
DIAGNOSIS: Final = _one_form("[A-Z]\\d[0-9A-Z]*", ("[A-Z]\\d[0-9A-Z]\\..*", "concat({text}[:3], {text}[5:])"))
# The forms of identifiers. Codes of diagnoses have points of their own.
IDENTIFIERS: Final = frozenset((PLAIN, FINESS, ORGANISATION, PROFESSIONAL, POSTAL_CODE, COMMUNE, CERTIFICATE))
