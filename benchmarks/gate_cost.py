"""What gate and journal cost: response times with them and without them, of the pages that exist both ways.

    python benchmarks/gate_cost.py HOME FOLDER

HOME is a CHU_HOME with a lake; nothing in it is changed. The journal is written below FOLDER: choose one on the disk
that is to be measured. Two comparisons, each of the same pages in turn, so that other load of the machine concerns
both alike:

- public pages of two portals, one of them beside the process of exact figures, to an account that signs in;
- pages of exact figures of a site, made with gate and journal, and made of rows that are read without either.

Prints median and 95th percentile of each in milliseconds, and the ratios of the percentiles. Exit status 0 if both are
at most LIMIT.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pyarrow as pa

from chu_platform.access.entries import Answer, Decision
from chu_platform.access.gate import EVERYTHING, Gate, GuardedTable, MaskSmall, Request
from chu_platform.access.journal import Journal
from chu_platform.exact_figures.pages import OwnPages
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held, Principal
from chu_platform.identity.sessions import Sessions
from chu_platform.portal.reader import Reader
from chu_platform.storage.duckdb_session import small_connection
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.portal.served import QUESTIONS, answer_of, full_catalogue
from chu_platform_tests.ports import free_port

ROUNDS: Final = 60
EXACT_PAGES: Final = 100
ENTRIES: Final = 200
LIMIT: Final = 1.3
SLUG: Final = "consultations-etablissement"
PASSWORD: Final = "correct horse battery"  # noqa: S105 of an account that exists as long as this program


def main(home: Path, folder: Path) -> bool:
    """Print the times; whether both ratios are within the limit."""
    with ExitStack() as stack:
        secrets = Path(stack.enter_context(TemporaryDirectory(prefix="chu-", dir=folder)))
        kind = subprocess.run(["stat", "-f", "-c", "%T", secrets], capture_output=True, text=True, check=True).stdout
        print(f"the journal is on a file system of the kind {kind.strip()}")
        site = _largest_site(home)
        held = Held(Profile.HEAD, Purpose.STEERING, date.max, frozenset({site.removeprefix("F")}))
        times = {**_public(home, secrets, held, stack), **_exact(home, secrets, held, site)}
        journal = Journal(secrets / "other")
        answer = Answer("head", "head", "steering", "kpis/x", 1, "code = 'F1'", 1, Decision.ALLOWED)
        times["entry of the journal"] = [_timed(lambda: bool(journal.append(answer)) and 200) for _ in range(ENTRIES)]
    for name, found in times.items():
        print(f"{name}: p50 {_quantile(found, 50):.1f} ms, p95 {_quantile(found, 95):.1f} ms ({len(found)} answers)")
    ratios = {
        kind: _quantile(times[f"{kind}, with"], 95) / _quantile(times[f"{kind}, without"], 95)
        for kind in ("public", "exact")
    }
    for name, ratio in ratios.items():
        print(f"ratio of p95, {name} pages with gate and journal to those without: {ratio:.2f} (limit {LIMIT})")
    return max(ratios.values()) <= LIMIT


def _public(home: Path, secrets: Path, held: Held, stack: ExitStack) -> Mapping[str, list[float]]:
    """Times of public pages over HTTP."""
    paths = ["/", *(f"/questions/{q.slug}" for q in QUESTIONS), "/sante"]
    # The path of a socket must be short.
    socket = Path(stack.enter_context(TemporaryDirectory(prefix="chu-"))) / "own"
    environment = {**os.environ, "CHU_HOME": str(home), "CHU_SECRETS": str(secrets), "CHU_ACCESS": "accounts"}
    Accounts(secrets / "accounts").add("head", held)
    sessions = Sessions(secrets / "accounts", "accounts")
    cookie = {"Cookie": f"chu_session={sessions.begin_with_link(sessions.new_link('head'), PASSWORD)}"}
    plain, guarded = free_port(), free_port()
    stack.enter_context(_process(environment, "chu_platform.exact_figures", str(socket)))
    stack.enter_context(_process(environment, "chu_platform.portal", str(plain)))
    stack.enter_context(_process(environment, "chu_platform.portal", str(guarded), "--own-figures", str(socket)))
    for port in (plain, guarded):
        _wait(lambda port=port: answer_of(port, "/sante").status == 200)  # type: ignore[misc]
    times: dict[str, list[float]] = {"public, without": [], "public, with": []}
    for _ in range(ROUNDS):
        for path in paths:
            times["public, without"].append(_timed(lambda path=path: answer_of(plain, path).status))  # type: ignore[misc]
            times["public, with"].append(
                _timed(lambda path=path: answer_of(guarded, path, headers=cookie).status)  # type: ignore[misc]
            )
    return times


class _Ungated(Gate):
    """Reads the rows that are asked for, without asking who may read them and without a journal."""

    def open_table(
        self,
        principal: Principal,
        table: GuardedTable,
        purpose: Purpose | None = None,
        request: Request = EVERYTHING,
        mask_small: MaskSmall | None = None,
        computed: Callable[[], pa.Table] | None = None,
    ) -> pa.Table:
        """The rows."""
        del principal, purpose, mask_small, computed
        with small_connection() as connection:
            query = f"SELECT * FROM {self._lake.relation(table)} WHERE {request.where}"
            return connection.sql(query, params=dict(request.values or {})).to_arrow_table()


def _exact(home: Path, secrets: Path, held: Held, site: str) -> Mapping[str, list[float]]:
    """Times in which pages of exact figures are made."""
    lake = Lake(home / "lake")
    reader = Reader(lake.root, full_catalogue())
    pages = {
        "exact, without": OwnPages(reader, _Ungated(lake, Journal(secrets / "none"))),
        "exact, with": OwnPages(reader, Gate(lake, Journal(secrets))),
    }
    principal = Principal("head", (held,))
    times: dict[str, list[float]] = {name: [] for name in pages}
    for number in range(EXACT_PAGES + 1):
        for name, made in pages.items():
            given = [("x", f"establishment:{site}")]
            taken = _timed(lambda made=made, given=given: bool(made.question(principal, SLUG, given)) and 200)  # type: ignore[misc]
            if number:  # the first one loads what the others use
                times[name].append(taken)
    return times


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
    sys.exit(0 if main(Path(sys.argv[1]), Path(sys.argv[2])) else 1)
