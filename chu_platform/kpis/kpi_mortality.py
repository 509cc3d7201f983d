"""Indicator 9: mortality over the long term, by place of death and sex, comparable between places and years."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chu_platform.building_blocks.life_tables import LifeExpectancy, life_expectancy
from chu_platform.building_blocks.mortality_cells import (
    CELLS_FROM,
    DEATHS_FROM,
    DEPARTMENT,
    FRANCE,
    POPULATION_FROM,
    REGION,
    MortalityCells,
    mortality_cells,
)
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_death_by_age import fact_death_by_age
from chu_platform.facts.fact_death_coverage import IS_COMPARABLE, REASON, fact_death_coverage
from chu_platform.indicators.deaths import DEATHS, NUMBER_OF_DEATHS
from chu_platform.indicators.indicator import FreeRange, Indicator, Summary
from chu_platform.indicators.intervals import Floats, comparative_index, directly_standardised
from chu_platform.indicators.rates import finite
from chu_platform.indicators.use_of_care import SEX
from chu_platform.recomputation.death_inputs import COUNTED_DEATH_KEYS, DEATH_KEYS
from chu_platform.recomputation.mortality_figures import COUNTS, recomputed_mortality
from chu_platform.recomputation.mortality_inputs import PLACED_DEATHS
from chu_platform.recomputation.recomputation import InputSet, Recomputation, SourceRows
from chu_platform.references.department import department
from chu_platform.references.population import population
from chu_platform.references.region import region
from chu_platform.references.standard_population import standard_population
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import BOOLEAN, DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, LevelTexts, Measure, Parameter
from chu_platform.tables.policies import PUBLIC_DEATHS
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.spark_sql import ALL
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_mortality"
LEVELS: Final = (FRANCE, REGION, DEPARTMENT)
PER_1000: Final = 1_000
PER_100_000: Final = 100_000
NO_FIGURES: Final = "vide si l’année n’est pas comparable"
LIMITS: Final = (("low", "borne basse"), ("high", "borne haute"))


def _rows(
    by_age: pa.Table,
    population: pa.Table,
    department: pa.Table,
    region: pa.Table,
    standard: pa.Table,
    coverage: pa.Table,
) -> pa.Table:
    cells = mortality_cells(by_age, population, department, LEVELS)
    keys = cells.keys.to_pylist()
    covered = {(r["year"], r["sex"]): r for r in coverage.filter(pc.equal(coverage["age_group"], ALL)).to_pylist()}
    known = [covered[key["year"], key["sex"]] for key in keys]
    comparable = np.array([k["is_comparable"] for k in known], dtype=bool)
    names = {
        **{(REGION, r["region_code"]): r["region_label"] for r in region.to_pylist()},
        **{(DEPARTMENT, d["department_code"]): d["department_label"] for d in department.to_pylist()},
    }
    inhabitants = cells.population.sum(axis=-1)
    columns: dict[str, Any] = {
        **{name: cells.keys[name] for name in cells.keys.column_names},
        "label": [names.get((key["level"], key["code"]), "France") for key in keys],
        "is_partial": [key["year"] == cells.last_year for key in keys],
        "is_comparable": comparable,
        "reason": [k["reason"] for k in known],
        "deaths": pa.array(cells.deaths, pa.float64()).cast(pa.int64()),
        "population": inhabitants,
        "unknown_age_share": finite(_divided(cells.unknown, cells.deaths)),
        "coverage": pa.array([k["coverage"] for k in known], pa.float64()),
        **{name: finite(np.where(comparable, v, np.nan)) for name, v in _rates(cells, inhabitants, standard).items()},
    }
    return pa.table(columns)


def _rates(cells: MortalityCells, inhabitants: Floats, standard: pa.Table) -> dict[str, Floats]:
    """The figures of each cell, also where the year is not comparable."""
    weights = standard.sort_by("age")["weight"].to_numpy().astype(np.float64)
    figures = {"crude_rate": PER_1000 * _divided(cells.deaths, inhabitants)}
    standardised = directly_standardised(cells.by_age, cells.population, weights)
    for name, values in zip(("rate", "low", "high"), standardised, strict=True):
        figures[f"standardised_{name}"] = PER_100_000 * values
    index = comparative_index(cells.deaths, cells.population, _of_france(cells))
    for name, values in zip(("index", "low", "high"), index, strict=True):
        figures[f"comparative_{name}"] = values
    for age in (0, 65):
        found: LifeExpectancy = life_expectancy(cells.by_age, cells.population, age)
        figures |= {
            f"life_expectancy_{age}": found.value,
            f"life_expectancy_{age}_low": found.low,
            f"life_expectancy_{age}_high": found.high,
        }
    return figures


def _of_france(cells: MortalityCells) -> Floats:
    """For each cell, the death rates by age group of France in the same year, of the same sex."""
    keys = cells.keys.to_pylist()
    rates = _divided(cells.by_age, cells.population)
    rows = {(key["year"], key["sex"]): i for i, key in enumerate(keys) if key["level"] == FRANCE}
    found: Floats = rates[[rows[key["year"], key["sex"]] for key in keys]]
    return found


def _divided(counts: Floats, by: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(counts == 0, 0.0, counts / by)
    return found


def _limits(name: str, label: str, method: str) -> list[Column]:
    return [Column(f"{name}_{end}", DOUBLE, f"{words} à 95 %, {method}", f"{label} : {words}") for end, words in LIMITS]


FIGURES: Final = (
    Column("crude_rate", DOUBLE, f"nombre de décès pour 1 000 habitants ; {NO_FIGURES}", "Taux brut de mortalité (‰)"),
    Column(
        "standardised_rate",
        DOUBLE,
        f"taux pour 100 000 qu’aurait la population type européenne de 2013 ; {NO_FIGURES}",
        "Taux standardisé (pour 100 000)",
    ),
    *_limits("standardised", "Taux standardisé", "méthode de Fay et Feuer"),
    Column(
        "comparative_index",
        DOUBLE,
        f"décès pour 100 attendus aux taux par âge de la France, la même année et pour le même sexe ; {NO_FIGURES}",
        "Indice comparatif de mortalité",
    ),
    *_limits("comparative", "Indice comparatif", "méthode exacte de Poisson"),
    *(
        column
        for age, when in ((0, "à la naissance"), (65, "à 65 ans"))
        for column in (
            Column(
                f"life_expectancy_{age}",
                DOUBLE,
                f"années restant à vivre {when} aux taux par âge de l’année ; vide aussi sans décès à 90 ans et plus",
                f"Espérance de vie {when}",
            ),
            *_limits(f"life_expectancy_{age}", f"Espérance de vie {when}", "variance de Chiang"),
        )
    ),
)
DEATH_COUNTS: Final = (*DEATHS_FROM, *POPULATION_FROM)
COVERAGE: Final = ("coverage.year", "coverage.sex", "coverage.age_group")

EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un lieu qui a une population (France, région ou département), dans une année, par sexe, total compris",
    label="Mortalité",
    owner="team:kpis",
    access=PUBLIC_DEATHS,
    columns=[
        Column("year", INTEGER, "année du décès", "Année", key=True),
        Column("level", STRING, "france, region ou department", "Niveau", key=True),
        Column("code", STRING, "code Insee du lieu ; all : France", "Code", key=True),
        Column("label", STRING, "nom du lieu", "Lieu", nullable=False),
        Column("sex", STRING, "F, M ou all (ensemble)", "Sexe", key=True),
        Column("is_partial", BOOLEAN, "vrai pour la dernière année livrée", "Année incomplète", nullable=False),
        IS_COMPARABLE,
        REASON,
        Column("deaths", LONG, "nombre de décès dont la date est dans l’année", "Décès", nullable=False),
        Column("population", DOUBLE, "habitants au milieu de l’année", "Population", nullable=False),
        Column(
            "unknown_age_share",
            DOUBLE,
            "part, de 0 à 1, des décès d’âge inconnu, qui sont répartis comme ceux d’âge connu du même lieu et du même sexe",
            "Part d’âge inconnu",
        ),
        Column(
            "coverage",
            DOUBLE,
            "décès du registre / décès attendus, en France métropolitaine, pour le même sexe",
            "Couverture du registre",
        ),
        *FIGURES,
    ],
    reads={
        "by_age": fact_death_by_age,
        "population": population,
        "department": department,
        "region": region,
        "standard": standard_population,
        "coverage": fact_death_coverage,
    },
    rows=Computed(
        _rows,
        from_columns={
            "year": ["population.year"],
            "level": [],
            "code": ["population.department_code", "department.region_code"],
            "label": [f"{place}.{place}_{part}" for place in (DEPARTMENT, REGION) for part in ("code", "label")],
            "sex": ["population.sex"],
            "is_partial": ["by_age.death_year"],
            "is_comparable": ["coverage.is_comparable", *COVERAGE],
            "reason": ["coverage.reason", *COVERAGE],
            "deaths": DEATHS_FROM,
            "population": POPULATION_FROM,
            "unknown_age_share": DEATHS_FROM,
            "coverage": ["coverage.coverage", *COVERAGE],
            **{
                c.name: [
                    *DEATH_COUNTS,
                    "coverage.is_comparable",
                    *COVERAGE,
                    *(["standard.age", "standard.weight"] if c.name.startswith("standardised") else []),
                ]
                for c in FIGURES
            },
            EVERY_ROW: CELLS_FROM,
        },
    ),
    checks=[
        holds(
            "rates_exist_for_comparable_years_only",
            "is_comparable OR crude_rate IS NULL AND standardised_rate IS NULL AND comparative_index IS NULL "
            "AND life_expectancy_0 IS NULL AND life_expectancy_65 IS NULL",
            "une année qui n’est pas comparable n’a ni taux, ni indice, ni espérance de vie",
        ),
        none_in(
            "places_sum_to_france",
            f"SELECT count(*) FROM (SELECT sum(CASE level WHEN '{FRANCE}' THEN -deaths ELSE deaths END) AS deaths, "
            f"sum(CASE level WHEN '{FRANCE}' THEN -population ELSE population END) AS people "
            f"FROM {{this}} WHERE level <> '{DEPARTMENT}' GROUP BY year, sex HAVING deaths <> 0 OR abs(people) > 0.01)",
            "les décès et la population des régions ont pour somme ceux de la France",
        ),
    ],
    layout=Layout(z_order_by=["level", "code"]),
    public_source="Insee",
)

RECOMPUTATION: Final = Recomputation(
    InputSet.DEATHS,
    rows=f"SELECT d.year, p.level, p.code, s.sex, d.key AS row, d.age_group FROM {PLACED_DEATHS}",
    counts=COUNTS,
    sources=[SourceRows(table, "numerator", key, COUNTED_DEATH_KEYS) for table, key in DEATH_KEYS.items()],
    complete=recomputed_mortality,
    years_before=0,
)
NO_INTERVAL: Final = "aucun intervalle n’est donné"

kpi_mortality = Indicator(
    exact=EXACT,
    fact=fact_death,
    # Public: Insee publishes each death, and the population.
    release=None,
    question=IndicatorQuestion(
        number=9,
        slug="mortalite",
        title="La mortalité baisse-t-elle, et où est-elle plus forte ?",
        short="Mortalité",
        parameters=(
            Parameter(
                "x",
                "Lieu du décès",
                ("level", "code"),
                f"{FRANCE}:{ALL}",
                options={level: f"level = '{level}' AND code = $value" for level in (REGION, DEPARTMENT)},
                exclusive=True,
                overview=f"level IN ('{FRANCE}', '{REGION}')",
            ),
            replace(SEX, overview=f"sex = '{ALL}'"),
        ),
        measures=(
            Measure(
                "standardise",
                "Taux standardisé de mortalité",
                "décès pour 100 000 habitants",
                "standardised_rate",
                "standardised_low",
                "standardised_high",
                "intervalle de confiance à 95 % (Fay et Feuer)",
                DEATHS,
                Count("population", "habitants"),
                "le taux de mortalité à âge égal est de {value}{where}",
                1,
                better="lower",
            ),
            Measure(
                "indice",
                "Indice comparatif de mortalité",
                "pour 100 en France",
                "comparative_index",
                "comparative_low",
                "comparative_high",
                "intervalle de confiance à 95 % (Poisson exact)",
                DEATHS,
                None,
                "à âge égal, l’indice de mortalité{where} est de {value}",
                1,
                better="lower",
                base=100.0,
            ),
            *(
                Measure(
                    f"esperance-{age}",
                    f"Espérance de vie {when}",
                    "ans",
                    f"life_expectancy_{age}",
                    f"life_expectancy_{age}_low",
                    f"life_expectancy_{age}_high",
                    "intervalle de confiance à 95 % (Chiang)",
                    DEATHS,
                    Count("population", "habitants"),
                    f"l’espérance de vie {when} est de {{value}}{{where}}",
                    1,
                    better="higher",
                )
                for age, when in ((0, "à la naissance"), (65, "à 65 ans"))
            ),
            Measure(
                "brut",
                "Taux brut de mortalité",
                "‰",
                "crude_rate",
                None,
                None,
                NO_INTERVAL,
                DEATHS,
                Count("population", "habitants"),
                "le taux brut de mortalité est de {value}{where}",
                2,
            ),
            NUMBER_OF_DEATHS,
            Measure(
                "couverture",
                "Couverture du registre",
                "décès du registre pour un décès attendu",
                "coverage",
                None,
                None,
                NO_INTERVAL,
                None,
                None,
                "on compte, en France métropolitaine, {value}",
                2,
            ),
        ),
        definition=(
            "Taux standardisé : taux qu’aurait la population type européenne de 2013 (Eurostat), avec la mortalité par âge du lieu, "
            "par tranches de cinq ans jusqu’à 90 ans et plus ; pour 100 000 habitants, intervalle de Fay et Feuer à 95 %.",
            "Indice comparatif : décès pour 100 décès attendus si le lieu avait les taux par âge de la France, la même année et pour "
            "le même sexe ; intervalle de Poisson exact à 95 %.",
            "Espérance de vie : table de mortalité abrégée de l’année, variance de Chiang. Celle de l’Insee est calculée sur trois ans, "
            "âge par âge, avec les décès selon le domicile : elle en diffère de quelques dixièmes d’année.",
            "Population : Insee, au milieu de l’année (moyenne de deux 1er janvier), par département, sexe et âge. La France réunit les "
            "lieux dont la population est connue : outre-mer depuis 1990, Mayotte depuis 2014. Les décès d’âge inconnu sont répartis "
            "comme ceux d’âge connu du même lieu, de la même année et du même sexe.",
            "Années comparables : le registre des décès n’est pas complet. Sa couverture compare ses décès à ceux qu’impliquent les "
            "tables de mortalité de l’Insee et la population. Les taux existent si elle est de 92 % à 106 % à tous les âges et de 90 % "
            "à 110 % à 85 ans et plus, et si l’année est entière ; les autres années n’ont que décès, population et couverture.",
        ),
        caution="Le registre donne le lieu du décès, et non du domicile : un lieu dont les hôpitaux soignent des malades venus d’ailleurs "
        "compte leurs décès, mais pas leur population, et son indice en est plus élevé. Comparez de préférence des régions.",
        levels={
            FRANCE: LevelTexts("France"),
            REGION: LevelTexts("Région", " dans la région", "régions"),
            DEPARTMENT: LevelTexts("Département", " dans le département", "départements"),
        },
        yearly=True,
        has_map=True,
        related=("deces-mois", "deces-region"),
    ),
    free_range=FreeRange(None, without=()),
    summary=Summary(
        where=f"level = '{FRANCE}' AND sex = '{ALL}' AND is_comparable",
        order="year DESC",
        rows=1,
        subject="label",
        measure="standardise",
    ),
    recomputation=RECOMPUTATION,
)
