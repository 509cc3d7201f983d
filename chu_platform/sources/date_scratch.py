"""Table "date" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.date_forms import DateForm
from chu_platform.ingest.delivered import Delivered
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import DELIVERED_CARE
from chu_platform.tables.table import Layer, Table, Zone

date_scratch = Table(
    name="date",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une ligne d’une table de travail sans clé",
    label="Table de travail date",
    owner="team:care-data",
    access=DELIVERED_CARE,
    columns=[
        Column("date1", STRING, "date en texte, JJ/MM/AAAA", "Date 1"),
        Column("date2", STRING, "date en texte, JJ/MM/AAAA", "Date 2"),
    ],
    rows=Delivered(CareTable("date", {"date1": DateForm.FRENCH, "date2": DateForm.FRENCH})),
)
