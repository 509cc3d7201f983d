"""HTML as tests ask for it: elements by CSS selector, and their text with plain spaces."""

from selectolax.lexbor import LexborHTMLParser, LexborNode


class Element:
    """An element of a page; `"text" in element` asks whether its text holds a text."""

    def __init__(self, node: LexborNode) -> None:
        self._node = node

    def all(self, selector: str) -> "list[Element]":
        """The elements inside that a selector names, in the order of the page."""
        return [Element(node) for node in self._node.css(selector) if node.mem_id != self._node.mem_id]

    def one(self, selector: str) -> "Element":
        """The only element inside that a selector names."""
        (found,) = self.all(selector)
        return found

    @property
    def text(self) -> str:
        """What it says, every run of spaces (also unbreakable ones) as one plain space."""
        return " ".join(self._node.text().split())

    @property
    def own_text(self) -> str:
        """The same without what the elements inside say."""
        return " ".join(self._node.text(deep=False).split())

    @property
    def name(self) -> str:
        """Its tag."""
        return str(self._node.tag)

    @property
    def attributes(self) -> dict[str, str]:
        """Its attributes."""
        return {name: value or "" for name, value in self._node.attributes.items()}

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
        return isinstance(other, Element) and self._node.html == other._node.html

    def __hash__(self) -> int:
        return hash(self._node.html)


def parsed(page: str) -> Element:
    """A page."""
    root = LexborHTMLParser(page).root
    assert root is not None
    return Element(root)
