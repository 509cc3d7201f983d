"""Addresses of the portal: how they are written, and what a link to one holds on a server and in a copy without one.

An address is a path with parameters and perhaps a fragment: `/questions/hospitalisations?periode=2019#calcul`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from posixpath import dirname, relpath
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from chu_platform.portal.questions import Question
from chu_platform.tables.table import StoredTable
from chu_platform.urls import DOCUMENTS_ROOT, page_of

HOME: Final = "/"
STORY: Final = "/recit"
DEFENCE: Final = "/soutenance"
METHOD: Final = "/methode"
QUALITY: Final = "/qualite"
NEEDS: Final = "/besoins"
PROFILE: Final = "/profil"
FUNNEL: Final = "/entonnoir"
LAST_MONTH: Final = "/dernier-mois"
REGISTER: Final = "/registre"
EXPLORER: Final = "/explorer"
DOORS: Final = "/portes/"
OWN_FIGURES: Final = "/mon-etablissement"
OWN_ACTIVITY: Final = "/mon-activite"
OWN_EXPLORER: Final = f"{OWN_FIGURES}{EXPLORER}"
CONTROLS: Final = "/controle/"
HEALTH: Final = "/sante"
QUESTIONS: Final = "/questions/"
SEARCHES: Final = "/recherche/"
SEARCH: Final = "/recherche"
SUGGESTIONS: Final = "/suggestions"
STATIC: Final = "/static/"
PERIOD: Final = "periode"
MEASURE: Final = "mesure"
ABSENT: Final = Markup('<span class="absent">{}</span> <small class="soft">({})</small>')
LINK: Final = Markup('<a%s href="%s">%s</a>')
MISSING: Final = "pas dans la copie"


def question_address(question: Question, parameters: Mapping[str, str], file: str = "") -> str:
    """A view of a question, or a file of that view: `file` is its name, such as "evolution.csv"."""
    path = f"{QUESTIONS}{question.slug}{f'/{file}' if file else ''}"
    return f"{path}?{urlencode(parameters)}" if parameters else path


def explorer_address(parameters: Sequence[tuple[str, str]], file: str = "", explorer: str = EXPLORER) -> str:
    """A table of an explorer, or a file of it: `file` is its name, such as "tableau.csv"."""
    path = f"{explorer}/{file}" if file else explorer
    return f"{path}?{urlencode(parameters)}" if parameters else path


def profile_address(place: str, others: Sequence[str] = ()) -> str:
    """The profile of a place beside others, each given as level:code."""
    asked = {"lieu": place, **({"avec": ",".join(others)} if others else {})}
    return f"{PROFILE}?{urlencode(asked)}"


def search_address(kind: str, question: Question | None = None, words: str = "") -> str:
    """A search among places or diagnoses: its form, or its results when a question is given."""
    path = f"{SEARCHES}{kind}"
    return f"{path}?{urlencode({'q': words, 'question': question.slug})}" if question else path


class Addresses(ABC):
    """What links of a page hold. `served`: a server answers, so that forms, searches and images on demand work.

    `own_figures`: it also forwards requests for exact figures of own sites.
    """

    served: bool = True
    own_figures: bool = False

    @abstractmethod
    def of(self, address: str) -> str | None:
        """The text of a link to an address; None where nothing is."""

    def of_choice(self, address: str) -> str | None:
        """The same for an entry of a list of choices, where lists are links."""
        return self.of(address)

    def lineage(self, _table: StoredTable) -> str | None:
        """The text of a link to the lineage of a table; None without the Dagster UI."""
        return None

    def link(self, address: str, content: str, **attributes: str | bool | None) -> Markup:
        """A link; where nothing is, its content with the remark that it is missing.

        `class_` and `data_chart` become class and data-chart; True is an attribute without a value, None is none.
        """
        target = self.of(address)
        if target is None:
            return ABSENT.format(content, MISSING)
        return LINK % (_attributes(attributes), target, content)


class ServedAddresses(Addresses):
    """Links of a served portal, which are the addresses themselves; `ui` is the address of the Dagster UI."""

    def __init__(self, ui: str | None = None, own_figures: bool = False) -> None:
        self._ui = ui
        self.own_figures = own_figures

    def of(self, address: str) -> str:
        """The address."""
        return address

    def lineage(self, table: StoredTable) -> str | None:
        """The page of the table among the documents beside the Dagster UI."""
        return f"{self._ui}{DOCUMENTS_ROOT}{page_of(table)}" if self._ui else None


class CopiedAddresses(Addresses):
    """Links of one page of a copy: relative paths. `files` has the file of each address that the copy holds."""

    served = False

    def __init__(self, own_file: str, files: Mapping[str, str]) -> None:
        self._folder = dirname(own_file)
        self._files = files

    def of(self, address: str) -> str | None:
        """The path of the file of an address, from the folder of the page."""
        whole, _, fragment = address.partition("#")
        target = whole.removeprefix("/") if whole.startswith(STATIC) else self._files.get(whole)
        if target is None:
            return None
        return relpath(target, self._folder or ".") + (f"#{fragment}" if fragment else "")


def _attributes(given: Mapping[str, str | bool | None]) -> Markup:
    written = [
        Markup(" %s") % name.rstrip("_").replace("_", "-")
        if value is True
        else Markup(' %s="%s"') % (name.rstrip("_").replace("_", "-"), value)
        for name, value in given.items()
        if value is not None and value is not False
    ]
    return Markup("").join(written)
