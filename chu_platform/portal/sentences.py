"""Sentences written from the figures: the finding, its interval, what it is made of, what is left out, how sure it is."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.cells import Cell, Peers, PlaceSums
from chu_platform.portal.questions import Measure, Question
from chu_platform.portal.readable_periods import GRAINS, Period
from chu_platform.portal.reliability import CheckCounts, MeasuredCheck, Reliability, State

WHY_MASKED: Final = (
    "Un chiffre est masqué quand il porte sur 1 à 10 personnes ou événements, quand il repose sur moins de trois "
    "professionnels ou, pour plus de 85 %, sur un seul, quand il compte toute la base ou toute la base sauf 1 à 10 personnes, "
    "quand une seule personne y a deux événements, ou quand, avec les autres chiffres publiés, il permettrait d’en retrouver "
    "un par addition ou soustraction. Il n’est ni nul, ni inconnu : il n’est pas publié."
)
ALL_PUBLIC: Final = "Rien : ces données sont publiques, et leur source les publie elle-même (voir « Sources »). Aucune ligne n’est masquée."

QUALITY_CAUTION: Final = (
    "Le rang 1 est celui du résultat le plus élevé ; pour certains indicateurs, un résultat bas est meilleur. Les rangs possibles "
    "sont ceux que les intervalles permettent : deux sites dont les intervalles se recouvrent ne se classent pas. Ces indicateurs "
    "mesurent le respect de pratiques, et non la satisfaction."
)

NO_FIGURE: Final = "–"
# Of so many, a tenth says nothing.
MANY: Final = 1_000
# So many letters are one line of the home page on a screen 1440 pixels wide.
LONGEST_LINE: Final = 158
STATES: Final = {
    State.GOOD: "Contrôlé",
    State.REMARK: "Contrôlé, avec remarque",
    State.UNCHECKED: "Pas encore contrôlé",
    State.LATE: "Calcul en retard",
    State.FAILED: "En échec",
}
CRITERIA: Final = {
    State.GOOD: "aucun contrôle, de la livraison à l’indicateur, n’a échoué ni n’a de remarque, sinon sur l’âge des données, et le calcul est à l’heure.",
    State.REMARK: "aucun contrôle bloquant n’a échoué, mais un autre a une remarque sur les données : elle est à lire avec le chiffre.",
    State.UNCHECKED: "un contrôle au moins n’est pas encore évalué, ou aucun n’est publié : rien ne dit encore que le chiffre est juste.",
    State.LATE: "l’indicateur n’a pas été recalculé dans le délai prévu : le chiffre montré est le dernier calculé.",
    State.FAILED: "le dernier calcul a échoué, ou un contrôle bloquant : la dernière version valable est montrée, à lire avec prudence ; ou la table publiée est endommagée, et aucun chiffre n’est montré.",
}
NO_STATE: Final = (
    "La date où s’arrêtent les données et la part masquée n’entrent pas dans l’étiquette : ce sont des faits de chaque chiffre, "
    "écrits à côté de lui."
)


def figure(measure: Measure, value: float) -> str:
    """A figure with its unit; a long unit may be broken over lines."""
    return f"{french.number(value, measure.decimals)}{french.NO_BREAK}{measure.unit}"


def headline(question: Question, measure: Measure, cell: Cell) -> Markup:
    """The finding, such as "Bretagne : en 2019, 8,4 ‰ des patients ont consulté au moins une fois dans la région"."""
    subject = named(question, cell)
    when = cell.period.when
    begin = f"{subject} : {french.small(when)}" if subject else when
    if cell.value is None:
        missing = "le chiffre est masqué" if cell.masked else "il n’y a pas de chiffre"
        return Markup("{}, {}.").format(begin, missing)
    where = question.levels[cell.x["level"]].where if cell.x.get("level") in question.levels else ""
    whose = "des patients de ce groupe" if subject and "age_band" in cell.x else "des patients de la base"
    before, _, after = measure.sentence.replace("{whose}", whose).replace("{where}", where).partition("{value}")
    return Markup("{}, {}<strong>{}</strong>{}.").format(begin, before, figure(measure, cell.value), after)


def in_one_line(question: Question, measure: Measure, cell: Cell) -> Markup:
    """The same in one line; of a label that leaves no room for the rest, such as that of a chapter, the beginning."""
    found = headline(question, measure, cell)
    beyond = len(found.striptags()) - LONGEST_LINE
    if beyond <= 0:
        return found
    kept = cell.label[: max(len(cell.label) - beyond, 1)].rpartition(" ")[0].rstrip(" ,")
    return headline(question, measure, replace(cell, label=f"{kept}…"))


def sum_of_deaths(period: Period, sums: PlaceSums) -> Markup:
    """The finding of all places together, and how the 18 regions and the other places add up to it."""
    return Markup(
        "{}, <strong>{} décès</strong> sont comptés : {} dans les 18 régions et {} ailleurs (étranger, collectivités "
        "d’outre-mer ou lieu inconnu)."
    ).format(
        period.when,
        *(french.number(n) for n in (sums.whole, sums.whole - sums.elsewhere, sums.elsewhere)),
    )


def named(question: Question, cell: Cell) -> str:
    """What a sentence is about; nothing when that is everybody."""
    if question.course or (cell.x.get("level") == "total" and any(p.value_labels for p in question.parameters)):
        return cell.label
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


def limits_or_why(measure: Measure, cell: Cell) -> str | None:
    """The interval with what it is, or why there is none; None where the figure is not shown either."""
    if cell.value is None:
        return None
    found = limits(measure, cell)
    if found:
        return f"{measure.limits} : {found}"
    if measure.low is None:
        return measure.interval
    return f"sans intervalle{f' : {measure.reason_without_limits}' if measure.reason_without_limits else ''}"


def parts(measure: Measure, cell: Cell) -> list[tuple[str, str]]:
    """What a figure is made of, as (what, how many): numerator, denominator and other counts."""
    found = []
    for count, value in zip(measure.counts, cell.counts, strict=True):
        if value is not None:
            found.append((count.label, french.number(value, digits_of(value))))
    return found


def digits_of(count: float) -> int:
    """How many decimals a count is written with: none if it is whole or large, such as the people in mid-year."""
    return 0 if float(count).is_integer() or abs(count) >= MANY else 1


def missing(cell: Cell) -> str | None:
    """Why a cell has no figure; None when it has one."""
    if cell.value is not None:
        return None
    if cell.masked:
        return f"Ce chiffre est masqué. {WHY_MASKED}"
    if cell.reason:
        return f"Ce chiffre n’est pas calculé : {cell.reason}."
    return "Ce chiffre n’existe pas : rien n’est compté à son dénominateur."


def usual(measure: Measure, cell: Cell) -> str | None:
    """Whether an excess is more than usual; None for figures whose limits are no prediction interval."""
    if cell.low is None or cell.high is None or not measure.predicted:
        return None
    interval = f"l’{measure.limits} de l’excédent ({limits(measure, cell)})"
    if cell.low > 0:
        return f"C’est plus que d’habitude : {interval} est tout entier au-dessus de 0."
    if cell.high < 0:
        return f"C’est moins que d’habitude : {interval} est tout entier au-dessous de 0."
    return f"Ce n’est pas inhabituel : {interval} contient 0."


def waiting(cell: Cell, latest: Period | None) -> str | None:
    """Why a cell shows the figures of an earlier edition; None for any other cell.

    `latest` is the period `all` of the edition.
    """
    if cell.pending:
        return (
            "Une correction change ce chiffre de moins de 1 % : elle concerne dix personnes au plus, et la publier les désignerait. "
            "Le chiffre montré est celui de la dernière publication ; il sera corrigé dès que le changement ne désignera plus personne."
        )
    if latest and cell.period.grain == latest.grain and cell.period.end < latest.end and cell.shown:
        return (
            f"Ce chiffre s’arrête avant les autres ({french.small(latest.label)}) : la suite ajoute dix personnes au plus, et la publier "
            "les désignerait."
        )
    return None


def partial(question: Question, cell: Cell) -> str | None:
    """Why a period counts as partial, and what that means; None for a whole one."""
    if not cell.partial:
        return None
    if not question.table.in_editions:
        why = "La dernière année livrée compte toujours comme incomplète : rien ne dit qu’elle a été livrée en entier."
    else:
        why = (
            "Le premier mois livré est incomplet, car les données y commencent en cours de mois : cette période est ce mois, ou le "
            "contient. Le dernier mois livré n’est pas publié, car rien ne dit qu’il a été livré en entier."
        )
    return f"{why} Son chiffre ne se compare pas à celui d’une période entière."


def reach(found: Reliability) -> str | None:
    """How far the data reach, as far as it is known: the last event, else the last period; None without any."""
    early = "plus anciennes que prévu" if found.old else ""
    if found.until:
        return f"données jusqu’au {reach_in_short(found)}{early and f', {early}'}"
    if found.latest is None:
        return None
    words = "dernière" if found.campaigns else "période la plus récente :"
    return f"{words} {reach_in_short(found)}{early and f' ; données {early}'}"


def reach_in_short(found: Reliability) -> str:
    """The same for a table: a day, a campaign, or a period."""
    if found.until:
        return french.day(found.until)
    if found.latest is None:
        return NO_FIGURE
    period, is_partial = found.latest
    return f"{'campagne ' if found.campaigns else ''}{period.label}{', incomplète' if is_partial else ''}"


def left_out(peers: Peers) -> str:
    """What a comparison does not show."""
    texts = []
    drawn = sum(c.value is not None for c in peers.cells)
    of_page = peers.added and peers.cells[-1].value is not None
    if peers.shown > drawn:
        others = french.counted(peers.shown - drawn, "autre n’est pas dessiné", "autres ne sont pas dessinés")
        which = f"Les {drawn - of_page} plus élevés{' et celui de cette page' if of_page else ''} sont dessinés"
        texts.append(f"{which} ; {others} (ils sont dans les fichiers à télécharger).")
    if peers.masked:
        undrawn = ""
        if not peers.complete:
            one, several = ", ni dessiné ni dans les fichiers", ", ni dessinés ni dans les fichiers"
            undrawn = several if peers.masked > 1 else one
            if peers.added and peers.cells[-1].masked:
                undrawn = ", hors des fichiers ; seul celui de cette page est marqué"
        masked = f"{french.counted(peers.masked, 'chiffre masqué', 'chiffres masqués')}{undrawn}"
        texts.append(f"{masked} : trop peu de personnes ou de professionnels, ou de quoi en retrouver un.")
    if peers.absent:
        names = [c.name for c in peers.cells if c.value is None and not c.masked]
        which = f" ({french.listed(names)})" if len(names) == peers.absent else ""
        texts.append(
            f"{french.counted(peers.absent, 'ligne n’a pas', 'lignes n’ont pas')} de chiffre à cette mesure{which}."
        )
    return " ".join(texts)


def standing(measure: Measure, peers: Peers, cell: Cell) -> str | None:
    """French text on the position of a cell among its peers, as far as the intervals allow; None if there is no text."""
    texts = []
    if peers.p20 is not None and peers.p80 is not None and peers.median is not None and not peers.natural:
        texts.append(
            f"Parmi les {french.number(peers.shown)} chiffres visibles, la médiane est de {figure(measure, peers.median)} ; "
            f"trois sur cinq sont entre {french.number(peers.p20, measure.decimals)} et {figure(measure, peers.p80)} (P20 et P80)."
        )
    if peers.rank and cell.value is not None:
        best, worst = peers.rank
        among = f"{peers.shown}{' visibles' if peers.masked else ''}"
        if peers.shown == 1:
            others = french.counted(peers.masked, "autre est masqué", "autres sont masqués") if peers.masked else ""
            texts.append(f"Rien à quoi le comparer : c’est le seul chiffre visible{f' ({others})' if others else ''}.")
        elif (best, worst) == (1, peers.shown):
            texts.append("Aucun rang n’est établi : l’intervalle les permet tous.")
        elif best == worst:
            texts.append(f"Rang établi : {french.ordinal(best)} sur {among}, du plus élevé au plus bas.")
        else:
            texts.append(
                f"Les intervalles ne permettent qu’une fourchette de rangs : du {french.ordinal(best)} au "
                f"{french.ordinal(worst)} sur {among}, du plus élevé au plus bas."
            )
    return " ".join(texts) or None


def survey_apart(question: Question, cell: Cell) -> str | None:
    """That the other survey is another one."""
    if "survey" not in cell.x:
        return None
    return f"Enquête : {question.words['survey'][cell.x['survey']]}. L’autre enquête interroge d’autres patients : elle est à côté, jamais mêlée."


def last_failure(found: Reliability) -> str | None:
    """When the last calculation failed, such as "Dernier calcul en échec le 3 mars 2026, 14 h 05"."""
    return f"Dernier calcul en échec le {french.moment(found.failed_at)}" if found.failed_at else None


def reasons(found: Reliability) -> list[str]:
    """Why an indicator has the state it has, and how old its data are where that is more than expected."""
    texts = []
    if failure := last_failure(found):
        texts.append(f"{failure} : la dernière version valable est montrée.")
    if found.failed:
        failed = french.counted(len(found.failed), "contrôle bloquant a échoué", "contrôles bloquants ont échoué")
        texts.append(f"{failed} : la dernière version valable est montrée.")
    if found.late:
        texts.append(f"{found.late.message.capitalize()}.")
    if found.remarks:
        texts += [
            f"Remarque sur « {c.table} » : {c.about} ({measured(c)} ; prévu : {bounds(c)})." for c in found.remarks
        ]
    if found.waiting:
        texts.append(
            f"{french.counted(len(found.waiting), 'contrôle n’a pas encore été évalué', 'contrôles n’ont pas encore été évalués')}."
        )
    if not found.checks:
        texts.append("Aucun contrôle de cet indicateur n’est publié.")
    elif not texts:
        only = "Aucun contrôle n’a échoué, et le calcul est à l’heure"
        texts.append(f"{only} ; seul l’âge des données est à savoir." if found.old else f"{only}.")
    texts += [
        f"Données plus anciennes que prévu : dans « {c.table} », l’âge du dernier événement est de {measured(c)} jours (prévu : {bounds(c)})."
        for c in found.old
    ]
    return texts


def finest(found: Reliability) -> tuple[str, str] | None:
    """The finest level and grain, and what is visible there, such as ("région, mois", "18,2 % des événements")."""
    if found.finest is None:
        return None
    level, grain, share = found.finest
    return f"{french.small(level)}, {french.small(GRAINS[grain])}", f"{french.percent(share)} des événements"


def bounds(check: MeasuredCheck) -> str:
    """What a check allows, as the French write it: "0", "−0,1 à 1"."""
    if check.minimum is None or check.maximum is None:
        return NO_FIGURE
    lowest, highest = french.measured(check.minimum), french.measured(check.maximum)
    return highest if check.minimum == check.maximum else f"{lowest} à {highest}"


def measured(check: MeasuredCheck) -> str:
    """What a check has measured."""
    if check.measured is None:
        return "mesure non publiée" if check.run else NO_FIGURE
    return french.measured(check.measured)


def checks(counts: CheckCounts) -> str:
    """The results of all checks of the warehouse, as numbers that add up to all of them."""
    if not counts.all:
        return "Aucun contrôle n’est encore enregistré."
    parts = [f"{french.number(counts.passed)} contrôles réussis sur {french.number(counts.all)} dans tout l’entrepôt"]
    if counts.failed:
        parts.append(french.counted(counts.failed, "échec bloquant", "échecs bloquants"))
    if counts.remarks:
        parts.append(french.counted(counts.remarks, "remarque à examiner", "remarques à examiner"))
    if counts.waiting:
        parts.append(french.counted(counts.waiting, "pas encore évalué", "pas encore évalués"))
    return f"{', '.join(parts)}."


def overall(found: Iterable[tuple[Question, Reliability]]) -> str:
    """The state of all indicators in a line: which have failed, are late or are unchecked, and how many have remarks."""
    known = list(found)
    parts = []
    for state in (State.FAILED, State.LATE, State.UNCHECKED):
        names = [question.short for question, r in known if r.state is state]
        if names:
            parts.append(f"{french.small(STATES[state])} : {french.listed(names)}")
    if not any(r.state in (State.FAILED, State.LATE) for _, r in known):
        parts.insert(0, "aucun calcul en échec ni en retard")
    if remarked := sum(r.state is State.REMARK for _, r in known):
        parts.append(f"{french.number(remarked)} avec une remarque à lire")
    if old := sum(bool(r.old) for _, r in known):
        parts.append(f"{french.number(old)} aux données plus anciennes que prévu")
    return f"{french.capital(' ; '.join(parts))}."
