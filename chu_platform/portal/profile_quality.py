"""Care quality in a profile: every result of HAS with its place among all sites, beside others."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal import sentences
from chu_platform.portal.charts.strip import strip
from chu_platform.portal.places import DEPARTMENT, ESTABLISHMENT, REGION
from chu_platform.portal.profile_parts import NONE, Compared, Part
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.spark_sql import ALL

# The results of a place by indicator and campaign.
Results = Mapping[tuple[str, str], Mapping[str, Any]]


def _results(snapshot: Snapshot, compared: Compared) -> Results:
    """The care-quality results of a place: those of a site, or the medians of the sites of a place."""
    if compared.level != ESTABLISHMENT:
        return _medians(snapshot).get((compared.level, compared.code), {})

    def find() -> Results:
        rows = snapshot.rows(
            "SELECT *, NULL AS of_sites FROM published_quality WHERE site_finess = $finess", {"finess": compared.finess}
        )
        return {(r["indicator_key"], r["campaign_year"]): r for r in rows}

    return snapshot.kept(("profile quality", compared.code), find)


def _medians(snapshot: Snapshot) -> Mapping[tuple[str, str], Results]:
    """The medians of the sites of every department, of every region and of France, by level and code."""

    def find() -> Mapping[tuple[str, str], Results]:
        found: dict[tuple[str, str], dict[tuple[str, str], Mapping[str, Any]]] = {}
        for level, code in ((DEPARTMENT, "department_code"), (REGION, "region_code"), ("france", f"'{ALL}'")):
            rows = snapshot.rows(
                f"""
                SELECT {code} AS code, indicator_key, campaign_year, any_value(indicator_label) AS indicator_label,
                       any_value(unit) AS unit, quantile_cont(value, 0.5) AS value, count(value) AS of_sites,
                       any_value(sites) AS sites, any_value(national_p20) AS national_p20,
                       any_value(national_median) AS national_median, any_value(national_p80) AS national_p80
                FROM published_quality GROUP BY code, indicator_key, campaign_year HAVING count(value) > 0
                """
            )
            for r in rows:
                found.setdefault((level, r["code"]), {})[r["indicator_key"], r["campaign_year"]] = r
        return found

    return snapshot.once("profile quality", find)


def quality_part(snapshot: Snapshot, compared: Sequence[Compared]) -> Part:
    """Every result of the place by indicator and campaign, with its place among all sites."""
    own, *rest = compared
    found = {c: _results(snapshot, c) for c in compared}
    results, others = found[own], [(c, found[c]) for c in rest if c.place]
    is_site = own.level == ESTABLISHMENT
    columns = [("Indicateur", False), ("Campagne", True)]
    columns += [("Résultat", True), ("Classe ou motif", False)] if is_site else [("Médiane de ses sites", True)]
    columns.append(("Sites : médiane (P20 à P80)", True))
    if is_site:
        columns.append(("Place parmi les sites", False))
    columns += [(c.label, True) for c, _ in others]
    latest: list[list[str | Markup | None]] = []
    earlier: list[list[str | Markup | None]] = []
    newest = {key: max(year for k, year in results if k == key) for key, _ in results}
    for key in sorted(results, key=lambda k: (-int(k[1]), results[k]["indicator_label"], k[0])):
        r = results[key]
        row: list[str | Markup | None] = [f"{r['indicator_label']} ({r['unit']})", r["campaign_year"], _result(r)]
        if is_site:
            row.append(r["class"] or NONE)
        row.append(_spread(r))
        if is_site:
            row.append(_standing(r, f"place-{len(latest) + len(earlier)}"))
        row += [_result(those[key], short=True) if key in those else NONE for _, those in others]
        (latest if key[1] == newest[key[0]] else earlier).append(row)
    caption = f"Qualité des soins – {own.label}"
    return Part(
        "qualite",
        "Qualité des soins (HAS)",
        [_quality_said(own, [results[k, y] for k, y in newest.items()])],
        tables=[(f"{caption}, dernière campagne de chaque indicateur", columns, latest)] if latest else [],
        more=[(f"{caption}, campagnes précédentes", columns, earlier)] if earlier else [],
        notes=[sentences.QUALITY_CAUTION] if latest else (),
        links=[("Qualité des soins, site par site", "/qualite")],
    )


def _result(r: Mapping[str, Any], short: bool = False) -> str:
    if r["value"] is None:
        return NONE
    text = french.number(r["value"], 1)
    if r["of_sites"] is not None:
        return f"{text} ({french.counted(r['of_sites'], 'site', 'sites')})"
    if short or r["lower_bound"] is None or r["upper_bound"] is None:
        return text
    return f"{text} ({french.interval(r['lower_bound'], r['upper_bound'])})"


def _spread(r: Mapping[str, Any]) -> str:
    if r["national_median"] is None:
        return NONE
    return f"{french.number(r['national_median'], 1)} ({french.interval(r['national_p20'], r['national_p80'])})"


def _standing(r: Mapping[str, Any], name: str) -> str | Markup:
    """Between which places the result may be among the sites: drawn, and in words."""
    if r["rank_first"] is None:
        return NONE
    first, last, sites = r["rank_first"], r["rank_last"], r["sites"]
    ranks = french.ordinal(first) if first == last else f"{french.ordinal(first)} à {french.ordinal(last)}"
    words = f"{ranks} sur {french.number(sites)}"
    return strip(first, last, sites, f"{r['indicator_label']} : {words}", name) + Markup("{}").format(words)


def _quality_said(own: Compared, newest: Sequence[Mapping[str, Any]]) -> str:
    if not newest:
        return "Qualité des soins : aucun résultat dans les campagnes livrées."
    if own.level != ESTABLISHMENT:
        above = sum(r["value"] > r["national_median"] for r in newest if r["value"] is not None)
        return (
            f"Qualité des soins : {french.counted(len(newest), 'indicateur a', 'indicateurs ont')} un résultat dans ses sites ; "
            f"la médiane de ses sites dépasse la médiane nationale pour {above}."
        )
    ranked = [r for r in newest if r["rank_first"] is not None]
    above = sum(r["rank_last"] < (r["sites"] + 1) / 2 for r in ranked)
    below = sum(r["rank_first"] > (r["sites"] + 1) / 2 for r in ranked)
    return (
        f"Qualité des soins : {french.counted(len(ranked), 'indicateur a', 'indicateurs ont')} un résultat ; "
        f"{above} sont plus hauts que ceux de la moitié des sites de façon établie, {below} plus bas, les autres ne s’en distinguent pas."
    )
