"""The care-quality files of the satisfaction folder: DPA, RCP, HPP, IDM, DAN, ETE-ORTHO, IQSS, and lexicons.

They measure processes of care, not satisfaction. They have a few dozen invented establishments, and the real file
names and headers.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from chu_platform.demo.satisfaction import REGIONS
from chu_platform.demo.shared_tables import SharedTables
from chu_platform.demo.spreadsheet import Cell, write_csv, write_xlsx

ESTABLISHMENTS = 60
OLD_REGIONS = {
    "Rhône Alpes": "82",
    "Auvergne": "83",
    "Ile de France": "11",
    "Nord Pas de Calais": "31",
    "Picardie": "22",
    "PACA": "93",
    "Alsace": "42",
    "Lorraine": "41",
    "Champagne Ardenne": "21",
    "Aquitaine": "72",
    "Limousin": "74",
    "Poitou Charentes": "54",
    "Bretagne": "53",
    "Corse": "94",
    "Basse Normandie": "25",
    "Haute Normandie": "23",
    "Bourgogne": "26",
    "Franche Comté": "43",
    "Centre": "24",
    "Languedoc Roussillon": "91",
    "Midi Pyrénées": "73",
    "Pays de la Loire": "52",
    # Not a region: military hospitals.
    "Service de santé des armées": "12",
}
# One file truncates its labels to this length.
MAX_LABEL_LENGTH = 18
# First characters of FINESS numbers for regions that the label does not identify.
PREFIXES = {"94": "2A", "04": "9704", "06": "9805"}
CATEGORIES = ("CH", "CHU", "Privé", "PSPH/EBNL", "CLCC")
CONTROL = "Pas de contrôle"
NOT_CONCERNED = "Non concerné (pas d'activité)"
NOT_COMPARABLE = "Non concerné (non comparable)"
# Columns of the 2019 file after the five of identity: group of the obligation, then (class, result,
# evolution).
IQSS_2019 = {
    "icsha_v3_mhs": ("ias_icsha_v3_mhs",),
    "icsha_v3_psy": ("ias_icsha_v3_psy",),
    "dpa_had": ("DPA_dtn_HAD", "DPA_tre_HAD", "DPA_coord_HAD", "DPA_tdp_v3_HAD"),
    "dpa_mco": ("DPA_qls_v2_MCO", "DPA_pcd_MCO"),
    "dpa_ssr": ("DPA_qls_SSR", "DPA_pcd_SSR", "DPA_pspv_SSR"),
    "ca_mco": ("CA_qls_v2_MCO",),
}

# Stays, events observed and expected, their ratio, its position.
ETE_ORTHO = ("cible_etbt", "obs_etbt", "att_etbt", "etbt", "pos_seuil_etbt")


@dataclass(frozen=True)
class Establishment:
    """An invented establishment, with its region before and since 2016."""

    finess: str
    name: str
    old_region: str
    region: str
    region_code: str
    category: str


def establishments(random: Random) -> list[Establishment]:
    """Establishments of all regions; some have Corsican numbers (`2A0000154`)."""
    result = []
    for number in range(ESTABLISHMENTS):
        region, code, _ = REGIONS[number % len(REGIONS)]
        start = PREFIXES.get(code, f"{1 + number:02d}")
        old = "Océan Indien" if region == "Océan Indien" else list(OLD_REGIONS)[number % len(OLD_REGIONS)]
        name = f"CENTRE HOSPITALIER N° {number + 1}"
        finess = f"{start}{str(780_000 + 12 * number).zfill(9 - len(start))}"
        result.append(Establishment(finess, name, old, region, code, random.choice(CATEGORIES)))
    return result


def _measure(random: Random) -> tuple[float, float, float, int]:
    """Value (%), lower and upper bound of its interval, denominator."""
    denominator = random.randint(10, 80)
    value = round(random.uniform(40, 100), 2)
    half = round(100 / denominator**0.5, 2)
    return value, round(max(0, value - half), 2), round(min(100, value + half), 2), denominator


def _measures(random: Random, indicators: tuple[str, ...], order: tuple[str, ...]) -> tuple[list[str], list[Cell]]:
    """Names and values of the columns of several indicators, in the order of the file."""
    names: list[str] = []
    values: list[Cell] = []
    for indicator in indicators:
        value, low, high, denominator = _measure(random)
        parts: dict[str, Cell] = {
            "etbt": value if value != int(value) else int(value),
            "icbas_etbt": low,
            "ichaut_etbt": high,
            "den_etbt": denominator,
        }
        if denominator < 12:
            parts |= {"etbt": None, "icbas_etbt": None, "ichaut_etbt": None}
        names += [f"{indicator}_{part}" for part in order]
        values += [parts[part] for part in order]
    return names, values


def _lexicon(header: list[Cell], titles: tuple[str, str]) -> list[list[Cell]]:
    rows: list[list[Cell]] = [list(titles)]
    return rows + [[name, f"Libellé de {name}"] for name in sorted(map(str, header))]


def _write_2014_2015(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2014 and 2015: `;`, decimal point, the old regions; results, lexicons and participants."""
    order = ("den_etbt", "etbt", "icbas_etbt", "ichaut_etbt")
    files = (
        (
            "2014/DPA_SSR_recueil2014_donnee2013_table",
            "es",
            2013,
            ("tdp_c", "dec_c", "trd_c", "dtn1_c1"),
            str.lower,
        ),
        ("2014/RCP_MCO_recueil2014_donnee2013_table", "es", 2013, ("rcp2_c2",), str.capitalize),
        ("2015/hpp_mco_recueil2015_donnee2014", "tables_es", 2014, ("surv_c", "pec_hppi_c"), str.lower),
        ("2015/idm_mco_recueil2015_donnee2014", "tables_es", 2014, ("bassp_c", "hyg_c"), str.lower),
    )
    for stem, table, year, indicators, case in files:
        rows: list[list[Cell]] = []
        for site in sites:
            names, values = _measures(random, indicators, order)
            label = site.old_region[:MAX_LABEL_LENGTH] if case == str.capitalize else site.old_region
            rows.append([site.name, label, site.category, site.finess, year, *values])
        header: list[Cell] = [
            case("raison_sociale"),
            case("libelle_region"),
            "cat",
            "finess",
            "Sources",
            *names,
        ]
        write_csv(folder / f"{stem}_{table}.csv", [header, *rows])
        if not stem.endswith("idm_mco_recueil2015_donnee2014"):
            write_csv(folder / f"{stem}_lexique.csv", _lexicon(header, ("NAME", "label")))
        if table == "es":
            participants: list[list[Cell]] = [
                [
                    year,
                    site.finess,
                    site.name,
                    site.old_region,
                    site.category,
                    random.choice(("Oui", "Oui", "Oui", "Non")),
                ]
                for site in sites
            ]
            titles: list[Cell] = [
                *map(case, ("sources", "finess", "raison_sociale", "libelle_region")),
                "cat",
                "repondant",
            ]
            write_csv(folder / f"{stem}_participant.csv", [titles, *participants])


def _write_2016(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2016: the CSV files that use `,`, and a workbook with the lines of one of them in its column A."""
    order = ("etbt", "ichaut_etbt", "icbas_etbt", "den_etbt")
    for stem, indicators in (("dan_mco", ("tda", "trd")), ("dpa_had", ("dec", "dtn", "tdp", "trd", "tre"))):
        rows: list[list[Cell]] = []
        for site in sites:
            names, values = _measures(random, tuple(f"{indicator}_c" for indicator in indicators), order)
            identity: list[Cell] = [
                site.finess,
                2015,
                site.region,
                site.region_code,
                site.name,
                site.category,
                "Oui",
            ]
            rows.append([*identity, *[CONTROL] * len(indicators), *values])
        header: list[Cell] = [
            "finess",
            "Sources",
            "lib_reg",
            "code_reg",
            "raison_sociale",
            "lib_cat",
            "repondant",
        ]
        header += [f"resultat_{indicator}" for indicator in indicators] + names
        name = f"{stem}_recueil2016_donnee2015"
        write_csv(folder / f"2016/{name}_donnees.csv", [header, *rows], delimiter=",")
        write_csv(folder / f"2016/{name}_lexique.csv", _lexicon(header, ("NAME", "LABEL")), delimiter=",")
        if stem == "dpa_had":
            joined = [[",".join("" if cell is None else str(cell) for cell in row)] for row in [header, *rows]]
            write_xlsx(folder / f"2016/{name}_donnees.xlsx", f"{name}_"[:31], joined)


def _write_2017_2018(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2017-2018: `;`, lower-case file names with hyphens, decimal comma, a position against a threshold."""
    files = (
        ("dpa-ssr-recueil2018-donnee2017", ("tdp_c", "doc_c", "trd_c", "dtn2_c2")),
        ("rcp-mco-recueil2018-donnee2017", ("rcp2_c2",)),
    )
    for stem, indicators in files:
        header: list[Cell] = ["finess", "rs", "region"]
        for name in indicators:
            parts = ("etbt", "den_etbt", "icbas_etbt", "ichaut_etbt", "pos_seuil_etbt")
            header += [f"Resultat_{name[:3]}", *(f"{name}_{part}" for part in parts)]
        rows: list[list[Cell]] = []
        for site in sites:
            row: list[Cell] = [site.finess, site.name, site.region]
            for _ in indicators:
                value, low, high, denominator = _measure(random)
                row += [CONTROL, _comma(value), denominator, _comma(low), _comma(high), random.choice("ABC")]
            rows.append(row)
        _write_with_lexicon(folder, stem, header, rows)
    header = ["finess", "rs", "region", *(f"ete_ortho_{part}" for part in ETE_ORTHO)]
    rows = []
    for site in sites:
        target, observed, expected = random.randint(10, 900), random.randint(0, 9), round(random.uniform(0.1, 8), 2)
        ratio = round(observed / expected, 2)
        counted: list[Cell] = [target, observed, _comma(expected), _comma(ratio), random.choice("ABBB")]
        rows.append([site.finess, site.name, site.region, *counted])
    _write_with_lexicon(folder, "ete-ortho-ipaqss-2017-2018", header, rows)


def _write_with_lexicon(folder: Path, stem: str, header: list[Cell], rows: list[list[Cell]]) -> None:
    write_csv(folder / f"2017-2018/{stem}-donnees.csv", [header, *rows], newline="\r\n")
    write_csv(folder / f"2017-2018/{stem}-lexique.csv", _lexicon(header, ("NAME", "LABEL")), newline="\r\n")


def _comma(number: float) -> str:
    return str(number).replace(".", ",")


def _write_2019(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2019: 49 columns, with percentages such as `72%` and texts among numbers."""
    header: list[Cell] = ["finess", "finess_pmsi", "nom_ES", "region", "type"]
    for obligation, indicators in IQSS_2019.items():
        header.append(f"obligatoire_{obligation}")
        for name in indicators:
            result = f"ias_{name.removeprefix('ias_')}" if name.startswith("ias_") else name.lower()
            header += [f"classe_{name}", f"res_{result}", f"evol_{result}"]
    header += ["ete_ortho_ratio_oe", "ete_ortho_alerte_supe"]
    rows: list[list[Cell]] = []
    for site in sites:
        row: list[Cell] = [site.finess, site.finess, site.name, site.region, site.category]
        for indicators in IQSS_2019.values():
            concerned = random.random() < 0.6
            row.append("1" if concerned else NOT_CONCERNED)
            for name in indicators:
                result = f"{random.randint(20, 100)}{'%' if 'pcd' in name or 'HAD' in name else ''}"
                measured: list[Cell] = [
                    random.choice("ABC"),
                    result,
                    random.choice(("-1", "0", "1", NOT_COMPARABLE)),
                ]
                row += measured if concerned else [NOT_CONCERNED] * 3
        row += [random.choice(("0.0", "2.5", NOT_CONCERNED)), random.choice(("0", NOT_COMPARABLE))]
        rows.append(row)
    write_csv(folder / "2019/resultats-iqss-open-data-2019.csv", [header, *rows])
    write_csv(folder / "2019/lexique-iqss-open-data-2019.csv", _lexicon(header, ("NAME", "LABEL")))


def _write_2020(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2020: workbooks of nine columns, sheets Resultats and Lexique; a cell of the lexicon has several lines."""
    header: list[Cell] = ["finess", "finess_pmsi", "nom_ES", "region", "type"]
    for name in ("ete_ortho", "iso_ortho"):
        header += [f"{name}_ratio_oe", f"{name}_alerte_supe"]
    rows: list[list[Cell]] = []
    for site in sites:
        row: list[Cell] = [site.finess, site.finess, site.name, site.region, site.category]
        for _ in range(2):
            ratio: Cell = random.choice((0, round(random.uniform(0, 4), 6), NOT_CONCERNED))
            row += [ratio, ratio if ratio == NOT_CONCERNED else random.choice(("0", "0", "1"))]
        rows.append(row)
    write_xlsx(folder / "2020/resultats-iqss-open-data-2020.xlsx", "Resultats", [header, *rows])
    lexicon = _lexicon(header, ("NAME", "LABEL"))
    lexicon[-1][1] = f"{lexicon[-1][1]} :\nCH, CHU, CLCC,\nprivé"
    write_xlsx(folder / "2020/lexique-iqss-open-data-2020.xlsx", "Lexique", lexicon)


def write(shared: SharedTables, folder: Path) -> None:
    """Write the files under `folder` (Satisfaction), and files there that are not deliveries."""
    random = shared.random("quality")
    for name in ("2014", "2015", "2016", "2017-2018", "2019", "2020"):
        (folder / name).mkdir(exist_ok=True)
    sites = establishments(random)
    _write_2014_2015(folder, sites, random)
    _write_2016(folder, sites, random)
    _write_2017_2018(folder, sites, random)
    _write_2019(folder, sites, random)
    _write_2020(folder, sites, random)
    # A lock file of an open workbook, a macOS folder file, an empty upload.
    lock = "~$resultats-esatis48h-mco-open-data-2020.xlsx"
    (folder / "2020" / lock).write_bytes(b"\x04chu " + b" " * 160)
    (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1" + bytes(64))
    (folder / "2019" / "resultats-esatisca-mco-open-data-2019 (1).csv").write_bytes(b"")
