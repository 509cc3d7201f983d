"""Indicator 1: use of consultations by establishment, department and region.

A consultation is attributed to the establishments of its professional, with the weights of the bridge table. Attached
and unattached consultations therefore sum to the total exactly.
"""

from typing import Final

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.establishment_history import establishment_history
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import (
    COUNT_COLUMNS,
    LEVEL_COLUMNS,
    NUMERATOR_IN_BASE,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    RATES_FROM,
    counts_by_period,
    visits,
    with_rates,
)
from chu_platform.indicators.use_of_care import (
    LATEST_WHOLE_YEAR,
    PLACE_LEVELS,
    SAMPLE_CAUTION,
    USE_DEFINITION,
    use_measures,
)
from chu_platform.masks.consultation_mask import TOTAL, consultation_mask
from chu_platform.periods.consultation_contributors import (
    ALWAYS,
    BY_PLACE,
    NAMED_PLACES,
    NUMBERED_PLACES,
    PART,
    PLACES,
    PLACES_OF_VERSIONS,
    TOTAL_CELL,
    UNATTACHED_CELL,
    consultation_contributors,
    released,
)
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.recomputation.completed_figures import recomputed_rates
from chu_platform.recomputation.counted_rows import CONSULTATIONS, PERIOD, PERIOD_LEVEL, base_of, use_counts
from chu_platform.recomputation.recomputation import InputSet, Recomputation, SourceRows
from chu_platform.sdc.cell_masks import over_time, same_period
from chu_platform.sdc.primary_rules import HIDDEN, PrimaryRules
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.etablissement_sante import etablissement_sante
from chu_platform.tables.checks import holds, mostly_found, none_in, usually_found
from chu_platform.tables.columns import LONG, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure, Parameter
from chu_platform.tables.partitions import YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import exact_of_sites
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import valid_on

NAME: Final = BY_PLACE
CONSULTED: Final = Count("consultations", "consultations")
RULES: Final = PrimaryRules(
    counts=["events", "consultations", "patients", "base_patients"],
    parts=[("patients", "base_patients")],
    repeats=[("patients", "consultations")],
    contributors=True,
)


def _counts(periods: Periods) -> str:
    return f"""
        WITH {visits(periods, "{consultation}", ["professional_key", "date"])},
        {PLACES_OF_VERSIONS},
        {NUMBERED_PLACES},
        worker AS (
            SELECT professional_key, row_number() OVER (ORDER BY professional_key) AS professional
            FROM (SELECT DISTINCT professional_key FROM {{consultation}})
        ),
        place AS (
            -- The places of a professional at a time, each once: several establishments may be in one region.
            SELECT professional, valid_from, valid_to, cell, CAST(sum(weight) AS DECIMAL(20, 12)) AS weight
            FROM (
                SELECT k.professional, s.valid_from, s.valid_to, s.weight,
                       stack(4, e.establishment, e.department, e.region, e.part_cell) AS (cell)
                FROM span s
                JOIN worker k ON k.professional_key = s.professional_key
                JOIN cell e ON e.establishment_version = s.establishment_version
            ) WHERE cell IS NOT NULL GROUP BY professional, valid_from, valid_to, cell
            UNION ALL
            SELECT professional, {ALWAYS}, {TOTAL_CELL}, CAST(1 AS DECIMAL(20, 12)) FROM worker
            UNION ALL
            SELECT k.professional, {ALWAYS}, {UNATTACHED_CELL}, CAST(1 AS DECIMAL(20, 12))
            FROM worker k LEFT ANTI JOIN {{bridge}} w ON w.professional_key = k.professional_key
        ),
        placed AS (
            SELECT l.cell, v.patient, v.month, l.weight AS events, 1 AS consultations
            FROM visit v
            JOIN worker k ON k.professional_key = v.professional_key
            JOIN place l ON l.professional = k.professional AND {valid_on("v.date", "l")}
        ),
        counted AS (
            {counts_by_period("placed", ["events", "consultations"])}
        ),
        name AS ({NAMED_PLACES}
            UNION ALL
            SELECT part_cell, '{PART}', part, concat(min(establishment_label), ' : ', min(department_label))
            FROM cell WHERE part IS NOT NULL GROUP BY part_cell, part
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, m.level, m.code, m.label,
               n.consultations, CAST(n.events AS DOUBLE) AS events, n.patients, b.base_patients, b.patient_years
        FROM counted n
        JOIN name m ON m.cell = n.cell AND m.code IS NOT NULL
        JOIN {{period}} p ON p.domain = 'consultation' AND {periods.join("n")}
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un établissement, un département, une région, la part d’un établissement dans chacun de ses départements successifs, les consultations non rattachées ou le total, dans une période avec des consultations",
    label="Taux de consultation par établissement",
    owner="team:kpis",
    access=exact_of_sites("code"),
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        Column(
            "consultations",
            LONG,
            "nombre de consultations d’un professionnel rattaché au lieu ; une consultation peut compter dans plusieurs lieux",
            "Consultations",
            nullable=False,
        ),
        *COUNT_COLUMNS,
        *RATE_COLUMNS,
    ],
    reads={
        "consultation": fact_consultation,
        "bridge": bridge_professional_establishment,
        "establishment": establishment_history,
        "period": dim_period,
        "base": fact_patient_base,
    },
    rows=Query.over(
        _counts,
        finish=with_rates,
        from_columns=RATES_FROM,
    ),
    checks=[
        none_in(
            "attached_and_unattached_sum_to_total",
            "SELECT count(*) FROM (SELECT sum(CASE level WHEN 'total' THEN -events ELSE events END) AS gap FROM {this} WHERE level IN ('region', 'unattached', 'total') GROUP BY period_grain, period_start HAVING abs(gap) > 1e-6)",
            "la somme des régions et des consultations non rattachées est le total",
            by_partition=True,
        ),
        NUMERATOR_IN_BASE,
        holds(
            "patients_and_events_in_consultations",
            "patients <= consultations AND events <= consultations + 1e-6",
            "un lieu n’a ni plus de patients ni plus de parts de consultations que de consultations",
        ),
        mostly_found(
            "attachment",
            "professional_key",
            fact_consultation,
            "professional_key",
            bridge_professional_establishment,
        ),
        usually_found(
            "attachment",
            "professional_key",
            fact_consultation,
            "professional_key",
            bridge_professional_establishment,
            # About 36 % of the real consultations are of professionals without an activity in an organisation; a month
            # or a delivery may be some points above it.
            0.5,
        ),
    ],
    layout=Layout(partition_by=["period_grain", "period_start"], z_order_by=["level", "code"], sorted_writes=False),
    derives_from=["consultation"],
    period_scheme=YEARS,
)

# The recomputation by `chu trace` and `chu verify`.
RECOMPUTATION: Final = Recomputation(
    InputSet.PLACES,
    rows=f"""
        SELECT {PERIOD}, level, level AS code, id AS row, patient, is_known, 1.0::DOUBLE AS share, professional,
            NULL AS organisation
        FROM consultation_in, LATERAL (SELECT unnest(if(professional IN (SELECT professional FROM attachment),
            ['total'], ['total', 'unattached'])) AS level)
        UNION ALL
        SELECT {PERIOD}, level, place.code, c.id, patient, is_known, share, professional, organisation
        FROM consultation_in c JOIN attachment USING (professional)
            JOIN organisation o ON o.id = organisation AND c.date >= o.valid_from AND c.date < o.valid_to,
            LATERAL (SELECT unnest(['establishment', 'department', 'region']) AS level,
                unnest([organisation, o.department, o.region]) AS code) place
        """,
    counts=use_counts(PERIOD_LEVEL, base="consultation_period", distinct="consultations"),
    sources=[
        CONSULTATIONS,
        SourceRows(
            activite_professionnel_sante,
            "attribution",
            "concat_ws('|', identifiant, identifiant_organisation)",
            "SELECT concat_ws('|', professional, organisation) FROM attachment SEMI JOIN "
            "(FROM numerator WHERE organisation IS NOT NULL) USING (professional)",
        ),
        SourceRows(
            etablissement_sante,
            "attribution",
            "identifiant_organisation",
            "SELECT DISTINCT organisation FROM numerator WHERE organisation IS NOT NULL",
        ),
        base_of("consultation"),
    ],
    complete=recomputed_rates,
)

# The parts of establishments that have been in several departments. They are not published, but can be computed: a
# department is the sum of its establishments and of these parts, and such an establishment that of its parts.
PART_RULES: Final = PrimaryRules(["events", "patients"], contributors=True)
PARTS_INDICATOR: Final = "hidden part"
PARTS: Final = f"(FROM establishments WHERE level = '{PART}' AND period_grain = 'all')"
IN_DEPARTMENTS: Final = f"""
    SELECT p.id, c.id FROM cell p JOIN cell c ON p.grain = c.grain AND p.start = c.start
    JOIN (
        SELECT establishment_key, min(department_code) AS department_code FROM establishment
        GROUP BY establishment_key HAVING count(DISTINCT department_code) = 1
    ) e ON e.establishment_key = c.code AND e.department_code = p.code
    WHERE p.level = 'department' AND c.level = 'establishment'
    UNION ALL
    SELECT p.id, c.id FROM cell p JOIN cell c ON p.grain = c.grain AND p.start = c.start
    WHERE p.level = 'department' AND c.indicator = '{PARTS_INDICATOR}' AND p.code = split_part(c.code, '|', 2)
    """

# The head of an establishment knows its figures: what the visible ones of its places then tell of a few others, or of
# the only other establishment.
INSIDERS: Final = f"""
    WITH places AS (
        SELECT DISTINCT establishment_key, department_code, region_key,
               min(department_code) OVER one <> max(department_code) OVER one AS has_parts
        FROM establishment WINDOW one AS (PARTITION BY establishment_key)
    ),
    pair AS (
        SELECT level, code
        FROM (
            SELECT DISTINCT establishment_key, unnest(['department', 'region']) AS level,
                   unnest([department_code, region_key]) AS code
            FROM places WHERE establishment_key IN (SELECT code FROM establishments WHERE level = 'establishment')
        )
        GROUP BY level, code HAVING count(*) = 2
    ),
    -- Unnested after the join, so that DuckDB cannot join all cells with all establishments of their places first: these
    -- are millions of rows, of which few have figures.
    own AS (
        SELECT period_grain, period_start, events, consultations, patients, unnest(['establishment', 'total']) AS level,
               unnest([code, 'total']) AS code
        FROM establishments WHERE level = 'establishment'
        UNION ALL
        SELECT period_grain, period_start, events, consultations, patients, unnest(['department', 'region']),
               unnest([department_code, region_key])
        FROM establishments e JOIN places ON establishment_key = e.code WHERE e.level = 'establishment' AND NOT has_parts
        UNION ALL
        SELECT period_grain, period_start, events, consultations, patients, 'department', department_code
        FROM establishments e JOIN places ON concat_ws('|', establishment_key, department_code) = e.code
        WHERE e.level = '{PART}'
        UNION ALL
        SELECT period_grain, period_start, sum(events), sum(consultations), sum(patients), 'region', region_key
        FROM establishments e JOIN places ON concat_ws('|', establishment_key, department_code) = e.code
        WHERE e.level = '{PART}' GROUP BY period_grain, period_start, establishment_key, region_key
    )
    SELECT c.id, own.events AS own,
           pair.code IS NOT NULL OR c.events - own.events BETWEEN 0.000001 AND 10.000001
           OR c.consultations - own.consultations BETWEEN 1 AND 10 OR c.patients - own.patients BETWEEN 1 AND 10 AS few
    FROM own
    JOIN cell c ON c.level = own.level AND c.code = own.code AND c.grain = own.period_grain AND c.start = own.period_start
    LEFT JOIN pair ON pair.level = c.level AND pair.code = c.code
    """

kpi_consultation_rate_by_establishment = Indicator(
    exact=EXACT,
    fact=fact_consultation,
    # Released: totals and regions for every period grain, departments for years and `all`, establishments for `all`.
    release=Release(
        family=consultation_mask,
        alias="establishments",
        cells=f"""
            SELECT '{NAME}' AS indicator, concat_ws('|', period_grain, period_start, level, code) AS cell,
                   period_grain AS grain, period_start AS start, level, code,
                   {RULES.reason} AS unsafe, events AS weight, events,
                   consultations, patients, 0 AS professionals
            FROM {RULES.tested("establishments", NAME)} WHERE {released(PLACES)}
            UNION ALL
            SELECT '{PARTS_INDICATOR}', concat_ws('|', period_grain, period_start, code), period_grain, period_start,
                   '{HIDDEN}', code, {PART_RULES.reason}, events, events, consultations, patients, 0
            FROM {PART_RULES.tested(PARTS, NAME)}
            """,
        relations={
            ("events",): [
                same_period(TOTAL, f"c.indicator = '{NAME}' AND c.level IN ('region', 'unattached')"),
                same_period(
                    "p.level = 'region'",
                    "c.level = 'department'",
                    "EXISTS (FROM establishment e WHERE e.department_code = c.code AND e.region_key = p.code)",
                ),
                IN_DEPARTMENTS,
                same_period(
                    "p.level = 'establishment'",
                    f"c.indicator = '{PARTS_INDICATOR}'",
                    "p.code = split_part(c.code, '|', 1)",
                ),
            ],
            # A consultation may count in several places, so whole consultations are additive over time only.
            ("consultations",): over_time(f"p.indicator = '{NAME}'"),
        },
        insiders=INSIDERS,
        reads={"establishment": establishment_history, "contributors": consultation_contributors},
        relation_columns=[f"establishment.{c}" for c in ("establishment_key", "department_code", "region_key")],
        level_columns=["level", "code"],
        weight="events",
        rules=RULES,
        measures=["events", "consultations"],
    ),
    question=IndicatorQuestion(
        number=1,
        slug="consultations-etablissement",
        title="Quel recours aux consultations dans chaque établissement ?",
        short="Consultations par établissement",
        parameters=(
            Parameter(
                "x",
                "Lieu",
                ("level", "code"),
                "total:total",
                options={
                    level: f"level = '{level}' AND code = $value" for level in ("establishment", "department", "region")
                },
                exclusive=True,
                overview="level IN ('region', 'total', 'unattached')",
            ),
        ),
        measures=(
            *use_measures("consultations", "consulté", shares="consultations réparties", whole=CONSULTED),
            Measure(
                "nombre",
                "Nombre de consultations",
                CONSULTED.label,
                CONSULTED.column,
                None,
                None,
                "le nombre de consultations est compté et non estimé : il n’a pas d’intervalle",
                CONSULTED,
                None,
                "on compte {value}{where}",
                0,
                also=[Count("patients", "patients distincts")],
            ),
        ),
        definition=(
            *USE_DEFINITION,
            "Une consultation est rattachée aux structures de son professionnel : s’il en a n, chacune en reçoit 1/n. "
            "La somme des consultations ainsi réparties et des non rattachées est exactement le total. Un nombre ainsi partagé "
            "n’est pas toujours entier : l’intervalle de Poisson est alors approché.",
            "Le nombre de consultations d’un lieu, lui, compte chaque consultation d’un professionnel qui y est rattaché ; une "
            "consultation peut compter dans plusieurs lieux, et ces nombres ne s’additionnent donc pas.",
            "Une structure compte dans le département et la région où elle se trouvait le jour de la consultation, d’après les "
            "livraisons du registre. Avant la première livraison, l’historique est inconnu : elle compte là où elle était alors.",
        ),
        caution=f"{SAMPLE_CAUTION} Le taux d’un lieu se rapporte à toute la base, et non aux habitants du lieu : c’est la part des patients "
        "de la base qui y ont consulté. Il dépend d’abord de la taille du lieu.",
        levels=PLACE_LEVELS,
        search="etablissements",
        follows_size=True,
    ),
    free_range=FreeRange("consultation"),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND level IN ('total', 'region', 'unattached')",
        order="level = 'region', level = 'unattached', events DESC",
        rows=4,
        subject="label",
        measure="taux",
    ),
    recomputation=RECOMPUTATION,
)
