"""Columns, checks and file names that the source tables of the register of deaths share.

The descriptions of the columns are shared too: engines refuse a UNION of columns whose comments differ.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chu_platform.building_blocks.death_dates import COMPACT_DATE, is_date
from chu_platform.ingest.delivered import Delivered, Reader, RowCheck, Withdrawals
from chu_platform.ingest.identifiers import CERTIFICATE
from chu_platform.ingest.names import NAME, name_form
from chu_platform.ingest.persons import Kind, PersonKey, by_identity
from chu_platform.ingest.row_sql import NOT_UNDERSTOOD
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.policies import DELIVERED_DEATHS
from chu_platform.tables.table import Layer, Table, Zone

# Names of the files that INSEE publishes, without suffix: deces-2019, deces-2020-t1, Deces_2020_M01.
INSEE_NAME: Final = r"deces[-_](?P<period>\d{4}(?:[-_][mt]\d\d?)?)"

NOM: Final = Column("nom", STRING, "nom de famille", "Nom", identifying=True)
PRENOM: Final = Column("prenom", STRING, "prénoms", "Prénoms", identifying=True)
SEXE: Final = Column("sexe", INTEGER, "1 : homme, 2 : femme", "Sexe")
DATE_NAISSANCE: Final = Column(
    "date_naissance",
    STRING,
    "date de naissance, parfois partielle (00, ou l’année seule) ou impossible",
    "Date de naissance",
    identifying=True,
)
DATE_DECES: Final = Column(
    "date_deces",
    STRING,
    "date de décès ; jour ou mois parfois 00, ou absents",
    "Date de décès",
    identifying=True,
    nullable=False,
)
# SQL that is not null for a row whose date of birth is understood. Its braces are doubled for `str.format`.
BIRTH_UNDERSTOOD: Final = f"CASE WHEN {is_date('date_naissance')} THEN 1 END".replace("{", "{{").replace("}", "}}")
# Words that programs write for no value, in capitals. Those of signs are no names, the others may be: Null, Na, Nan.
_NO_NAMES: Final = ("\\N", "N/A", "#N/A", "#N/D", "<NA>", "(NULL)", "[NULL]", "<NULL>")
_NO_VALUES: Final = (*_NO_NAMES, "NULL", "NA", "NAN", "NONE")
# First year with deaths in the register.
FIRST_DEATH_YEAR: Final = 1882
DEATH_YEAR: Final = Column("death_year", STRING, "année du décès", "Année du décès")


def code_lieu_naissance(name: str) -> Column:
    """INSEE code of the place of birth; `name` is the column name in the file."""
    return Column(name, STRING, "code Insee du lieu de naissance", "Code du lieu de naissance", identifying=True)


def lieu_naissance(name: str) -> Column:
    """Town of birth; `name` is the column name in the file."""
    return Column(name, STRING, "lieu de naissance", "Lieu de naissance", identifying=True)


def pays_naissance(name: str) -> Column:
    """Country of birth; `name` is the column name in the file."""
    return Column(name, STRING, "pays de naissance", "Pays de naissance", identifying=True)


def code_lieu_deces(name: str) -> Column:
    """INSEE code of the place of death; `name` is the column name in the file."""
    return Column(name, STRING, "code Insee du lieu de décès", "Code du lieu de décès", identifying=True)


DATEDECES: Final = Column(
    "datedeces",
    STRING,
    "date de décès AAAAMMJJ ; 00 : inconnu",
    "Date de décès (Insee)",
    identifying=True,
    nullable=False,
)


def numero_acte(name: str) -> Column:
    """Number of the death certificate; `name` is the column name in the file."""
    return Column(name, STRING, "numéro de l’acte de décès", "Numéro de l’acte de décès", identifying=True)


def absent_words(*columns: str) -> Mapping[str, Sequence[str]]:
    """For `Delivered.absent`: the words for no value in these columns, and those that are no name in names."""
    return {"nom": _NO_NAMES, "prenom": (*_NO_NAMES, "NULL"), **dict.fromkeys(columns, _NO_VALUES)}


def valid_death_date(column: str) -> Sequence[RowCheck]:
    """Checks that the date of death, YYYY-MM-DD, is a valid date in the years of the register.

    An unknown day or month is 00 or absent; the year is required. A day that the month does not have is not a date.
    """
    return [
        RowCheck(
            "not_a_date",
            column,
            is_date("date_deces"),
        ),
        RowCheck(
            "date_out_of_range",
            column,
            # A death of which only the month or the year is known is not before that day either.
            "date_deces <= strftime(current_date + 1, '%Y-%m-%d') OR death_year > year(current_date)::VARCHAR",
        ),
        # Other years are damage, such as digits of another column in a shifted line.
        RowCheck(
            "year_out_of_range",
            column,
            f"death_year BETWEEN '{FIRST_DEATH_YEAR}' AND year(current_date)::VARCHAR",
        ),
    ]


def certificate_number(column: str) -> str:
    """SQL of the certificate number that identifies a death, of a typed column (`identifiers.CERTIFICATE`).

    It has at most nine characters, as in INSEE's files. It is null for N and 0, which are written for no number. DuckDB
    and the engine understand it.
    """
    return f"nullif(nullif(left({column}, 9), 'N'), '0')"


def full_date(date: str) -> str:
    """SQL of a date YYYY-MM-DD in which an unknown month or day is 00."""
    return f"rpad({date}, 10, '-00-00')"


def withdrawal_key(date: str, place: str, number: str) -> str:
    """SQL of a text that identifies a death in the opposition list: its date, place and certificate number."""
    return f"concat_ws('|', {full_date(date)}, coalesce({place}, ''), coalesce({certificate_number(number)}, ''))"


def persons_of_deaths(place: str, number: str) -> Sequence[PersonKey]:
    """By what the rows of a register of deaths belong to a person: the death itself, or the identity of the person."""
    keys = [withdrawal_key("date_deces", *parts) for parts in ((place, number), (place, "NULL"), ("NULL", number))]
    return [
        PersonKey(Kind.DEATH, ["date_deces", place, number], keys, full_date("date_deces")),
        by_identity(NOM.name, PRENOM.name, DATE_NAISSANCE.name, DATE_NAISSANCE.name, has_all_first_names=True),
    ]


def insee_date(date: str) -> str:
    """SQL that rewrites a date AAAAMMJJ as YYYY-MM-DD; a month or day that is absent becomes 00 (unknown)."""
    full = f"CASE WHEN length({date}) IN (4, 6) THEN rpad({date}, 8, '0') ELSE {date} END"
    return f"left({full}, 4) || '-' || substr({full}, 5, 2) || '-' || substr({full}, 7)"


def birth_is_spelled(column: str) -> RowCheck:
    """A date of birth is one that other files spell in the same way; otherwise the death counts twice.

    Dates that do not exist, such as 1940-02-31, are the same in every file. Other years may be a day and a month.
    """
    return RowCheck(
        NOT_UNDERSTOOD,
        column,
        # CASE for speed: of AND and OR, DuckDB evaluates both sides for every row.
        "(CASE WHEN NOT (date_naissance BETWEEN '13' AND '21' OR date_naissance LIKE '0000%') THEN false "
        f"WHEN {is_date('date_naissance')} THEN true "
        "ELSE regexp_full_match(date_naissance, '\\d{4}-\\d\\d-\\d\\d') END)",
    )


def _one_name(text: str) -> str:
    """SQL of the form of a name; a list of one text names it, so that its SQL is not repeated."""
    return f"[{name_form('t')} FOR t IN [trim({text})]][1]"


def insee_table(
    name: str,
    label: str,
    reader: Reader,
    commune: str,
    uncut_date: str,
    withdrawals: Withdrawals,
    persons: Sequence[PersonKey],
) -> Table:
    """Source table of files published by INSEE.

    It has the nine columns of the file, the period of the file, and five columns derived in the form of deces.csv. The
    period of a file is the period in which its deaths were registered. Quarterly files repeat the monthly files,
    yearly files the quarterly ones. Names have the form `NOM*PRENOMS/`, dates the form `AAAAMMJJ`. `uncut_date` is SQL
    over the typed row that is true if the length of `datedeces` is that of a date: its last digits may be absent.
    `commune` is the typing of the codes of places, `withdrawals` are the deaths of INSEE's opposition list, `persons` those of
    `persons_of_deaths`.
    """
    columns: Sequence[Column] = [
        Column("nomprenom", STRING, "nom de famille*prénoms/", "Nom et prénoms", identifying=True),
        SEXE,
        Column(
            "datenaiss",
            STRING,
            "date de naissance AAAAMMJJ ; 00 : inconnu",
            "Date de naissance (Insee)",
            identifying=True,
        ),
        code_lieu_naissance("lieunaiss"),
        lieu_naissance("commnaiss"),
        pays_naissance("paysnaiss"),
        DATEDECES,
        code_lieu_deces("lieudeces"),
        numero_acte("actedeces"),
        Column(
            "periode",
            STRING,
            "période où les décès du fichier ont été enregistrés, d’après son nom",
            "Période du fichier",
        ),
        NOM,
        PRENOM,
        DATE_NAISSANCE,
        DATE_DECES,
        DEATH_YEAR,
    ]
    full_name = "regexp_replace(nomprenom, '/+$', '')"
    first_names = _one_name(f"substr({full_name}, instr({full_name}, '*') + 1)")
    return Table(
        name=name,
        layer=Layer.SOURCES,
        zone=Zone.RESTRICTED,
        grain="une ligne d’un fichier du registre des décès ; les fichiers de périodes longues répètent ceux de périodes plus courtes",
        label=label,
        owner="team:registers",
        access=DELIVERED_DEATHS,
        public_source="Insee",
        columns=columns,
        rows=Delivered(
            reader,
            typing={
                "datenaiss": COMPACT_DATE,
                "lieunaiss": commune,
                "datedeces": COMPACT_DATE,
                "lieudeces": commune,
                "actedeces": CERTIFICATE,
                **dict.fromkeys(("commnaiss", "paysnaiss"), NAME),
            },
            derived={
                "periode": "replace(upper(period), '_', '-')",
                "nom": _one_name(f"split_part({full_name}, '*', 1)"),
                "prenom": f"CASE WHEN contains({full_name}, '*') THEN {first_names} END",
                "date_naissance": insee_date("datenaiss"),
                "date_deces": insee_date("datedeces"),
                "death_year": "left(datedeces, 4)",
            },
            understood={"datenaiss": BIRTH_UNDERSTOOD},
            row_warnings=[birth_is_spelled("datenaiss")],
            absent=absent_words(
                *("sexe", "datenaiss", "lieunaiss", "commnaiss", "paysnaiss", "datedeces", "lieudeces", "actedeces")
            ),
            withdrawals=withdrawals,
            persons=persons,
            row_checks=[
                RowCheck("not_a_date", "datedeces", uncut_date),
                *valid_death_date("datedeces"),
            ],
        ),
        partition_scheme=DEATH_YEARS,
    )
