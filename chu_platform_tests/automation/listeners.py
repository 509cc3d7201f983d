"""Small servers of a test: a webhook, a mail server, and a line to the care database that can be cut."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def webhook() -> Iterator[tuple[str, list[Any]]]:
    """An address that takes JSON by POST, and what it has got."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server, _running(server):
        yield f"http://127.0.0.1:{server.server_port}", got


@contextmanager
def mail_server() -> Iterator[tuple[str, list[str]]]:
    """Host and port of a mail server that wants a login, and the messages it has got."""
    got: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            for line in self.rfile:
                word = line.split()[0].upper() if line.split() else b""
                answers = {b"EHLO": b"250-test\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 welcome\r\n"}
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    got.append(b"".join(lines).decode())
                    self.wfile.write(b"250 taken\r\n")
                elif word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(answers.get(word, b"250 well\r\n"))

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server, _running(server):
        yield f"127.0.0.1:{server.server_address[1]}", got


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@dataclass
class Line:
    """A TCP port that leads to a PostgreSQL server.

    The first `cuts` connections that read a table are cut, `after` bytes of answers later. `reads` counts all such.
    """

    socket_file: Path
    cuts: int
    after: int
    reads: int = field(default=0, init=False)

    @contextmanager
    def open(self) -> Iterator[int]:
        """The port, for the time of the context."""
        line = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as server:
                    server.connect(str(line.socket_file))
                    line.carry(self.request, server)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        with Server(("127.0.0.1", 0), Handler) as server, _running(server):
            yield server.server_address[1]

    def carry(self, client: socket.socket, server: socket.socket) -> None:
        """Carry what is said in both directions, until one side ends or the line is cut."""
        reading, doomed = threading.Event(), threading.Event()

        def ask() -> None:
            with suppress(OSError):
                while said := client.recv(65536):
                    if b"::text AS" in said and not reading.is_set():
                        reading.set()
                        self.reads += 1
                        if self.reads <= self.cuts:
                            doomed.set()
                    server.sendall(said)
            _end(client, server)

        threading.Thread(target=ask, daemon=True).start()
        left = self.after
        with suppress(OSError):
            while left > 0 and (said := server.recv(4096)):
                client.sendall(said)
                left -= len(said) if doomed.is_set() else 0
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
