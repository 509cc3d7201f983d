"""Remove from a lock file what another one has: `only_tests.py requirements-test.lock requirements.lock`."""

import re
import sys
from pathlib import Path

# A package: its line, and the lines of its hashes.
PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==.*(?:\n[ \t].*)*\n", re.MULTILINE)


def main(tests: Path, run: Path) -> None:
    """Keep the comments of `tests`, and the packages that are not in `run`."""
    installed = {match[1] for match in PACKAGE.finditer(run.read_text(encoding="utf-8"))}
    text = tests.read_text(encoding="utf-8")
    tests.write_text(PACKAGE.sub(lambda m: "" if m[1] in installed else m[0], text), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
