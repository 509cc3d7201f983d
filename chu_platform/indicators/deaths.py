"""Shared parts of the questions on deaths, in French."""

from typing import Final

from chu_platform.tables.indicator_questions import Count, Measure, Parameter
from chu_platform.tables.spark_sql import ALL

DEATHS: Final = Count("deaths", "décès")
NUMBER_OF_DEATHS: Final = Measure(
    "deces",
    "Nombre de décès",
    "décès",
    "deaths",
    None,
    None,
    "le nombre de décès est compté et non estimé : il n’a pas d’intervalle",
    DEATHS,
    None,
    "on compte {value}{where}",
    0,
)
REGION_OF_DEATH: Final = Parameter(
    "region", "Région du décès", ("region_code",), ALL, options={"region": "region_code = $value"}
)
