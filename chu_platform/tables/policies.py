"""The access policies of the tables: who may read which kind of table, on which legal basis, and for how long.

They follow the profiles of the governance: analysts read the pseudonymised zone and never identities or pseudonyms of
identifiers, stewards read what was delivered and never the pseudonymised zone, nobody reads the tables that join both.
Auditors and operators read no rows.
"""

from dataclasses import replace
from typing import Final

from chu_platform.tables.access_policy import AccessPolicy, Grant, Profile, Purpose, RowsOf
from chu_platform.tables.maintenance_policy import STANDARD

# The pseudonymised zone serves both purposes of an analyst.
ANALYSTS: Final = (Grant(Profile.ANALYST, Purpose.RESEARCH), Grant(Profile.ANALYST, Purpose.STEERING))
STEWARDS: Final = (Grant(Profile.STEWARD, Purpose.DATA_QUALITY),)
EVERYBODY: Final = (Grant(Profile.PUBLIC, Purpose.INFORMATION),)

# Legal bases, in French. CSP: code de la santé publique; CRPA: code des relations entre le public et l'administration.
OF_CARE: Final = (
    "RGPD, art. 6(1)(e) (mission d’intérêt public) et 9(2)(h) (gestion des services de soins) ; "
    "CSP, art. L. 6113-7 (analyse de l’activité des établissements)"
)
OF_ANALYSIS: Final = f"{OF_CARE} ; pour la recherche et la statistique : RGPD, art. 9(2)(j) et 89(1)"
OF_PROFESSIONALS: Final = (
    "RGPD, art. 6(1)(e) (mission d’intérêt public) ; données publiques du répertoire des professionnels de santé, "
    "réutilisées selon le CRPA, art. L. 321-1"
)
OF_THE_DECEASED: Final = (
    "Données publiques de l’Insee sur des personnes décédées, hors du RGPD (considérant 27), réutilisées selon le "
    "CRPA, art. L. 321-1"
)
OF_NOBODY: Final = "Sans objet : aucune donnée à caractère personnel"
OF_ANONYMOUS: Final = (
    "RGPD, art. 6(1)(e) (mission d’intérêt public) et 9(2)(j) (statistique) pour le calcul ; ce qui est publié est "
    "anonyme (considérant 26)"
)

# Whom the rows are about, in French.
PATIENTS: Final = "patients et professionnels de santé du groupe"
PROFESSIONALS: Final = "professionnels de santé"
THE_DECEASED: Final = "personnes décédées"
NOBODY: Final = "aucune personne"

# Reasons of the retention, in French.
WHILE_DELIVERED: Final = (
    "Tant que la dernière livraison contient la ligne ; ses anciennes versions sont détruites par la maintenance après "
    f"{STANDARD.retention.days} jours"
)
WHILE_READ: Final = "Aussi longtemps que les lignes dont elle est calculée, puisqu’elle est recalculée avec elles"
WHILE_PUBLISHED: Final = "Tant que l’édition est la dernière publiée ; les éditions remplacées quittent la zone publiée"
WHILE_COMPARED: Final = (
    "Aussi longtemps que le lac : une édition est comparée à toutes les précédentes, pour que deux éditions ne "
    "révèlent personne, et ses chiffres restent explicables"
)
WHILE_READ_BY_FACTS: Final = (
    "Aussi longtemps que le lac pour les structures et les mutuelles : les événements gardent la version valable ce "
    "jour-là, et aucune livraison ne la rendrait. Pour une personne, tant que la dernière livraison la contient : "
    "toutes ses versions partent avec elle"
)
TWENTY_YEARS: Final = 240


def _delivered(purpose: Purpose, persons: str, legal_basis: str) -> AccessPolicy:
    return AccessPolicy(purpose, legal_basis, None, WHILE_DELIVERED, STEWARDS, persons=persons)


def _calculated(purpose: Purpose, persons: str, legal_basis: str) -> AccessPolicy:
    return AccessPolicy(purpose, legal_basis, None, WHILE_READ, ANALYSTS, persons=persons)


# What is delivered.
DELIVERED_CARE: Final = _delivered(Purpose.STEERING, PATIENTS, OF_CARE)
DELIVERED_PROFESSIONALS: Final = _delivered(Purpose.STEERING, PROFESSIONALS, OF_PROFESSIONALS)
DELIVERED_DEATHS: Final = _delivered(Purpose.INFORMATION, THE_DECEASED, OF_THE_DECEASED)
OPPOSITIONS: Final = _delivered(
    Purpose.INFORMATION, THE_DECEASED, f"{OF_THE_DECEASED} ; liste des oppositions des familles"
)
WITHOUT_PERSONS: Final = _delivered(Purpose.STEERING, NOBODY, OF_NOBODY)
DELIVERIES: Final = AccessPolicy(
    Purpose.DATA_QUALITY,
    "RGPD, art. 6(1)(e) (mission d’intérêt public) et 5(2) (responsabilité)",
    None,
    WHILE_COMPARED,
    STEWARDS,
    persons="comptes de la plateforme qui ont accepté une livraison",
)

# What joins identities and pseudonyms: nobody reads it.
PSEUDONYMS: Final = AccessPolicy(Purpose.STEERING, OF_CARE, None, WHILE_READ, persons=PATIENTS)
# Of whom nothing is kept: nobody reads it.
OPPOSITION_LIST: Final = AccessPolicy(
    Purpose.AUDIT,
    "RGPD, art. 17 (effacement), 21 (opposition) et 5(2) (responsabilité)",
    None,
    "Aussi longtemps que le lac : une nouvelle livraison rendrait la personne",
    persons="personnes dont aucune ligne n’est gardée",
)

# The pseudonymised zone.
REFERENCES: Final = _calculated(Purpose.STEERING, NOBODY, OF_NOBODY)
PSEUDONYMISED: Final = _calculated(Purpose.STEERING, PATIENTS, OF_ANALYSIS)
PSEUDONYMISED_PROFESSIONALS: Final = _calculated(Purpose.STEERING, PROFESSIONALS, OF_PROFESSIONALS)
PUBLIC_DEATHS: Final = _calculated(Purpose.INFORMATION, THE_DECEASED, OF_THE_DECEASED)
EXACT_FIGURES: Final = _calculated(Purpose.STEERING, PATIENTS, OF_ANALYSIS)
BEFORE_RELEASE: Final = _calculated(Purpose.INFORMATION, PATIENTS, OF_ANONYMOUS)
EXACT_MEASURES: Final = _calculated(Purpose.DATA_QUALITY, PATIENTS, OF_CARE)
EDITIONS: Final = replace(BEFORE_RELEASE, retention_reason=WHILE_COMPARED)

# What everybody may read.
PUBLISHED: Final = AccessPolicy(Purpose.INFORMATION, OF_ANONYMOUS, None, WHILE_PUBLISHED, EVERYBODY, persons=NOBODY)
OPEN_DATA: Final = AccessPolicy(Purpose.INFORMATION, OF_NOBODY, None, WHILE_READ, EVERYBODY, persons=NOBODY)
REPORTS: Final = AccessPolicy(Purpose.DATA_QUALITY, OF_NOBODY, None, WHILE_READ, EVERYBODY, persons=NOBODY)


def dated_care(day: str) -> AccessPolicy:
    """The policy of delivered care events; `day` is the column with the day of the event."""
    return replace(
        DELIVERED_CARE,
        retention_months=TWENTY_YEARS,
        retention_reason="Vingt ans après l’événement au plus (référentiel de la CNIL sur les entrepôts de données de "
        "santé) ; une ligne plus ancienne ne disparaît que si l’émetteur la retire de sa livraison",
        expired=f"\"{day}\" < '{{limit}}'",
    )


def exact_of_sites(site: str) -> AccessPolicy:
    """The policy of exact figures by establishment; `site` is the column with the key of the establishment."""
    head = Grant(Profile.HEAD, Purpose.STEERING, RowsOf.OWN_SITES, own=site)
    clinician = Grant(Profile.CLINICIAN, Purpose.CARE_QUALITY, RowsOf.OWN_SITES, own=site, masks_small=True)
    return replace(EXACT_FIGURES, grants=(*ANALYSTS, head, clinician))


def exact_of_heads(site: str) -> AccessPolicy:
    """The policy of exact figures by establishment without a mask for clinicians; `site` is as in `exact_of_sites`."""
    head = Grant(Profile.HEAD, Purpose.STEERING, RowsOf.OWN_SITES, own=site)
    return replace(EXACT_FIGURES, grants=(*ANALYSTS, head))


def exact_of_professionals(professional: str) -> AccessPolicy:
    """The policy of exact figures by professional; `professional` is the column with their pseudonym."""
    own = Grant(Profile.PRACTITIONER, Purpose.CARE_QUALITY, RowsOf.OWN_COUNTS, own=professional)
    return replace(EXACT_FIGURES, grants=(*ANALYSTS, own))


def history_policy(delivered: AccessPolicy | None) -> AccessPolicy | None:
    """The policy of the history of a delivered table."""
    return delivered and replace(delivered, retention_reason=WHILE_READ_BY_FACTS)


def rejects_policy(delivered: AccessPolicy | None) -> AccessPolicy | None:
    """The policy of the rejected rows of a delivered table: closed ones are kept for a year."""
    return delivered and replace(
        delivered,
        retention_months=12,
        retention_reason="Tant que la livraison contient la ligne ; un rejet clos, un an après le premier rejet",
        expired="mended_by IS NOT NULL AND first_seen < '{limit}'",
    )


def quarantine_policy(delivered: AccessPolicy | None) -> AccessPolicy | None:
    """The policy of the values of undeclared columns of a delivered table."""
    return delivered and replace(delivered, retention_months=None, retention_reason=WHILE_DELIVERED, expired=None)
