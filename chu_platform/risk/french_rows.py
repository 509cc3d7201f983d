"""The figures of `chu risk` as rows: in French for the data protection officer, and with plain names for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pyarrow as pa

from chu_platform import french
from chu_platform.risk.table_risks import SMALL, Risk
from chu_platform.tables.table import Table


def french_rows(risks: Sequence[Risk]) -> pa.Table:
    """One row for each generalisation of a table."""
    return pa.Table.from_pylist(
        [
            {
                "Forme": risk.generalisation,
                "Classes": french.number(risk.classes),
                "k (patients)": french.number(risk.k),
                "k (lignes)": french.number(risk.k_rows),
                "patient seul": french.percent(risk.alone),
                f"moins de {SMALL} patients": french.percent(risk.small),
                "l": french.number(risk.l),
                "une seule valeur": french.percent(risk.alike),
                "t": french.number(risk.t, 2),
            }
            for risk in risks
        ]
    )


def plain_rows(risks: Mapping[Table, Sequence[Risk]]) -> pa.Table:
    """One row for each table and generalisation, with the names of `Risk`."""
    return pa.Table.from_pylist([asdict(risk) for found in risks.values() for risk in found])
