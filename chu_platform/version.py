"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _package_version() -> str:
    try:
        return version("chu_platform")
    except PackageNotFoundError:  # run from a folder, without installation
        return "not installed"


PACKAGE_VERSION: Final = _package_version()
