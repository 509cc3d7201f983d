"""French names of profiles and purposes."""

from typing import Final

from chu_platform.tables.access_policy import Profile, Purpose

PROFILES: Final = {
    Profile.PUBLIC: "lecteur des données publiées",
    Profile.HEAD: "direction d’établissement",
    Profile.CLINICIAN: "clinicien",
    Profile.PRACTITIONER: "praticien",
    Profile.ANALYST: "analyste",
    Profile.STEWARD: "gestionnaire des données",
    Profile.AUDITOR: "délégué à la protection des données, auditeur",
    Profile.OPERATOR: "exploitant",
}
PURPOSES: Final = {
    Purpose.INFORMATION: "information du public",
    Purpose.STEERING: "pilotage",
    Purpose.CARE_QUALITY: "qualité des soins",
    Purpose.RESEARCH: "recherche",
    Purpose.DATA_QUALITY: "qualité des données",
    Purpose.AUDIT: "contrôle",
    Purpose.OPERATION: "exploitation",
}
