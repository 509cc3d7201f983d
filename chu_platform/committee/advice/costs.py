"""The chapter of the costs: declared prices, bytes and CPU hours by volume, what a year costs, what elasticity saves."""

from collections.abc import Iterator
from typing import Final

from chu_platform import french
from chu_platform.building_blocks.prices import prices
from chu_platform.committee.advice.cost_model import COMMAND, VOLUMES, Cost, costs
from chu_platform.committee.advice.scaling_rows import COMMAND as ELASTICITY
from chu_platform.committee.advice.scaling_rows import scaling_rows, whole
from chu_platform.committee.document import Block, Bullets, Chapter, Column, Heading, Missing, Paragraph, Table
from chu_platform.committee.inputs import Inputs
from chu_platform.scaling.results import DYNAMIC, TWO_WORKERS


def _blocks(inputs: Inputs) -> Iterator[Block]:
    given = prices(inputs.settings.prices_file)
    found = costs(given)
    yield Paragraph(
        "Le coût d’une année suit de deux sortes d’entrées. Les **octets et les heures de calcul** sont projetés à partir de croissances mesurées (`docs/capacity.md`) : une projection n’est pas une mesure. Les **prix** sont des entrées déclarées, avec leur source et leur date : aucun n’est un fait que la plateforme aurait mesuré, et le fichier `prices.csv` de `CHU_HOME` les remplace, ligne par ligne."
    )
    yield Heading("Les prix et les hypothèses")
    yield Table(
        "Entrées du modèle",
        [Column("Entrée", 2.4), Column("Valeur", 0.8, number=True), Column("Unité", 1.5), Column("Nature", 1),
         Column("Source", 3), Column("Date", 1.1)],
        [[p.label, french.measured(p.value), p.unit, p.kind, p.source, p.date] for p in given.values()],
        COMMAND,
    )  # fmt: skip
    yield Heading("Ce que coûte une année, selon le volume")
    yield Table(
        "Projections, pour une exécution complète du job principal",
        [
            Column("Volume"),
            Column("Lac (Go)", number=True),
            Column("Calcul d’une exécution (heures de cœur)", number=True),
        ],
        [[_times(c), french.measured(c.lake_gb), french.measured(c.cpu_hours)] for c in found],
        COMMAND,
    )
    yield Table(
        "Euros par an, avec les entrées ci-dessus",
        [
            Column("Volume", 1.6),
            *(Column(name, number=True) for name in ("Stockage", "Calcul à la demande", "Service", "Équipe", "Total")),
        ],
        [
            [_times(c), *(french.number(v) for v in (c.storage, c.on_demand, c.serving, c.operation, c.total))]
            for c in found
        ],
        COMMAND,
    )
    yield Table(
        "Calcul : à la demande, ou les mêmes cœurs toute l’année (euros par an)",
        [
            Column("Volume", 1.6),
            Column("À la demande", number=True),
            Column("Toute l’année", number=True),
            Column("Rapport", number=True),
        ],
        [
            [_times(c), french.number(c.on_demand), french.number(c.fixed), french.measured(c.fixed / c.on_demand)]
            for c in found
        ],
        COMMAND,
    )
    today, last = found[0], found[-1]
    yield Bullets(
        [
            f"Au volume d’aujourd’hui, avec ces entrées, {french.percent(today.operation / today.total, 0)} de la dépense est le temps de l’équipe : le choix d’un outil se juge d’abord sur ce qu’il coûte à exploiter.",
            f"À {last.volume} fois ce volume, le stockage fait {french.percent(last.storage / last.total)} et le calcul à la demande {french.percent(last.on_demand / last.total)} de la dépense.",
            "Ne sont pas comptés : le réseau, les postes, la formation, les licences d’un autre outil, l’audit de certification.",
            f"La mémoire borne une machine avant le temps (`docs/capacity.md`) ; à {VOLUMES[1]} fois le volume d’aujourd’hui, la projection demande déjà plus d’une machine comme celle des mesures, ou le moteur Spark.",
        ]
    )
    yield Heading("Ce que l’élasticité change à la facture")
    programs = whole(scaling_rows(inputs))
    if {DYNAMIC, TWO_WORKERS} - set(programs):
        yield Missing(f"Aucune mesure d’élasticité n’est dans le lac : `{ELASTICITY}` mesure.")
        return
    core_hour = given["core_hour"].value * given["hds_factor"].value
    fixed, dynamic = (float(programs[name]["executor_seconds"]) for name in (TWO_WORKERS, DYNAMIC))
    yield Table(
        "Le même programme, pauses comprises : secondes d’exécuteur réservées, et leur prix",
        [
            Column("Grappe", 3),
            Column("Secondes d’exécuteur", number=True),
            Column("Euros pour mille programmes", number=True),
        ],
        [
            [
                "Deux processus de travail, fixes",
                french.number(fixed),
                french.number(1000 * fixed / 3600 * core_hour, 2),
            ],
            [
                "De zéro à deux, selon la charge",
                french.number(dynamic),
                french.number(1000 * dynamic / 3600 * core_hour, 2),
            ],
        ],
        f"{ELASTICITY} ; prix : {COMMAND}",
    )
    yield Paragraph(
        f"Sur ce programme, l’allocation dynamique réserve {french.percent(1 - dynamic / fixed, 0)} de secondes d’exécuteur de moins. Cette part **dépend de la durée des pauses** : elle vaut pour ce programme, pas pour un autre. Une exécution unique par nuit n’a pas de pause : là, l’élasticité est de n’allumer la grappe que pour elle."
    )


def _times(cost: Cost) -> str:
    return "celui d’aujourd’hui" if cost.volume == 1 else f"{cost.volume} fois"


COSTS: Final = Chapter("couts", "Coûts : stockage, calcul, exploitation", ("A.8",), _blocks)
