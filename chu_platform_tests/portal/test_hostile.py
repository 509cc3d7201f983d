"""A thousand malformed and hostile requests: never an error of the server, never anything that is not published."""

import random
import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.portal.reader import Reader
from chu_platform.sources.patient import patient
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import QUESTIONS, Served, full_catalogue

pytestmark = pytest.mark.integration

MANY = 1000
MAX_LINE_LENGTH = 65_000
SQL = (
    "' OR '1'='1",
    "total:total' UNION SELECT * FROM read_parquet('/etc/passwd') --",
    "1; DROP TABLE kpi_deaths_by_region",
    "'; COPY (SELECT 1) TO '/tmp/x'; --",
    "$code",
    "{this}",
    "\"; ATTACH '/etc/passwd'; --",
    "region:11' AND read_text('/etc/passwd') IS NOT NULL --",
    "kpis.kpi_deaths_by_region",
    "patient_key:1",
    "establishment:%",
    "leaf:_",
)
PATHS = (
    "../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/restricted/sources/Patient",
    "....//....//etc/passwd",
    "/etc/passwd",
    "\\..\\..\\windows",
    "restricted/sources/Patient",
    "pseudonymised/facts/fact_consultation",
    "%00",
    "..;/",
    "_delta_log/00000000000000000000.json",
    "file:///etc/passwd",
    "pages.py",
    "../templates/home.html",
    "..%2ftemplates%2fhome.html",
    "%c0%ae%c0%ae/etc/passwd",
)
ODD = (
    "",
    "\x00",
    "\r\nSet-Cookie: a=b",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "{% include '/etc/passwd' %}",
    "٢٠١٩",
    "2019-13",
    "2019-T5",
    "0000",
    "9999",
    "-1",
    "1e309",
    "NaN",
    "null",
    "😀",
    "\ud800",
    "a" * 300,
    "a" * 100_000,
    "région:11",
    "::::",
    "|||",
    "tout ",
    "TOUT",
)
METHODS = ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "CONNECT")
NAMES = ("x", "periode", "mesure", "region", "sexe", "age", "enquete", "q", "question", "table", "file", "sql", "x[]")
NAMES_OF_EXPLORER = ("sujet", "axe1", "axe2", "axe3", "du", "au")


def hostile(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Methods and paths."""
    draw = random.Random(seed)
    bases = [
        "/",
        "/methode",
        "/sante",
        "/recherche/etablissements",
        "/recherche/diagnostics",
        "/explorer",
        "/explorer/tableau.csv",
        *(f"/questions/{q.slug}" for q in QUESTIONS),
        *(f"/questions/{q.slug}/evolution.csv" for q in QUESTIONS),
    ]
    while count:
        count -= 1
        kind = draw.randrange(5)
        if kind == 0:
            place = draw.choice(("/", "/static/", "/questions/", "/recherche/", "/questions/deces-region/"))
            yield "GET", place + draw.choice(PATHS)
            continue
        values = [draw.choice(SQL + PATHS + ODD) for _ in range(draw.randint(1, 3))]
        written = [
            quote(v, errors="surrogatepass") if draw.random() < 0.9 else v.encode("ascii", "ignore").decode()
            for v in values
        ]
        query = "&".join(f"{draw.choice(NAMES + NAMES_OF_EXPLORER)}={v}" for v in written)
        query = re.sub(r"[\x00-\x20\x7f]", "%20", query)
        yield ("GET" if kind < 4 else draw.choice(METHODS)), f"{draw.choice(bases)}?{query}"


def test_a_thousand_hostile_requests(made: Home, portal: Served) -> None:
    secret = [str(v) for v in made.lake.arrow(dim_patient, ["patient_key"])["patient_key"].to_pylist()[:200]]
    people = made.lake.arrow(patient, ["Nom", "Prenom"]).to_pylist()[:200]
    names = [f"{p['Nom']} {p['Prenom']}" for p in people if p["Nom"] and p["Prenom"]]
    forbidden = re.compile("|".join(re.escape(t) for t in [*secret, *names, "root:x:", "PAR1", '"commitInfo"', "{% "]))
    statuses: Counter[int] = Counter()
    for method, path in hostile(7, MANY):
        answer = portal.get(path, method)
        statuses[answer.status] += 1
        assert answer.status < 500, (method, path[:300])
        if len(path) > MAX_LINE_LENGTH:
            assert answer.status == 400  # the server of HTTP takes no such line, and answers itself
            continue
        if method != "GET":
            assert answer.status == 405, (method, path[:300])
        body = answer.body.decode(errors="replace")
        assert not forbidden.search(body), (method, path[:300])
        assert "<script>alert" not in body
        assert "set-cookie" not in answer.headers
        if answer.status >= 400:
            assert '<html lang="fr">' in body, (method, path[:300])
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert sum(statuses[s] for s in statuses if s >= 400) > MANY * 0.7, statuses


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"\r\n\r\n\r\n",
    ],
)
def test_what_is_no_http_does_not_harm(raw: bytes, portal: Served) -> None:
    with socket.create_connection(("127.0.0.1", portal.port), timeout=5) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(100)
        except ConnectionError:
            answer = b""
    assert not re.match(rb"HTTP/1.1 5", answer)
    assert portal.get("/sante").status == 200


def test_every_answer_has_the_headers_that_keep_it_to_itself(portal: Served) -> None:
    for path in ("/", "/questions/hospitalisations", "/static/portal.css", "/nothing", "/sante"):
        headers = portal.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_a_redirect_stays_here_whatever_the_host(portal: Served) -> None:
    for path, to in (
        ("/recit/", "/recit"),
        ("/questions/hospitalisations/?periode=2019", "/questions/hospitalisations?periode=2019"),
    ):
        answer = portal.get(path, Host="evil.com")
        assert (answer.status, answer.headers["location"]) == (307, to)
    for path in ("//recit/", "//evil.com/questions/", "/\\evil.com/recit/", "//evil.com/recit/"):
        answer = portal.get(path)
        assert (answer.status, answer.headers.get("location")) == (404, None), path


def test_head_answers_without_a_body(portal: Served) -> None:
    answer = portal.get("/questions/hospitalisations", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/questions/rien", 404, "Cette question n’existe pas"),
        ("/questions/hospitalisations?periode=9999", 404, "Les données ne couvrent pas cette période"),
        ("/questions/consultations-professionnel?periode=1900-T1", 404, "Les données ne couvrent pas cette période"),
        ("/questions/deces-region?region=zz", 404, "Rien n’est publié pour ce choix"),
        ("/questions/deces-region?sexe=X", 400, "n’a pas une valeur connue"),
        ("/questions/deces-region?periode=hier", 400, "La période s’écrit"),
        ("/questions/deces-region?mesure=x", 400, "Cette mesure n’existe pas"),
        ("/questions/deces-region?a=1", 400, "paramètre inconnu"),
        ("/questions/deces-region?sexe=F&sexe=M", 400, "donné deux fois"),
        ("/questions/deces-region/carte.exe", 404, "Ce fichier n’existe pas"),
        ("/questions/consultations-diagnostic?x=chapter", 400, "n’a pas la forme attendue"),
        (f"/recherche/diagnostics?q={'a' * 100}", 400, "au plus 80 caractères"),
        ("/recherche/patients", 404, "Cette recherche n’existe pas"),
        (f"/{'a' * 3000}", 414, "trop longue"),
        ("/nothing", 404, "Cette page n’existe pas"),
    ],
)
def test_a_wrong_address_gets_a_clear_page_in_french(path: str, status: int, why: str, portal: Served) -> None:
    answer = portal.get(path)
    assert answer.status == status
    assert why in answer.text


def test_the_tables_served_can_reach_no_file(made: Home, tmp_path: Path) -> None:
    """Also who could write the queries could read nothing but the published rows, and write nothing."""
    snapshot = Reader(made.lake.root, full_catalogue()).snapshot
    restricted = next((made.lake.root / "restricted").rglob("*.parquet"))
    for sql in (
        f"SELECT * FROM read_parquet('{restricted}')",
        "SELECT * FROM read_text('/etc/passwd')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'other.db'}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ):
        with pytest.raises(Exception, match=r"(?i)disabled|permission|locked|cannot"):
            snapshot.rows(sql)
    assert list(tmp_path.iterdir()) == []
