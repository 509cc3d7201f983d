"""Deaths of the national register, each counted once even when several files contain it."""

from typing import Final

from chu_platform.building_blocks.birth_checks import plausible_age
from chu_platform.building_blocks.death_columns import certificate_number
from chu_platform.building_blocks.place_codes import department_of
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.references.department import department
from chu_platform.sources.deces import deces
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.deces_insee_fixe import deces_insee_fixe
from chu_platform.tables.checks import Check, CheckType, between, last_event, one_of, relation
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.policies import PUBLIC_DEATHS
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import age_band, completed_years, date_parts, partial_date
from chu_platform.tables.table import Layer, Layout, Table, Zone


def _normalised(column: str, max_length: int | None = None) -> str:
    """SQL of a key column in the form that all file formats share: trimmed, null as '', cut to the width in INSEE files."""
    text = f"trim(coalesce({column}, ''))"
    return f"rtrim(left({text}, {max_length}))" if max_length else text


def _same_text(text: str) -> str:
    """SQL of the text of a name that a hyphen, apostrophe (39) or blank in place of another does not change."""
    return f"replace(replace({text}, '-', ' '), chr(39), ' ')"


def _with_zeros(date: str) -> str:
    """SQL of a date in which an unknown month or day is 00."""
    return f"CASE length({date}) WHEN 4 THEN concat({date}, '-00-00') WHEN 7 THEN concat({date}, '-00') ELSE {date} END"


# Names of some files are cut at 68 characters, those of others at 80, with or without the slash at their end.
NAME_LENGTH: Final = 67
# Texts of a record, never null. Records that are equal in them and in year and sex are one death.
KEY_TEXTS: Final = (
    "name",
    "date_naissance",
    "code_lieu_naissance",
    "lieu_naissance",
    "pays_naissance",
    "date_deces",
    "code_lieu_deces",
    "numero_acte_deces",
)
# Two hashes of 64 bits stand for the texts of a record: to compare numbers takes half the time. Two different records
# among 25 million have the same two hashes with a probability of about 10^-24.
TWO_HASHES: Final = (
    f"xxhash64({', '.join(KEY_TEXTS)}) AS first_hash, xxhash64({', '.join(reversed(KEY_TEXTS))}) AS second_hash"
)


# Columns of this table, and of those that count its rows.
DEATH_YEAR: Final = Column("death_year", STRING, "année du décès", "Année du décès", nullable=False)
DEATH_MONTH: Final = Column("death_month", INTEGER, "mois du décès, de 1 à 12 ; vide s’il est inconnu", "Mois du décès")
SEX: Final = Column("sex", STRING, "F, M ou unknown (inconnu)", "Sexe", nullable=False)
DEPARTMENT_CODE: Final = Column(
    "department_code", STRING, "département du lieu de décès ; vide hors des départements", "Code département"
)
REGION_KEY: Final = Column(
    "region_key", STRING, "région du lieu de décès ; 99 : ailleurs ou inconnue", "Code région", nullable=False
)

fact_death = Table(
    name="fact_death",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un décès du registre ; des lignes identiques dans toutes les colonnes sont un seul décès, quels que soient les fichiers qui le nomment",
    label="Décès",
    owner="team:facts",
    access=PUBLIC_DEATHS,
    columns=[
        DEATH_YEAR,
        Column("death_date", DATE, "jour du décès ; vide si le jour ou le mois est inconnu", "Date du décès"),
        DEATH_MONTH,
        SEX,
        Column("birth_year", INTEGER, "année de naissance ; vide si inconnue", "Année de naissance"),
        Column(
            "birth_precision",
            STRING,
            "jusqu’où la date de naissance est connue : day (jour), month (mois), year (année) ou unknown (inconnue, dates impossibles comprises)",
            "Précision de la date de naissance",
            nullable=False,
        ),
        Column("age", INTEGER, "âge en années révolues ; vide si inconnu", "Âge"),
        Column(
            "age_band",
            STRING,
            "tranche de cinq ans de l’âge ; unknown si l’âge est inconnu",
            "Tranche d’âge",
            nullable=False,
        ),
        DEPARTMENT_CODE,
        REGION_KEY,
    ],
    reads={
        "deces": deces,
        "insee_fixed": deces_insee_fixe,
        "insee_csv": deces_insee_csv,
        "department": department,
    },
    rows=Query(
        f"""
        WITH line AS (
            SELECT nom, prenom, sexe, date_naissance, {_normalised("code_lieu_naissance")} AS code_lieu_naissance, lieu_naissance, pays_naissance,
                   date_deces, {_normalised("code_lieu_deces")} AS code_lieu_deces, numero_acte_deces, death_year
            FROM {{deces}}
            UNION ALL
            SELECT nom, prenom, sexe, date_naissance, {_normalised("lieunaiss")}, commnaiss, paysnaiss,
                   date_deces, {_normalised("lieudeces")}, actedeces, death_year
            FROM {{insee_fixed}}
            UNION ALL
            SELECT nom, prenom, sexe, date_naissance, {_normalised("lieunaiss")}, commnaiss, paysnaiss,
                   date_deces, {_normalised("lieudeces")}, actedeces, death_year
            FROM {{insee_csv}}
        ),
        record AS (
            -- A name may contain a star, so the key does not depend on where the family name ends.
            SELECT {_same_text(f"rtrim(left(concat({_normalised('nom')}, '*', {_normalised('prenom')}), {NAME_LENGTH}))")} AS name, sexe,
                   coalesce(nullif({_with_zeros("date_naissance")}, '0000-00-00'), '') AS date_naissance, code_lieu_naissance,
                   {_same_text(_normalised("lieu_naissance", 30))} AS lieu_naissance, {_same_text(_normalised("pays_naissance", 30))} AS pays_naissance,
                   {_with_zeros("date_deces")} AS date_deces, code_lieu_deces,
                   coalesce({certificate_number("numero_acte_deces")}, '') AS numero_acte_deces,
                   death_year
            FROM line
        ),
        parted AS (
            SELECT death_year, sexe, code_lieu_deces, date_naissance, date_deces,
                   {date_parts("date_naissance", "birth")}, {date_parts("date_deces", "event")}, {TWO_HASHES}
            FROM record
        ),
        dated AS (
            SELECT first_hash, second_hash, death_year, sexe, code_lieu_deces, birth_month, birth_day, event_month, event_day,
                   {partial_date("date_deces", "event")} AS counted_date, {partial_date("date_naissance", "birth")} AS birth_date
            FROM parted
        ),
        aged AS (
            SELECT first_hash, second_hash, death_year, CASE WHEN event_month > 0 AND event_day > 0 THEN counted_date END AS death_date,
                   CASE WHEN event_month > 0 THEN month(counted_date) END AS death_month, sexe, year(birth_date) AS birth_year,
                   CASE WHEN birth_date IS NULL THEN 0 WHEN birth_month = 0 THEN 1 WHEN birth_day = 0 THEN 2 ELSE 3 END AS known_parts,
                   {completed_years("birth_date", "counted_date")} AS age,
                   {department_of("code_lieu_deces")} AS department
            FROM dated
        ),
        death AS (SELECT DISTINCT * FROM aged)
        SELECT a.death_year, a.death_date, a.death_month,
               CASE a.sexe WHEN 1 THEN 'M' WHEN 2 THEN 'F' ELSE 'unknown' END AS sex,
               a.birth_year,
               CASE a.known_parts WHEN 0 THEN 'unknown' WHEN 1 THEN 'year' WHEN 2 THEN 'month' ELSE 'day' END
                   AS birth_precision,
               a.age, {age_band("a.age")} AS age_band,
               d.department_code,
               -- Codes from before 1976 have one department for Corsica: 20.
               CASE WHEN a.department = '20' THEN '94' ELSE coalesce(d.region_code, '99') END AS region_key
        FROM death a LEFT JOIN {{department}} d ON d.department_code = a.department
        """
    ),
    checks=[
        # Files of deaths abroad have few places in a region.
        *relation("region_key", dim_region, 0.05, unknown="99"),
        one_of("sex", ["F", "M", "unknown"]),
        one_of("birth_precision", ["day", "month", "year", "unknown"]),
        plausible_age(),
        between("death_month", 1, 12),
        last_event("death_date", 400),
    ],
    layout=Layout(z_order_by=["region_key", "age"], sorted_writes=False),
    partition_scheme=DEATH_YEARS,
    derives_from=["deces", "insee_fixed", "insee_csv"],
)

# A check of the tables that count deaths: no death is lost, none counted twice.
EVERY_DEATH_IS_COUNTED: Final = Check(
    "every_death_is_counted",
    CheckType.RECONCILIATION,
    "la somme des décès est le nombre de lignes de facts/fact_death",
    query=lambda s: (
        f"SELECT abs((SELECT coalesce(sum(deaths), 0) FROM {s.written}) - (SELECT count(*) FROM {other}))::BIGINT"
        if (other := s.same_partitions(fact_death))
        else "SELECT NULL"
    ),
    refers_to=fact_death,
)
