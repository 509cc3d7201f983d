"""Indicators 8 and 13: satisfaction by region and by theme, from the five e-Satis files."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from python_calamine import CalamineWorkbook

# File under Satisfaction: campaign year, survey, columns of the number of answers and of the score.
INPATIENT = ("48h_mco", "nb_rep_score_all_rea_ajust", "score_all_rea_ajust")
AMBULATORY = ("ca_mco", "nb_rep_score_all_ajust", "score_all_ajust")
FILES = {
    "ESATIS48H_MCO_recueil2017_donnees.csv": (2017, *INPATIENT),
    "2019/resultats-esatis48h-mco-open-data-2019.csv": (2019, *INPATIENT),
    "2019/resultats-esatisca-mco-open-data-2019.csv": (2019, *AMBULATORY),
    "2020/resultats-esatis48h-mco-open-data-2020.xlsx": (2020, *INPATIENT),
    "2020/resultats-esatisca-mco-open-data-2020.xlsx": (2020, *AMBULATORY),
}
# Theme: survey, columns of the number of answers and of the score.
THEMES = {
    **{
        theme: ("48h_mco", f"nb_rep_score_{name}_rea_ajust", f"score_{name}_rea_ajust")
        for theme, name in (
            ("reception", "accueil"),
            ("nurses", "PECinf"),
            ("doctors", "PECmed"),
            ("room", "chambre"),
            ("meals", "repas"),
            ("discharge", "sortie"),
        )
    },
    **{
        theme: ("ca_mco", f"nb_rep_score_{name}_ajust", f"score_{name}_ajust")
        for theme, name in (
            ("before_surgery", "AVH"),
            ("surgery_reception", "ACC"),
            ("surgery_care", "PEC"),
            ("surgery_room_and_meals", "CER"),
            ("surgery_discharge", "OVS"),
        )
    },
}
REGION_CODES = {
    "Ile de France": "11",
    "Auvergne-Rhône-Alpes": "84",
    "Grand Est": "44",
    "Nouvelle Aquitaine": "75",
    "Hauts de France": "32",
    "PACA": "93",
    "Occitanie": "76",
    "Normandie": "28",
    "Pays de la Loire": "52",
    "Bourgogne-Franche-Comté": "27",
    "Bretagne": "53",
    "Centre-Val de Loire": "24",
    "Martinique": "02",
    "Guadeloupe": "01",
    "Corse": "94",
    "Guyane": "03",
}
INDIAN_OCEAN = {"9704": "04", "9805": "06"}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.suffix == ".xlsx":
        header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_name("Resultats").to_python()
        for row in rows:
            yield {str(name): str(value) for name, value in zip(header, row, strict=True)}
    else:
        with open(path, encoding="cp1252", newline="") as file:
            yield from csv.DictReader(file, delimiter=";", quoting=csv.QUOTE_NONE)


def _number(text: str | None) -> float | None:
    return None if text in (None, "", "NA") else float(str(text).replace(",", "."))


def _region(row: dict[str, str]) -> str:
    return REGION_CODES.get(row["region"]) or INDIAN_OCEAN[row["finess_geo"][:4]]


def compute(folder: Path) -> pa.Table:
    """Table 8: one row per year, survey and region with a site in the file, and one for France (`all`)."""
    cells: dict[tuple[int, str, str], list[dict[str, str]]] = defaultdict(list)
    columns: dict[str, tuple[str, str]] = {}
    for name, (year, survey, answers, score) in FILES.items():
        columns[survey] = (answers, score)
        for row in _rows(folder / name):
            cells[year, survey, _region(row)].append(row)
            cells[year, survey, "all"].append(row)
    return pa.Table.from_pylist(
        [
            {"year": year, "survey": survey, "region_code": region, **_summary(rows, *columns[survey])}
            for (year, survey, region), rows in sorted(cells.items())
        ]
    )


def compute_detail(folder: Path) -> pa.Table:
    """Indicator 13: one row per year, theme and place: France (`all`), a region, a site."""
    cells: dict[tuple[int, str, str, str], list[tuple[float | None, float | None]]] = defaultdict(list)
    region_of: dict[tuple[int, str, str, str], str] = {}
    for name, (year, survey, _, _) in FILES.items():
        for row in _rows(folder / name):
            region, site = _region(row), row["finess_geo"].removesuffix(".0").zfill(9)
            for theme, (of_survey, answers, score) in THEMES.items():
                if of_survey != survey:
                    continue
                result = (_number(row.get(score)), _number(row.get(answers)))
                for level, code in (("france", "all"), ("region", region), ("site", site)):
                    cells[year, theme, level, code].append(result)
                    region_of[year, theme, level, code] = "all" if level == "france" else region
    return pa.Table.from_pylist(
        [
            {
                **dict(zip(("year", "theme", "level", "code"), cell, strict=True)),
                "survey": THEMES[cell[1]][0],
                "region_code": region_of[cell],
                **_means(len(results), [(value, n) for value, n in results if value is not None and n is not None]),
            }
            for cell, results in sorted(cells.items())
        ]
    )


def _means(sites: int, scored: list[tuple[float, float]]) -> dict[str, float | int | None]:
    return {
        "sites": sites,
        "sites_scored": len(scored),
        "answers": int(sum(weight for _, weight in scored)),
        "score_weighted": _weighted(scored),
        "score_mean": _weighted([(value, 1) for value, _ in scored]),
    }


def _weighted(pairs: list[tuple[float, float]]) -> float | None:
    """Mean of the first elements of the pairs, weighted by the second elements."""
    return sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs) if pairs else None


def _summary(rows: list[dict[str, str]], answers: str, score: str) -> dict[str, float | int | None]:
    scored = _pairs(rows, score, answers)
    recommended = _pairs(rows, "taux_reco_brut", "nb_reco_brut")
    classes = [row["classement"] for row in rows]
    return {
        **_means(len(rows), scored),
        **{f"class_{letter.lower()}": classes.count(letter) for letter in "ABCD"},
        "recommendation_rate": _weighted(recommended),
        "recommendation_answers": int(sum(weight for _, weight in recommended)),
    }


def _pairs(rows: list[dict[str, str]], value: str, weight: str) -> list[tuple[float, float]]:
    """(value, weight) of the rows that have both."""
    pairs = ((_number(row.get(value)), _number(row.get(weight))) for row in rows)
    return [(number, count) for number, count in pairs if number is not None and count is not None]
