"""Livrable 1: the architecture of the warehouse: sources, engines, zones, serving, security."""

from collections.abc import Iterator
from typing import Final

from chu_platform.committee.document import WIDE_WIDTH, Block, Chapter, Column, Heading, Paragraph, Picture, Table
from chu_platform.committee.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SMALL,
    SOFT,
    VIOLET,
    WHITE,
    Box,
    Point,
    arrow,
    box_height,
    picture,
    text,
)
from chu_platform.committee.inputs import Inputs
from chu_platform.documents.french_labels import ZONES
from chu_platform.tables.table import Zone

SETTINGS: Final = "chu settings"
HEIGHT: Final = 520.0
READERS: Final = {
    Zone.RESTRICTED: "le propriétaire du service seul",
    Zone.PSEUDONYMISED: "le propriétaire et son groupe (analystes habilités)",
    Zone.PUBLISHED: "tout le monde",
}
CONTENTS: Final = {
    Zone.RESTRICTED: "sources typées, rejets, quarantaine, registre des livraisons, tables des pseudonymes",
    Zone.PSEUDONYMISED: "référentiels, dimensions, faits, indicateurs exacts, décisions de masquage, éditions ; ni nom, ni adresse, ni numéro d’une source, ni date de naissance",
    Zone.PUBLISHED: "indicateurs masqués de la dernière édition, données publiques, rapports sur la plateforme, besoins",
}


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "L’entrepôt est un **lac de tables Delta** en trois zones d’accès, alimenté par un graphe de tables déclarées que Dagster exécute. Le même code s’exécute sur un ordinateur (moteur embarqué, sans Java) et sur une grappe Spark ; le lac est un dossier ou un préfixe d’un stockage objet."
    )
    yield Heading("Les composants et leur rôle")
    yield Table(
        "Composants",
        [Column("Fonction", 1.2), Column("Composant", 1.6), Column("Ce qu’il fait ici", 4)],
        [
            [
                "Orchestration",
                "Dagster",
                "un asset par table, contrôles, partitions, planifications, capteurs, journal des exécutions",
            ],
            ["Moteur embarqué", "Sail (Spark Connect)", "exécute le SQL sur une machine, sans Java"],
            [
                "Moteur de grappe",
                "Apache Spark et Delta",
                "exécute le même SQL, réparti ; choisi par `CHU_ENGINE=spark`",
            ],
            [
                "Lecture des livraisons",
                "DuckDB, lecteurs propres",
                "CSV abîmés, classeurs, largeur fixe, dumps PostgreSQL ; chaque ligne refusée est gardée comme rejet",
            ],
            [
                "Stockage",
                "Delta Lake (delta-rs), Parquet compressé par zstd",
                "versions, commits entiers, statistiques de colonnes, retour en arrière",
            ],
            ["Base de soins", "PostgreSQL", "serveur du groupe, ou embarqué et restauré depuis le dump"],
            [
                "Pseudonymisation",
                "empreinte à clé (HMAC)",
                "la clé est hors du lac ; un lac n’est jamais fait avec une autre clé",
            ],
            [
                "Publication",
                "masquage secondaire, éditions",
                "aucune somme ni différence de cellules publiées ne redonne un petit effectif",
            ],
            [
                "Restitution",
                "portail, documents, copies sans serveur",
                "pages en français, accessibles, sans script nécessaire à la lecture",
            ],
            [
                "Traçabilité",
                "`chu trace`, `chu verify`, OpenLineage",
                "d’un chiffre publié aux lignes livrées ; recalcul indépendant",
            ],
        ],
        "pip list (versions exactes dans requirements.lock)",
    )
    yield Heading("Les zones et leurs droits")
    yield Table(
        "Zones du lac",
        [Column("Zone", 1), Column("Contenu", 3.4), Column("Qui lit", 1.8), Column("Tables", 0.7, number=True)],
        [
            [
                f"{ZONES[zone]} (`{zone.value}`)",
                CONTENTS[zone],
                READERS[zone],
                str(sum(t.zone is zone for t in inputs.catalogue.tables)),
            ]
            for zone in Zone
        ],
        "chu dictionary DOSSIER",
    )
    yield Heading("Vue d’ensemble")
    yield Picture(
        _overview(),
        "Architecture : des sources aux lecteurs, par les moteurs et les trois zones.",
        SETTINGS,
        wide=True,
        text="Sources, intégration, zones restreinte, pseudonymisée et publiée, puis service aux lecteurs ; en bas l’orchestration et la sécurité.",
    )
    yield Heading("La sécurité, de bout en bout")
    yield Table(
        "Mesures de sécurité",
        [Column("Étape", 1.1), Column("Mesure", 4)],
        [
            [
                "Arrivée",
                "SFTP, FTPS ou dossier ; le FTP sans chiffrement est refusé sauf déclaration. Un fichier hostile coûte ce que disent ses octets, et un dump n’est pas cru : il est restauré dans une base à part.",
            ],
            [
                "Identités",
                "Nom, adresse, numéros des sources et date de naissance ne quittent pas la zone restreinte. Les colonnes identifiantes y sont sans statistiques Delta.",
            ],
            [
                "Journal",
                "Les messages, les journaux et les métadonnées ne contiennent aucune valeur de ligne. L’accès aux lignes livrées par `chu trace --rows` est inscrit.",
            ],
            ["Secrets", "`CHU_SECRETS` (0700), jamais dans le lac, les journaux ou la configuration de Dagster."],
            [
                "Publication",
                "Effectifs de 1 à 10 masqués, avec assez d’autres chiffres ; `chu attack` essaie de les retrouver de dix façons, `chu risk` mesure le k-anonymat.",
            ],
            [
                "Service",
                "Le portail n’accepte que des lectures, ne charge rien d’ailleurs, et n’ouvre que la zone publiée. L’interface d’audit n’exécute aucune mutation.",
            ],
        ],
        "chu attack",
    )
    yield Heading("D’une machine à une grappe")
    yield Paragraph(
        "Trois formes, le même code : `make run` sur une machine ; les images de `docker/` (PostgreSQL pour Dagster, Spark, portail, interface d’audit) ; les objets de `kubernetes/`, où chaque exécution est une tâche. Le lac va d’un dossier à un stockage objet par un réglage (`CHU_LAKE=s3://…`), avec des droits par préfixe de zone."
    )


def _overview() -> str:
    """Five columns from the sources to the readers, orchestration and security below."""
    zones = 470.0
    parts: list[str] = []

    def column(x: float, width: float, title: str, boxes: list[tuple[str, list[str], tuple[str, str]]]) -> list[Box]:
        parts.append(text(x + width / 2, 16, title, bold=True, anchor="middle"))
        heights = [box_height(len(lines)) for _, lines, _ in boxes]
        space = (370 - sum(heights)) / len(boxes)
        y, made = 28.0, []
        for (name, lines, colours), height in zip(boxes, heights, strict=True):
            made.append(Box(x, y + space / 2, width, height, name, lines, colours))
            y += height + space
        return made

    sources = column(1, 170, "Sources", [
        ("Base de soins", ["PostgreSQL : serveur", "ou dump, 13 tables"], GREY),
        ("Séjours, registres", ["fichiers CSV"], GREY),
        ("Décès (Insee)", ["CSV et largeur fixe"], GREY),
        ("e-Satis et qualité (HAS)", ["CSV et classeurs"], GREY),
        ("Serveurs SFTP, FTPS", ["copiés, jamais écrits"], GREY),
    ])  # fmt: skip
    reading = column(225, 165, "Intégration", [
        ("Lecture", ["types, rejets,", "quarantaine, empreintes"], WHITE),
        ("Moteur SQL", ["Sail (embarqué)", "ou Spark (grappe)"], BLUE),
        ("Enregistrement", ["écrire, contrôler, puis", "un seul commit Delta"], BLUE),
    ])  # fmt: skip
    lake = column(zones - 10, 230, "Lac Delta : trois zones", [
        ("Zone restreinte", ["sources, rejets, pseudonymes", "propriétaire seul"], ORANGE),
        ("Zone pseudonymisée", ["référentiels, dimensions, faits,", "indicateurs exacts, éditions", "propriétaire et groupe"], VIOLET),
        ("Zone publiée", ["indicateurs masqués, données", "publiques, besoins", "tout le monde"], GREEN),
    ])  # fmt: skip
    serving = column(WIDE_WIDTH - 201, 200, "Service", [
        ("Analystes habilités", ["chu kpi, DuckDB, Polars,", "Spark, chu risk"], WHITE),
        ("Explication", ["chu trace, chu verify,", "lignage OpenLineage"], WHITE),
        ("Portail et documents", ["pages, récit, dictionnaire,", "copies sans serveur"], WHITE),
        ("Rapports du jury", ["chu report : structures et", "totaux des trois zones"], WHITE),
    ])  # fmt: skip
    arrows = [_between(box, reading[0]) for box in sources]
    arrows += [_down(reading[0], reading[1]), _down(reading[1], reading[2])]
    arrows += [_between(reading[2], lake[0]), _down(lake[0], lake[1]), _down(lake[1], lake[2])]
    arrows += [_between(lake[1], serving[0]), _between(lake[1], serving[1])]
    arrows += [_between(lake[2], serving[2])]
    arrows += [_between(zone, serving[3]) for zone in lake]
    below = [
        Box(1, 412, WIDE_WIDTH - 2, 46, "Orchestration : Dagster", ["un asset par table, contrôles bloquants, partitions, planifications, capteurs, reprises, journal"], BLUE),
        Box(1, 468, WIDE_WIDTH - 2, 46, "Sécurité", ["pseudonymes à clé hors du lac · droits par zone · masquage et éditions · aucun journal avec des valeurs · attaque simulée"], ORANGE),
    ]  # fmt: skip
    parts.append(
        text(
            (lake[0].x + lake[0].width / 2), 400, "pseudonymisation, puis masquage", SMALL, anchor="middle", colour=SOFT
        )
    )
    boxes = [box.drawn() for box in (*sources, *reading, *lake, *serving, *below)]
    return picture(WIDE_WIDTH, HEIGHT, "Architecture de l’entrepôt", [*parts, *arrows, *boxes])


def _between(left: Box, right: Box) -> str:
    return arrow(Point(left.x + left.width, left.centre.y), Point(right.x, right.centre.y))


def _down(above: Box, below: Box) -> str:
    return arrow(Point(above.centre.x, above.y + above.height), Point(below.centre.x, below.y))


architecture: Final = Chapter(
    "architecture", "L’architecture de l’entrepôt", ("L1.5", "A.1", "A.2", "A.9", "A.12"), _blocks
)
