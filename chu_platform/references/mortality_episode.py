"""Known episodes of excess mortality in France, each with the published estimate of its deaths and the source.

They annotate the curve of monthly deaths. No figure is computed from their published deaths; their months are left out
of the years that say how far apart usual months are.
"""

import pyarrow as pa
import pyarrow.compute as pc

from chu_platform.building_blocks.packaged_references import packaged, packaged_columns
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import DATE, LONG, STRING, Column, arrow_schema
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone

PACKAGED = "mortality_episodes"


def _rows() -> pa.Table:
    listed = packaged(PACKAGED)
    for name in ("first_month", "last_month"):
        days = pc.binary_join_element_wise(listed[name], "01", "-")
        listed = listed.set_column(listed.column_names.index(name), name, days.cast(pa.date32()))
    return listed.cast(arrow_schema(mortality_episode.columns))


mortality_episode = Table(
    name="mortality_episode",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un épisode de surmortalité",
    label="Épisodes de surmortalité",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("episode", STRING, "clé de l’épisode", "Clé", key=True),
        Column("label", STRING, "nom de l’épisode", "Épisode", nullable=False),
        Column("first_month", DATE, "premier jour du premier mois de l’épisode", "Premier mois", nullable=False),
        Column("last_month", DATE, "premier jour du dernier mois de l’épisode", "Dernier mois", nullable=False),
        Column("published_deaths", LONG, "nombre de décès que la source publie", "Décès publiés", nullable=False),
        Column("counted", STRING, "ce que compte ce nombre", "Ce qui est compté", nullable=False),
        Column("source", STRING, "publication citée", "Source", nullable=False),
        Column("address", STRING, "adresse de la publication", "Adresse", nullable=False),
    ],
    rows=Computed(_rows, from_columns=packaged_columns(PACKAGED)),
    checks=[
        holds("an_episode_ends_after_it_begins", "first_month <= last_month", "un épisode finit après son début"),
        holds(
            "an_episode_is_whole_months",
            "day(first_month) = 1 AND day(last_month) = 1",
            "un épisode est fait de mois entiers",
        ),
    ],
)
