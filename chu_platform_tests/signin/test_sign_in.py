"""Sign-in in a browser: forms, cookies, links, and what gives nobody access."""

from pathlib import Path

import pytest

from chu_platform.identity.accounts import Accounts
from chu_platform.identity.failures import FREE_OF_ACCOUNT
from chu_platform.identity.sessions import Sessions
from chu_platform_tests.identity.people import HEAD, OPERATOR, PASSWORD
from chu_platform_tests.signin.browsers import HERE, account, browser, form_token, keep, send, settings_of, sign_in

pytestmark = pytest.mark.unit

SECURE = "https://portail.chu.example"
NEW = "une pomme, un cheval"


def test_a_page_that_is_not_public_leads_to_sign_in_and_back(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    asked = client.get("/own?periode=2019&x=a%20b")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/connexion?retour=%2Fown%3Fperiode%3D2019%26x%3Da%2520b"
    page = client.get(asked.headers["location"])
    assert 'value="/own?periode=2019&amp;x=a%20b"' in page.text
    assert page.headers["cache-control"] == "no-store"
    signed = sign_in(client, back="/own?periode=2019&x=a%20b")
    assert (signed.status_code, signed.headers["location"]) == (303, "/own?periode=2019&x=a%20b")
    assert client.get(signed.headers["location"]).text == "figures of head-a"


def test_an_account_without_the_profile_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings, "operator", OPERATOR)
    client = browser(settings)
    sign_in(client, "operator")
    assert client.get("/who").text == "operator"
    refused = client.get("/own")
    assert refused.status_code == 403
    assert "n’ouvre pas cette page" in refused.text


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\..\\b",
        "javascript:alert(1)",
        "own",
        "",
        "/own\r\nSet-Cookie: a=b",
        "/\t/evil.example",
        " //evil.example",
        "/" + "a" * 3000,
        "http:evil.example",
        "///evil.example",
    ],
)
def test_sign_in_leads_to_no_other_site(tmp_path: Path, back: str) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    page = client.get("/connexion", params={"retour": back})
    assert 'name="retour" value="/"' in page.text
    signed = sign_in(client, back=back)
    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    assert signed.headers.get_list("set-cookie")[0].startswith("chu_session=")


def test_a_wrong_password_gives_no_session_and_many_have_to_wait(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    for _ in range(FREE_OF_ACCOUNT):
        refused = sign_in(client, password="wrong but long enough")
        assert refused.status_code == 401
        assert "wrong but long" not in refused.text
    waits = sign_in(client)
    assert waits.status_code == 429
    assert 0 < int(waits.headers["retry-after"]) <= 30
    assert "réessayez dans 1 minute." in waits.text
    assert client.get("/who").text == "public"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    cookies = client.get("/connexion").headers.get_list("set-cookie")
    cookies += sign_in(client).headers.get_list("set-cookie")
    assert [c.split("=")[0] for c in cookies] == ["chu_form", "chu_session"]
    assert all("HttpOnly" in c and "SameSite=lax" in c and "Path=/" in c for c in cookies)
    assert not any("Secure" in c or "Domain" in c or "Max-Age" in c for c in cookies)


def test_with_tls_cookies_are_sent_over_tls_alone(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tls_proxy="10.0.0.1")
    account(settings)
    client = browser(settings, SECURE)
    cookies = client.get("/connexion").headers.get_list("set-cookie")
    cookies += sign_in(client).headers.get_list("set-cookie")
    assert [c.split("=")[0] for c in cookies] == ["__Host-chu_form", "__Host-chu_session"]
    assert all("Secure" in c and "Path=/" in c and "Domain" not in c for c in cookies)
    assert client.get("/own").text == "figures of head-a"


def test_each_sign_in_has_a_new_session_and_the_last_one_ends(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    keep(client, "chosen by somebody else")
    sign_in(client)
    first = client.cookies["chu_session"]
    assert first != "chosen by somebody else"
    sign_in(client)
    assert client.cookies["chu_session"] != first
    other = browser(settings)
    keep(other, first)
    assert other.get("/who").text == "public"


def test_forms_of_other_pages_are_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client, other = browser(settings), browser(settings)
    fields = {"compte": "head-a", "mot_de_passe": PASSWORD}
    token, foreign = form_token(client.get("/connexion")), form_token(other.get("/connexion"))
    for wrong in ({}, {"jeton": ""}, {"jeton": foreign}, {"jeton": token.upper() + "é"}):
        assert client.post("/connexion", data={**fields, **wrong}).status_code == 403
    whole = {**fields, "jeton": token}
    assert client.post("/connexion", data=whole, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/connexion", data=whole, headers={"Origin": "null"}).status_code == 403
    assert client.post("/connexion", json=whole).status_code == 403
    assert client.post("/connexion", data={**whole, "more": "a" * 20_000}).status_code == 403
    assert browser(settings).post("/connexion", data=whole).status_code == 403
    assert client.post("/connexion", data=whole, headers={"Origin": HERE}).status_code == 303
    # The token of before sign-in is that of no form after it.
    assert client.post("/deconnexion", data={"jeton": token}).status_code == 403
    assert client.get("/who").text == "head-a"


def test_sign_out_ends_the_session_on_the_server(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    sign_in(client)
    kept = client.cookies["chu_session"]
    left = send(client, "/deconnexion", {})
    assert (left.status_code, left.headers["location"]) == (303, "/")
    assert "chu_session" not in client.cookies
    thief = browser(settings)
    keep(thief, kept)
    assert thief.get("/who").text == "public"


def test_a_withdrawn_account_is_refused_at_the_next_request(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    sign_in(client)
    assert client.get("/own").status_code == 200
    Accounts(settings.accounts_folder).remove("head-a")
    assert client.get("/own").status_code == 303
    assert client.get("/who").text == "public"


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Preferred-Username", "X-Remote-User", "Remote-User",
     "Remote_User", "X-Auth-Request-User", "X-WEBAUTH-USER", "X-User", "From"],
)  # fmt: skip
def test_a_header_that_names_a_user_is_nobody(tmp_path: Path, header: str) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    assert client.get("/who", headers={header: "head-a"}).text == "public"
    assert client.get("/own", headers={header: "head-a"}).status_code == 303
    assert client.get("/who", headers={"Authorization": "Basic aGVhZC1hOmhlYWQtYQ=="}).text == "public"


def test_a_link_chooses_a_password_and_signs_in_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    Accounts(settings.accounts_folder).add("head-a", HEAD)
    link = f"/lien/{Sessions.of(settings).new_link('head-a')}"
    client = browser(settings)
    for _ in range(2):
        assert client.get(link).status_code == 200, "programs that look at links do not use them"
    assert "chu_session" not in client.cookies
    different = send(client, link, {"nouveau": PASSWORD, "encore": NEW})
    assert "ne sont pas les mêmes" in different.text
    weak = send(client, link, {"nouveau": "court", "encore": "court"})
    assert "n’est pas accepté" in weak.text
    used = send(client, link, {"nouveau": NEW, "encore": NEW})
    assert (used.status_code, used.headers["location"]) == (303, "/moi")
    assert client.get("/who").text == "head-a"
    again = browser(settings).get(link)
    assert (again.status_code, "a déjà servi" in again.text) == (410, True)
    assert "head-a" not in again.text
    other = browser(settings)
    assert sign_in(other, password=NEW).status_code == 303


def test_on_the_machine_itself_a_link_signs_in_at_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, access="open")
    client = browser(settings)
    link = f"/lien/{Sessions.of(settings).new_link('owner')}"
    assert client.head(link).status_code == 200
    assert client.get(link, headers={"Sec-Purpose": "prefetch;prerender"}).status_code == 200
    assert "chu_session" not in client.cookies
    assert client.get(link).headers["location"] == "/moi"
    assert client.get("/own").text == "figures of owner"
    assert "sans limite" in client.get("/moi").text
    assert browser(settings).get(link).status_code == 410


@pytest.mark.parametrize(
    "address", ["http://portail.chu.example", "http://192.0.2.1:3001", "http://127.0.0.1.evil.example"]
)
def test_where_access_is_open_nobody_signs_in_from_elsewhere(tmp_path: Path, address: str) -> None:
    settings = settings_of(tmp_path, access="open")
    sessions = Sessions.of(settings)
    token = sessions.begin_with_link(sessions.new_link("owner"))
    client = browser(settings, address)
    assert client.get("/who", headers={"Cookie": f"chu_session={token}"}).text == "public"
    assert client.get("/connexion").status_code == 403
    link = f"/lien/{sessions.new_link('owner')}"
    assert client.get(link).status_code == 403
    for local in ("http://localhost:3001", "http://[::1]:3001"):
        here = browser(settings, local)
        assert here.get("/who", headers={"Cookie": f"chu_session={token}"}).text == "owner"


def test_my_account_shows_what_i_hold_and_gives_a_code(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    sessions = account(settings)
    client = browser(settings)
    assert client.get("/moi").headers["location"] == "/connexion?retour=%2Fmoi"
    sign_in(client)
    page = client.get("/moi").text
    for shown in ("head-a", "direction d’établissement", "pilotage", "010000024", "30 juin 2027"):
        assert shown in page, shown
    code = send(client, "/moi", {}, "/moi/code").text.split("<code>")[2].split("<")[0]
    assert sessions.principal(sessions.begin_with_link(code)).name == "head-a"


def test_a_password_is_changed_with_the_one_before(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client, elsewhere = browser(settings), browser(settings)
    sign_in(client)
    sign_in(elsewhere)

    def change(old: str, new: str, again: str) -> str:
        answer = send(client, "/moi", {"mot_de_passe": old, "nouveau": new, "encore": again}, "/moi/mot-de-passe")
        return answer.headers.get("location") or answer.text

    assert "est faux" in change("not my password", NEW, NEW)
    assert "ne sont pas les mêmes" in change(PASSWORD, NEW, PASSWORD)
    assert "n’est pas accepté" in change(PASSWORD, "court", "court")
    assert change(PASSWORD, NEW, NEW) == "/moi"
    assert client.get("/who").text == "head-a"
    assert elsewhere.get("/who").text == "public", "its sessions elsewhere have ended"
