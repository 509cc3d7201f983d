"""Running a command of the platform: signals interrupt it, and each error is one line with an exit status."""

import getpass
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import typer

from chu_platform.errors import ChuError, known_cause, log_traceback
from chu_platform.interrupts import INTERRUPTED, SIGNALS
from chu_platform.settings import load_settings


def run_command(command: Callable[[], int | None]) -> NoReturn:
    """Call `command`, which returns an exit status, and exit. Errors are printed without a traceback.

    Exit status: 0 success, 1 failure, 2 invalid command, 130 interrupted.
    """
    interrupted = False

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    def report(unraisable: "sys.UnraisableHookArgs") -> None:
        # A finalizer was interrupted: the interrupt is repeated (`interrupts`), and needs no traceback.
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = report
    try:
        # SIGINT is set as well, because a shell without job control starts background commands with SIGINT ignored.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, interrupt)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # otherwise nohup has disabled it
            signal.signal(signal.SIGHUP, interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # see `go_on_as`
        status = command() or 0
        if status == INTERRUPTED:  # Typer has caught the interrupt
            _fail_interrupted()
        sys.exit(status)
    except typer.TyperException as wrong:
        _fail(wrong.format_message(), wrong.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail_interrupted()
    except Exception as error:
        if interrupted:  # a library in C has changed the interrupt to an error of its own
            _fail_interrupted()
        _fail(_message(error), 1)


def run_server(main: Callable[..., None], name: str) -> None:
    """Call the function of a server with the arguments of this process. A user's mistake is one line with its name."""
    try:
        typer.run(main)
    except ChuError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)


def go_on_as(module: str, *arguments: str) -> NoReturn:
    """Go on as another module, which calls `run_command`, in the same process.

    What was done before leaves no memory behind. A signal that comes meanwhile waits until the module handles it.
    """
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606


def _message(error: Exception) -> str:
    """One line about an error."""
    if isinstance(error, ChuError):
        return str(error)
    cause = known_cause(error)
    if cause is None and isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or type(error).__name__}{where}"
    log = _log_of(error)
    return cause or f"unexpected {type(error).__name__}; see {log}"


def _fail_interrupted() -> NoReturn:
    for name in SIGNALS:  # another signal ends the process at once
        if signal.getsignal(name) is not signal.SIG_IGN:
            signal.signal(name, signal.SIG_DFL)
    _fail("interrupted", INTERRUPTED)


def _fail(message: str, status: int) -> NoReturn:
    print(f"chu: {message}", file=sys.stderr)
    sys.exit(status)


def _log_of(error: BaseException) -> str:
    try:
        folder = load_settings().logs_folder
    except ChuError as invalid:
        return f"no file: {invalid}"
    return log_traceback(error, folder)


def user_and_machine() -> str:
    """Name of the user of the operating system, and of the machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        name = f"user {os.getuid()}"
    return f"{name}@{socket.gethostname()}"
