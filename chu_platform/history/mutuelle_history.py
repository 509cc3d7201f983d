"""History of the insurers of the care database: their names, between which days."""

from chu_platform.building_blocks.delivered_history import history_of
from chu_platform.sources.mutuelle import mutuelle

mutuelle_history = history_of(mutuelle, "Id_Mut", ["Nom"])
