"""What gate and journal cost: response times of a portal with and without them, and of exact pages.

    python benchmarks/gate_cost.py HOME

HOME is a CHU_HOME with a lake; nothing in it is changed. Two portals serve it, one of them beside the process of exact
figures, to an account that signs in. The same public pages are asked of both in turn, so that other load of the machine
concerns both alike; then pages of exact figures. Prints median and 95th percentile of each, in milliseconds, the
ratio of the percentiles of public pages, and the time of an entry of the journal.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from chu_platform.access.entries import Answer, Decision
from chu_platform.access.journal import Journal
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.identity.sessions import Sessions
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.portal.served import QUESTIONS, answer_of
from chu_platform_tests.ports import free_port

ROUNDS: Final = 60
EXACT_PAGES: Final = 60
ENTRIES: Final = 200
PASSWORD: Final = "correct horse battery"  # noqa: S105 of an account that exists as long as this program


def main(home: Path) -> None:
    """Print the times."""
    public = ["/", *(f"/questions/{q.slug}" for q in QUESTIONS), "/sante"]
    with ExitStack() as stack:
        secrets = Path(stack.enter_context(TemporaryDirectory(prefix="chu-")))
        socket = secrets / "own"
        environment = {**os.environ, "CHU_HOME": str(home), "CHU_SECRETS": str(secrets), "CHU_ACCESS": "accounts"}
        site = _largest_site(home)
        Accounts(secrets / "accounts").add(
            "head", Held(Profile.HEAD, Purpose.STEERING, date.max, frozenset({site.removeprefix("F")}))
        )
        sessions = Sessions(secrets / "accounts", "accounts")
        token = sessions.begin_with_link(sessions.new_link("head"), PASSWORD)
        plain, guarded = free_port(), free_port()
        stack.enter_context(_process(environment, "chu_platform.exact_figures", str(socket)))
        stack.enter_context(_process(environment, "chu_platform.portal", str(plain)))
        stack.enter_context(_process(environment, "chu_platform.portal", str(guarded), "--own-figures", str(socket)))
        for port in (plain, guarded):
            _wait(lambda port=port: answer_of(port, "/sante").status == 200)  # type: ignore[misc]
        cookie = {"Cookie": f"chu_session={token}"}
        exact = f"/mon-etablissement/questions/consultations-etablissement?x=establishment:{site}"
        _wait(lambda: answer_of(guarded, exact, headers=cookie).status == 200)
        times: dict[str, list[float]] = {"public, without": [], "public, with": [], "exact": []}
        for _ in range(ROUNDS):
            for path in public:
                times["public, without"].append(_timed(lambda path=path: answer_of(plain, path).status))  # type: ignore[misc]
                times["public, with"].append(
                    _timed(lambda path=path: answer_of(guarded, path, headers=cookie).status)  # type: ignore[misc]
                )
        for _ in range(EXACT_PAGES):
            times["exact"].append(_timed(lambda: answer_of(guarded, exact, headers=cookie).status))
        journal = Journal(secrets / "other")
        answer = Answer("head", "head", "steering", "kpis/x", 1, "code = 'F1'", 1, Decision.ALLOWED)
        times["entry"] = [_timed(lambda: bool(journal.append(answer)) and 200) for _ in range(ENTRIES)]
    for name, found in times.items():
        print(f"{name}: p50 {_quantile(found, 50):.1f} ms, p95 {_quantile(found, 95):.1f} ms ({len(found)} answers)")
    print(f"ratio of p95: {_quantile(times['public, with'], 95) / _quantile(times['public, without'], 95):.2f}")


def _largest_site(home: Path) -> str:
    """The key of the establishment with most consultations."""
    import duckdb
    from deltalake import DeltaTable

    place = home / "lake" / "pseudonymised" / "kpis" / "kpi_consultation_rate_by_establishment"
    rows = DeltaTable(str(place)).to_pyarrow_table(columns=["level", "code", "period_grain", "consultations"])
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        found = connection.sql(
            "SELECT code FROM rows WHERE level = 'establishment' AND period_grain = 'all' AND code LIKE 'F%' "
            "ORDER BY consultations DESC, code LIMIT 1"
        ).fetchall()
    return str(found[0][0])


@contextmanager
def _process(environment: dict[str, str], module: str, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _wait(is_ready: Callable[[], bool]) -> None:
    for _ in range(600):
        try:
            if is_ready():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError


def _timed(ask: Callable[[], int]) -> float:
    begun = time.perf_counter()
    status = ask()
    if status != 200:
        raise ValueError(f"status {status}")
    return 1000 * (time.perf_counter() - begun)


def _quantile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
