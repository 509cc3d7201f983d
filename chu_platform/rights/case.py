"""A case: a request for erasure that is being fulfilled, with all that must not be found afterwards.

It is a private file below the folder of the secrets, because the lake knows nobody any more once the rows are gone. It
is deleted when the certificate is written; until then, the case can be taken up again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.persons import Kind
from chu_platform.settings import Settings
from chu_platform.storage.durable import write_whole

FOLDER: Final = "erasures"
ONLY_THIS_USER: Final = 0o700


@dataclass(frozen=True)
class Case:
    """A request with its number; `by` and `at` (UTC, ISO 8601) say who has entered it, and when.

    `texts` are the texts of the opposition list, by kind. `owned` are the numbers of their consultations and stays, by
    source. `names` are family and first names as they are written,
    `shared_names` those that other persons have too. `tokens` are the numbers and addresses of these persons alone,
    `pseudonyms` their pseudonyms and surrogates. `held` is the number of rows of these persons by table, `files` are
    the delivered files that these rows come from.
    """

    request: str
    by: str
    at: str
    texts: Mapping[str, Sequence[str]]
    owned: Mapping[str, Sequence[str]]
    names: Sequence[tuple[str, str]]
    shared_names: Sequence[tuple[str, str]]
    tokens: Sequence[str]
    pseudonyms: Sequence[str]
    held: Mapping[str, int]
    files: Sequence[str]

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of its texts."""
        return frozenset(Kind(kind) for kind, texts in self.texts.items() if texts)


def cases_folder(settings: Settings) -> Path:
    """The folder of the cases that are not finished."""
    return settings.secrets_folder / FOLDER


def open_cases(settings: Settings) -> Sequence[Case]:
    """The cases that are not finished, oldest first. Raises ChuError if a file is damaged."""
    found = []
    for file in cases_folder(settings).glob("*.json"):
        try:
            read = json.loads(file.read_text(encoding="utf-8"))
            pairs = {name: [tuple(pair) for pair in read[name]] for name in ("names", "shared_names")}
            found.append(Case(**{**read, **pairs}))
        except (ValueError, TypeError, KeyError):
            raise ChuError(f"the case {file} is damaged: delete it, and enter the request again") from None
    return sorted(found, key=lambda case: case.at)


def keep_case(settings: Settings, case: Case) -> None:
    """Write a case, so that it can be taken up again."""
    write_whole(_file(settings, case), json.dumps(asdict(case), ensure_ascii=False), ONLY_THIS_USER)
    _file(settings, case).chmod(0o600)


def close_case(settings: Settings, case: Case) -> None:
    """Delete a case."""
    _file(settings, case).unlink(missing_ok=True)


def _file(settings: Settings, case: Case) -> Path:
    return cases_folder(settings) / f"{case.request}.json"
