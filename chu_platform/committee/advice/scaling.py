"""The chapter of scalability and elasticity, from the recorded measurements."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from chu_platform import french
from chu_platform.building_blocks.measurement_file import Row
from chu_platform.committee.advice.scaling_rows import COMMAND, scaling_rows, stated, whole
from chu_platform.committee.document import (
    PAGE_WIDTH,
    Block,
    Bullets,
    Chapter,
    Column,
    Heading,
    Missing,
    Paragraph,
    Picture,
    Table,
)
from chu_platform.committee.drawing import BLUE, GREY, INK, SMALL, SOFT, Point, line, picture, text
from chu_platform.committee.inputs import NOTHING, Inputs
from chu_platform.layouts.queries import QUERIES
from chu_platform.scaling.executors import Step, from_text
from chu_platform.scaling.results import DYNAMIC, ONE_WORKER, PROGRAM, TWO_WORKERS

NAMES: Final = {
    ONE_WORKER: "un processus de travail",
    TWO_WORKERS: "deux processus de travail",
    DYNAMIC: "de zéro à deux, selon la charge",
}
LABELS: Final = {query.name: query.label for query in QUERIES}
LEFT: Final = 40.0
PANEL: Final = 96.0
MOST: Final = 2


class Speedup(NamedTuple):
    """How many times faster two workers are, with bounds that hold where both medians are within theirs."""

    ratio: float
    low: float | None
    high: float | None

    @property
    def conclusion(self) -> str:
        """What the bounds support, and no more."""
        if self.low is None or self.high is None:
            return "non établi : trop peu d’exécutions"
        if self.low > 1:
            return "plus rapide à deux"
        return "plus lent à deux" if self.high < 1 else "non établi"


def speedup(one: Row, two: Row) -> Speedup:
    """The speed-up of a query from one to two workers. The bounds divide those of the medians, so they are wide."""
    ratio = one["median_ms"] / two["median_ms"]
    if one["low_ms"] is None or two["low_ms"] is None:
        return Speedup(ratio, None, None)
    return Speedup(ratio, one["low_ms"] / two["high_ms"], one["high_ms"] / two["low_ms"])


def _blocks(inputs: Inputs) -> Iterator[Block]:
    rows = scaling_rows(inputs)
    yield Paragraph(
        "**Scalabilité** : le même travail va-t-il plus vite avec un processus de travail de plus ? **Élasticité** : la grappe grandit-elle quand des tâches attendent, et rend-elle ce qu’elle ne fait pas travailler ? Une commande mesure les deux : un programme de requêtes (une rafale, une pause, une requête, une pause) sur trois grappes Spark de cette machine, et compare les lignes trouvées à celles de DuckDB."
    )
    if not rows:
        yield Missing(
            f"Aucune mesure n’est dans le lac : `{COMMAND}` mesure, puis `chu materialize --select key:reports/scaling_benchmark` l’enregistre."
        )
        return
    yield Paragraph(stated(rows))
    yield from _scalability(rows)
    yield from _elasticity(whole(rows))
    yield Heading("Ce que ces mesures ne disent pas")
    yield Bullets(
        [
            "Les processus de travail partagent une machine, son disque et sa mémoire : ni réseau ni stockage objet ne sont mesurés ici.",
            "Le maître, le serveur Spark Connect et le client prennent les mêmes deux cœurs : avec deux processus de travail, il ne leur reste pas de cœur à eux.",
            "Rien n’est extrapolé au-delà de deux processus de travail.",
        ]
    )


def _scalability(rows: Sequence[Row]) -> Iterator[Block]:
    yield Heading("Scalabilité : un ou deux processus de travail d’un cœur")
    by_query: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_query.setdefault(row["query"], {})[row["cluster"]] = row
    cells, found = [], {}
    for query, clusters in by_query.items():
        if query == PROGRAM or {ONE_WORKER, TWO_WORKERS} - set(clusters):
            continue
        one, two = clusters[ONE_WORKER], clusters[TWO_WORKERS]
        found[query] = speed = speedup(one, two)
        cells.append([LABELS[query], _time(one), _time(two), _ratio(speed), speed.conclusion])
    if not cells:
        yield Missing(f"Un et deux processus de travail n’ont pas été mesurés tous les deux : `{COMMAND}` mesure.")
        return
    yield Table(
        "Temps médian, son intervalle à 95 % (secondes), et accélération",
        [
            Column("Requête", 2.6),
            Column("Un", 1.6),
            Column("Deux", 1.6),
            Column("Accélération", 1.5),
            Column("Conclusion", 1.5),
        ],
        cells,
        COMMAND,
    )
    faster = [q for q, s in found.items() if s.conclusion == "plus rapide à deux"]
    yield Paragraph(
        f"Deux processus de travail sont plus rapides, intervalles à l’appui, pour {len(faster)} des {len(found)} requêtes. L’accélération idéale serait 2 ; ses bornes divisent celles des deux médianes, et sont donc larges."
    )


def _time(row: Row) -> str:
    shown = french.number(row["median_ms"] / 1000, 2)
    if row["low_ms"] is None:
        return shown
    return f"{shown} ({french.number(row['low_ms'] / 1000, 2)} à {french.number(row['high_ms'] / 1000, 2)})"


def _ratio(speed: Speedup) -> str:
    shown = french.number(speed.ratio, 2)
    if speed.low is None or speed.high is None:
        return shown
    return f"{shown} ({french.number(speed.low, 2)} à {french.number(speed.high, 2)})"


def _elasticity(programs: Mapping[str, Row]) -> Iterator[Block]:
    yield Heading("Élasticité : la grappe grandit et rétrécit")
    if DYNAMIC not in programs:
        yield Missing(f"Aucune mesure de l’allocation dynamique n’est dans le lac : `{COMMAND}` mesure.")
        return
    yield Picture(
        _timeline(programs),
        "Exécuteurs réservés au fil du programme, sur chaque grappe.",
        COMMAND,
        text=". ".join(f"{NAMES[name]} : {_in_words(row)}" for name, row in programs.items()),
    )
    yield Table(
        "Le programme entier",
        [Column("Grappe", 2.6), Column("Durée (s)", number=True), Column("Secondes d’exécuteur", number=True),
         Column("Exécuteurs au plus", number=True), Column("À la fin", number=True), Column("Lignes égales")],
        [_whole(name, row) for name, row in programs.items()],
        COMMAND,
    )  # fmt: skip
    counts = [step.executors for step in from_text(programs[DYNAMIC]["executors"])]
    rises = sum(after > before for before, after in pairwise(counts))
    falls = sum(after < before for before, after in pairwise(counts))
    yield Paragraph(
        f"L’allocation dynamique, avec suivi des fichiers d’échange (`spark.dynamicAllocation.shuffleTracking`), a ajouté un exécuteur {rises} fois et en a rendu un {falls} fois. Les lignes sont celles de DuckDB sur les trois grappes. Elle a aussi un prix : la requête qui suit une pause attend que l’exécuteur soit démarré."
    )


def _whole(name: str, row: Row) -> list[str]:
    counts = [step.executors for step in from_text(row["executors"])]
    return [
        NAMES[name],
        french.number(row["median_ms"] / 1000),
        french.number(row["executor_seconds"]) if row["executor_seconds"] is not None else NOTHING,
        str(max(counts)),
        str(counts[-1]),
        "oui" if row["equal_rows"] else "non",
    ]


def _in_words(row: Row) -> str:
    return ", ".join(f"{step.executors} à {step.second:.0f} s" for step in from_text(row["executors"]))


def _timeline(programs: Mapping[str, Row]) -> str:
    """A panel for each cluster: how many executors there are at each second."""
    longest = max(row["median_ms"] / 1000 for row in programs.values())
    right = PAGE_WIDTH - 12
    parts: list[str] = []

    def x_of(second: float) -> float:
        return LEFT + (right - LEFT) * second / float(longest)

    for number, (name, row) in enumerate(programs.items()):
        bottom = 30 + PANEL * (number + 1) - 26
        height = PANEL - 46
        parts.append(text(LEFT, bottom - height - 10, NAMES[name], bold=True))
        for count in range(MOST + 1):
            y = bottom - height * count / MOST
            parts += [
                line(Point(LEFT, y), Point(right, y), "#dbe2e6", 1),
                text(LEFT - 8, y + 4, str(count), SMALL, anchor="end", colour=SOFT),
            ]
        parts.append(
            _area(
                from_text(row["executors"]),
                row["median_ms"] / 1000,
                x_of,
                bottom,
                height / MOST,
                BLUE if name == DYNAMIC else GREY,
            )
        )
    base = 30 + PANEL * len(programs) - 8
    step = 30 if longest <= 300 else 60
    for second in range(0, int(longest) + 1, step):
        parts.append(text(x_of(second), base, f"{second} s", SMALL, anchor="middle", colour=INK))
    return picture(PAGE_WIDTH, base + 12, "Exécuteurs au fil du programme", parts)


def _area(
    steps: Sequence[Step],
    duration: float,
    x_of: Callable[[float], float],
    bottom: float,
    unit: float,
    colours: tuple[str, str],
) -> str:
    """The number of executors over time, as steps."""
    points = [(x_of(0), bottom)]
    ends = [step.second for step in steps[1:]] + [duration]
    for step, end in zip(steps, ends, strict=True):
        y = bottom - unit * step.executors
        points += [(x_of(step.second), y), (x_of(end), y)]
    points.append((x_of(duration), bottom))
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{listed}" fill="{colours[1]}" stroke="{colours[0]}" stroke-width="1.4"/>'


SCALING: Final = Chapter("scalabilite-et-elasticite", "Scalabilité et élasticité mesurées", ("A.10", "A.11"), _blocks)
