"""Health establishments with their location, each in its newest version.

An establishment that is not in the register any more keeps its last one.
"""

from chu_platform.building_blocks.newest_versions import newest_versions
from chu_platform.dimensions.establishment_history import establishment_history
from chu_platform.references.region import region
from chu_platform.tables.checks import attached
from chu_platform.tables.table import Layout

dim_establishment = newest_versions(
    establishment_history,
    name="dim_establishment",
    key="establishment_key",
    grain="un établissement du registre, et le membre inconnu",
    label="Établissements",
    checks=[attached("region_key", region)],
    layout=Layout(partition_by=["region_key"], z_order_by=["department_code", "establishment_key"]),
)
