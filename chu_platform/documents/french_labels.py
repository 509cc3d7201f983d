"""French words for names of the code, and figures and moments as French text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import pyarrow as pa

from chu_platform import french
from chu_platform.tables.checks import CheckType
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.influence import Influence
from chu_platform.tables.table import Layer, Zone

LAYERS: Final[Mapping[Layer, str]] = {
    Layer.PUBLISHED: "Indicateurs publiés",
    Layer.EDITIONS: "Éditions",
    Layer.DISCLOSURE: "Décisions de masquage",
    Layer.CANDIDATES: "Indicateurs à publier",
    Layer.KPIS: "Indicateurs exacts",
    Layer.FACTS: "Faits",
    Layer.DIMENSIONS: "Dimensions",
    Layer.REFERENCES: "Référentiels",
    Layer.PSEUDONYMS: "Pseudonymes",
    Layer.HISTORY: "Historiques des registres",
    Layer.SOURCES: "Sources, telles que livrées",
    Layer.REJECTS: "Lignes rejetées",
    Layer.REPORTS: "Rapports",
}
ZONES: Final[Mapping[Zone, str]] = {
    Zone.RESTRICTED: "restreinte",
    Zone.PSEUDONYMISED: "pseudonymisée",
    Zone.PUBLISHED: "publiée",
}
KINDS: Final[Mapping[Influence, str]] = {
    Influence.IDENTITY: "reprise",
    Influence.TRANSFORMATION: "calcul",
    Influence.AGGREGATION: "agrégat",
    Influence.CONDITION: "condition",
    Influence.MASK: "masquage",
    Influence.JOIN: "jointure",
    Influence.FILTER: "filtre",
    Influence.GROUPING: "regroupement",
}
CHECK_TYPES: Final[Mapping[CheckType, str]] = {
    CheckType.NOT_NULL: "valeur obligatoire",
    CheckType.UNIQUE: "unicité",
    CheckType.FOREIGN_KEY: "clé étrangère",
    CheckType.DOMAIN: "valeurs admises",
    CheckType.RANGE: "intervalle",
    CheckType.CONSISTENCY: "cohérence",
    CheckType.RECONCILIATION: "rapprochement",
    CheckType.ROW_COUNT: "nombre de lignes",
    CheckType.FRESHNESS: "fraîcheur",
    CheckType.DRIFT: "dérive du schéma",
}
# The statuses of reports/check_result.
STATUSES: Final[Mapping[str, str]] = {"passed": "respecté", "failed": "non respecté", "not run": "pas encore évalué"}
# The states of reports/source_quality.
DELIVERY_STATES: Final[Mapping[str, str]] = {
    "read": "lue",
    "stopped": "arrêtée : la dernière version reste",
    "not_read": "pas encore lue",
}
_TYPES: Final[Mapping[pa.DataType, str]] = {
    STRING: "texte",
    INTEGER: "entier",
    LONG: "entier",
    DOUBLE: "nombre",
    BOOLEAN: "oui ou non",
    DATE: "date",
}


def type_word(type_: pa.DataType) -> str:
    """A type, for readers."""
    return _TYPES.get(type_, "décimal exact")


def sensitivity(zone: Zone, column: Column) -> str:
    """What a column says about persons; otherwise who may see it."""
    if column.identifying:
        return "identifiante"
    if column.sensitive:
        return "sensible"
    return "quasi-identifiante" if column.quasi_identifying else ZONES[zone]


def number(value: float | None) -> str:
    """A number of at most four significant digits below 1000; a dash where there is none."""
    return "–" if value is None else french.measured(value)


def count(published: int | None) -> str:
    """A number of rows as the reports publish it (`tables.side_figures`)."""
    return "de 1 à 10" if published is None else f"environ {french.number(published)}" if published else "0"


def percent(share: float | None) -> str:
    """A share from 0 to 1 in percent, without the sign; a dash where there is none."""
    return number(None if share is None else 100 * share)


def moment(written: str) -> str:
    """A moment in ISO 8601, in words and in its own zone: "27 novembre 2026 à 16:55"."""
    return french.moment(datetime.fromisoformat(written))
