"""What the published results of sites have in common: the place of a site, and the results of all sites.

In the SQL, `result` has the rows with the column `department` (`department_of_site`), and `n` what `nation` gives.
"""

from collections.abc import Sequence
from typing import Final

from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.spark_sql import UNKNOWN

IN_REGISTER: Final = (
    Column("establishment_key", STRING, "établissement du registre ; vide s’il n’y est pas", "Établissement"),
    Column("site_label", STRING, "nom du site dans le registre ; vide s’il n’y est pas", "Site"),
)
DEPARTMENT_CODE: Final = Column(
    "department_code", STRING, "code Insee du département, d’après le numéro FINESS du site", "Code département"
)
REGION: Final = (
    Column("region_code", STRING, "code Insee de la région ; 99 : ailleurs", "Code région", nullable=False),
    Column("region_label", STRING, "nom de la région", "Région", nullable=False),
)
NATIONAL: Final = (
    "coalesce(n.sites, 0) AS sites, n.p20 AS national_p20, n.median AS national_median, n.p80 AS national_p80"
)
KNOWN_ESTABLISHMENT: Final = (
    f"CASE WHEN result.establishment_key <> '{UNKNOWN}' THEN result.establishment_key END AS establishment_key"
)
PLACES: Final = f"""
        JOIN {{region}} r ON r.region_key = result.region_key
        LEFT JOIN {{establishment}} e
            ON e.establishment_key = result.establishment_key AND result.establishment_key <> '{UNKNOWN}'
        LEFT JOIN {{department}} d ON d.department_code = result.department"""


def national_columns(having: str, figures: str) -> Sequence[Column]:
    """The number of sites `having` a figure, and the quantiles of their `figures` (in French)."""
    return (
        Column("sites", LONG, f"sites ayant un {having} dans la campagne", "Sites", nullable=False),
        Column("national_p20", DOUBLE, f"20e centile des {figures} de ces sites", "P20 des sites"),
        Column("national_median", DOUBLE, f"médiane des {figures} de ces sites", "Médiane des sites"),
        Column("national_p80", DOUBLE, f"80e centile des {figures} de ces sites", "P80 des sites"),
    )


def nation(rows: str, figure: str, key: str) -> str:
    """SQL of the sites with a figure and of its quantiles, by the columns `key`. `rows` are the ones with a figure."""
    return f"""
            SELECT {key}, count(*) AS sites, percentile({figure}, 0.2) AS p20, percentile({figure}, 0.5) AS median,
                   percentile({figure}, 0.8) AS p80
            FROM {rows} GROUP BY {key}"""
