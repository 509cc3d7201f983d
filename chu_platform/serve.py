"""Serving Dagster UI, portal, exact figures, daemon and code server, as child processes that end with this process.

`chu serve` prepares what they need, and goes on as this module, with two ports and an option (READ_ONLY, REFRESH). A
process of `guard` starts each child, and ends it when this process ends for any reason.
"""

import errno
import http
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from chu_platform.command import run_command
from chu_platform.errors import ChuError, known_cause, log_traceback
from chu_platform.guard import signal_group
from chu_platform.server_health import code_server_answers, http_status, socket_answers
from chu_platform.settings import Settings, load_settings
from chu_platform.transport import own_address, require_safe_place
from chu_platform.urls import DOCUMENTS_ROOT, SIGN_IN_LINK

WORKSPACE: Final = Path(__file__).with_name("workspace.yaml")
# Alone in its isolated process, a guard needs 5 MB instead of 20.
GUARD: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")))
READ_ONLY: Final = "--read-only"
REFRESH: Final = "--refresh"
SOCKET: Final = "code"
# Where the portal, the exact figures and the UI tell that they answer.
HEALTH: Final = "/sante"
OWN_FIGURES: Final = "own"
DEFAULT_PORT: Final = 3000
LAST_PORT: Final = 65535
START_TIMEOUT: Final = 600.0
# Seconds before a part that has ended is started again; doubled each time that it ends within STABLE_SECONDS.
FIRST_RESTART_SECONDS: Final = 1.0
MAX_RESTART_SECONDS: Final = 60.0
STABLE_SECONDS: Final = 60.0
# A part that lives, but gives no answer for so long, is ended, and started again. An answer may take ANSWER_SECONDS.
HUNG_SECONDS: Final = 120.0
ANSWER_SECONDS: Final = 30.0
SECONDS_BETWEEN_QUESTIONS: Final = 15.0


def require_free_port(host: str, port: int, option: str = "--port") -> None:
    """Raise ChuError if this machine cannot listen on the port. The message names `option`, which sets the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = (
                "is taken by another program"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used ({error.strerror})"
            )
            raise ChuError(f"port {port} of {host} {why}: choose another one with {option}") from None


def portal_port_of(port: int, chosen: int | None) -> int:
    """The port of the portal: `chosen`, by default the port after that of the UI. Raises ChuError if invalid."""
    if chosen is None and port == LAST_PORT:
        raise ChuError(f"there is no port after {port} for the portal: choose one with --portal-port")
    if chosen == port:
        raise ChuError(f"the portal cannot have the port of the UI, {port}: choose another one with --portal-port")
    return chosen or port + 1


def serve(settings: Settings, port: int, portal_port: int, option: str | None, say: Callable[[str], None]) -> None:
    """Serve the Dagster UI and the portal until this process is interrupted.

    With READ_ONLY there is no daemon, and nothing can be changed. With REFRESH, `chu materialize` runs beside the
    servers; then the daemon starts. A child process that ends, or does not answer any more, is started again; the
    others are not concerned. DAGSTER_HOME must be prepared and set in the environment. Raises ChuError if a port is
    taken, or if the UI or the portal does not start.
    """
    from chu_platform.storage.copies_folder import delete_abandoned

    require_safe_place(settings, settings.listen)
    require_free_port(settings.listen, port)
    require_free_port(settings.listen, portal_port, "--portal-port")
    logs = settings.logs_folder
    logs.mkdir(parents=True, exist_ok=True)
    name, module = (
        ("read-only-webserver", "chu_platform.read_only_webserver")
        if option == READ_ONLY
        else ("dagster-webserver", "chu_platform.webserver")
    )
    with ExitStack() as stack:
        # Children that were stopped by a signal leave their copies of the lake's files, as did what prepared this.
        delete_abandoned(settings.copies_folder)
        stack.callback(delete_abandoned, settings.copies_folder)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="chu-")))
        address, portal_address = _address(settings, port), _address(settings, portal_port)
        ui_place, portal_place = _Place.of(settings, port), _Place.of(settings, portal_port)
        own_figures = folder / OWN_FIGURES
        # Nothing is changed for auditors, also not the access journal: they are shown no exact figures.
        forwarded = () if option == READ_ONLY else ("--own-figures", str(own_figures))
        # First, because it needs no other server, and more people wait for it.
        portal_command = ("chu_platform.portal", str(portal_port), address, "--host", settings.listen, *forwarded)
        portal = stack.enter_context(_Child("portal", portal_command, logs, portal_place.answers))
        _wait_for_answer([portal], portal, portal_place)
        say(f"portal      {portal_address}")
        if line := _sign_in_line(settings, portal_address):
            say(line)
        code, shared = _code_server(WORKSPACE, folder, logs, lambda: _close_runs(settings, say))
        children = [portal, stack.enter_context(code)]
        if forwarded:
            command = ("chu_platform.exact_figures", str(own_figures))
            children.append(stack.enter_context(_Child("exact-figures", command, logs, _answers_on(own_figures))))
        if settings.marts and settings.marts_url is None and option != READ_ONLY:
            from chu_platform.marts.server import embedded_answers, reader_address

            def answers(seconds: float) -> bool:
                return embedded_answers(settings, seconds)

            children.append(stack.enter_context(_Child("marts", ("chu_platform.marts",), logs, answers)))
            say(f"marts       {reader_address(settings)} (a user: chu marts password ACCOUNT)")
        _wait_for_socket(code, folder / SOCKET)
        workspace = ("-w", str(shared))
        ui_command = (module, "-h", settings.listen, "-p", str(port), *workspace)
        ui = stack.enter_context(_Child(name, ui_command, logs, ui_place.answers))
        children.append(ui)
        _wait_for_answer(children, ui, ui_place)

        def start_daemon() -> None:
            # Started after the webserver, because in a new DAGSTER_HOME both would create the same files.
            daemon = _Child("dagster-daemon", ("chu_platform.dagster_daemon", "run", *workspace), logs)
            children.append(stack.enter_context(daemon))

        refresh = stack.enter_context(_materializing()) if option == REFRESH else None
        if option is None:
            start_daemon()
        say(f"Dagster UI  {address}{' (read-only)' if option == READ_ONLY else ''}")
        say(f"documents   {address}{DOCUMENTS_ROOT}")
        say(f"lake        {settings.lake_place}")
        say(f"secrets     {settings.secrets_folder}")
        say(f"logs        {logs}")
        say("Ctrl-C stops all of it.")
        threading.Thread(target=_end_hung, args=(children, say), daemon=True).start()
        while True:
            if refresh and refresh.poll() is not None:
                refresh = None
                start_daemon()
            for child in children:
                child.keep_running(say)
            time.sleep(0.5)


def _code_server(workspace: Path, folder: Path, logs: Path, ended: Callable[[], None]) -> tuple["_Child", Path]:
    """A code server for the module that a workspace file names, and a workspace file for all that use it.

    Without it, webserver and daemon each start one, and the daemon starts a new one every minute. Its socket is in
    `folder`, which only this user may enter: whoever reaches it can start runs. `ended` is called after it has ended.
    """
    import yaml  # not at the start of every command

    (location,) = yaml.safe_load(workspace.read_text(encoding="utf-8"))["load_from"]
    module, name = location["python_module"]["module_name"], location["python_module"]["location_name"]
    command = ("dagster", "api", "grpc", "--socket", str(folder / SOCKET), "--location-name", name, "-m", module)
    shared = folder / "workspace.yaml"
    server = {"grpc_server": {"socket": str(folder / SOCKET), "location_name": name}}
    shared.write_text(yaml.safe_dump({"load_from": [server]}), encoding="utf-8")
    child = _Child("code-server", command, logs, lambda seconds: code_server_answers(folder / SOCKET, seconds), ended)
    return child, shared


def _close_runs(settings: Settings, say: Callable[[str], None]) -> None:
    """Mark the runs of a code server that has ended as failed: their processes ended with it.

    They are tried again as other failed runs. Without this, one that was starting would keep its place in the queue for
    ten minutes, and one that could not report its end for hours.
    """
    from chu_platform.graph.dagster_instance import SERVED_TAG, close_dead_runs, open_instance

    try:
        with open_instance(settings) as instance:
            dead = close_dead_runs(instance, SERVED_TAG)
    except Exception as error:
        log = log_traceback(error, settings.logs_folder)
        say(f"runs of the code server are not marked as failed: {known_cause(error) or f'see {log}'}")
        return
    if dead:
        say(f"marked {dead} unfinished run(s) of the code server as failed")


def _wait_for_socket(child: "_Child", path: Path) -> None:
    """Wait until a child listens on a socket. Raises ChuError if it ends, or after START_TIMEOUT."""
    deadline = time.monotonic() + START_TIMEOUT
    while not _listens(path):
        _require_alive([child])
        if time.monotonic() > deadline:
            raise ChuError(f"{child.name} does not answer: see {child.log}")
        time.sleep(0.1)
    child.note_answer()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


class _Child:
    """A Python module that runs under a guard process, with its output in a log file.

    `answers` says whether it answers within a number of seconds. `ended` is called before it is started again, when it
    and what it has started have ended.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        logs: Path,
        answers: Callable[[float], bool] | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._answers = answers
        self._after_end = ended
        self.log = logs / f"{name}.log"
        self.log.write_bytes(b"")
        self._command = command
        self._waits = 0.0
        self._start()

    def _start(self) -> None:
        self._ended: float | None = None
        self._started = time.monotonic()
        self._answered: float | None = None
        # Appended to, so that it can be shortened, and has the reason of an earlier end.
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [*GUARD, *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,  # the number of the process that it guards
                stderr=log,
                start_new_session=True,  # so that Ctrl-C only interrupts this process
            )

    @property
    def alive(self) -> bool:
        return self._guard.poll() is None

    def note_answer(self) -> None:
        """Note that the module has just answered. One that has not answered since its start has more time for it."""
        self._answered = time.monotonic()

    def end_if_hung(self, say: Callable[[str], None]) -> None:
        """End the module if it lives, but has not answered for a time; `keep_running` then starts it again."""
        guard = self._guard
        if self._answers is None or not self.alive:
            return
        answers = self._answers(ANSWER_SECONDS)
        if guard is not self._guard:
            return  # it was started again meanwhile
        if answers:
            self.note_answer()
            return
        silent = time.monotonic() - (self._answered or self._started)
        is_ending = guard.stdin is None or guard.stdin.closed
        if silent > (HUNG_SECONDS if self._answered else START_TIMEOUT) and not is_ending:
            say(f"{self.name} does not answer, and is ended")
            _close(guard.stdin)

    def keep_running(self, say: Callable[[str], None]) -> None:
        """Start the module again after it has ended: at once, or after a wait that grows if it ends again and again."""
        now = time.monotonic()
        if self.alive:
            return
        if self._ended is None:
            self._ended = now
            brief = now - self._started < STABLE_SECONDS
            self._waits = min(2 * self._waits, MAX_RESTART_SECONDS) if brief and self._waits else FIRST_RESTART_SECONDS
            say(f"{self.name} ended, and is started again in {self._waits:.0f} s; its log is {self.log}")
        elif now - self._ended >= self._waits:
            self._close()
            self._after_end()
            self._start()

    def _close(self) -> None:
        """End the guard and what it guards, also if the guard was killed and could not do so."""
        _close(self._guard.stdin)
        self._guard.wait()
        if self._guard.stdout and not self._guard.stdout.closed:
            guarded = self._guard.stdout.readline()
            self._guard.stdout.close()
            if self._guard.returncode and guarded:
                signal_group(int(guarded), signal.SIGKILL)

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


@contextmanager
def _materializing() -> Iterator["subprocess.Popen[bytes]"]:
    """Run `chu materialize` under a guard, with its output on that of this process, and end it at the end."""
    guard = subprocess.Popen(
        [*GUARD, "chu_platform.cli", "materialize", "--figures"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # the number of the process that it guards
        stderr=sys.stdout,
        start_new_session=True,
    )
    try:
        yield guard
    finally:
        _close(guard.stdin)
        guard.wait()


def _require_alive(children: Sequence[_Child]) -> None:
    for child in children:
        if not child.alive:
            raise ChuError(f"{child.name} ended; its log is {child.log}")


@dataclass(frozen=True)
class _Place:
    """Where a server tells that it answers."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, settings: Settings, port: int) -> "_Place":
        """The place of a port of the settings."""
        return cls(own_address(settings.listen), port, settings.tls_certificate is not None)

    def status(self, seconds: float) -> int | None:
        """The status of the answer; None without one within a number of seconds."""
        return http_status(self.host, self.port, HEALTH, seconds, self.tls)

    def answers(self, seconds: float) -> bool:
        """Whether there is an answer within a number of seconds."""
        return self.status(seconds) is not None


def _address(settings: Settings, port: int) -> str:
    """The address at which this machine reaches a server."""
    host = own_address(settings.listen)
    named = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls_certificate else 'http'}://{named}:{port}"


def _sign_in_line(settings: Settings, portal: str) -> str | None:
    """What to say of sign-in: where nobody has to have an account, a link for whoever started this; else nothing."""
    from chu_platform.identity.accounts import OWNER_NAME
    from chu_platform.identity.current_user import owns_home
    from chu_platform.identity.sessions import Sessions

    if settings.access != "open" or not owns_home(settings):
        return None
    try:
        token = Sessions.of(settings).new_link(OWNER_NAME)
    except ChuError as error:
        return f"sign in     there is no link: {error}"
    return f"sign in     {portal}{SIGN_IN_LINK}{token} (once, within a day)"


def _wait_for_answer(children: Sequence[_Child], child: _Child, place: _Place) -> None:
    """Wait until a child answers at its place. Raises ChuError if a child ends, or after START_TIMEOUT."""
    deadline = time.monotonic() + START_TIMEOUT
    while place.status(5) != http.HTTPStatus.OK:
        _require_alive(children)
        if time.monotonic() > deadline:
            raise ChuError(f"{child.name} does not answer on port {place.port}: see {child.log}")
        time.sleep(0.1)
    child.note_answer()


def _answers_on(file: Path) -> Callable[[float], bool]:
    """Whether a server that listens on a socket answers within a number of seconds."""
    return lambda seconds: socket_answers(file, HEALTH, seconds)


def _end_hung(children: Sequence[_Child], say: Callable[[str], None]) -> None:
    """Ask each child again and again, for ever, whether it answers."""
    while True:
        time.sleep(SECONDS_BETWEEN_QUESTIONS)
        for child in list(children):
            child.end_if_hung(say)


def _close(stream: IO[bytes] | None) -> None:
    if stream:
        stream.close()


def _main() -> None:
    port, portal_port, *options = sys.argv[1:]
    option = options[0] if options else None
    try:
        serve(load_settings(), int(port), int(portal_port), option, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    run_command(_main)
