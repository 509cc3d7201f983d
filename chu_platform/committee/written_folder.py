"""A folder of generated documents: only what an earlier command wrote there is replaced or deleted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError

UNFINISHED: Final = ".unfinished"


@dataclass(frozen=True)
class WrittenFolder:
    """A folder of documents. `record` is the file that names them, `contents` what messages call them."""

    folder: Path
    record: str
    contents: str

    def recorded(self) -> Sequence[str]:
        """The files of earlier documents. Raises ChuError if the folder holds anything else, or is no folder."""
        if not self.folder.exists():
            return []
        try:
            names = json.loads((self.folder / self.record).read_text(encoding="utf-8"))
            return [str(name) for name in names]
        except (OSError, ValueError, TypeError):
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                return []
            raise ChuError(
                f"{self.folder} exists, and is neither an empty folder nor one with {self.contents}: nothing was "
                "written"
            ) from None

    def replace(self, files: Mapping[str, bytes], before: Sequence[str]) -> None:
        """Replace the files, each as a whole, and delete those of `before` (see `recorded`) that are not among them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in set(before) - set(files):
            (self.folder / name).unlink(missing_ok=True)
        # The record first: whatever is interrupted leaves a folder that the next command still knows as its own.
        for name, content in {self.record: json.dumps(sorted(files), indent=0).encode(), **files}.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_name(file.name + UNFINISHED)
            unfinished.write_bytes(content)
            unfinished.replace(file)
