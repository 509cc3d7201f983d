"""The commands `chu erase` and `chu keys`."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from chu_platform.command import user_and_machine
from chu_platform.settings import load_settings

if TYPE_CHECKING:
    from chu_platform.rights.requests import Request

erase: Final = typer.Typer(no_args_is_help=True)
keys: Final = typer.Typer(no_args_is_help=True)
STANDARD_INPUT: Final = Path("/dev/stdin")
HELP_OF_ERASE: Final = "Erasure of persons, with a signed certificate."
HELP_OF_KEYS: Final = "The keys of the lake."


@erase.callback()
def _of_erasure() -> None:
    """Erasure of persons, with a signed certificate."""


@keys.callback()
def _of_keys() -> None:
    """The keys of the lake."""


def _printer() -> Callable[[str], None]:
    begun = time.monotonic()

    def report(message: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {message}", flush=True)

    return report


@erase.command("persons", short_help="Erase persons, and keep them out.")
def erase_persons(
    file: Annotated[
        Path | None, typer.Argument(help="CSV file: patient,family_name,first_names,birth_date; without it, stdin")
    ] = None,
) -> None:
    """Erase persons from the lake and from all copies, and keep them out of later deliveries.

    Each line of the request has the number of a patient, or family name, first names and date of birth (YYYY-MM-DD).
    The sender's delivery is not changed: the certificate names it. An interrupted erasure goes on with the next one.
    """
    from chu_platform.rights.requests import read_persons

    # The standard input is not opened again: whoever gave it may not have let this user open it.
    _erase(read_persons(file or STANDARD_INPUT, None if file else sys.stdin.buffer))


@erase.command("deaths", short_help="Erase the deaths of INSEE's opposition list.")
def erase_deaths(
    file: Annotated[Path, typer.Argument(help="file of INSEE's opposition list (fichier-opposition-deces-*.csv)")],
) -> None:
    """Erase the deaths of INSEE's opposition list from the lake and all copies, and keep them out of later deliveries.

    A list that is delivered with the register needs no command: its deaths leave the tables with the next run. This
    command also deletes them from old versions at once, and writes a certificate.
    """
    from chu_platform.rights.requests import read_deaths

    _erase(read_deaths(load_settings(), file))


@erase.command("resume", short_help="Go on with interrupted erasures.")
def resume() -> None:
    """Go on with erasures that were interrupted, or that found something that had to be deleted by hand."""
    _erase(None)


@erase.command("verify", short_help="Verify the signature of a certificate.")
def verify_certificate(
    file: Annotated[Path, typer.Argument(help="file of the certificate")],
    key: Annotated[Path | None, typer.Option(help="file of the public key; by default that of CHU_SECRETS")] = None,
) -> None:
    """Verify the signature of a certificate, and print what it says: exit status 0 if it is unaltered."""
    from chu_platform.rights.certificate import PUBLIC_FILE, verify

    statement = verify(key or load_settings().secrets_folder / PUBLIC_FILE, file)
    for name, value in statement.items():
        print(f"{name}: {value}")
    print("the signature is valid")


def _erase(request: "Request | None") -> None:
    from chu_platform.rights.erase import erase as fulfil

    for certificate in fulfil(load_settings(), request, user_and_machine(), _printer()):
        print(f"nothing of the persons is found any more; certificate: {certificate}")
        print("released figures change with the next edition: `chu release`")


@keys.command("rotate", short_help="Pseudonymise everything under a new key.")
def rotate_key() -> None:
    """Pseudonymise the lake again under a new key, compare all figures, and destroy the old key.

    It can be interrupted, and started again. Old versions of the tables with pseudonyms are deleted.
    """
    from chu_platform.rights.rotate import rotate

    old, new = rotate(load_settings(), _printer())
    print(f"the lake is pseudonymised with key {new}; key {old} is destroyed: destroy its copies in backups as well")
