"""The draft of the impact assessment (AIPD; RGPD, article 35): what the declarations and the measures already say."""

from collections.abc import Iterator, Sequence
from typing import Final

from chu_platform import french
from chu_platform.committee.document import Block, Bullets, Column, Document, Missing, Paragraph, Table
from chu_platform.documents.french_labels import ZONES
from chu_platform.errors import ChuError
from chu_platform.governance.inputs import COMMAND, Inputs
from chu_platform.governance.words import PURPOSES
from chu_platform.risk.table_risks import SMALL, risks_of, tables_at_risk
from chu_platform.tables.access_policy import Purpose

NAME: Final = "projet-d-aipd"
TITLE: Final = "Projet d’analyse d’impact relative à la protection des données"
RISK: Final = "chu risk"
# Risk, what could happen, what the platform does against it, and what shows it.
RISKS: Final = (
    ("Accès illégitime aux identités", "une personne lit des lignes livrées, une sauvegarde ou un journal", "zone restreinte au seul compte de la plateforme ; aucune identité hors d’elle, ni dans les journaux", "`chu_platform_tests/pipeline/test_canaries.py`"),
    ("Réidentification dans la zone pseudonymisée", "un analyste reconnaît un patient par ce qu’il sait de lui", "pseudonymes sous clé, année de naissance seulement, accès par profil ; le risque est mesuré", "`chu risk`"),
    ("Réidentification dans ce qui est publié", "un lecteur calcule un petit effectif", "masquage primaire et secondaire, éditions comparées, dix attaques", "`chu attack`, `chu release --dry-run`"),
    ("Perte de la clé des pseudonymes", "les pseudonymes ne peuvent plus être refaits", "sauvegarde scellée ; une clé manquante est une erreur, jamais une nouvelle clé", "`chu drill DOSSIER`"),
    ("Modification non désirée", "une livraison, un outil ou une panne change des chiffres", "commits atomiques, empreintes de chaque fichier, recalcul indépendant", "`chu verify`"),
    ("Disparition des données", "le disque ou le lac est perdu", "sauvegarde et restauration essayées ; le lac se refait des livraisons", "`chu drill DOSSIER`, `chu rebuild`"),
    ("Conservation excessive", "des lignes restent au-delà de leur durée", "durée par table, exécutée ou signalée", "`chu retention`"),
)  # fmt: skip


def assessment(inputs: Inputs) -> Document:
    """The document."""
    return inputs.document(
        NAME,
        TITLE,
        "RGPD, article 35 : ce que les déclarations et les mesures disent déjà",
        {
            "Description du traitement": list(_description(inputs)),
            "Nécessité et proportionnalité": list(_necessity(inputs)),
            "Risques pour les personnes": list(_risks(inputs)),
            "Ce qui manque à ce projet": [
                Missing(
                    "l’avis du délégué à la protection des données, et celui des personnes ou de leurs représentants"
                ),
                Missing(
                    "la gravité et la vraisemblance de chaque risque, à coter par le groupe avec la méthode de la CNIL"
                ),
                Missing("l’hébergement, les sous-traitants et l’information individuelle des patients"),
            ],
        },
    )


def _description(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "La plateforme lit les livraisons du groupe (base de soins, séjours) et des données publiques (décès de l’Insee, "
        "HAS, registres), les type et les contrôle, remplace les identités par des pseudonymes, compte, masque les petits "
        "effectifs et publie des éditions. Le chemin complet, table par table, est dans `chu dictionary DOSSIER`."
    )
    yield Table(
        "Tables et colonnes par zone",
        [
            Column("Zone", 2),
            Column("Tables", number=True),
            Column("Colonnes identifiantes", number=True),
            Column("Sensibles", number=True),
            Column("Quasi identifiantes", number=True),
        ],
        [
            (
                name,
                french.number(sum(t.zone == zone for t in inputs.policies)),
                *(
                    french.number(sum(getattr(c, kind) for t in inputs.policies if t.zone == zone for c in t.columns))
                    for kind in ("identifying", "sensitive", "quasi_identifying")
                ),
            )
            for zone, name in ZONES.items()
        ],
        COMMAND,
    )


def _necessity(inputs: Inputs) -> Iterator[Block]:
    rows: list[Sequence[str]] = []
    for purpose in Purpose:
        bases = dict.fromkeys(p.legal_basis for p in inputs.policies.values() if p.purpose == purpose)
        rows += [(PURPOSES[purpose], basis) for basis in bases]
    yield Table(
        "Finalités et bases légales déclarées", [Column("Finalité", 2), Column("Base légale", 4)], rows, COMMAND
    )
    yield Bullets(
        [
            "**Minimisation** : noms, adresses, téléphones et numéros n’existent que dans la zone restreinte ; au-delà, l’année de naissance remplace la date.",
            "**Exactitude** : chaque ligne livrée est gardée, rejetée avec sa raison, ou retirée par une liste d’opposition ; les trois nombres sont contrôlés.",
            "**Limitation de la conservation** : voir le calendrier de conservation.",
            "**Destinataires** : voir le dictionnaire des droits d’accès.",
        ]
    )


def _risks(inputs: Inputs) -> Iterator[Block]:
    columns = [Column("Risque", 2), Column("Ce qui pourrait arriver", 3), Column("Mesures", 3), Column("Preuve", 2)]
    yield Table("Risques et mesures", columns, RISKS, COMMAND)
    if not inputs.has_lake:
        yield Missing(f"le risque de réidentification, mesuré par `{RISK}` sur un lac")
        return
    try:
        risks = [(table, next(iter(risks_of(inputs.lake, table)))) for table in tables_at_risk()]
    except ChuError as error:
        yield Missing(f"le risque de réidentification : `{RISK}` échoue ({error})")
        return
    yield Table(
        "Réidentification dans la zone pseudonymisée, lignes telles que gardées",
        [
            Column("Table", 3),
            Column("k (patients)", number=True),
            Column("Lignes d’un patient seul", number=True),
            Column(f"De moins de {SMALL} patients", number=True),
            Column("Une seule valeur sensible", number=True),
        ],
        [
            (
                f"`{table.layer}/{table.name}`",
                french.number(risk.k),
                french.percent(risk.alone),
                french.percent(risk.small),
                french.percent(risk.alike),
            )
            for table, risk in risks
        ],
        RISK,
    )
