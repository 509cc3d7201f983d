"""The defence: twenty minutes of speech over the steps of the story, a demonstration, and ten minutes of questions.

The demonstration is declared as acts: the page shows them in words, and a test performs the same acts in a browser.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

SPEECH_SECONDS: Final = 20 * 60
ANSWER_SECONDS: Final = 10 * 60
# Words that a speaker says in a minute, without haste.
WORDS_PER_MINUTE: Final = 140


@dataclass(frozen=True)
class Spoken:
    """What is said to a step of the story: its title in the plan, how long it takes, and the notes of the speaker."""

    title: str
    seconds: int
    notes: str


class Action(Enum):
    """What is done in an act of the demonstration."""

    OPEN = "open"
    CLICK = "click"
    CHOOSE = "choose"
    SEARCH = "search"
    COMMAND = "command"


@dataclass(frozen=True)
class Act:
    """An act: what is done (to a link, list or field named `target`, with a `value`), and the text that is seen then.

    `seen` is on the screen, or in the output of a command; `meaning` says what it shows.
    """

    action: Action
    target: str
    seen: str
    meaning: str
    value: str = ""

    @property
    def words(self) -> str:
        """The act in words."""
        match self.action:
            case Action.OPEN:
                return f"Ouvrir l’adresse {self.target}"
            case Action.CLICK:
                return f"Cliquer sur « {self.target} »"
            case Action.CHOOSE:
                return f"Dans la liste « {self.target} », choisir « {self.value} », puis « Afficher »"
            case Action.SEARCH:
                return f"Dans le champ « {self.target} », écrire « {self.value} », puis la touche Entrée"
            case Action.COMMAND:
                return f"Dans le terminal : {self.target}"


@dataclass(frozen=True)
class Answer:
    """A question that a committee may ask: the answer, how long it takes, and the address of a page that shows it."""

    question: str
    answer: str
    seconds: int
    address: str


# In the order of the steps of the story.
SPEECH: Final[Sequence[Spoken]] = (
    Spoken(
        "La question",
        40,
        "Bonjour. Le groupe enregistre depuis des années des consultations, des séjours, des décès et des avis de patients, dans des bases et des fichiers qui ne se parlent pas. Nous disons ce que leur rapprochement montre, ce qu’il ne montre pas, et ce que nous proposons. Lire les volumes à l’écran.",
    ),
    Spoken(
        "La démarche",
        60,
        "Quatre étapes, celles du sujet : l’architecture, le modèle, l’implémentation, la mesure. Une seule règle : tout est déclaré une fois. Une table est un module, et de lui viennent son graphe, ses contrôles, sa page. Trois personnes travaillent sur un lac sans se gêner : chacune a son préfixe, et ce qui est partagé passe par un commit relu. Lire le nombre de tables et de contrôles.",
    ),
    Spoken(
        "Les besoins",
        60,
        "Huit questions viennent du sujet. Le registre en ajoute d’autres, avec qui décide quoi ; un lecteur en ajoute par une commande. Insister : certaines questions n’ont pas de réponse dans les données, et le registre le dit avec la raison. La rentabilité en est une : aucune source ne contient de coût.",
    ),
    Spoken(
        "L’entrepôt",
        70,
        "Un seul chemin, de gauche à droite. Une ligne livrée est gardée ou rejetée avec sa raison. Les identités restent dans la première zone. Au milieu, des chiffres exacts pour les analystes habilités. À droite, ce que tout le monde lit : masqué, par éditions. Une table qui enfreint une règle bloquante n’est pas publiée, et la précédente reste.",
    ),
    Spoken(
        "La conception",
        70,
        "Une constellation : plusieurs faits, des dimensions partagées. Dire le grain de la consultation et celui du décès. Montrer que les patients, les lieux et les diagnostics sont les mêmes tables pour plusieurs faits : c’est ce qui permet de rapprocher. Un professionnel peut exercer dans plusieurs établissements : une table de pont répartit chaque consultation à parts égales, sans la compter deux fois.",
    ),
    Spoken(
        "Le modèle physique et la mesure",
        80,
        "Chaque table est une table Delta, partitionnée quand elle grandit avec le temps. « chu benchmark layouts » compare des dispositions sur plusieurs moteurs ; la diapositive dit ce qui est relevé, où, et sous quelle charge. Lire la phrase : dans beaucoup de cas, les intervalles se recouvrent, et nous ne disons pas qu’une disposition gagne. À droite, la grappe : lire la durée et les secondes d’exécuteur, puis dire la charge de la machine pendant la mesure.",
    ),
    Spoken(
        "Lire un taux",
        50,
        "Avant les résultats, comment lire un chiffre. Le numérateur, le dénominateur, l’intervalle. Un patient compte une fois par période. La base est un échantillon du groupe : aucun de ces taux ne se compare au taux national.",
    ),
    Spoken(
        "Résultat : consultations",
        65,
        "Lire le titre : c’est le constat, et il n’est affirmé que si les intervalles le permettent. Lire le chiffre, puis ce qui le compose. Signaler les consultations qui ne se rattachent à aucun établissement : c’est une limite des données, et notre première recommandation.",
    ),
    Spoken(
        "Résultat : hospitalisations",
        65,
        "Même lecture. Si le titre dit que l’évolution n’est pas établie, le dire tel quel : les intervalles de deux années se recouvrent. Ne pas expliquer une variation que les données ne permettent pas d’affirmer.",
    ),
    Spoken(
        "Résultat : selon l’âge",
        65,
        "Chaque tranche d’âge a sa propre base. Lire la tranche la plus haute et la plus basse. Rappeler que ce n’est pas une cause : l’âge accompagne, il n’explique pas à lui seul.",
    ),
    Spoken(
        "Résultat : décès par région",
        65,
        "Les décès viennent du registre de l’Insee, public, donc non masqué. Lire la somme : les régions et l’ailleurs font le total, exactement. Ce sont des taux bruts : une région plus âgée a un taux plus haut. L’indice standardisé, lui, est sur la page de la mortalité.",
    ),
    Spoken(
        "Résultat : satisfaction",
        65,
        "Une mesure, la moyenne pondérée par le nombre de réponses. Lire l’intervalle. Si les régions ne se distinguent pas, dire que leur classement n’a pas de sens. L’enquête ambulatoire est à part : d’autres patients, une autre note.",
    ),
    Spoken(
        "Démonstration technique",
        240,
        "Quitter le plein écran, suivre la liste. Dire à chaque geste ce que l’on attend avant de le faire. Si un écran tarde, passer au suivant : chaque geste se suffit. Terminer par le terminal : un chiffre publié se remonte jusqu’aux fichiers livrés.",
    ),
    Spoken(
        "Les outils que nous préconisons",
        80,
        "Sept domaines, des critères pondérés, et pour chaque note une preuve : mesurée, citée, ou un avis, qui est alors appelé un avis. L’équipe qui note a construit la plateforme : le rapport dit donc si le premier le reste quand un poids change, ou quand tous nos avis se trompent. L’hébergement est serré : lire l’écart.",
    ),
    Spoken(
        "Les limites",
        60,
        "Dire les limites avant qu’on les demande. Ni qualité des soins, ni cause, ni toute la population. Et plus on regarde de près, plus il y a de cellules masquées : lire la part du premier indicateur.",
    ),
    Spoken(
        "Que faire",
        65,
        "Chaque recommandation suit d’un chiffre ou d’une limite montrée. Lire la première et la dernière. Conclure : décider sur des intervalles, pas sur des rangs. Merci ; nous répondons à vos questions.",
    ),
)
# The step of the story at which the demonstration takes place, from 1 on.
DEMONSTRATION_STEP: Final = 13
ACTS: Final[Sequence[Act]] = (
    Act(Action.OPEN, "/", "Combien de décès", "Les questions, chacune avec son chiffre et sa fiabilité."),
    Act(Action.CLICK, "Combien de décès dans chaque région ?", "en 2019", "La question 7 s’ouvre sur l’année demandée, avec une carte."),
    Act(Action.CHOOSE, "Région du décès", "Bretagne", "Une autre région : le titre, le chiffre et la comparaison suivent.", "Bretagne"),
    Act(Action.CLICK, "Les questions", "Quel recours", "Retour à toutes les questions, par le menu."),
    Act(Action.CLICK, "Quel recours à l’hospitalisation selon le sexe et l’âge ?", "intervalle", "Un taux avec ce qui le compose et son intervalle à 95 %."),
    Act(Action.SEARCH, "Chercher dans tout le portail", "Finistère", "La recherche pardonne un accent oublié.", "finistere"),
    Act(Action.CLICK, "Dernier mois", "mois", "Le dernier mois est-il inhabituel ? Une carte de contrôle, et ses règles."),
    Act(Action.CLICK, "Les besoins auxquels ces indicateurs répondent", "Pas de réponse", "Au pied de chaque page, le registre des besoins, avec les questions sans réponse."),
    Act(Action.CLICK, "Méthode", "contrôle", "L’état des données : ce qui n’a pas passé ses contrôles."),
    Act(
        Action.COMMAND,
        "chu trace published/kpis/kpi_deaths_by_region year=2019 region_code=53 sex=all age_band=all",
        "deces",
        "Le chiffre de la Bretagne remonte aux versions des tables et aux fichiers livrés.",
    ),
    Act(
        Action.COMMAND,
        "chu kpi kpi_hospitalisation_rate --from 2019-01 --to 2019-12",
        "2019",
        "Le même indicateur en ligne de commande, pour un analyste habilité.",
    ),
)  # fmt: skip
ANNEX: Final[Sequence[Answer]] = (
    Answer("Pourquoi pas une base de données classique ?", "Un format ouvert se lit par plusieurs moteurs, sans serveur allumé, et garde ses versions. PostgreSQL reste la base des soins. Le rapport compare quatre stockages, note par note.", 60, "/recit#etape-14"),
    Answer("Le registre des décès est-il rapproché de vos patients ?", "Non. Ce rapprochement demande une autorisation qui n’existe pas. Les décès sont publics et restent à part ; le registre des besoins le dit.", 45, "/besoins"),
    Answer("Peut-on retrouver un patient dans ce qui est publié ?", "Les effectifs de 1 à 10 sont masqués, et assez d’autres avec eux. Des attaquants écrits à part essaient de les retrouver avant chaque publication. Une coalition de deux responsables qui mettent en commun leurs chiffres n’est pas couverte.", 75, "/methode"),
    Answer("Pourquoi vos taux ne se comparent-ils pas au national ?", "La base est un échantillon de patients du groupe, et rien ne dit qui est parti ou décédé. Le dénominateur n’est donc pas une population.", 45, "/questions/hospitalisations"),
    Answer("Que valent vos intervalles ?", "Wilson pour une part de patients, Garwood pour un nombre d’événements, Fay et Feuer pour un taux standardisé. La page de méthode donne chaque définition. Deux intervalles qui se recouvrent ne sont pas dits différents.", 60, "/methode"),
    Answer("Que se passe-t-il si un fichier livré est abîmé ?", "Chaque ligne refusée est gardée avec sa raison. Un contrôle bloquant retient la table, et la dernière bonne version reste publiée.", 45, "/methode"),
    Answer("Votre solution passe-t-elle à l’échelle ?", "Le même SQL s’exécute sur une machine et sur une grappe ; les lignes sont comparées. « chu benchmark elasticity » mesure un et deux processus de travail, et rien n’est extrapolé au-delà : le rapport donne l’accélération avec ses bornes et la charge de la machine, ou dit que la mesure manque.", 75, "/recit#etape-6"),
    Answer("Combien cela coûte-t-il ?", "Le modèle de coût est dans le rapport des préconisations. Ses prix sont des entrées, avec leur source et leur date ; ceux qui n’ont pas de tarif public sont appelés hypothèses, et un devis les remplace.", 60, "/recit#etape-14"),
    Answer("Pourquoi les partitions ou les compartiments ne gagnent-ils pas toujours ?", "Une requête ne gagne que si elle filtre sur la colonne de partition, et si les fichiers restent assez grands. Le rapport du modèle physique montre aussi les résultats négatifs.", 60, "/recit#etape-6"),
    Answer("Qui peut voir quoi ?", "Trois zones : le service seul, les analystes habilités, tout le monde. Le portail ne lit que la dernière. L’accès aux lignes livrées est inscrit.", 45, "/methode"),
    Answer("Que feriez-vous avec trois mois de plus ?", "Un devis d’hébergement certifié, un essai de chiffrement du stockage par une clé du groupe, et l’identification des lecteurs pour qu’un besoin s’ajoute depuis sa page.", 30, "/besoins"),
)  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """A step of the story in the plan of the defence: when it begins, as minutes and seconds, and what is said."""

    number: int
    begins: str
    lasts: str
    spoken: Spoken


def timed_plan() -> Sequence[Planned]:
    """The plan of the twenty minutes."""
    plan, second = [], 0
    for number, spoken in enumerate(SPEECH, 1):
        plan.append(Planned(number, clock(second), clock(spoken.seconds), spoken))
        second += spoken.seconds
    return plan


def clock(seconds: int) -> str:
    """A time as minutes and seconds: "1:05"."""
    return f"{seconds // 60}:{seconds % 60:02}"
