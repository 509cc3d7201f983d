"""Sentences written from the figures: the finding, its interval, what it is made of, what is left out.

Here: words. Not here: figures (cells), charts, pages.
"""

from typing import Final

from markupsafe import Markup

from chu_platform.portal import french
from chu_platform.portal.cells import Cell, Peers
from chu_platform.portal.periods import Period
from chu_platform.portal.questions import SURVEYS, WHERE, Measure, Question

WHY_MASKED: Final = (
    "Un chiffre est masqué quand il porte sur 1 à 10 personnes ou événements, ou quand, avec les autres chiffres publiés, "
    "il permettrait d’en retrouver un par addition ou soustraction. Il n’est ni nul, ni inconnu : il n’est pas publié."
)


def figure(measure: Measure, value: float) -> str:
    """A figure with its unit; a long unit may be broken over lines."""
    return f"{french.number(value, measure.decimals)}{french.NO_BREAK}{measure.unit}"


def headline(question: Question, measure: Measure, cell: Cell) -> Markup:
    """The finding, such as "Bretagne : en 2019, 8,4 ‰ des patients ont consulté au moins une fois dans la région"."""
    subject = named(question, cell)
    when = cell.period.when
    begin = f"{subject} : {when[0].lower()}{when[1:]}" if subject else when
    if cell.value is None:
        missing = "le chiffre est masqué" if cell.masked else "il n’y a pas de chiffre"
        return Markup("{}, {}.").format(begin, missing)
    where = WHERE.get(cell.x.get("level", ""), "")
    before, _, after = measure.sentence.partition("{value}")
    return Markup("{}, {}<strong>{}</strong>{}.").format(
        begin, before, figure(measure, cell.value), after.replace("{where}", where)
    )


def sum_of_deaths(period: Period, whole: str) -> Markup:
    """The finding of all regions together."""
    return Markup(
        "{}, <strong>{} décès</strong> sont comptés, les 18 régions et les lieux hors d’elles réunis."
    ).format(period.when, whole)


def named(question: Question, cell: Cell) -> str:
    """What a sentence is about; nothing when that is everybody."""
    if cell.x.get("level") in ("total", "unattached") or not question.parameters:
        return ""
    if cell.x.get("sex") == "all" and cell.x.get("age_band") == "all" and "region_code" not in cell.x:
        return ""
    return cell.label


def limits(measure: Measure, cell: Cell) -> str | None:
    """The interval of a cell: "7,2 à 9,8 ‰"; None without one."""
    if cell.low is None or cell.high is None:
        return None
    return f"{french.number(cell.low, measure.decimals)} à {figure(measure, cell.high)}"


def parts(measure: Measure, cell: Cell) -> list[tuple[str, str]]:
    """What a figure is made of, as (what, how many): numerator and denominator."""
    found = []
    for count, value in ((measure.numerator, cell.numerator), (measure.denominator, cell.denominator)):
        if count and value is not None:
            found.append((count.words, french.number(value, 0 if float(value).is_integer() else 1)))
    return found


def missing(measure: Measure, cell: Cell) -> str | None:
    """Why a cell has no figure; None when it has one."""
    if cell.value is not None:
        return None
    if cell.masked:
        return f"Ce chiffre est masqué. {WHY_MASKED}"
    if measure.value == "rate_per_1000" and "region_code" in cell.x:
        return (
            "Ce taux n’est pas calculé : la population n’est connue ici que pour 2019, par région, tous sexes et âges. "
            "Le nombre de décès, lui, est publié."
        )
    return "Ce chiffre n’existe pas : rien n’est compté à son dénominateur."


def partial(cell: Cell) -> str | None:
    """What a partial period means; None for a whole one."""
    if not cell.partial:
        return None
    return (
        "Les données ne couvrent qu’une partie de cette période : le chiffre ne se compare pas à une période entière."
    )


def left_out(peers: Peers) -> str:
    """What a comparison does not show."""
    said = []
    drawn = sum(c.value is not None for c in peers.cells)
    if peers.shown > drawn:
        others = french.counted(peers.shown - drawn, "autre n’est pas dessiné", "autres ne sont pas dessinés")
        said.append(f"Les {drawn} plus élevés sont dessinés ; {others} (ils sont dans les fichiers à télécharger).")
    if peers.masked:
        said.append(
            f"{french.counted(peers.masked, 'chiffre masqué', 'chiffres masqués')} : 1 à 10 personnes, ou de quoi en retrouver un."
        )
    if peers.absent:
        said.append(f"{french.counted(peers.absent, 'ligne n’a pas', 'lignes n’ont pas')} de chiffre à cette mesure.")
    return " ".join(said)


def standing(measure: Measure, peers: Peers, cell: Cell) -> str | None:
    """Where a cell stands among its neighbours, as far as the intervals tell; None when nothing can be said."""
    said = []
    if peers.p20 is not None and peers.p80 is not None and peers.median is not None and not peers.natural:
        said.append(
            f"Parmi {french.number(peers.shown)} visibles, la médiane est de {figure(measure, peers.median)} ; "
            f"trois sur cinq sont entre {french.number(peers.p20, measure.decimals)} et {figure(measure, peers.p80)} (P20 et P80)."
        )
    if peers.rank and cell.value is not None:
        best, worst = peers.rank
        if best == worst:
            said.append(f"Rang établi : {french.ordinal(best)} sur {peers.shown}, du plus élevé au plus bas.")
        else:
            said.append(
                f"Les intervalles ne permettent qu’une fourchette de rangs : du {french.ordinal(best)} au "
                f"{french.ordinal(worst)} sur {peers.shown}, du plus élevé au plus bas."
            )
    return " ".join(said) or None


def survey_apart(cell: Cell) -> str | None:
    """That the other survey is another one."""
    if "survey" not in cell.x:
        return None
    return f"Enquête : {SURVEYS[cell.x['survey']]}. L’autre enquête interroge d’autres patients : elle est à côté, jamais mêlée."
