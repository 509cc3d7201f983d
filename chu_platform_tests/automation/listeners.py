"""Small servers for tests: a webhook, a mail server, and a proxy of the care database that cuts connections."""

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
    """A webhook: its address, and the list of the JSON documents that it has received."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server, _running(server):
        yield f"http://127.0.0.1:{server.server_port}", received


@contextmanager
def mail_server() -> Iterator[tuple[str, list[str]]]:
    """A mail server with login: its host and port, and the list of the messages that it has received."""
    received: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            for line in self.rfile:
                command = line.split()[0].upper() if line.split() else b""
                answers = {b"EHLO": b"250-test\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 welcome\r\n"}
                if command == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    received.append(b"".join(lines).decode())
                    self.wfile.write(b"250 taken\r\n")
                elif command == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(answers.get(command, b"250 well\r\n"))

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server, _running(server):
        yield f"127.0.0.1:{server.server_address[1]}", received


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
class CuttingProxy:
    """A TCP proxy of a PostgreSQL server.

    The first `cuts` connections that read a table are cut after `after` bytes of the answer. `reads` is the number of
    connections that have read a table.
    """

    socket_file: Path
    cuts: int
    after: int
    reads: int = field(default=0, init=False)

    @contextmanager
    def open(self) -> Iterator[int]:
        """Start the proxy; yields its port."""
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as server:
                    server.connect(str(proxy.socket_file))
                    proxy.forward(self.request, server)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        with Server(("127.0.0.1", 0), Handler) as server, _running(server):
            yield server.server_address[1]

    def forward(self, client: socket.socket, server: socket.socket) -> None:
        """Copy data in both directions until one side ends or the connection is cut."""
        reading, will_be_cut = threading.Event(), threading.Event()

        def forward_requests() -> None:
            with suppress(OSError):
                while data := client.recv(65536):
                    if b"::text AS" in data and not reading.is_set():
                        reading.set()
                        self.reads += 1
                        if self.reads <= self.cuts:
                            will_be_cut.set()
                    server.sendall(data)
            _end(client, server)

        threading.Thread(target=forward_requests, daemon=True).start()
        remaining = self.after
        with suppress(OSError):
            while remaining > 0 and (data := server.recv(4096)):
                client.sendall(data)
                remaining -= len(data) if will_be_cut.is_set() else 0
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
