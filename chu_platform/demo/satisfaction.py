"""The five e-Satis files and their lexicons: patient satisfaction of invented sites."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from chu_platform.demo.shared_tables import SharedTables
from chu_platform.demo.spreadsheet import Cell, write_csv, write_xlsx

# Number of sites by region in the real file of 2019: label in the files, region code, sites.
REGIONS = (
    ("Ile de France", "11", 185),
    ("Auvergne-Rhône-Alpes", "84", 131),
    ("Hauts de France", "32", 109),
    ("Nouvelle Aquitaine", "75", 108),
    ("Grand Est", "44", 107),
    ("PACA", "93", 103),
    ("Occitanie", "76", 100),
    ("Normandie", "28", 63),
    ("Bourgogne-Franche-Comté", "27", 56),
    ("Pays de la Loire", "52", 54),
    ("Bretagne", "53", 53),
    ("Centre-Val de Loire", "24", 44),
    ("Océan Indien", "04", 11),
    ("Océan Indien", "06", 2),
    ("Guadeloupe", "01", 8),
    ("Martinique", "02", 8),
    ("Corse", "94", 11),
    ("Guyane", "03", 4),
)
IDENTITY = ("finess", "rs_finess", "finess_geo", "rs_finess_geo", "region", "participation", "Depot")
INPATIENT_THEMES = ("accueil", "PECinf", "PECmed", "chambre", "repas", "sortie")
AMBULATORY_THEMES = ("AVH", "ACC", "PEC", "CER", "OVS")
# Lower bounds of the classes A, B and C.
INPATIENT_BOUNDS, AMBULATORY_BOUNDS = (77.3, 74.0, 70.7), (79.7, 76.5, 73.1)
# Sites without a score, in a thousand: too few answers, none, not validated.
UNSCORED = (("DI", 119), ("NR", 25), ("NV", 111))


@dataclass(frozen=True)
class Site:
    """A hospital site: legal entity, region label as in the files, level of satisfaction."""

    finess: str
    name: str
    finess_geo: str
    name_geo: str
    region: str
    level: float
    size: int


@dataclass(frozen=True)
class Result:
    """Result of a survey at a site. A site without a score has a class and no numbers."""

    site: Site
    answers: int | None
    score: float | None
    letter: str
    themes: tuple[float, ...]
    recommendation: float | None
    recommendation_answers: int | None


def sites(shared: SharedTables) -> list[Site]:
    """Invented sites at organisations of the register; each region has as many as in the real file."""
    random = shared.random("sites")
    with shared.connection.cursor() as cursor:
        rows = cursor.execute("SELECT region, finess, place FROM organisation ORDER BY n").fetchall()
        spare = dict(cursor.execute("SELECT region, max(finess) FROM organisation GROUP BY 1").fetchall())
    result = []
    for label, region, count in REGIONS:
        in_region = [(finess, place) for code, finess, place in rows if code == region]
        # A small pack may have fewer organisations in a region than the survey has sites.
        following = [
            (f"{spare[region][:4]}{90_000 + number:05d}", "VILLENEUVE") for number in range(count - len(in_region))
        ]
        entity = ""
        for finess, place in random.sample(in_region, min(count, len(in_region))) + following:
            if not entity or random.random() < 0.8:
                entity, name = finess[:2] + "078" + finess[5:], f"CH DE {place}"
            kind = random.choice(("CENTRE HOSPITALIER", "CLINIQUE", "POLYCLINIQUE", "HOPITAL"))
            level = random.gauss(73.7, 3.4)
            size = int(random.lognormvariate(5.0, 0.8)) + 5
            result.append(Site(entity, name, finess, f"{kind} DE {place}", label, level, size))
    return result


def survey(
    sites: list[Site], rows: int, themes: int, bounds: tuple[float, ...], shift: float, random: Random
) -> list[Result]:
    """A campaign at `rows` of the sites: 0 to 100 scores around each site's level plus `shift`."""
    results = []
    for site in sorted(random.sample(sites, rows), key=lambda site: site.finess_geo):
        roll = random.randrange(1000)
        letter = ""
        for name, share in UNSCORED:
            if 0 <= roll < share and not letter:
                letter = name
            roll -= share
        if letter:
            results.append(Result(site, None, None, letter, (), None, None))
            continue
        answers = 30 + site.size
        score = round(min(99.0, site.level + shift + random.gauss(0, 1.2)), 2)
        letter = next((name for name, bound in zip("ABC", bounds, strict=True) if score >= bound), "D")
        parts = tuple(round(min(100.0, score + random.gauss(0, 6)), 2) for _ in range(themes))
        recommendation = round(min(100.0, max(0.0, 2.2 * score - 108 + random.gauss(0, 5))), 1)
        results.append(
            Result(site, answers, score, letter, parts, recommendation, answers - random.choice((0, 0, 1, 3)))
        )
    return results


def inpatient_header(with_recommendation: bool) -> list[str]:
    """Columns of a 48h MCO file: each count is before its score."""
    header = [*IDENTITY, "nb_rep_score_all_rea_ajust", "score_all_rea_ajust", "classement", "evolution"]
    for theme in INPATIENT_THEMES:
        header += [f"nb_rep_score_{theme}_rea_ajust", f"score_{theme}_rea_ajust"]
    return header + (["taux_reco_brut", "nb_reco_brut"] if with_recommendation else [])


def ambulatory_header() -> list[str]:
    """Columns of a CA file: each partial score is before its count."""
    header = [*IDENTITY, "nb_rep_score_all_ajust", "score_all_ajust", "classement", "evolution"]
    for theme in AMBULATORY_THEMES:
        header += [f"score_{theme}_ajust", f"nb_rep_score_{theme}_ajust"]
    return [*header, "taux_reco_brut", "nb_reco_brut"]


@dataclass(frozen=True)
class Style:
    """How a file writes numbers: answers and overall score, answers and scores of themes, recommendation rate."""

    answers: Callable[[int], Cell]
    score: Callable[[float], Cell]
    theme_answers: Callable[[int], Cell]
    theme_score: Callable[[float], Cell]
    rate: Callable[[float], Cell]
    theme_score_first: bool
    evolution: str | None = None  # same text in all rows, if the file has no comparison with an earlier year


def _point(value: float) -> str:
    return str(value)


def _comma(value: float) -> str:
    return str(value).replace(".", ",")


def _number(value: float) -> float:
    return value


POINTS = Style(_point, _point, _point, _point, _point, theme_score_first=False)
MIXED = Style(_point, _comma, _point, _point, _comma, theme_score_first=False)
COMMAS = Style(_point, _comma, _point, _comma, _comma, theme_score_first=True)
TEXT_THEMES = Style(_point, _number, _point, _point, _number, theme_score_first=False, evolution="NA")
NUMBERS = Style(_number, _number, _number, _number, _number, theme_score_first=True)


def lay_out(results: list[Result], header: list[str], style: Style, random: Random) -> list[list[Cell]]:
    """The rows of a file, starting with the header. Rows are cut to the columns of the header."""
    rows: list[list[Cell]] = [list(header)]
    for result in results:
        site = result.site
        row: list[Cell] = [site.finess, site.name, site.finess_geo, site.name_geo, site.region]
        row.append("2- Facultatif" if result.letter == "DI" else "1- Obligatoire")
        row.append("2- Non" if result.letter == "NR" else "1- Oui")
        if result.score is None or result.answers is None:
            row += [None, None, result.letter, style.evolution]
        else:
            evolution = random.choice(("1-Diminution", "2-Stable", "2-Stable", "3-Amélioration", "4-Non calculable"))
            row += [style.answers(result.answers), style.score(result.score)]
            row += [result.letter, style.evolution or evolution]
            for theme in result.themes:
                pair = [style.theme_answers(result.answers), style.theme_score(theme)]
                row += reversed(pair) if style.theme_score_first else pair
        if result.recommendation is not None and result.recommendation_answers is not None:
            row += [style.rate(result.recommendation), style.answers(result.recommendation_answers)]
        row += [None] * (len(header) - len(row))
        rows.append(row[: len(header)])
    return rows


# Labels of the themes, in the lexicons.
INPATIENT_LABELS = {
    "all": "globale des patients",
    "accueil": "de l'accueil",
    "PECinf": "de la prise en charge infirmiers/aides-soignants",
    "PECmed": "de la prise en charge par les médecins/chirurgiens",
    "chambre": "de la chambre",
    "repas": "des repas",
    "sortie": "de la sortie",
}
AMBULATORY_LABELS = {
    "all": "globale des patients",
    "AVH": "Avant l’hospitalisation",
    "ACC": "Accueil le jour de l’hospitalisation",
    "PEC": "de la prise en charge",
    "CER": "Chambre et repas / collation",
    "OVS": "Sortie et retour à domicile",
}


def lexicon(header: list[str], titles: tuple[str, str]) -> list[list[Cell]]:
    """A lexicon. Like the real one, it describes `nb_reco_brut` wrongly, as the number of patients who recommend."""
    inpatient = "score_accueil_rea_ajust" in header
    ending = "rea_ajust" if inpatient else "ajust"
    note = "Note ajustée de satisfaction" if inpatient else "Note ajustée - Satisfaction"
    labels = {
        "finess": "finess juridique",
        "finess_geo": "finess géographique",
        "rs_finess": "finess juridique - raison sociale",
        "rs_finess_geo": "finess géographique - raison sociale",
        "region": "Région",
        "participation": "Participation obligatoire ou facultative",
        "Depot": "Dépot d'au moins une adresse mail valide",
        "classement": "DI : moins de 30 réponses exploitables, NR : non répondant, NV : Non validé",
        "evolution": "Changement de classe",
        "nb_reco_brut": "Nombre de patients recommandant certainement l’établissement",
        "taux_reco_brut": "% de patients recommandant certainement l’établissement",
    }
    for theme, label in (INPATIENT_LABELS if inpatient else AMBULATORY_LABELS).items():
        labels[f"nb_rep_score_{theme}_{ending}"] = f"N réponses - Satisfaction {label}"
        labels[f"score_{theme}_{ending}"] = f"{note} {label}"
    rows: list[list[Cell]] = [[*titles]]
    return rows + [[name, labels[name]] for name in sorted(header)]


# Titles of the two columns of a lexicon. That of 2017 is not known; the other campaigns of its time have these.
TITLES_2017, TITLES_2019 = ("NAME", "LABEL"), ("Nom de la variable", "Libellé de la variable")
TITLES_2020 = ("NAME", "LABEL")


def write(shared: SharedTables, folder: Path) -> None:
    """Write the e-Satis files of 2017, 2019 and 2020 and their lexicons under `folder` (Satisfaction)."""
    all_sites = sites(shared)
    random = shared.random("surveys")
    inpatient, ambulatory = inpatient_header(True), ambulatory_header()
    for name in ("2019", "2020"):
        (folder / name).mkdir(exist_ok=True)

    def inpatients(rows: int, shift: float) -> list[Result]:
        return survey(all_sites, rows, len(INPATIENT_THEMES), INPATIENT_BOUNDS, shift, random)

    def outpatients(rows: int) -> list[Result]:
        return survey(all_sites, rows, len(AMBULATORY_THEMES), AMBULATORY_BOUNDS, 2.9, random)

    first = inpatient_header(False)
    rows = lay_out(inpatients(1_157, -0.6), first, POINTS, random)
    write_csv(folder / "ESATIS48H_MCO_recueil2017_donnees.csv", rows, newline="\r\n")
    write_csv(folder / "ESATIS48H_MCO_recueil2017_lexique.csv", lexicon(first, TITLES_2017), newline="\r\n")
    rows = lay_out(inpatients(1_152, 0.0), inpatient, MIXED, random)
    write_csv(folder / "2019/resultats-esatis48h-mco-open-data-2019.csv", rows)
    rows = lay_out(outpatients(945), ambulatory, COMMAS, random)
    write_csv(folder / "2019/resultats-esatisca-mco-open-data-2019.csv", rows)
    write_csv(folder / "2019/lexique-esatis48h-mco-open-data-2019.csv", lexicon(inpatient, TITLES_2019))
    write_csv(folder / "2019/lexique-esatisca-mco-open-data-2019.csv", lexicon(ambulatory, TITLES_2019))
    rows = lay_out(inpatients(1_150, 0.3), inpatient, TEXT_THEMES, random)
    write_xlsx(folder / "2020/resultats-esatis48h-mco-open-data-2020.xlsx", "Resultats", rows)
    rows = lay_out(outpatients(931), ambulatory, NUMBERS, random)
    write_xlsx(folder / "2020/resultats-esatisca-mco-open-data-2020.xlsx", "Resultats", rows)
    write_xlsx(folder / "2020/lexique-esatis48h-mco-open-data-2020.xlsx", "Lexique", lexicon(inpatient, TITLES_2020))
    write_xlsx(folder / "2020/lexique-esatisca-mco-open-data-2020.xlsx", "Lexique", lexicon(ambulatory, TITLES_2020))
