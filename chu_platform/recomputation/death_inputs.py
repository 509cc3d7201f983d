"""Input table of deaths: each death once, even if several files contain it."""

from collections.abc import Mapping
from typing import Final

import duckdb

from chu_platform.recomputation.date_macros import create_date_macros
from chu_platform.recomputation.register_inputs import create_department_macro
from chu_platform.sources.deces import deces
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.deces_insee_fixe import deces_insee_fixe
from chu_platform.tables.table import Table

# The region of deaths outside the departments.
ELSEWHERE: Final = "99"
# A code of place without regard to letter case. In a CSV file, four digits are a code whose leading zero is lost; in a
# line of fixed width, they are the part of a code that a cut left.
_CODE: Final = "upper(trim(coalesce({column}, '')))"
_SPREADSHEET_CODE: Final = (
    f"if(length(trim({{column}})) = 4 AND trim({{column}}) SIMILAR TO '[0-9]*', '0' || trim({{column}}), {_CODE})"
)
# Unknown parts of a date are absent, or zeros: the key has neither.
_KNOWN_PARTS: Final = "if({column} LIKE '%-00', regexp_replace({column}, '(-00)+$', ''), {column})"
# Two lines are one death when all columns that both kinds of file have are equal, cut to the shorter length. The texts
# are hashed: those of 25 million deaths do not fit in memory. The certificate number N means that there is none. Of
# names, hyphens and apostrophes are blanks.
_KEY: Final = """md5(concat_ws('\x1f',
    translate(rtrim(left(trim(coalesce(nom, '')) || '*' || trim(coalesce(prenom, '')), 67)), '-''', '  '),
    coalesce(sexe::VARCHAR, ''), coalesce(nullif({born}, '0000'), ''),
    {birthplace}, translate(rtrim(left(trim(coalesce({town}, '')), 30)), '-''', '  '),
    translate(rtrim(left(trim(coalesce({country}, '')), 30)), '-''', '  '),
    {died}, {place}, coalesce(nullif(ltrim(left(trim({number}), 9), '0'), 'N'), '')))"""


def _key(code: str, birthplace: str, town: str, country: str, place: str, number: str) -> str:
    return _KEY.format(
        born=_KNOWN_PARTS.format(column="date_naissance"),
        birthplace=code.format(column=birthplace),
        town=town,
        country=country,
        died=_KNOWN_PARTS.format(column="date_deces"),
        place=code.format(column=place),
        number=number,
    )


_INSEE_COLUMNS: Final = ("lieunaiss", "commnaiss", "paysnaiss", "lieudeces", "actedeces")
# SQL of the text that identifies a death, for each source of deaths.
DEATH_KEYS: Final[Mapping[Table, str]] = {
    deces: _key(
        _SPREADSHEET_CODE,
        "code_lieu_naissance",
        "lieu_naissance",
        "pays_naissance",
        "code_lieu_deces",
        "numero_acte_deces",
    ),
    deces_insee_fixe: _key(_CODE, *_INSEE_COLUMNS),
    deces_insee_csv: _key(_SPREADSHEET_CODE, *_INSEE_COLUMNS),
}
# The query of these texts in the column `row` of a numerator, where each is stored in 16 bytes.
COUNTED_DEATH_KEYS: Final = "SELECT replace(row::VARCHAR, '-', '') FROM numerator"
_PLACES: Final[Mapping[Table, str]] = {
    deces: _SPREADSHEET_CODE.format(column="code_lieu_deces"),
    deces_insee_fixe: _CODE.format(column="lieudeces"),
    deces_insee_csv: _SPREADSHEET_CODE.format(column="lieudeces"),
}


def create_deaths(connection: duckdb.DuckDBPyConnection) -> None:
    """Create death(key, year, month, sex, region, department, band, age_group) from the views `raw_<source>`.

    The month is null where it is unknown.

    Of a date, an unknown month is taken for 1 July and an unknown day for the 15th. Codes of place 9_352 to 9_354 are
    those of Algeria; Corsica before 1976 is 20, without department; Mayotte also 985, and La Réunion 98405. 97123 and
    97127 are no part of Guadeloupe any more. A code has five characters. The age group is the first age of five years,
    90 for 90 and over, null for an unknown age.
    """
    create_date_macros(connection)
    create_department_macro(connection)
    lines = " UNION ALL ".join(
        f"SELECT {key}::UUID AS key, death_year, sexe, date_naissance, date_deces, {_PLACES[table]} AS place "
        f'FROM "raw_{table.name}"'
        for table, key in DEATH_KEYS.items()
    )
    connection.execute(
        f"""
        -- The month at 6 or the day at 9 of a date; null when it is 00 or absent.
        CREATE MACRO date_part_at(text, position) AS nullif(nullif(substr(text, position, 2), ''), '00');
        -- Most dates are complete: the cast of the whole text saves time. Other texts are no dates.
        CREATE MACRO assumed_date(text) AS if(text ^@ '0000', NULL, if(text LIKE '____-__-__'
            OR text SIMILAR TO '[0-9]{{4}}(-[0-9]{{2}})?', coalesce(try_cast(text AS DATE),
            try_cast(concat_ws('-', left(text, 4), coalesce(date_part_at(text, 6), '07'),
                if(date_part_at(text, 6) IS NULL, '01', coalesce(date_part_at(text, 9), '15'))) AS DATE)), NULL));

        CREATE TABLE death AS
        -- In steps, so that a date and an age are computed once for each line.
        WITH dated AS (
            SELECT *, assumed_date(date_naissance) AS birth, assumed_date(date_deces) AS died FROM ({lines})
        ), aged AS (
            SELECT *, completed_years(birth, died) AS age FROM dated
        ), line AS (
            SELECT key, death_year::INTEGER AS year,
                if(date_part_at(date_deces, 6) IS NOT NULL, month(died), NULL) AS month,
                if(sexe IN (1, 2), ['M', 'F'][sexe], 'unknown') AS sex,
                CASE WHEN length(place) <> 5 OR place SIMILAR TO '9[1-4]35[2-4]|9712[37]' THEN NULL
                    WHEN place ^@ '20' THEN '2A' WHEN place ^@ '985' THEN '976' WHEN place = '98405' THEN '974'
                    ELSE department_of(place) END AS department_code, place ^@ '20' AS is_old_code,
                band_of_age(age) AS band, if(age >= 90, 90, age // 5 * 5) AS age_group
            FROM aged
        )
        SELECT DISTINCT key, year, month, sex, coalesce(region_code, '{ELSEWHERE}') AS region,
            if(region_code IS NULL OR is_old_code, NULL, department_code) AS department, band, age_group
        FROM line LEFT JOIN raw_department USING (department_code)
        """
    )
