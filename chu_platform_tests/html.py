"""HTML as tests ask for it: elements by CSS selector, and their text with plain spaces."""

from bs4 import BeautifulSoup, Tag


class Element:
    """An element of a page; `"text" in element` asks whether its text holds a text."""

    def __init__(self, tag: Tag) -> None:
        self._tag = tag

    def all(self, selector: str) -> "list[Element]":
        """The elements inside that a selector names, in the order of the page."""
        return [Element(tag) for tag in self._tag.select(selector)]

    def one(self, selector: str) -> "Element":
        """The only element inside that a selector names."""
        (found,) = self.all(selector)
        return found

    @property
    def text(self) -> str:
        """What it says, every run of spaces (also unbreakable ones) as one plain space."""
        return " ".join(self._tag.get_text().split())

    @property
    def own_text(self) -> str:
        """The same without what the elements inside say."""
        return " ".join("".join(self._tag.find_all(string=True, recursive=False)).split())

    @property
    def name(self) -> str:
        """Its tag."""
        return str(self._tag.name)

    @property
    def attributes(self) -> dict[str, str]:
        """Its attributes."""
        return {name: " ".join(v) if isinstance(v, list) else str(v) for name, v in self._tag.attrs.items()}

    @property
    def links(self) -> list[str]:
        """Where the links inside lead."""
        return [e.attributes["href"] for e in self.all("a[href]")]

    @property
    def ids(self) -> set[str]:
        """The ids inside."""
        return {e.attributes["id"] for e in self.all("[id]")}

    def __contains__(self, text: str) -> bool:
        return text in self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Element) and str(self._tag) == str(other._tag)

    def __hash__(self) -> int:
        return hash(str(self._tag))


def parsed(page: str) -> Element:
    """A page."""
    return Element(BeautifulSoup(page, "html.parser"))
