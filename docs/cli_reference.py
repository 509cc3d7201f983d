"""Write docs/cli.md, the reference of the `chu` commands, from the commands themselves: `make cli-reference`.

Typer makes the Markdown (`typer ... utils docs`). This script adds the notice at the top, and writes quotes and
comparison signs as they are instead of HTML entities. The test `test_cli_reference` fails when the file is not current.
"""

import html
import os
import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).with_name("cli.md")
NOTICE = "<!-- Made by `make cli-reference` from chu_platform/cli.py. Do not edit. -->\n\n"


def reference() -> str:
    """Return the whole text of docs/cli.md. Raises CalledProcessError when the commands cannot be loaded."""
    command = [sys.executable, "-m", "typer", "chu_platform.cli", "utils", "docs", "--name", "chu"]
    # Typer's help follows these variables of the terminal; the reference must not.
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR", "TERMINAL_WIDTH")}
    made = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return NOTICE + html.unescape(made.stdout).strip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
