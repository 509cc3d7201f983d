"""Writing the reports: all are made first, then each file is replaced as a whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from chu_platform.committee.brief import brief
from chu_platform.committee.check_list import check_list
from chu_platform.committee.document import Document, MadeChapter, Report
from chu_platform.committee.html_writer import as_html
from chu_platform.committee.inputs import Inputs
from chu_platform.committee.markdown_writer import as_markdown
from chu_platform.committee.pdf_writer import as_pdf
from chu_platform.committee.written_folder import WrittenFolder

# Names of the files that the last `chu report` has written into a folder.
RECORD: Final = ".chu-report.json"


def write_reports(
    folder: Path, reports: Sequence[Report], inputs: Inputs, log_progress: Callable[[str], None]
) -> Sequence[Path]:
    """Write the reports and the check-list into a folder; the files, the check-list first.

    Files of earlier reports that are not written any more are deleted. Raises ChuError if the folder holds anything
    else than reports; then, and if a report cannot be made, nothing is written.
    """
    written = of_reports(folder)
    before = written.recorded()
    files: dict[str, bytes] = {}
    pages: dict[str, Mapping[str, int]] = {}
    for report in reports:
        document = document_of(report, inputs)
        made, pages[report.name] = _files_of(document, inputs)
        files |= made | dict(report.files(inputs) if report.files else {})
        log_progress(f"{report.name}: {len(document.chapters)} chapters, {len(made[f'{report.name}.pdf']) // 1000} kB")
    listed, _ = _files_of(check_list(reports, pages, inputs.stated), inputs)
    files = listed | files
    written.replace(files, before)
    return [folder / name for name in files]


def document_of(report: Report, inputs: Inputs) -> Document:
    """The document of a report. Raises ValueError if a chapter answers a sentence that the brief does not have."""
    known = {sentence.identifier for sentence in brief()}
    for chapter in report.chapters:
        if unknown := set(chapter.answers) - known:
            raise ValueError(f"chapter {chapter.slug} answers {sorted(unknown)}, which is no sentence of the brief")
    document = Document(report.name, report.title, report.subtitle, inputs.stated)
    return replace(
        document,
        chapters=[
            MadeChapter(chapter.slug, number, chapter.title, list(chapter.blocks(inputs)))
            for number, chapter in enumerate(report.chapters, 1)
        ],
    )


def _files_of(document: Document, inputs: Inputs) -> tuple[dict[str, bytes], Mapping[str, int]]:
    """The three forms of a document, by the names of their files, and the pages of the chapters in the PDF."""
    pdf, pages = as_pdf(document, inputs.today)
    markdown, pictures = as_markdown(document)
    texts = {f"{document.name}.html": as_html(document), f"{document.name}.md": markdown, **pictures}
    return {f"{document.name}.pdf": pdf, **{name: text.encode() for name, text in texts.items()}}, pages


def of_reports(folder: Path) -> WrittenFolder:
    """A folder as one of reports."""
    return WrittenFolder(folder, RECORD, "reports")
