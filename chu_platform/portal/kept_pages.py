"""Pages that were made, kept compressed until their inputs change or others need the memory."""

import gzip
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

# Bytes of the pages that are kept. A page has about 12 kB.
MAX_BYTES: Final = 64 * 1024 * 1024
# 4 takes half the time of 6, which makes pages smaller by a twentieth.
COMPRESSION: Final = 4
HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """What is asked for: a kind of page, what its path names (a question, a kind of search), its query as given."""

    kind: str
    name: str = ""
    query: str = ""


@dataclass(frozen=True)
class KeptPage:
    """A page of HTML: its tag, which is another one for another content, and its content, compressed."""

    tag: str
    content: bytes

    @classmethod
    def of(cls, content: bytes) -> "KeptPage":
        """The page with this content."""
        return cls(f'"{hashlib.sha256(content).hexdigest()[:20]}"', gzip.compress(content, COMPRESSION, mtime=0))

    def answer(self, request: Request) -> Response:
        """The answer to a request for it: compressed if the client can read that, empty if the client has it."""
        headers = {"ETag": self.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.content, headers={**headers, "Content-Encoding": "gzip"}, media_type=HTML)
        return Response(gzip.decompress(self.content), headers=headers, media_type=HTML)


class KeptPages:
    """The pages that were asked for last, each with a text that identifies its inputs. For several threads.

    While the pages of a new snapshot are made, those of the old one are still asked for: both are kept.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pages: dict[tuple[Asked, str], KeptPage] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, asked: Asked, inputs: str) -> KeptPage | None:
        """The page, if it was made from these inputs and is still kept."""
        with self._lock:
            found = self._pages.pop((asked, inputs), None)
            if found is not None:
                self._pages[asked, inputs] = found
        return found

    def put(self, asked: Asked, inputs: str, page: KeptPage) -> None:
        """Keep a page, and drop those that nobody asked for longest."""
        with self._lock:
            self._drop((asked, inputs))
            self._pages[asked, inputs] = page
            self._bytes += len(page.content)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._pages)))

    def last_asked(self, most: int) -> Sequence[Asked]:
        """What was asked for last, the latest first."""
        with self._lock:
            return list(dict.fromkeys(asked for asked, _ in reversed(self._pages)))[:most]

    def _drop(self, key: tuple[Asked, str]) -> None:
        if found := self._pages.pop(key, None):
            self._bytes -= len(found.content)
