"""The known episodes of excess mortality, which the portal names beside the monthly deaths."""

from chu_platform.references.mortality_episode import mortality_episode
from chu_platform.tables.policies import OPEN_DATA
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

published_mortality_episode = Table(
    name="published_mortality_episode",
    layer=Layer.PUBLISHED,
    zone=Zone.PUBLISHED,
    grain=mortality_episode.grain,
    label="Épisodes de surmortalité publiés",
    owner="team:privacy",
    access=OPEN_DATA,
    public_source="Inserm, Santé publique France",
    columns=mortality_episode.columns,
    reads={"episode": mortality_episode},
    rows=Query(f"SELECT {', '.join(c.name for c in mortality_episode.columns)} FROM {{episode}}"),
)
