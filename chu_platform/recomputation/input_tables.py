"""The input tables of a recomputation, created in DuckDB from the source tables at given versions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from chu_platform.history.etablissement_sante_history import etablissement_sante_history
from chu_platform.history.professionnel_de_sante_history import professionnel_de_sante_history
from chu_platform.history.professionnel_sante_history import professionnel_sante_history
from chu_platform.recomputation.care_inputs import (
    create_base_by_age,
    create_consultations,
    create_diagnosis_levels,
    create_patients,
    create_stays,
)
from chu_platform.recomputation.death_inputs import DEATH_KEYS, create_deaths
from chu_platform.recomputation.mortality_inputs import create_mortality
from chu_platform.recomputation.recomputation import InputSet
from chu_platform.recomputation.register_inputs import (
    create_organisations,
    create_professionals,
    create_specialities_of_consultations,
)
from chu_platform.recomputation.survey_inputs import create_site_themes, create_sites
from chu_platform.references.cim10 import cim10
from chu_platform.references.cim10_chapter import cim10_chapter
from chu_platform.references.department import department
from chu_platform.references.mortality_episode import mortality_episode
from chu_platform.references.mortality_quotients import mortality_quotients
from chu_platform.references.population import population
from chu_platform.references.region import region
from chu_platform.references.standard_population import standard_population
from chu_platform.references.survey_region import survey_region
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.consultation import consultation
from chu_platform.sources.diagnostic import diagnostic
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.sources.etablissement_sante import etablissement_sante
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.medicaments import medicaments
from chu_platform.sources.patient import patient
from chu_platform.sources.prescription import prescription
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.sources.specialites import specialites
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class Inputs:
    """The source tables of an input set, and the functions that create its input tables, in this order."""

    sources: Sequence[Table]
    creators: Sequence[Callable[[duckdb.DuckDBPyConnection], None]]


INPUTS: Final[Mapping[InputSet, Inputs]] = {
    InputSet.CARE: Inputs(
        (patient, consultation, hospitalisations, diagnostic, cim10, cim10_chapter),
        (create_patients, create_consultations, create_stays, create_diagnosis_levels, create_base_by_age),
    ),
    InputSet.CYCLES: Inputs(
        # The specialities of past days follow from the histories of the registers.
        (
            *(patient, consultation, hospitalisations, diagnostic, cim10, cim10_chapter),
            *(professionnel_de_sante_history, professionnel_sante_history, specialites),
        ),
        (
            *(create_patients, create_consultations, create_stays, create_diagnosis_levels),
            create_specialities_of_consultations,
        ),
    ),
    InputSet.DEATHS: Inputs(
        (*DEATH_KEYS, department, region, population, mortality_quotients, standard_population, mortality_episode),
        (create_deaths, create_mortality),
    ),
    InputSet.PLACES: Inputs(
        # The lines of a trace are those of the delivered register; the figures follow from its history.
        (
            patient,
            consultation,
            activite_professionnel_sante,
            etablissement_sante,
            etablissement_sante_history,
            department,
        ),
        (create_patients, create_consultations, create_organisations),
    ),
    InputSet.PRESCRIPTIONS: Inputs(
        (
            *(patient, consultation, prescription, medicaments),
            *(professionnel_de_sante_history, professionnel_sante_history, specialites),
        ),
        (create_patients, create_consultations, create_specialities_of_consultations),
    ),
    InputSet.PROFESSIONS: Inputs(
        (
            patient,
            consultation,
            professionnel_de_sante,
            specialites,
            professionnel_sante,
            activite_professionnel_sante,
        ),
        (create_patients, create_consultations, create_professionals),
    ),
    InputSet.SURVEYS: Inputs(
        (esatis48h_mco, esatisca_mco, survey_region, department), (create_sites, create_site_themes)
    ),
}


def create_input_tables(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    version: Callable[[Table], int],
    input_set: InputSet,
    years: Collection[int] | None = None,
) -> Mapping[Table, int]:
    """Create the views `raw_<name>` of the sources of an input set, at their versions, and the input tables.

    `version` gives the version of a source table. Of tables by year of death, `raw_<name>` has the rows of these
    `years` only, if they are given; `whole_<name>` has all. Returns the versions read.
    """
    inputs = INPUTS[input_set]
    versions = {table: version(table) for table in inputs.sources}
    for table, number in versions.items():
        condition = "true"
        if years is not None and table.partition_scheme is DEATH_YEARS:
            condition = f"{DEATH_YEARS.column} IN ({', '.join(sql_text(str(year)) for year in sorted(years))})"
        connection.execute(
            f'CREATE VIEW "whole_{table.name}" AS FROM {lake.relation(table, number)}; '
            f'CREATE VIEW "raw_{table.name}" AS FROM "whole_{table.name}" WHERE {condition}'
        )
    for create in inputs.creators:
        create(connection)
    return versions
