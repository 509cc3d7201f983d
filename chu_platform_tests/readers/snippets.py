"""The examples of docs/readers.md."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chu_platform.settings import PROJECT
from chu_platform_tests.readers.delta_readers import Filter
from chu_platform_tests.readers.plain_reader import read

DOCUMENT: Final = PROJECT / "docs" / "readers.md"
LAKE: Final = ".chu/lake"
TABLE: Final = "published/kpis/kpi_deaths_by_region"
# The environment that the page names for DuckDB 1.5.
DELTA_SCAN: Final = ("duckdb==1.5.5", "duckdb-extension-delta==1.5.5")
# Seen twice in whole runs of the suite, with delta-rs, after all was printed; its cause is not known.
ABORTED_AT_EXIT: Final = "terminate called without an active exception"


def snippets() -> Mapping[str, str]:
    """The Python code of each section, by its heading."""
    sections = DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1:]
    found = {s.split("\n", 1)[0]: re.findall(r"^```python\n(.*?)^```", s, re.DOTALL | re.MULTILINE) for s in sections}
    return {heading: code[0] for heading, code in found.items() if code}


def printed_rows(python: Path, code: str, lake: Path, environment: Mapping[str, str] | None = None) -> int:
    """What an example prints, with the interpreter of an environment and another lake."""
    assert LAKE in code
    command = [str(python), "-c", code.replace(LAKE, str(lake))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0 or done.stderr.strip() == ABORTED_AT_EXIT, done.stderr[-2000:]
    return int(done.stdout.strip().splitlines()[-1])


def expected_rows(lake: Path) -> int:
    """What every example has to print."""
    return read(lake / TABLE).answer(Filter("region_label", "=", "Île-de-France")).rows
