"""Establishments of each professional, with weights (sum 1) that divide an event between them."""

from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.tables.checks import foreign_key, mostly_found, none_in, usually_found
from chu_platform.tables.columns import STRING, WEIGHT, Column
from chu_platform.tables.policies import PSEUDONYMISED_PROFESSIONALS
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

bridge_professional_establishment = Table(
    name="bridge_professional_establishment",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un professionnel dans un établissement du registre",
    label="Lieux d’exercice",
    owner="team:dimensions",
    access=PSEUDONYMISED_PROFESSIONALS,
    columns=[
        Column("professional_key", STRING, "pseudonyme du professionnel", "Professionnel", key=True),
        Column("establishment_key", STRING, "établissement où il exerce", "Établissement", key=True),
        Column(
            "weight",
            WEIGHT,
            "part du professionnel : 1/n ; le premier établissement prend le reste de l’arrondi, pour que la somme fasse 1",
            "Poids",
            nullable=False,
        ),
    ],
    reads={
        "activity": activite_professionnel_sante,
        "pseudonym": professional_pseudonym,
        "establishment": dim_establishment,
    },
    rows=Query(
        """
        WITH pair AS (
            SELECT DISTINCT k.professional_key, e.establishment_key
            FROM {activity} a
            JOIN {pseudonym} k ON k.Identifiant = a.identifiant
            JOIN {establishment} e ON e.establishment_key = a.identifiant_organisation
        ),
        counted AS (
            SELECT professional_key, establishment_key,
                   count(*) OVER (PARTITION BY professional_key) AS n,
                   row_number() OVER (PARTITION BY professional_key ORDER BY establishment_key) AS rank
            FROM pair
        )
        SELECT professional_key, establishment_key,
               -- Exact decimals: sums of binary fractions have rounding errors, and engines round divisions differently.
               CASE WHEN n = 1 THEN CAST(1 AS DECIMAL(20, 12))
                    WHEN rank = 1 THEN CAST(1 - CAST(n - 1 AS INT) * share AS DECIMAL(20, 12)) ELSE share END AS weight
        FROM (
            SELECT *, CAST(concat('0.', lpad(CAST(1000000000000 div n AS STRING), 12, '0')) AS DECIMAL(20, 12)) AS share
            FROM counted
        )
        """
    ),
    checks=[
        foreign_key("professional_key", dim_professional),
        foreign_key("establishment_key", dim_establishment),
        mostly_found(
            "establishment",
            "identifiant_organisation",
            activite_professionnel_sante,
            "establishment_key",
            dim_establishment,
        ),
        usually_found(
            "establishment",
            "identifiant_organisation",
            activite_professionnel_sante,
            "establishment_key",
            dim_establishment,
            # Some organisations, such as private practices, are not in the register. The real share is not known. 64 % of
            # the real consultations find an establishment, through the activities and then this join: if this one
            # loses all of the others, it loses about 36 %, and is as usual.
            0.4,
        ),
        none_in(
            "weights_sum_to_one",
            "SELECT count(*) FROM (SELECT professional_key FROM {this} GROUP BY 1 HAVING sum(weight) <> 1)",
            "la somme des poids d’un professionnel est 1",
        ),
    ],
    layout=Layout(z_order_by=["professional_key"]),
)
