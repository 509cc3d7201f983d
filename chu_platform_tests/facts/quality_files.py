"""Results in the care-quality files, read without the platform, from the names of their columns."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openpyxl import load_workbook

FILES = {
    r"(dpa_ssr|rcp_mco)_recueil(2014).*table_es\.csv": ";",
    r"(hpp_mco|idm_mco)_recueil(2015).*tables_es\.csv": ";",
    r"(dan_mco|dpa_had)_recueil(2016).*donnees\.csv": ",",
    r"(dpa-ssr|rcp-mco)-recueil(2018).*donnees\.csv": ";",
    r"(ete-ortho)-ipaqss-2017-(2018)-donnees\.csv": ";",
    r"resultats-(iqss)-open-data-(20\d\d)\.(?:csv|xlsx)": ";",
}
VALUE = re.compile(r"(?!.*_(?:den|icbas|ichaut|pos_seuil|obs|att|cible)_etbt$)(.+)_etbt|res_(.+)|(.+)_ratio_oe")


class Result(NamedTuple):
    """A result of a site."""

    campaign: str
    survey: str
    site: str
    indicator: str
    value: float | None
    denominator: int | None
    lower: float | None
    upper: float | None
    category: str | None
    control: str | None


def number(text: str | None) -> float | None:
    """The number in a text; None for other texts."""
    plain = (text or "").replace(",", ".").rstrip("% ")
    return float(plain) if re.fullmatch(r"\d+(\.\d*)?", plain) else None


def lines(file: Path, separator: str) -> list[dict[str, str]]:
    """The lines of a file by column name, in lower case."""
    if file.suffix == ".xlsx":
        cells = load_workbook(file).worksheets[0].values
        header, *body = [["" if cell is None else str(cell) for cell in row] for row in cells]
    else:
        header, *body = csv.reader(io.StringIO(file.read_bytes().decode("cp1252"), newline=""), delimiter=separator)
    return [dict(zip((name.lower() for name in header), row, strict=True)) for row in body]


def files(folder: Path) -> Iterator[tuple[str, str, Path, str]]:
    """Survey, campaign, file and separator of the care-quality files of a folder."""
    for file in sorted(folder.rglob("*")):
        for pattern, separator in FILES.items():
            match = re.fullmatch(pattern, file.name, re.IGNORECASE)
            if match and file.stat().st_size:
                yield match.group(1).lower().replace("-", "_"), match.group(2), file, separator


def results(folder: Path) -> set[Result]:
    """All results in the files of a folder."""
    return {
        found
        for survey, campaign, file, separator in files(folder)
        for line in lines(file, separator)
        for found in _results(campaign, survey, line)
    }


def _results(campaign: str, survey: str, line: dict[str, str]) -> Iterator[Result]:
    for name in line:
        match = VALUE.fullmatch(name)
        if not match:
            continue
        code = next(group for group in match.groups() if group)
        stem = name.removesuffix("_etbt")
        denominator = number(line.get(f"{stem}_den_etbt") or line.get(f"{stem}_cible_etbt"))
        category = line.get(f"{stem}_pos_seuil_etbt") or line.get(f"classe_{code}") or line.get(f"{code}_alerte_supe")
        control = line.get(f"resultat_{code[:3]}") if "etbt" in name else None
        value = number(line[name])
        if value is None and denominator is None and not category:
            continue
        yield Result(
            campaign,
            survey,
            line["finess"],
            f"{survey}.{code}",
            value,
            None if denominator is None else int(denominator),
            number(line.get(f"{stem}_icbas_etbt")),
            number(line.get(f"{stem}_ichaut_etbt")),
            category or None,
            control or None,
        )
