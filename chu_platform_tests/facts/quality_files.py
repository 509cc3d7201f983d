"""Results in the care-quality files, read without the platform, from the names of their columns."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from openpyxl import load_workbook

FILES = (
    r"(dpa_ssr|rcp_mco)_recueil(2014).*table_es\.csv",
    r"(hpp_mco|idm_mco)_recueil(2015).*tables_es\.csv",
    r"(dan_mco|dpa_had)_recueil(2016).*donnees\.csv",
    r"(dpa-ssr|rcp-mco)-recueil(2018).*donnees\.csv",
    r"(ete-ortho)-ipaqss-2017-(2018)-donnees\.csv",
    r"resultats-(iqss)-open-data-(20\d\d)\.(?:csv|xlsx)",
)
VALUE = re.compile(
    r"(?!.*_(?:den|icbas|ichaut|pos_seuil|pos_evol|obs|att|cible)_etbt$)(.+)_etbt|res_(.+)|(.+)_ratio_oe"
)
# Names of the other columns of an indicator: `{code}` is its code, `{start}` the code up to its first underscore, and
# `{letters}` that without digits at its end. In lower case.
OTHERS: Final = {
    "denominator": ("{code}_den_etbt", "{code}_cible_etbt"),
    "lower": ("{code}_icbas_etbt",),
    "upper": ("{code}_ichaut_etbt",),
    "category": ("{code}_pos_seuil_etbt", "classe_{code}", "{code}_alerte_supe", "{code}_alerte_sup"),
    "control": ("resultat_{start}", "resultat_{letters}"),
}
EMPTY = ("", ".", "-", "–", "—", "#N/A")


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
    plain = re.sub(r"(?<=\d)\s(?=\d{3}(?!\d))", "", (text or "").strip()).replace(",", ".").rstrip("%\u00a0\u202f ")
    return float(plain) if re.fullmatch(r"\d+(\.\d*)?", plain) else None


def words(text: str | None) -> str | None:
    """The text of a cell; None for an empty cell."""
    found = (text or "").strip()
    return found if found not in EMPTY else None


def site_of(text: str) -> str | None:
    """A FINESS number as it is before a spreadsheet takes its zeros; None for a text below the table."""
    site = text.strip().upper().zfill(9)
    return site if re.fullmatch(r"\d[\dAB]\d{7}", site) else None


def lines(file: Path) -> list[dict[str, str]]:
    """The lines of a file by column name, in lower case. Blank lines, and lines above the header, are left out."""
    if file.suffix == ".xlsx":
        with closing(load_workbook(file, read_only=True)) as workbook:
            sheets = [
                [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
                for sheet in workbook.worksheets
            ]
        # A notice or a lexicon may come first.
        rows = next(rows for rows in sheets if any(map(is_header, rows)))
    else:
        content = file.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252")
        separator = max(";,", key=next(line for line in text.splitlines() if "finess" in line.lower()).count)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    start = next(i for i, row in enumerate(rows) if is_header(row))
    header = [name.strip().lower() for name in rows[start] if name]
    return [dict(zip(header, row, strict=False)) for row in rows[start + 1 :] if any(row)]


def is_header(row: Sequence[str]) -> bool:
    """Whether a row has the names of the columns of sites."""
    return len([name for name in row if name]) > 2 and any(name.strip().lower().startswith("finess") for name in row)


def files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Survey, campaign and file of the care-quality files of a folder."""
    for file in sorted(folder.rglob("*")):
        for pattern in FILES:
            match = re.fullmatch(pattern, file.name, re.IGNORECASE)
            if match and file.stat().st_size:
                yield match.group(1).lower().replace("-", "_"), match.group(2), file


def results(folder: Path) -> set[Result]:
    """All results in the files of a folder."""
    return {found for survey, campaign, file in files(folder) for found in results_of(survey, campaign, lines(file))}


def indicators(header: Iterable[str]) -> dict[str, dict[str, str]]:
    """The indicators of a file by code: the names of their columns, by field of `Result`."""
    names = list(header)
    found: dict[str, dict[str, str]] = {}
    for name in names:
        if match := VALUE.fullmatch(name):
            code = next(group for group in match.groups() if group)
            start = code.split("_")[0]
            parts = {"code": code, "start": start, "letters": start.rstrip("0123456789")}
            columns = {"value": name}
            for kind, patterns in OTHERS.items():
                spelt = [pattern.format(**parts) for pattern in patterns]
                columns |= [(kind, other) for other in names if other in spelt][:1]
            found[code] = columns
    return found


def results_of(survey: str, campaign: str, rows: Iterable[Mapping[str, str]]) -> Iterator[Result]:
    """The results in the lines of a file."""
    for line in rows:
        site = site_of(line["finess"])
        if site is None:
            continue
        for code, columns in indicators(line).items():
            cells = {kind: line.get(name) for kind, name in columns.items()}
            value, denominator = number(cells["value"]), number(cells.get("denominator"))
            reason = words(cells["value"]) if value is None else None
            result = Result(
                campaign,
                survey,
                site,
                f"{survey}.{code}",
                value,
                None if denominator is None else int(denominator),
                number(cells.get("lower")),
                number(cells.get("upper")),
                words(cells.get("category")) or reason,
                words(cells.get("control")),
            )
            if any(cell is not None for cell in result[4:]):
                yield result
