"""The chapters of the way from one server to a cluster and an object store, and of the risks."""

import json
from collections.abc import Iterator
from typing import Final

from chu_platform.committee.document import (
    Block,
    Bullets,
    Cell,
    Chapter,
    Code,
    Column,
    Heading,
    Missing,
    Paragraph,
    Table,
)
from chu_platform.committee.inputs import Inputs
from chu_platform.settings import PROJECT

RECORDS: Final = PROJECT / "docs" / "system-tests.json"
# The parts of the system tests that prove each place, and what they prove.
PROOFS: Final = (
    ("full-size", "une machine, taille d’aujourd’hui : 25 millions de décès"),
    ("kills", "une machine : cent exécutions tuées, aucune table abîmée"),
    ("cluster", "une grappe de deux processus de travail : mêmes lignes ; puis sans disque partagé"),
    ("object-store", "un lac entier dans un stockage objet"),
    ("manifests", "les objets de Kubernetes sont valides"),
)
STEPS: Final = (
    ("Un serveur", "aujourd’hui", "Python et `make`", "`make run`", "jusqu’à la mémoire du serveur (`docs/capacity.md`)"),
    ("Un serveur, en images", "exploitation", "Docker", "`docker compose up` dans `docker/`", "les mêmes bornes, des services séparés"),
    ("Grappe, disque partagé", "l’étape la plus longue ne tient plus", "Java, Spark", "`CHU_ENGINE=spark`, `CHU_SPARK_REMOTE=sc://…`", "les faits et les indicateurs se partagent ; la lecture d’un fichier livré et le masquage, non"),
    ("Grappe, stockage objet", "plusieurs machines, sauvegarde par l’hébergeur", "un stockage compatible S3", "`CHU_LAKE=s3://…`, des droits par zone", "le disque n’est plus une borne"),
    ("Kubernetes", "plusieurs équipes", "les objets de `kubernetes/`", "une tâche par exécution", "l’élasticité du calcul"),
)  # fmt: skip


def _path(_inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "La plateforme s’exécute aujourd’hui sur les trois formes : **un serveur, une grappe, un stockage objet**. Passer de l’une à l’autre est un réglage, pas une réécriture : le SQL, les déclarations, les contrôles et les pages sont les mêmes, et le lac se copie comme un dossier."
    )
    yield Table(
        "Étapes, et ce qui décide d’y passer",
        [
            Column("Étape", 1.6),
            Column("Quand", 1.8),
            Column("Il faut", 1.4),
            Column("Réglage", 2.4),
            Column("Portée", 2.4),
        ],
        [list(step) for step in STEPS],
        "chu settings",
    )
    yield Heading("Ce qui le prouve")
    if not RECORDS.is_file():
        yield Missing(
            "Les relevés des tests du système sont dans le dépôt (`docs/system-tests.json`), et non dans un paquet installé."
        )
        return
    records = json.loads(RECORDS.read_text(encoding="utf-8"))
    rows: list[list[Cell]] = []
    for part, what in PROOFS:
        found = records.get(part)
        result = (
            f"{'réussi' if found['result'] == 'passed' else 'échoué'} le {found['date'][:10]}"
            if found
            else "sans relevé"
        )
        rows.append([what, Code(f"make test-system PARTS={part}"), result, Code(found["commit"] if found else "")])
    yield Table(
        "Derniers relevés des tests du système",
        [Column("Ce qui est prouvé", 3), Column("Commande", 2.4), Column("Relevé", 1.6), Column("Code", 1.4)],
        rows,
        "make test-system",
    )
    yield Heading("L’ordre proposé")
    yield Bullets(
        [
            "Choisir l’hébergeur sur devis, certificat HDS et qualification à jour en main ; remplacer les prix de ce rapport.",
            "Copier le lac dans le stockage objet, clés par zone ; `chu verify` y recalcule les chiffres publiés.",
            "Faire une exécution à blanc sur la grappe ; comparer les lignes (`make test-system PARTS=cluster` montre comment).",
            "Basculer les lecteurs ; garder le serveur en lecture seule le temps d’une édition.",
            "Retour : le serveur d’origine et sa sauvegarde, par le réglage précédent.",
        ],
        numbered=True,
    )


def _risks(_inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Les gravités et les probabilités sont des **avis** de l’équipe, à revoir avec le responsable de la sécurité et le délégué à la protection des données."
    )
    yield Table(
        "Risques",
        [Column("Risque", 2.4), Column("Gravité", 0.8), Column("Probabilité", 1), Column("Ce qui le réduit", 3.4), Column("Ce qui reste", 2.4)],
        [
            ["Un petit effectif est retrouvé", "forte", "faible", "masquage, éditions, `chu attack` avant chaque publication", "une coalition de deux responsables qui mettent en commun leurs chiffres (`docs/confidentialite.md`)"],
            ["La clé des pseudonymes est perdue ou volée", "forte", "faible", "hors du lac, dossier à part, empreinte dans le lac", "pas de rotation sans refaire le lac"],
            ["Sail, moteur jeune, change ou s’arrête", "moyenne", "moyenne", "version fixée ; le même SQL s’exécute sur Spark", "une machine sans Java n’aurait plus de moteur"],
            ["Une livraison change de forme", "moyenne", "forte", "types déclarés, quarantaine, contrôles bloquants", "un nouveau format demande une déclaration"],
            ["L’étape la plus gourmande ne tient plus en mémoire", "moyenne", "moyenne", "croissance mesurée, `docs/capacity.md` ; grappe", "le masquage reste dans un seul processus"],
            ["L’équipe perd ses connaissances", "moyenne", "moyenne", "décisions écrites, une table par module, tests", "une reprise demande du temps"],
            ["La qualification de l’hébergeur n’est pas renouvelée", "moyenne", "faible", "le lac se copie ; rien n’est propre à un hébergeur", "le délai d’un appel d’offres"],
            ["Dépense de calcul imprévue", "faible", "moyenne", "`spark.dynamicAllocation.maxExecutors`, exécutions planifiées", "une alerte de dépense est à régler chez l’hébergeur"],
        ],
        "chu report DOSSIER",
    )  # fmt: skip
    yield Heading("Chiffrement, ce qui est fait et ce qui ne l’est pas")
    yield Bullets(
        [
            "Fait : en transit, SFTP et FTPS pour les livraisons, HTTPS pour le stockage objet ; les secrets sont hors du lac ; la zone restreinte n’est lisible que du service.",
            "À faire par l’hébergement : chiffrer les disques des machines et le stockage objet. La plateforme **ne chiffre pas elle-même** les fichiers au repos.",
            "Non essayé ici : un stockage objet chiffré par une clé du groupe, et le chiffrement de colonnes de Parquet.",
        ]
    )


MIGRATION: Final = Chapter("migration", "D’un serveur à une grappe et à un stockage objet", ("A.10", "A.11"), _path)
RISKS: Final = Chapter("risques", "Risques", ("A.12",), _risks)
