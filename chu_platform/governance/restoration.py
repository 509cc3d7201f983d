"""The exercise of backup and restoration: the procedure, and the result of the last drill."""

import datetime

from chu_platform import french
from chu_platform.committee.document import Block, Bullets, Column, Document, Figure, Figures, Missing, Paragraph, Table
from chu_platform.governance.drill import last_drill
from chu_platform.governance.inputs import COMMAND, Inputs

NAME = "exercice-de-restauration"
TITLE = "Exercice de sauvegarde et de restauration"
DRILL = "chu drill DOSSIER"


def restoration(inputs: Inputs) -> Document:
    """The document."""
    return inputs.document(
        NAME,
        TITLE,
        "Ce qui est sauvegardé, comment le lac est rendu, et le dernier exercice",
        {
            "Ce qui est sauvegardé": [
                Table(
                    "Contenu d’une sauvegarde",
                    [Column("Objet", 2), Column("Réglage", 1), Column("Pourquoi", 3)],
                    [
                        ("Le lac : trois zones, listes des éditions, livraisons acceptées", "`CHU_LAKE`", "sans lui, les éditions déjà publiées ne seraient plus comparées avec la suivante"),
                        ("Clé des pseudonymes, clés des serveurs, comptes", "`CHU_SECRETS`", "sans la clé, aucun pseudonyme ne peut être refait ; à garder scellée, loin du lac et de ses sauvegardes"),
                        ("Stockage de Dagster (exécutions, réglages des automatismes)", "`CHU_HOME/dagster`", "le lac s’en passe ; l’historique des exécutions y est"),
                        ("Copies de fichiers de serveurs", "`CHU_HOME/landing`", "celles qui ne sont plus sur leur serveur n’existent que là"),
                        ("Besoins et prix ajoutés", "`CHU_HOME/*.csv`", "saisis à la main"),
                    ],
                    COMMAND,
                ),
                Paragraph("Les livraisons (`CHU_SOURCES`) restent chez leur émetteur : elles ne sont pas dans la sauvegarde."),
            ],
            "L’exercice": [
                Bullets(
                    [
                        "Attendre qu’aucune exécution ne soit en cours, puis lancer `chu drill DOSSIER` sur un disque qui a deux fois la place du lac.",
                        "La commande sauvegarde dans `DOSSIER/backup` et `DOSSIER/secrets`, vide `DOSSIER/home`, y restaure la sauvegarde, compare chaque fichier avec son empreinte, et lance `chu verify` sur ce qui est restauré. Le lac de production n’est que lu.",
                        "Statut 0 : la sauvegarde rend un lac exact. Sinon, la commande dit ce qui manque.",
                        "Mettre `DOSSIER/secrets` en lieu sûr, ou le détruire avec `DOSSIER` : la clé et le lac ne doivent pas rester ensemble.",
                    ],
                    numbered=True,
                )
            ],
            "Restaurer pour de bon": [
                Bullets(
                    [
                        "Arrêter la plateforme ; mettre de côté ce qui reste du lac.",
                        "Copier `backup/lake`, `backup/dagster`, `backup/landing` et les fichiers CSV à leur place, et la clé dans `CHU_SECRETS`, avec les droits de la sauvegarde (`cp -a`).",
                        "`chu verify`, puis `chu materialize` : ce qui a été livré depuis la sauvegarde est lu.",
                        "Les deux listes d’éditions doivent être celles de la sauvegarde (docs/operations.md, « Editions »).",
                    ],
                    numbered=True,
                )
            ],
            "Le dernier exercice": [_last(inputs)],
        },
    )  # fmt: skip


def _last(inputs: Inputs) -> Block:
    drill = last_drill(inputs.settings)
    if drill is None:
        return Missing(f"aucun exercice n’a été fait sur cette installation : `{DRILL}`")
    return Figures(
        [
            Figure("Date", french.moment(datetime.datetime.fromisoformat(drill.at)), DRILL),
            Figure("Résultat", "la restauration est exacte" if drill.succeeded else "échec", DRILL),
            Figure("Fichiers restaurés", french.number(drill.files), DRILL),
            Figure("Taille", french.amount(drill.size / 2**20, "Mio"), DRILL),
            Figure("Durée de la sauvegarde", french.amount(drill.backup_seconds, "s"), DRILL),
            Figure("Durée de la restauration", french.amount(drill.restore_seconds, "s"), DRILL),
        ]
    )
