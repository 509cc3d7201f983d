"""Sign-ins that are under way at the identity provider: what must be the same when the browser comes back."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chu_platform.identity.database import Database
from chu_platform.identity.secret_tokens import hash_of

SECONDS: Final = 600


@dataclass(frozen=True)
class Redirection:
    """A sign-in under way: `nonce` and `verifier` of OpenID Connect, and `back`, the path to go to after it."""

    nonce: str
    verifier: str
    back: str


class Redirections:
    """The sign-ins under way of a deployment, by `state`. Each belongs to the browser that has a cookie."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(folder)
        self._clock = clock

    def put(self, state: str, browser: str, redirection: Redirection) -> None:
        """Keep a sign-in for ten minutes."""
        now = int(self._clock())
        with self._database.writing() as connection:
            connection.execute("DELETE FROM redirection WHERE expires <= ?", (now,))
            connection.execute(
                "INSERT INTO redirection (hash, browser, nonce, verifier, back, expires) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    hash_of(state),
                    hash_of(browser),
                    redirection.nonce,
                    redirection.verifier,
                    redirection.back,
                    now + SECONDS,
                ),
            )

    def take(self, state: str, browser: str) -> Redirection | None:
        """The sign-in of a state and a browser, which is over then; None if there is none."""
        with self._database.writing() as connection:
            found = connection.execute(
                "DELETE FROM redirection WHERE (hash, browser) = (?, ?) AND expires > ? "
                "RETURNING nonce, verifier, back",
                (hash_of(state), hash_of(browser), int(self._clock())),
            ).fetchone()
        return Redirection(*found) if found else None
