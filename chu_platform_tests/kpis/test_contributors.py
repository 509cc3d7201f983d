"""The professionals behind each cell of the consultation indicators, counted again from the facts."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow.compute as pc
import pytest

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import kpi_consultation_rate_by_diagnosis
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.masks.consultation_mask import consultation_mask
from chu_platform.periods.consultation_contributors import consultation_contributors
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

Cell = tuple[str, str, str, str, str]
BY_PLACE = kpi_consultation_rate_by_establishment.name
BY_DIAGNOSIS = kpi_consultation_rate_by_diagnosis.name
BY_PROFESSIONAL = kpi_consultation_rate_by_professional.name


def last_day(home: Home) -> date:
    """The last day with consultations: periods that end before it are closed."""
    day: date = pc.max(rows(home.lake, fact_consultation)["date"]).as_py()
    return day


def is_closed(grain: str, start: str, last: date) -> bool:
    """Whether a day with consultations lies after a period. `all` of an edition is the closed years."""
    if grain == "all":
        return True
    end = date.fromisoformat(start)
    for _ in range({"month": 1, "quarter": 3, "year": 12}[grain]):
        end = (end + timedelta(days=31)).replace(day=1)
    return end <= last


def counted(home: Home) -> Mapping[Cell, tuple[int, float, int]]:
    """The professionals behind each cell, at the released levels and grains. `all` is the years before the last one.

    They are the number, the largest share and the consultations of the part of the professionals in which these are the
    least safe. The professionals of one share in the place are a part where there are two such shares.
    """
    lake = home.lake
    places = {p["establishment_key"]: p for p in rows(lake, dim_establishment).to_pylist()}
    codes = {d["diagnosis_key"]: d for d in rows(lake, dim_diagnosis).to_pylist()}
    people = {p["professional_key"]: p for p in rows(lake, dim_professional).to_pylist()}
    attached: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for link in rows(lake, bridge_professional_establishment).to_pylist():
        attached[link["professional_key"]].append(link)

    def levels(who: str, diagnosis: str) -> Iterator[tuple[str, str, str, float]]:
        """Indicator, level, code and share of every cell of a consultation."""
        yield BY_PLACE, "total", "total", 1.0
        shares: Counter[tuple[str, str]] = Counter()
        for link in attached[who]:
            place, weight = places[link["establishment_key"]], float(link["weight"])
            shares["establishment", link["establishment_key"]] += weight  # type: ignore[assignment]
            shares["department", place["department_code"]] += weight  # type: ignore[assignment]
            shares["region", place["region_key"]] += weight  # type: ignore[assignment]
        for (level, code), share in (shares or {("unattached", "unattached"): 1.0}).items():
            yield BY_PLACE, level, code, share
        code_of = codes[diagnosis]
        for level, column in (("chapter", "chapter_code"), ("category", "category_code"), ("leaf", "diagnosis_key")):
            yield BY_DIAGNOSIS, level, code_of[column], 1.0
        if code_of["category_code"] == "inconnu":
            yield BY_DIAGNOSIS, "hidden", code_of["chapter_code"], 1.0
        person = people[who]
        yield BY_PROFESSIONAL, "profession", f"{person['profession_label']}|Ensemble", 1.0
        yield BY_PROFESSIONAL, "speciality", f"{person['profession_label']}|{person['speciality_label']}", 1.0

    grains = {
        **dict.fromkeys(("total", "unattached", "region", "chapter"), ("month", "quarter", "year", "all")),
        **dict.fromkeys(("department", "category", "hidden", "profession", "speciality"), ("year", "all")),
        **dict.fromkeys(("establishment", "leaf"), ("all",)),
    }
    last = last_day(home)
    whole: dict[Cell, Counter[str]] = defaultdict(Counter)
    shared: dict[Cell, Counter[str]] = defaultdict(Counter)
    for event in rows(lake, fact_consultation).to_pylist():
        day = event["date"]
        starts = {
            "month": day.replace(day=1),
            "quarter": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
            "year": day.replace(month=1, day=1),
            "all": "all",
        }
        who = event["professional_key"]
        for indicator, level, code, share in levels(who, event["diagnosis_key"]):
            for grain in grains[level]:
                if grain == "all" and day.year == last.year:
                    continue
                cell = (indicator, grain, str(starts[grain]), level, code)
                whole[cell][who] += 1
                shared[cell][who] += share  # type: ignore[assignment]
    found = {}
    for cell, made in whole.items():
        share_of = {who: round(shared[cell][who] / n, 9) for who, n in made.items()}
        if len(set(share_of.values())) > 2:
            share_of = {who: float(share == 1.0) for who, share in share_of.items()}
        parts = [[who for who in made if share_of[who] == share] for share in set(share_of.values())]
        found[cell] = (
            min(len(part) for part in parts),
            max(
                max(n[who] for who in part) / sum(n[who] for who in part)
                for part in parts
                for n in (made, shared[cell])
            ),
            min(sum(made[who] for who in part) for part in parts),
        )
    return found


def test_contributors_are_those_of_the_facts(made: Home) -> None:
    expected = counted(made)
    found = {}
    for row in rows(made.lake, consultation_contributors).to_pylist():
        start = "all" if row["period_grain"] == "all" else str(row["period_start"])
        cell = (row["indicator"], row["period_grain"], start, row["level"], row["code"])
        found[cell] = (row["professionals"], row["largest_share"], row["computable_events"])
    assert found.keys() == expected.keys()
    assert {c: (n, events) for c, (n, _, events) in found.items()} == {
        c: (n, events) for c, (n, _, events) in expected.items()
    }
    assert [c for c, (_, share, _) in found.items() if abs(share - expected[c][1]) > 1e-9] == []
    assert len({c[3] for c in found}) == 11


def test_no_visible_figure_rests_on_two_professionals_or_mostly_on_one(made: Home) -> None:
    masks = {(r["indicator"], r["cell"]): r for r in rows(made.lake, consultation_mask.table).to_pylist()}
    reasons = Counter(r["reason"] for r in masks.values())
    assert reasons["size"] and reasons["secondary"]
    unsafe = 0
    last = last_day(made)
    first_of_all = min(c.split("|")[1] for i, c in masks if c.startswith("all|"))
    for (indicator, grain, start, level, code), (professionals, share, events) in counted(made).items():
        key = (
            grain,
            first_of_all if grain == "all" else start,
            *([] if indicator == BY_PROFESSIONAL else [level]),
            code,
        )
        is_unsafe = professionals < 3 or share > 0.85 or events <= 10
        if level != "hidden" and is_closed(grain, start, last) and is_unsafe:
            assert masks[indicator, "|".join(key)]["reason"] in ("size", "contributors"), key
            unsafe += 1
    assert unsafe > 100
