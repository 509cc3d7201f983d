"""The chapter of the response times: a picture and a conclusion for each query, growth, and what did not pay."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from chu_platform import french
from chu_platform.building_blocks.measurement_file import Row
from chu_platform.committee.document import (
    Block,
    Bullets,
    Cell,
    Chapter,
    Code,
    Column,
    Heading,
    Missing,
    Paragraph,
    Picture,
)
from chu_platform.committee.inputs import NOTHING, Inputs
from chu_platform.committee.measured.benchmark_rows import (
    COMMAND,
    NO_ROWS,
    benchmark_rows,
    command_of,
    in_order,
    of_newest,
    stated,
)
from chu_platform.committee.measured.pictures import NAMES, ROW_LABELS, growth_picture, times_picture
from chu_platform.layouts.analysis import (
    DISTURBED,
    MATTERS,
    Comparison,
    Verdict,
    at_scale,
    comparisons,
    disturbed,
    scales,
)
from chu_platform.layouts.declarations import LAYOUTS, PLATFORM
from chu_platform.layouts.engines import ENGINES
from chu_platform.layouts.queries import QUERIES
from chu_platform.layouts.results import COLD, WARM

METHOD = (
    "**À froid** : les fichiers des tables et leurs journaux Delta ont quitté la mémoire du système "
    "(`posix_fadvise`, vérifié par `mincore`) ; les tables sont ouvertes à nouveau, et ce temps compte. Le "
    "processus du moteur et son code restent chargés, comme ce que Spark sait d’un journal.",
    "**À chaud** : la même requête, répétée sur les tables ouvertes, après une exécution qui ne compte pas.",
    "Les lignes du résultat doivent être celles que DuckDB trouve dans le lac ; sinon, le temps n’est pas enregistré.",
    "Un intervalle contient la vraie médiane avec une probabilité d’au moins 95 %, quelle que soit la distribution des "
    "temps : avec sept exécutions, ce sont la plus courte et la plus longue.",
    f"« Plus rapide » et « plus lent » veulent dire : les intervalles ne se touchent pas, et les médianes diffèrent d’un "
    f"rapport de {french.number(MATTERS, 1)} au moins, et le temps de processeur, qui dépend peu d’un autre travail sur la "
    "machine, diffère dans le même sens. Parmi des centaines de comparaisons, quelques-unes sont dues au hasard.",
)


TIMES: Final = "reports.response_time"
_BY_QUERY: Final = in_order("query", (query.name for query in QUERIES))
# What follows the median of a layout that differs from that of the platform.
MARKS = {Verdict.FASTER: " +", Verdict.SLOWER: " −", Verdict.ALIKE: ""}


def _blocks(inputs: Inputs) -> Iterator[Block]:
    rows = benchmark_rows(inputs)
    if not rows:
        yield Missing(NO_ROWS)
        return
    largest = _most_complete_scale(rows)
    shown = at_scale(rows, largest)
    yield Heading("Comment les temps sont mesurés")
    yield Bullets(METHOD)
    yield Paragraph(stated(rows))
    runs, busy = sum(r["runs"] for r in rows), disturbed(rows)
    yield Paragraph(
        f"{french.number(len(rows))} mesures, {french.number(runs)} exécutions, aux échelles "
        f"{french.listed([french.measured(s) for s in scales(rows)])} (1 : 25 millions de décès). Pendant "
        f"{french.number(busy)} mesures, d’autres processus prenaient plus de {french.percent(DISTURBED, 0)} de la "
        "machine : la colonne `others` le dit de chacune."
    )
    if any(r["state"] == COLD and not r["left_cache"] for r in rows):
        yield Paragraph(
            "**Réserve** : pour une partie des mesures à froid, des fichiers étaient restés en mémoire (`left_cache` est "
            "faux) ; elles ne sont froides qu’en partie."
        )
    yield Heading(f"Temps de réponse à l’échelle {french.measured(largest)}")
    for number, query in enumerate(QUERIES, 1):
        of_query = [r for r in shown if r["query"] == query.name]
        if not of_query:
            yield Missing(f"{query.label} : pas mesurée à cette échelle.")
            continue
        yield Heading(f"{number}. {query.label}", 3)
        yield Picture(times_picture(of_query), f"{query.label}, échelle {largest:g}", command_of(largest))
        yield Paragraph(conclusion(of_query))
    yield from _growth(inputs, rows)
    yield from _balance(inputs, shown, largest)
    for scale in scales(rows):
        if scale > largest:
            yield from _few_layouts(inputs, at_scale(rows, scale), scale)


def _most_complete_scale(rows: Sequence[Row]) -> float:
    """The scale with the most measurements; of equals, the largest."""
    counts = Counter(float(r["scale"]) for r in rows)
    return max(counts, key=lambda scale: (counts[scale], scale))


def conclusion(rows: Sequence[Row]) -> str:
    """What the picture of a query shows, in words that its intervals support."""
    found = [c for c in comparisons(rows) if c.state == WARM]
    if not found:
        return "Ces tables n’ont été mesurées que dans la disposition de la plateforme : rien à comparer."
    texts = [text for engine in ENGINES if (text := _of_engine([c for c in found if c.engine == engine]))]
    alike = [NAMES[e] for e in ENGINES if (of := [c for c in found if c.engine == e]) and _all_alike(of)]
    if alike:
        texts.append(f"Aucune disposition ne se distingue de celle de la plateforme avec {french.listed(alike)}.")
    fastest = min((r for r in rows if r["state"] == WARM), key=lambda r: float(r["median_ms"]))
    texts.append(
        f"La médiane la plus courte est celle de {NAMES[fastest['engine']]}, disposition "
        f"« {ROW_LABELS[fastest['layout']]} » : {french.measured(fastest['median_ms'])} ms."
    )
    return f"À chaud. {' '.join(texts)}"


def _all_alike(found: Sequence[Comparison]) -> bool:
    return all(c.verdict is Verdict.ALIKE for c in found)


def _of_engine(found: Sequence[Comparison]) -> str:
    """Faster and slower layouts on one engine; empty without any."""
    parts = []
    for verdict, words in ((Verdict.FASTER, "plus rapide"), (Verdict.SLOWER, "plus lent")):
        those = sorted((c for c in found if c.verdict is verdict), key=lambda c: c.ratio)
        if those:
            listed = french.listed([f"« {ROW_LABELS[c.layout]} » (× {french.number(c.ratio, 2)})" for c in those])
            parts.append(f"{words} que la plateforme : {listed}")
    return f"{NAMES[found[0].engine]}, {' ; '.join(parts)}." if parts else ""


def _growth(inputs: Inputs, rows: Sequence[Row]) -> Iterator[Block]:
    yield Heading("Croissance avec le volume")
    warm = [r for r in rows if r["state"] == WARM and r["layout"] == PLATFORM]
    if len(scales(warm)) < 2:
        yield Missing("Une seule échelle est mesurée : deux au moins donnent une courbe.")
        return
    yield Picture(
        growth_picture(warm, lambda name: name.replace("_", " ")),
        "Médianes à chaud selon l’échelle, disposition de la plateforme ; axes logarithmiques",
        COMMAND,
    )
    slopes = ", ".join(f"regr_slope(ln(median_ms), ln(scale)) FILTER (engine = '{engine}')" for engine in ENGINES)
    yield inputs.table(
        "Exposant du temps selon l’échelle, à chaud",
        [Column("Requête", 2.4), *(Column(NAMES[e], number=True) for e in ENGINES)],
        f"SELECT query, {slopes} FROM {TIMES} WHERE {of_newest(TIMES)} AND layout = '{PLATFORM}' AND state = '{WARM}' "
        f"GROUP BY query ORDER BY {_BY_QUERY}",
        lambda row: [Code(row[0]), *(NOTHING if slope is None else french.number(slope, 2) for slope in row[1:])],
    )
    yield Paragraph(
        "Un exposant de 1 veut dire : dix fois plus de lignes, dix fois plus de temps. Près de 0, le temps est celui du "
        "départ d’une requête, et non celui des lignes. L’exposant décrit les échelles mesurées ; il ne prédit rien "
        "au-delà."
    )


def _few_layouts(inputs: Inputs, rows: Sequence[Row], scale: float) -> Iterator[Block]:
    """The warm medians of each query at a scale at which only some layouts and engines were measured."""
    warm = [r for r in rows if r["state"] == WARM]
    verdicts = {(c.engine, c.query, c.layout): MARKS[c.verdict] for c in comparisons(warm)}
    yield Heading(f"Temps de réponse à l’échelle {french.measured(scale)}")
    for engine in ENGINES:
        of_engine = {(r["query"], r["layout"]): r for r in warm if r["engine"] == engine}
        layouts = [layout.name for layout in LAYOUTS if any(layout.name == name for _, name in of_engine)]
        if not layouts:
            continue

        def shown(row: tuple[Any, ...], engine: str = engine, layouts: Sequence[str] = layouts) -> Sequence[Cell]:
            """A query, and its median on each layout with a mark."""
            marks = [verdicts.get((engine, row[0], layout), "") for layout in layouts]
            medians = [
                NOTHING if m is None else f"{french.measured(m)}{k}" for m, k in zip(row[1:], marks, strict=True)
            ]
            return [Code(row[0]), *medians]

        medians = ", ".join(f"max(median_ms) FILTER (layout = '{layout}')" for layout in layouts)
        yield inputs.table(
            f"{NAMES[engine]} : médianes à chaud, en millisecondes (+ : plus rapide que la plateforme, − : plus lent)",
            [Column("Requête", 2.4), *(Column(ROW_LABELS[layout], number=True) for layout in layouts)],
            f"SELECT query, {medians} FROM {TIMES} WHERE {of_newest(TIMES)} AND scale = {scale:g} "
            f"AND state = '{WARM}' AND engine = '{engine}' GROUP BY query ORDER BY {_BY_QUERY}",
            shown,
        )
    yield from _balance(inputs, rows, scale)


def _balance(inputs: Inputs, rows: Sequence[Row], scale: float) -> Iterator[Block]:
    """How often each layout was faster or slower, what it costs in files, and what follows."""
    yield Heading(f"Ce qui rapporte à l’échelle {french.measured(scale)}, et ce qui ne rapporte pas")
    counts = ", ".join(f"count(*) FILTER (verdict = '{verdict}')" for verdict in Verdict)
    by_layout = in_order("layout", (layout.name for layout in LAYOUTS))
    yield inputs.table(
        f"Comparaisons avec la disposition de la plateforme, échelle {french.measured(scale)} : toutes les requêtes, "
        "tous les moteurs",
        [
            Column("Disposition", 2),
            Column("État"),
            *(Column(name, number=True) for name in ("Plus rapide", "Plus lent", "Indistinct", "Processeur")),
        ],
        f"SELECT layout, state, {counts}, exp(avg(ln(cpu_ratio))) FROM {TIMES} WHERE {of_newest(TIMES)} "
        f"AND scale = {scale:g} GROUP BY layout, state HAVING count(verdict) > 0 ORDER BY {by_layout}, state",
        lambda row: [
            ROW_LABELS[row[0]],
            {COLD: "à froid", WARM: "à chaud"}[row[1]],
            *(str(count) for count in row[2:-1]),
            NOTHING if row[-1] is None else f"× {french.number(row[-1], 2)}",
        ],
    )
    yield inputs.table(
        f"Fichiers et octets, échelle {french.measured(scale)}",
        [Column("Disposition", 2), Column("Tables", 2), Column("Fichiers", number=True), Column("Taille", number=True)],
        "SELECT layout, query, max(files), max(size_bytes) FROM reports.layout_benchmark WHERE "
        f"{of_newest('reports.layout_benchmark')} AND scale = {scale:g} AND query IN ('full_scan', 'large_join') "
        f"GROUP BY layout, query ORDER BY {by_layout}, query",
        lambda row: [
            ROW_LABELS[row[0]],
            "décès" if row[1] == "full_scan" else "consultations, prescriptions",
            french.number(row[2]),
            french.amount(row[3] / 1e6, "Mo", 1),
        ],
    )
    found = list(comparisons(rows))
    losers = [
        layout.name
        for layout in LAYOUTS
        if (of := [c for c in found if c.layout == layout.name])
        and sum(c.verdict is Verdict.SLOWER for c in of) > sum(c.verdict is Verdict.FASTER for c in of)
    ]
    if losers:
        yield Paragraph(
            "**Résultats négatifs.** À cette échelle, ces dispositions sont plus souvent plus lentes que plus rapides "
            f"que celle de la plateforme : {french.listed([f'« {ROW_LABELS[name]} »' for name in losers])}."
        )


RESPONSE_TIMES = Chapter(
    "temps-de-reponse",
    "Temps de réponse mesurés",
    ["L2.1", "L2.6"],
    _blocks,
)
