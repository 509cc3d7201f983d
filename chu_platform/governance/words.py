"""French words for what the policies declare."""

from collections.abc import Mapping
from typing import Final

from chu_platform import french
from chu_platform.tables.access_policy import AccessPolicy, Grant, Profile, Purpose, RowsOf

PROFILES: Final[Mapping[Profile, str]] = {
    Profile.PUBLIC: "public",
    Profile.HEAD: "directeur d’établissement",
    Profile.CLINICIAN: "clinicien",
    Profile.PRACTITIONER: "praticien",
    Profile.ANALYST: "analyste",
    Profile.STEWARD: "gestionnaire des données",
    Profile.AUDITOR: "délégué à la protection des données, auditeur",
    Profile.OPERATOR: "exploitant",
}
PURPOSES: Final[Mapping[Purpose, str]] = {
    Purpose.INFORMATION: "Informer le public par des indicateurs anonymes",
    Purpose.STEERING: "Piloter l’activité des établissements",
    Purpose.CARE_QUALITY: "Évaluer et améliorer la qualité des soins",
    Purpose.RESEARCH: "Conduire des études et des recherches en santé",
    Purpose.DATA_QUALITY: "Contrôler la qualité des données livrées",
    Purpose.AUDIT: "Vérifier les accès et la conformité",
    Purpose.OPERATION: "Exploiter la plateforme",
}
ROWS: Final[Mapping[RowsOf, str]] = {
    RowsOf.EVERYBODY: "toutes les lignes",
    RowsOf.OWN_SITES: "lignes de ses propres sites",
    RowsOf.OWN_COUNTS: "ses propres nombres",
}


def opened(grant: Grant) -> str:
    """What a grant opens."""
    parts = [ROWS[grant.rows]]
    if grant.columns is not None:
        parts.append(f"colonnes {french.listed(list(grant.columns))}")
    if grant.masks_small:
        parts.append("cellules de 1 à 10 masquées")
    return ", ".join(parts)


def duration(policy: AccessPolicy) -> str:
    """How long rows are kept."""
    months = policy.retention_months
    if months is None:
        return "sans âge limite"
    return french.counted(months // 12, "an", "ans") if months % 12 == 0 else f"{months} mois"
