"""The dictionary of access rights: what each profile may read, for which purpose, and what nobody may read."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from chu_platform import french
from chu_platform.committee.document import Block, Column, Document, Paragraph, Table
from chu_platform.description.described_tables import DescribedTable
from chu_platform.documents.french_labels import ZONES
from chu_platform.governance.inputs import COMMAND, Inputs
from chu_platform.governance.words import PROFILES, PURPOSES, opened
from chu_platform.tables.access_policy import AccessPolicy, Grant, Profile

NAME = "droits-d-acces"
TITLE = "Dictionnaire des droits d’accès"


def access_rights(inputs: Inputs) -> Document:
    """The document."""
    policies = inputs.policies
    chapters: dict[str, Sequence[Block]] = {
        "Règle générale": [
            Paragraph(
                "Ce qui n’est pas accordé est refusé : une table sans politique, ou un profil sans accord dans la "
                "politique, ne lit rien. Chaque accord nomme une finalité ; un compte le détient jusqu’à une date de "
                "fin. Le public lit sans compte ce qui est publié."
            ),
            Table(
                "Nombre de tables que chaque profil lit, par zone",
                [Column("Profil", 2), *(Column(f"Zone {name}", number=True) for name in ZONES.values())],
                [
                    (
                        PROFILES[profile],
                        *(
                            french.number(sum(t.zone == z and _reads(p, profile) for t, p in policies.items()))
                            for z in ZONES
                        ),
                    )
                    for profile in Profile
                ],
                COMMAND,
            ),
        ]
    }
    for profile in Profile:
        chapters[french.capital(PROFILES[profile])] = _of_profile(profile, policies)
    nobody = [t for t, p in policies.items() if not p.grants]
    chapters["Ce que personne ne lit"] = [
        Paragraph("Ces tables relient identités et pseudonymes : seul le processus de pseudonymisation les lit."),
        _listed("Tables sans aucun accord", [(f"`{t.identifier}`", t.label) for t in nobody], ["Table", "Contenu"]),
    ]
    return inputs.document(NAME, TITLE, "Qui lit quoi, pour quelle finalité, avec quelles limites", chapters)


def _of_profile(profile: Profile, policies: Mapping[DescribedTable, AccessPolicy]) -> Sequence[Block]:
    rows = []
    granted: list[tuple[str, DescribedTable, Grant]] = [
        (PURPOSES[grant.purpose], table, grant)
        for table, policy in policies.items()
        for grant in policy.grants
        if grant.profile is profile
    ]
    for purpose, of_purpose in groupby(sorted(granted, key=lambda g: g[0]), key=lambda g: g[0]):
        for _, table, grant in of_purpose:
            rows.append((purpose, f"`{table.identifier}`", table.label, opened(grant)))
    if not rows:
        return [
            Paragraph("Aucune ligne d’aucune table : ce profil lit des métadonnées, des documents ou des journaux.")
        ]
    return [_listed(f"Accords du profil « {PROFILES[profile]} »", rows, ["Finalité", "Table", "Contenu", "Lignes"])]


def _reads(policy: AccessPolicy, profile: Profile) -> bool:
    return any(grant.profile is profile for grant in policy.grants)


def _listed(title: str, rows: Sequence[Sequence[str]], columns: Sequence[str]) -> Table:
    return Table(title, [Column(name, 2) for name in columns], rows, COMMAND)
