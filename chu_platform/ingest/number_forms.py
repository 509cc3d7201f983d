"""Numbers as surveys and spreadsheet programs write them. The constants are DuckDB SQL of the text `{text}`."""

from typing import Final

# Blanks between groups of three digits, and before a percent sign.
_BLANKS: Final = " \u00a0\u2009\u202f"
_DIGITS: Final = f"(\\d+|\\d{{{{1,3}}}}([{_BLANKS}]\\d{{{{3}}}})+)"
# A number or a percentage: 72, 72.5, 72,5, .5, 1 072,5, 72% or 72 %. For columns of percentages and scores.
RESULT: Final = (
    f"CASE WHEN regexp_full_match({{text}}, "
    f"'[{_BLANKS}]*[+-]?({_DIGITS}([.,]\\d*)?|[.,]\\d+)([eE][+-]?\\d+)?[{_BLANKS}]*%?[{_BLANKS}]*') "
    f"THEN try_cast(translate({{text}}, ',%{_BLANKS}', '.') AS DOUBLE) END"
)
# The same for other columns: 53 % is 0.53.
RATIO: Final = f"CASE WHEN contains({{text}}, '%') THEN {RESULT} / 100 ELSE {RESULT} END"
# A whole number, also written 60.0, 60,0, 1 060, or with what it counts: 60 dossiers. Three zeros behind the sign may
# be thousands.
_COUNTED: Final = "([dD]ossier|[sS]éjour|[pP]atient|[rR]éponse|[qQ]uestionnaire|[aA]cte)s?"
COUNT: Final = (
    f"CASE WHEN regexp_full_match({{text}}, '[{_BLANKS}]*[+-]?{_DIGITS}([.,](0{{{{0,2}}}}|0{{{{4,}}}}))?[{_BLANKS}]*"
    f"({_COUNTED})?[{_BLANKS}]*') "
    f"THEN try_cast(translate(regexp_extract({{text}}, '[^.,a-zA-Zé]+'), '{_BLANKS}', '') AS INTEGER) END"
)
