"""Writing the documents: all are made first, then each file is replaced as a whole."""

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from chu_platform.committee.document import Document
from chu_platform.committee.html_writer import as_html
from chu_platform.committee.markdown_writer import as_markdown
from chu_platform.committee.written_folder import WrittenFolder
from chu_platform.governance.access_rights import access_rights
from chu_platform.governance.assessment import assessment
from chu_platform.governance.cnil import cnil
from chu_platform.governance.incident import incident
from chu_platform.governance.inputs import Inputs
from chu_platform.governance.register import register
from chu_platform.governance.restoration import restoration
from chu_platform.governance.retention_schedule import retention_schedule
from chu_platform.settings import Settings

# Names of the files that the last `chu governance` has written into a folder.
RECORD: Final = ".chu-governance.json"
DOCUMENTS: Final[Sequence[Callable[[Inputs], Document]]] = (
    register,
    assessment,
    access_rights,
    retention_schedule,
    cnil,
    incident,
    restoration,
)


def write_documents(settings: Settings, folder: Path, today: datetime.date) -> Sequence[str]:
    """Write the documents into a folder as HTML and Markdown; their names.

    Raises ChuError if the folder holds anything else, or if a table does not declare its policy; then nothing is
    written.
    """
    written = WrittenFolder(folder, RECORD, "documents of data protection")
    before = written.recorded()
    inputs = Inputs(settings, today)
    files: dict[str, bytes] = {}
    names = []
    for make in DOCUMENTS:
        document = make(inputs)
        markdown, pictures = as_markdown(document)
        texts = {f"{document.name}.html": as_html(document), f"{document.name}.md": markdown, **pictures}
        files |= {name: text.encode() for name, text in texts.items()}
        names.append(document.name)
    written.replace(files, before)
    return names
