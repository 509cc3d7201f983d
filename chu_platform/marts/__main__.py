"""The embedded server of the marts, running until this process ends: `python -m chu_platform.marts`."""

import signal

from chu_platform.command import run_command
from chu_platform.marts.server import mart_server
from chu_platform.settings import load_settings


def _main() -> None:
    with mart_server(load_settings()):
        while True:
            signal.pause()


if __name__ == "__main__":
    run_command(_main)
