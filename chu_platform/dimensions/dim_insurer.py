"""Complementary insurers, each in its newest version. One that is not delivered any more keeps its last one."""

from chu_platform.building_blocks.newest_versions import newest_versions
from chu_platform.dimensions.insurer_history import insurer_history
from chu_platform.tables.table import Layout

dim_insurer = newest_versions(
    insurer_history,
    name="dim_insurer",
    key="insurer_key",
    grain="une mutuelle, l’absence de mutuelle, et le membre inconnu",
    label="Mutuelles",
    layout=Layout(),
)
