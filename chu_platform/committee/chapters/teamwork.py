"""Livrable 1: how three people work on one lake without disturbing each other."""

from collections.abc import Iterator
from typing import Final

from chu_platform.committee.document import Block, Bullets, Chapter, Column, Heading, Paragraph, Table
from chu_platform.committee.inputs import Inputs


def _blocks(_inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Trois personnes travaillent sur les mêmes livraisons sans se gêner, parce que trois choses sont séparées : ce qui est livré, ce que chacun calcule, et ce que les lecteurs voient."
    )
    yield Table(
        "Qui écrit où",
        [Column("Quoi", 1.2), Column("Où", 2), Column("Pourquoi cela ne gêne pas les autres", 3)],
        [
            [
                "Livraisons",
                "`CHU_SOURCES`, le même dossier pour tous",
                "Il est lu seulement : rien n’y est jamais écrit, et l’empreinte de chaque fichier est gardée.",
            ],
            [
                "Lac de chaque personne",
                "`CHU_HOME` et `CHU_LAKE` propres, par exemple `s3://chu/alice`",
                "Chacun a son préfixe : ses tables, ses exécutions, sa base de soins embarquée. Un petit dossier de démonstration (`chu demo-pack`) suffit pour essayer.",
            ],
            [
                "Clé des pseudonymes",
                "`CHU_SECRETS`",
                "Un lac garde l’empreinte de sa clé : il n’est jamais fait avec une autre, et un lac d’essai n’a pas la clé du groupe.",
            ],
            [
                "Code",
                "une branche par personne, un changement par commit",
                "Une table est un module ; deux personnes modifient rarement le même fichier.",
            ],
            [
                "Lac partagé",
                "préfixe commun, écrit par le serveur seul",
                "Un verrou par table et par job ; une table est remplacée par un seul commit, entière ou pas du tout.",
            ],
        ],
        "chu settings",
    )
    yield Heading("La promotion par commit")
    yield Bullets(
        [
            "Chacun fait ses tables dans son préfixe, et lance `make test` et `make lint`.",
            "La revue porte sur un commit : la déclaration, ses contrôles, ses tests, et la liste des tables que le changement concerne (`golden.json`).",
            "Le commit accepté est installé sur le serveur. `chu materialize` compare la version du code de chaque table avec celle qui l’a faite : **seules les tables dont le code ou les entrées ont changé sont refaites**.",
            "Les mêmes livraisons et le même code donnent les mêmes lignes : ce qui a été vu dans le préfixe de l’auteur est ce que donne le lac partagé. `chu verify` recalcule les chiffres publiés d’une autre façon.",
            "Un retour en arrière est une version Delta précédente (`chu restore`), ou le commit précédent.",
        ],
        numbered=True,
    )
    yield Paragraph(
        "La synchronisation est celle des **données par les livraisons** et du **code par les commits** : personne ne copie une table d’un lac à l’autre."
    )


teamwork: Final = Chapter("travail-a-trois", "Travailler à trois sur un même lac", ("M.2",), _blocks)
