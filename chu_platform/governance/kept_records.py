"""What the platform keeps of people beside the tables: the access journal, accounts, requests for erasure, runs.

The register has them under their purpose, and the retention schedule with what ends them. Texts are French.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.access.archive import FOLDER, RETENTION_MONTHS
from chu_platform.graph.dagster_retention import MAX_LOG_BYTES
from chu_platform.identity.sessions import IDLE_SECONDS, MAX_SECONDS
from chu_platform.tables.access_policy import Profile, Purpose

HOUR: Final = 3600
CLEAN_UP: Final = "le calendrier `clean_up_daily`, et la fin de chaque `chu materialize`"


@dataclass(frozen=True)
class Record:
    """Something that is kept: its purpose, the persons it is about, who reads it, how long, and what ends it."""

    name: str
    purpose: Purpose
    contents: str
    persons: str
    legal_basis: str
    readers: Sequence[Profile]
    duration: str
    ended_by: str


ACCOUNTABILITY: Final = (
    "RGPD, art. 5(2) (responsabilité) et 32 (sécurité) ; traçabilité des accès (référentiels de la CNIL)"
)


def kept_records(run_days: int) -> Sequence[Record]:
    """All of them; runs are kept for `run_days` days, 0 for ever."""
    return [
        Record(
            "Journal des accès",
            Purpose.AUDIT,
            f"compte, profil, finalité, table et version, filtre, nombre de lignes, décision, date ; fichier chaîné et "
            f"scellé, puis `{FOLDER}`",
            "titulaires d’un compte",
            ACCOUNTABILITY,
            [Profile.AUDITOR],
            f"{RETENTION_MONTHS} mois",
            f"{CLEAN_UP} : les entrées plus anciennes sont purgées derrière une coupure signée",
        ),
        Record(
            "Demandes d’effacement et certificats",
            Purpose.AUDIT,
            "demande en cours (textes à effacer, dans `CHU_SECRETS/erasures`) ; certificat signé, sans texte de la personne",
            "personnes qui ont demandé leur effacement",
            "RGPD, art. 17 (effacement) et 5(2) (responsabilité)",
            [],
            "la demande : jusqu’au certificat ; le certificat : sans âge limite",
            "`chu erase` efface la demande quand le certificat est écrit",
        ),
        Record(
            "Comptes et sessions",
            Purpose.OPERATION,
            "nom du compte, empreinte du mot de passe (Argon2), profils, sites ou pseudonyme du praticien, dates de fin et "
            "de revue ; empreintes des sessions et des liens",
            "titulaires d’un compte",
            "RGPD, art. 6(1)(e) (mission d’intérêt public) et 32 (sécurité)",
            [],
            f"le compte : jusqu’à son retrait, revu chaque année ; la session : {IDLE_SECONDS // HOUR} heure sans demande, "
            f"{MAX_SECONDS // HOUR} heures au plus",
            "`chu user remove` ; les sessions finies, à la connexion suivante",
        ),
        Record(
            "Exécutions de Dagster, journaux des serveurs",
            Purpose.OPERATION,
            "qui a lancé quelle commande, quand, avec quel résultat ; aucune valeur d’une ligne",
            "exploitants",
            "RGPD, art. 6(1)(e) (mission d’intérêt public) et 32 (sécurité)",
            [Profile.OPERATOR, Profile.AUDITOR],
            f"{f'{run_days} jours' if run_days else 'sans limite (CHU_RUN_RETENTION_DAYS=0)'} ; "
            f"{MAX_LOG_BYTES >> 20} Mio par journal",
            CLEAN_UP,
        ),
    ]
