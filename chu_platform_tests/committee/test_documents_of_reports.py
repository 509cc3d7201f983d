"""Documents of reports: what is refused, and how the three writers write the same document."""

import datetime
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from chu_platform.committee.document import (
    PAGE_WIDTH,
    Block,
    Bullets,
    Code,
    Column,
    Document,
    Figure,
    Figures,
    Heading,
    Link,
    Listing,
    MadeChapter,
    Missing,
    Paragraph,
    Picture,
    Span,
    Table,
    spans,
)
from chu_platform.committee.drawing import Box, Point, cut, matrix, picture, text
from chu_platform.committee.html_writer import as_html
from chu_platform.committee.markdown_writer import as_markdown
from chu_platform.committee.pdf_writer import as_pdf
from chu_platform_tests.html import parsed

pytestmark = pytest.mark.unit

DAY = datetime.date(2026, 11, 30)
DRAWN = picture(200, 100, "Une boîte", [Box(10, 10, 100, 60, "Été", ["œuvre"]).drawn()])
SIGNS = 'Signes <b> & "x" : $x$ #let [a](b) *c* _d_ \\ | ~ @e « été » et `un_code.long` et **du gras**'
DOCUMENT = Document(
    "essai",
    "Un essai",
    "Sous-titre",
    "Établi le 30 novembre 2026",
    [
        MadeChapter(
            "premier",
            1,
            "Le premier",
            [
                Paragraph(SIGNS),
                Heading("Une partie"),
                Heading("Une sous-partie", 3),
                Bullets(["un", "deux"]),
                Bullets(["un", "deux"], numbered=True),
                Table(
                    "Un tableau | large",
                    [Column("Nom", 2), Column("Nombre", number=True), Column("Lien")],
                    [["a | b", "1 234", Link("ailleurs", "livrable1", "besoins")], ["c", "5", Code("SELECT `x` | 1")]],
                    "chu kpi kpi_deaths_by_region",
                ),
                Picture(DRAWN, "Une image", "chu dictionary DOSSIER"),
                Listing("SELECT 1\n  FROM x", "sql", "Une requête"),
                Figures([Figure("Décès", "12", "chu kpi x")]),
                Missing("rien n’est mesuré"),
            ],
        ),
        MadeChapter("second", 2, "Le second", [Paragraph("Fin.")]),
    ],
)


def test_inline_markup() -> None:
    assert list(spans("a `b_c` **d** e")) == [
        Span("a "),
        Span("b_c", code=True),
        Span(" "),
        Span("d", bold=True),
        Span(" e"),
    ]
    assert list(spans("2 * 3 ** 4")) == [Span("2 * 3 ** 4")]


def test_what_has_no_command_is_refused() -> None:
    with pytest.raises(ValueError, match="no command"):
        Figure("Décès", "12", " ")
    with pytest.raises(ValueError, match="no command"):
        Table("Titre", [Column("a")], [["b"]], "")
    with pytest.raises(ValueError, match="no command"):
        Picture(DRAWN, "Image", "")


def test_a_picture_that_does_not_fit_the_page_is_refused() -> None:
    wide = picture(PAGE_WIDTH + 1, 100, "trop large", [])
    with pytest.raises(ValueError, match="more than the page"):
        Picture(wide, "Image", "chu kpi")
    assert Picture(wide, "Image", "chu kpi", wide=True).size == (PAGE_WIDTH + 1, 100)
    with pytest.raises(ValueError, match="too small"):
        Picture(picture(100, 100, "petit", [text(1, 1, "x", 8)]), "Image", "chu kpi")
    with pytest.raises(ValueError, match="viewBox"):
        Picture("<svg></svg>", "Image", "chu kpi").size  # noqa: B018


def test_a_row_with_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 cells, not 1"):
        Table("Titre", [Column("a")], [["b", "c"]], "chu kpi")


def test_a_wide_picture_has_a_page_with_its_heading() -> None:
    wide = Picture(DRAWN, "Large", "chu kpi", wide=True)
    text = Paragraph("x")
    chapter = MadeChapter("a", 1, "A", [text, Heading("Un"), wide, wide, text, wide])
    groups = [(is_wide, [type(b).__name__ for _, b in blocks]) for is_wide, blocks in chapter.pages]
    assert groups == [
        (False, ["Paragraph"]),
        (True, ["Heading", "Picture"]),
        (True, ["Picture"]),
        (False, ["Paragraph"]),
        (True, ["Picture"]),
    ]
    assert as_html(replace(DOCUMENT, chapters=[chapter])).count('<div class="wide">') == 3
    assert as_pdf(replace(DOCUMENT, chapters=[chapter]), DAY)[0].count(b"/MediaBox[0 0 841.8898 595.2756]") == 3


def test_html_has_everything_and_nothing_from_elsewhere() -> None:
    page = as_html(DOCUMENT)
    assert "<code>un_<wbr>code.<wbr>long</code> et <strong>du gras</strong>" in page
    assert "&lt;b&gt; &amp;" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    for anchor in ("premier", "premier-1", "second"):
        assert page.count(f'id="{anchor}"') == page.count(f'href="#{anchor}"') == 1
    assert 'href="livrable1.html#besoins"' in page
    assert page.count("Commande") == 3
    assert [e.text for e in parsed(page).all("main h2")] == ["1. Le premier", "2. Le second"]


def test_markdown_keeps_tables_whole() -> None:
    written, pictures = as_markdown(DOCUMENT)
    assert "| a \\| b | 1 234 | [ailleurs](livrable1.md#besoins) |" in written
    assert "| c | 5 | `` SELECT `x` \\| 1 `` |" in written
    assert "\\*c\\* \\_d\\_" in written
    assert written.count("Commande") == 3
    [(name, svg)] = pictures.items()
    assert f"]({name})" in written
    assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_pdf_is_the_same_each_time_and_has_no_date_but_the_stated_one() -> None:
    made, pages = as_pdf(DOCUMENT, DAY)
    assert made == as_pdf(DOCUMENT, DAY)[0]
    assert made != as_pdf(DOCUMENT, datetime.date(2026, 12, 1))[0]
    assert b"/CreationDate(D:20261130000000Z)" in made
    assert pages == {"premier": 2, "second": pages["second"]}
    assert pages["second"] > 2


def test_pdf_takes_any_text() -> None:
    long = Paragraph("un_nom_de_fichier_sans_espace." * 20)
    blocks: list[Block] = [Paragraph('"\\" #{x} $$ `"\\n"` //* = - + <a> @b'), Listing('"\\', "sh"), long]
    strange = replace(DOCUMENT.chapters[0], blocks=blocks)
    assert as_pdf(replace(DOCUMENT, chapters=[strange]), DAY)[0].startswith(b"%PDF")


def test_a_line_leaves_a_box_at_its_edge() -> None:
    box = Box(0, 0, 100, 50, "x")
    assert box.edge(Point(500, 25)) == Point(100, 25)
    assert box.edge(Point(50, -500)) == Point(50, 0)
    assert box.edge(Point(500, 25), (20, 10)) == Point(110, 25)
    assert box.edge(Point(50, -500), (20, 10)) == Point(50, -5)


def test_cut() -> None:
    assert cut("abc", 100) == "abc"
    assert cut("abcdefghij", 40) == "abcde…"


def test_matrix_has_a_dot_for_each_mark() -> None:
    drawn = matrix("Croix", ["a", "b"], ["x", "y", "z"], {("a", "x"), ("b", "z")})
    assert drawn.count("<circle") == 2
    Picture(drawn, "Croix", "chu kpi")
