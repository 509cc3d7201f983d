"""Random tables of the explorer, as addresses."""

from collections.abc import Iterator
from random import Random
from urllib.parse import urlencode

from chu_platform.portal.choices import options
from chu_platform.portal.explorer.axes import axes_of
from chu_platform.portal.reader import Snapshot

DAYS = ("2015-01-01", "2016-07-01", "2018-01-01", "2018-12-31", "2019-12-31", "2020-06-30", "2021-12-31", "2022-12-31")


def random_tables(snapshot: Snapshot, seed: int, count: int) -> Iterator[str]:
    """Queries of addresses: questions, measures, axes of different dimensions, filters and dates that go together."""
    draw = Random(seed)
    for _ in range(count):
        question = draw.choice(snapshot.questions)
        axes = axes_of(snapshot, question)
        dimensions = sorted({axis.dimension for axis in axes})
        taken = draw.sample(dimensions, draw.randint(0, min(3, len(dimensions))))
        asked = [("sujet", question.slug)]
        asked += [
            ("mesure", m.key) for m in draw.sample(question.measures, draw.randint(1, min(4, len(question.measures))))
        ]
        for number, dimension in enumerate(taken, 1):
            asked.append((f"axe{number}", draw.choice([a.name for a in axes if a.dimension == dimension])))
        for parameter in question.parameters:
            if parameter.name not in taken and draw.random() < 0.6:
                values = [value for _, listed in options(snapshot, question, parameter) for value, _ in listed]
                asked.append((parameter.name, draw.choice(values)))
        if draw.random() < 0.5:
            asked += zip(("du", "au"), sorted(draw.sample(DAYS, 2)), strict=True)
        yield urlencode(asked)
