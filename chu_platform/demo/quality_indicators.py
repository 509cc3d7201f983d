"""The care-quality files of the satisfaction folder: DPA, RCP, HPP, IDM, DAN, ETE-ORTHO, IQSS, and lexicons.

They measure processes of care, not satisfaction. They have a few dozen invented establishments, and the
file names and headers of the real files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from chu_platform.demo import quality_lexicons as lexicons
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
    "Service de santé des armées": None,
}
# One file truncates its labels to this length.
MAX_LABEL_LENGTH = 18
# Labels of 2018 that differ from those of the other campaigns, by label and region code.
INSEE_REGIONS = {
    ("Ile de France", "11"): "Ile-de-France",
    ("Hauts de France", "32"): "Hauts-de-France",
    ("Nouvelle Aquitaine", "75"): "Nouvelle-Aquitaine",
    ("PACA", "93"): "Provence-Alpes-Côte d'Azur",
    ("Océan Indien", "04"): "La Réunion",
    ("Océan Indien", "06"): "TOM",
}
# First characters of FINESS numbers for regions that the label does not identify.
PREFIXES = {"94": "2A", "04": "9704", "06": "9805"}
CATEGORIES = ("CH", "CHU", "Privé", "PSPH/EBNL", "CLCC")
CONTROL = "Pas de contrôle"
NOT_CONCERNED = "Non concerné (pas d'activité)"
VALIDATED = "Validé"
STABLE = "Stable"
# A site with fewer records or stays has no position.
MIN_EVALUATED = 10
TOO_FEW = "Effectif < 10"
NOT_CONCERNED_IN_2020 = 0.1
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

    @property
    def insee_region(self) -> str:
        """The label of its region in the files of 2018."""
        return INSEE_REGIONS.get((self.region, self.region_code), self.region)


def establishments(random: Random) -> list[Establishment]:
    """Establishments of all regions; some have Corsican numbers (`2A0000154`)."""
    result = []
    for number in range(ESTABLISHMENTS):
        region, code, _ = REGIONS[number % len(REGIONS)]
        start = PREFIXES.get(code, f"{1 + number:02d}")
        old = "Océan Indien" if region == "Océan Indien" else list(OLD_REGIONS)[number % len(OLD_REGIONS)]
        name = f"CENTRE HOSPITALIER N° {number + 1}"
        finess = start + f"{780_000 + 12 * number:07d}"[len(start) - 9 :]
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


def _write_2014_2015(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2014 and 2015: `;`, decimal point, the old regions; results, lexicons and participants."""
    order = ("den_etbt", "etbt", "icbas_etbt", "ichaut_etbt")
    for stem, indicators, case in (
        ("2014/DPA_SSR_recueil2014_donnee2013_table", lexicons.DPA_SSR_2014, str.lower),
        ("2014/RCP_MCO_recueil2014_donnee2013_table", {"rcp2_c2": None}, str.capitalize),
    ):
        rows: list[list[Cell]] = []
        for site in sites:
            names, values = _measures(random, tuple(indicators), order)
            label = site.old_region[:MAX_LABEL_LENGTH] if case == str.capitalize else site.old_region
            rows.append([site.name, label, site.category, site.finess, 2013, *values])
        header: list[Cell] = [case("raison_sociale"), case("libelle_region"), "cat", "finess", "Sources", *names]
        write_csv(folder / f"{stem}_es.csv", [header, *rows])
        write_csv(folder / f"{stem}_lexique.csv", lexicons.of_2014(header, indicators))
        participants: list[list[Cell]] = [
            [2013, s.finess, s.name, s.old_region, s.category, random.choice(("Oui", "Oui", "Oui", "Non"))]
            for s in sites
        ]
        titles: list[Cell] = [*map(case, ("sources", "finess", "raison_sociale", "libelle_region")), "cat", "repondant"]
        write_csv(folder / f"{stem}_participant.csv", [titles, *participants])
    identity: list[Cell] = ["Sources", "finess", "raison_sociale", "lib_reg", "code_reg", "cat"]
    for survey, codes, missing in (("hpp", tuple(lexicons.HPP_MCO_2015), None), ("idm", ("basi_c", "hyg_c"), ".")):
        rows = []
        for site in sites:
            names, values = _measures(random, codes, order)
            # One file writes an empty cell as SAS does.
            values = [missing if value is None else value for value in values]
            code = OLD_REGIONS.get(site.old_region)
            rows.append([2014, site.finess, site.name, site.old_region, code, site.category, *values])
        header = [*identity, *names]
        write_csv(folder / f"2015/{survey}_mco_recueil2015_donnee2014_tables_es.csv", [header, *rows])
        if survey == "hpp":
            lexicon = lexicons.sorted_rows(header, lexicons.HPP_MCO_2015, lexicons.IDENTITY_2015)
            write_csv(folder / f"2015/{survey}_mco_recueil2015_donnee2014_lexique.csv", lexicon)


def _write_2016(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2016: the CSV files that use `,`, and a workbook with the lines of one of them in its column A."""
    order = ("etbt", "ichaut_etbt", "icbas_etbt", "den_etbt")
    for stem, indicators in (("dan_mco", lexicons.DAN_MCO_2016), ("dpa_had", lexicons.DPA_HAD_2016)):
        rows: list[list[Cell]] = []
        for site in sites:
            names, values = _measures(random, tuple(indicators), order)
            identity: list[Cell] = [site.finess, 2015, site.region, site.region_code, site.name, site.category, "Oui"]
            rows.append([*identity, *[CONTROL] * len(indicators), *values])
        header: list[Cell] = ["finess", "Sources", "lib_reg", "code_reg", "raison_sociale", "lib_cat", "repondant"]
        header += [f"resultat_{code.removesuffix('_c')}" for code in indicators] + names
        name = f"{stem}_recueil2016_donnee2015"
        write_csv(folder / f"2016/{name}_donnees.csv", [header, *rows], delimiter=",")
        lexicon = lexicons.sorted_rows(header, indicators, lexicons.IDENTITY_2016)
        write_csv(folder / f"2016/{name}_lexique.csv", lexicon, delimiter=",")
        if stem == "dpa_had":
            joined = [[",".join("" if cell is None else str(cell) for cell in row)] for row in [header, *rows]]
            write_xlsx(folder / f"2016/{name}_donnees.xlsx", f"{name}_"[:31], joined)


def _write_2017_2018(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2017-2018: `;`, lower-case file names with hyphens, a position against an objective, the regions of Insee."""
    for stem, indicators in (
        ("dpa-ssr-recueil2018-donnee2017", lexicons.DPA_SSR_2018),
        ("rcp-mco-recueil2018-donnee2017", lexicons.RCP_MCO_2018),
    ):
        header: list[Cell] = ["finess", "Raison_sociale", "Enquete_obligatoire", "Participation"]
        for code, indicator in indicators.items():
            parts = ("den_etbt", "etbt", "icbas_etbt", "ichaut_etbt", "pos_seuil_etbt", "pos_evol_etbt")
            header += [f"Resultat_{indicator.control}", *(f"{code}_{part}" for part in parts)]
        header.append("Lib_reg")
        rows: list[list[Cell]] = []
        for site in sites:
            row: list[Cell] = [site.finess, site.name, "Oui", "Oui"]
            for _ in indicators:
                row += _evaluated(random)
            rows.append([*row, site.insee_region])
        _write_with_lexicon(folder, stem, header, rows, lexicons.of_2018(header, indicators))
    header = ["finess", "rs", "region", *(f"ete_ortho_{part}" for part in ETE_ORTHO)]
    rows = []
    for site in sites:
        target, observed, expected = random.randint(5, 900), random.randint(0, 9), round(random.uniform(0.1, 8), 2)
        ratio = round(observed / expected, 2)
        position = random.choice("ABBB") if target >= MIN_EVALUATED else None
        rows.append([site.finess, site.name, site.insee_region, target, observed, expected, ratio, position])
    _write_with_lexicon(folder, "ete-ortho-ipaqss-2017-2018", header, rows, lexicons.ETE_ORTHO_2018)


def _evaluated(random: Random) -> list[Cell]:
    """Control, denominator, value, bounds, position and evolution of one indicator of 2018."""
    denominator = random.choice((0, random.randint(1, MIN_EVALUATED - 1), *[random.randint(MIN_EVALUATED, 80)] * 20))
    if denominator == 0:
        return [VALIDATED, 0, None, None, None, None, None]
    value, low, high, _ = _measure(random)
    position = random.choice("ABC") if denominator >= MIN_EVALUATED else TOO_FEW
    return [VALIDATED, denominator, value, low, high, position, random.choice((None, STABLE))]


def _write_with_lexicon(
    folder: Path, stem: str, header: list[Cell], rows: list[list[Cell]], lexicon: Sequence[Sequence[Cell]]
) -> None:
    write_csv(folder / f"2017-2018/{stem}-donnees.csv", [header, *rows], newline="\r\n")
    write_csv(folder / f"2017-2018/{stem}-lexique.csv", lexicon, newline="\r\n")


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
    write_csv(folder / "2019/lexique-iqss-open-data-2019.csv", lexicons.of_iqss(header, lexicons.IQSS_2019))


def _write_2020(folder: Path, sites: list[Establishment], random: Random) -> None:
    """2020: workbooks of nine columns, sheets Resultats and Lexique; words stand in place of numbers."""
    header: list[Cell] = ["finess", "nom_ES", "region", "type", "ete_ortho_ratio_oe", "ete_ortho_alerte_sup"]
    header += ["ete_ortho_evol", "iso_ortho_ratio_oe", "iso_ortho_alerte_sup"]
    rows: list[list[Cell]] = []
    for site in sites:
        row: list[Cell] = [site.finess, site.name, site.region, site.category]
        for columns in (3, 2):
            if random.random() < NOT_CONCERNED_IN_2020:
                row += [NOT_CONCERNED] * columns
            else:
                flags: list[Cell] = [random.choice(("0", "0", "1")), "0"]
                row += [random.choice((0, round(random.uniform(0, 4), 6))), *flags[: columns - 1]]
        rows.append(row)
    write_xlsx(folder / "2020/resultats-iqss-open-data-2020.xlsx", "Resultats", [header, *rows])
    lexicon = lexicons.of_iqss(header, lexicons.IQSS_2020)
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
