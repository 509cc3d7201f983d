"""The retention schedule: how long what is kept, why, who ends it, and what is kept for too long today."""

from collections.abc import Iterator

from chu_platform import french
from chu_platform.committee.document import Block, Column, Document, Missing, Paragraph, Table
from chu_platform.governance.inputs import COMMAND, Inputs
from chu_platform.governance.kept_records import kept_records
from chu_platform.governance.retention import kept_too_long
from chu_platform.governance.words import duration
from chu_platform.tables.maintenance_policy import KEPT, STANDARD

NAME = "calendrier-de-conservation"
TITLE = "Calendrier de conservation"
DRY_RUN = "chu retention"


def retention_schedule(inputs: Inputs) -> Document:
    """The document."""
    return inputs.document(
        NAME,
        TITLE,
        "Durées par table, ce qui les exécute, et ce qui est gardé trop longtemps",
        {
            "Durées par table": list(_of_tables(inputs)),
            "Versions, copies et journaux": list(_of_copies(inputs)),
            "Ce qui est gardé trop longtemps aujourd’hui": list(_today(inputs)),
        },
    )


def _of_tables(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Les lignes livrées viennent de la dernière livraison : les effacer de la plateforme ne servirait à rien, car la "
        "lecture suivante les rendrait. Leur durée se tient donc chez l’émetteur, et la plateforme signale ce qui la "
        "dépasse. Ce que la plateforme garde d’elle-même est effacé par la maintenance."
    )
    by_rule: dict[tuple[str, str], list[str]] = {}
    for table, policy in inputs.policies.items():
        by_rule.setdefault((duration(policy), policy.retention_reason), []).append(f"`{table.identifier}`")
    yield Table(
        "Chaque durée, sa raison et ses tables",
        [
            Column("Durée", 1),
            Column("Ce qui y met fin, et pourquoi", 3),
            Column("Nombre de tables", 1, number=True),
            Column("Tables", 5),
        ],
        [(kept, why, french.number(len(tables)), ", ".join(tables)) for (kept, why), tables in by_rule.items()],
        COMMAND,
    )


def _of_copies(inputs: Inputs) -> Iterator[Block]:
    yield Table(
        "Ce qui existe à côté des tables",
        [Column("Objet", 2), Column("Durée", 2), Column("Exécuté par", 2)],
        [
            ("Versions remplacées d’une table", f"{STANDARD.retention.days} jours", "`chu materialize --select 'group:maintenance'`, ou le calendrier `maintenance_weekly`"),
            ("Journal Delta d’une table", f"{STANDARD.log_retention.days} jours", "la même maintenance"),
            ("Éditions publiées", "aussi longtemps que le lac" if KEPT.retention > STANDARD.retention else "–", "jamais effacées : `chu release` compare avec elles"),
            ("Valeurs de colonnes non déclarées (quarantaine)", "jusqu’à la livraison suivante", "la lecture suivante de la source"),
            ("Copie embarquée de la base de soins", "une seule : celle de la dernière sauvegarde livrée", "la lecture de la base ; `clean_up_daily` si un serveur la remplace"),
            *((r.name, r.duration, r.ended_by) for r in kept_records(inputs.settings.run_retention_days)),
            ("Copies de fichiers de serveurs", "jusqu’à une livraison plus récente", "`chu land` ; celles de lieux retirés : à la main"),
        ],
        "chu settings",
    )  # fmt: skip


def _today(inputs: Inputs) -> Iterator[Block]:
    if not inputs.has_lake:
        yield Missing("le lac n’existe pas encore : `chu materialize`")
        return
    found = kept_too_long(inputs.settings, inputs.lake, inputs.today)
    yield Table(
        "Lignes et fichiers au-delà de leur durée (vide : aucun)",
        [Column("Objet", 2), Column("Nombre", 1, number=True), Column("Avant le", 1), Column("Suite", 3)],
        [
            *(
                (
                    f"`{one.table.layer}/{one.table.name}`",
                    french.number(one.rows),
                    french.day(one.limit),
                    "demander à l’émetteur de les retirer" if one.is_delivered else "`chu retention --apply`",
                )
                for one in found.rows
            ),
            *(
                [("Fichiers de lieux retirés", french.number(found.former_files), "–", "à effacer à la main")]
                if found.former_files
                else []
            ),
        ],
        DRY_RUN,
    )
