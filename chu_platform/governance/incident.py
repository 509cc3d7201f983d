"""The procedure for an incident with personal data: who does what within which time, with which command."""

from chu_platform.committee.document import Bullets, Column, Document, Missing, Paragraph, Table
from chu_platform.governance.inputs import COMMAND, Inputs

NAME = "procedure-d-incident"
TITLE = "Procédure en cas de violation de données"


def incident(inputs: Inputs) -> Document:
    """The document."""
    return inputs.document(
        NAME,
        TITLE,
        "RGPD, articles 33 et 34",
        {
            "Les délais": [
                Bullets(
                    [
                        "**Sans attendre** : prévenir le délégué à la protection des données et le responsable de la sécurité.",
                        "**72 heures** après en avoir eu connaissance : notifier à la CNIL, sauf si la violation ne crée pas de risque (RGPD, art. 33). Une notification incomplète se complète.",
                        "**Dans les meilleurs délais** : informer les personnes si le risque est élevé (RGPD, art. 34).",
                        "**Toujours** : inscrire la violation au registre interne, notifiée ou non (RGPD, art. 33(5)).",
                    ]
                ),
                Missing("noms et numéros d’astreinte : à compléter par le groupe"),
            ],
            "Contenir": [
                Bullets(
                    [
                        "Arrêter ce qui sert des données : `Ctrl-C` dans `chu serve`, ou le service du déploiement. Les tables restent en l’état.",
                        "Ne rien effacer : journaux, lac et stockage de Dagster sont des preuves. En faire une copie d’abord.",
                        "Clé des pseudonymes exposée : traiter la zone pseudonymisée comme identifiante, et changer de clé (SECURITY.md, « The key »).",
                    ],
                    numbered=True,
                )
            ],
            "Comprendre": [
                Paragraph("Ces commandes disent ce qui a été vu, changé ou publié."),
                Table(
                    "Constater",
                    [Column("Question", 2), Column("Commande", 2), Column("Ce qu’elle dit", 3)],
                    [
                        ("Les tables et les chiffres sont-ils ceux qui ont été enregistrés ?", "`chu verify`", "fichiers changés ou perdus, commits d’un autre outil, chiffres qui ne se recalculent pas"),
                        ("Les tables publiées révèlent-elles quelqu’un ?", "`chu attack`", "cellules révélées par dix attaques, sans leur valeur"),
                        ("D’où vient un chiffre ?", "`chu trace TABLE CLÉ…`", "versions, fichiers et lignes ; l’accès aux lignes est journalisé"),
                        ("Quelles livraisons ont été lues, quand, par qui acceptées ?", "table `reports/delivery`", "empreintes, dates, comptes qui ont accepté"),
                        ("Qui lit quoi ?", "`chu governance DOSSIER`", "dictionnaire des droits d’accès"),
                    ],
                    COMMAND,
                ),
            ],
            "Réparer et rendre compte": [
                Bullets(
                    [
                        "Refaire ce qui est abîmé : `chu verify --repair`, puis `chu verify`.",
                        "Si le lac est perdu : le restaurer (document « Exercice de sauvegarde et de restauration »), puis `chu verify`.",
                        "Si un chiffre publié révélait quelqu’un : corriger, puis publier une édition (`chu release`) ; l’ancienne quitte la zone publiée.",
                        "Écrire : nature de la violation, catégories et nombre approximatif de personnes et d’enregistrements, conséquences, mesures (RGPD, art. 33(3)).",
                    ],
                    numbered=True,
                )
            ],
        },
    )  # fmt: skip
