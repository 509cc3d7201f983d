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
# Two lines are one death when all columns that both kinds of file have are equal, cut to the shorter length. The texts
# are hashed: those of 25 million deaths do not fit in memory.
_KEY: Final = """md5(concat_ws('\x1f',
    left(trim(coalesce(nom, '')) || '*' || trim(coalesce(prenom, '')), 79), coalesce(sexe::VARCHAR, ''),
    CASE length(date_naissance) WHEN 4 THEN date_naissance || '-00-00' WHEN 7 THEN date_naissance || '-00'
        ELSE coalesce(nullif(date_naissance, '0000-00-00'), '') END,
    trim(coalesce({birthplace}, '')), left(trim(coalesce({town}, '')), 30), left(trim(coalesce({country}, '')), 30),
    date_deces, trim(coalesce({place}, '')), ltrim(left(trim(coalesce({number}, '')), 9), '0')))"""
_REGISTER_KEY: Final = _KEY.format(
    birthplace="code_lieu_naissance",
    town="lieu_naissance",
    country="pays_naissance",
    place="code_lieu_deces",
    number="numero_acte_deces",
)
_INSEE_KEY: Final = _KEY.format(
    birthplace="lieunaiss", town="commnaiss", country="paysnaiss", place="lieudeces", number="actedeces"
)
# SQL of the text that identifies a death, for each source of deaths.
DEATH_KEYS: Final[Mapping[Table, str]] = {
    deces: _REGISTER_KEY,
    deces_insee_fixe: _INSEE_KEY,
    deces_insee_csv: _INSEE_KEY,
}
# The query of these texts in the column `row` of a numerator, where each is stored in 16 bytes.
COUNTED_DEATH_KEYS: Final = "SELECT replace(row::VARCHAR, '-', '') FROM numerator"
_PLACES: Final[Mapping[Table, str]] = {
    deces: "code_lieu_deces",
    deces_insee_fixe: "lieudeces",
    deces_insee_csv: "lieudeces",
}


def create_deaths(connection: duckdb.DuckDBPyConnection) -> None:
    """Create death(key, year, sex, region, band) from the views `raw_<source>`.

    Of a date, an unknown month is taken for 1 July and an unknown day for the 15th. Codes of place 91352 to 91354 are
    those of countries; Corsica before 1976 is 20.
    """
    create_date_macros(connection)
    create_department_macro(connection)
    lines = " UNION ALL ".join(
        f"SELECT {key}::UUID AS key, death_year, sexe, date_naissance, date_deces, trim({_PLACES[table]}) AS place "
        f'FROM "raw_{table.name}"'
        for table, key in DEATH_KEYS.items()
    )
    connection.execute(
        f"""
        -- The month at 6 or the day at 9 of a date; null when it is 00 or absent.
        CREATE MACRO date_part_at(text, position) AS nullif(nullif(substr(text, position, 2), ''), '00');
        -- Most dates are complete: the cast of the whole text saves time.
        CREATE MACRO assumed_date(text) AS if(text ^@ '0000', NULL, coalesce(try_cast(text AS DATE),
            try_cast(concat_ws('-', left(text, 4), coalesce(date_part_at(text, 6), '07'),
                if(date_part_at(text, 6) IS NULL, '01', coalesce(date_part_at(text, 9), '15'))) AS DATE)));

        CREATE TABLE death AS
        -- In steps, so that a date and an age are computed once for each line.
        WITH dated AS (
            SELECT *, assumed_date(date_naissance) AS birth, assumed_date(date_deces) AS died FROM ({lines})
        ), aged AS (
            SELECT *, completed_years(birth, died) AS age FROM dated
        ), line AS (
            SELECT key, death_year::INTEGER AS year, if(sexe IN (1, 2), ['M', 'F'][sexe], 'unknown') AS sex,
                CASE WHEN place BETWEEN '91352' AND '91354' THEN NULL WHEN place ^@ '20' THEN '2A'
                    ELSE department_of(place) END AS department_code,
                band_of_age(age) AS band
            FROM aged
        )
        SELECT DISTINCT key, year, sex, coalesce(region_code, '{ELSEWHERE}') AS region, band
        FROM line LEFT JOIN raw_department USING (department_code)
        """
    )
