"""Sign-in in the portal: its pages stand in those of the portal, and nothing else takes what is sent."""

import pytest

from chu_platform.identity.sessions import Sessions
from chu_platform.portal.app import HEADERS
from chu_platform.settings import load_settings
from chu_platform_tests.portal.served import Served

pytestmark = pytest.mark.integration


def test_a_link_signs_in_and_my_account_is_a_page_of_the_portal(portal: Served) -> None:
    link = f"/lien/{Sessions.of(load_settings()).new_link('owner')}"
    signed = portal.get(link)
    assert (signed.status, signed.headers["location"]) == (303, "/moi")
    cookie = signed.headers["set-cookie"].split(";")[0]
    page = portal.get("/moi", Cookie=cookie)
    assert page.status == 200
    assert '<a aria-current="page" href="/moi">Mon compte</a>' in page.text
    assert "délégué à la protection des données" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert {name: page.headers[name.lower()] for name in HEADERS} == dict(HEADERS)
    assert portal.get(link).status == 410
    assert portal.get("/moi").headers["location"] == "/connexion?retour=%2Fmoi"


def test_only_forms_of_sign_in_are_taken(portal: Served) -> None:
    assert portal.get("/connexion").status == portal.get("/deconnexion").status == 200
    for path in ("/", "/sante", "/questions/deces", "/connexion/", "/moi/x", "/connexion/style.css/x"):
        assert portal.get(path, "POST").status == 405, path
    for path in ("/connexion", "/deconnexion", "/lien/x", "/moi/code", "/moi/mot-de-passe"):
        assert portal.get(path, "POST").status == 403, path
        assert portal.get(path, "PUT").status == 405, path


def test_public_pages_need_no_session(portal: Served) -> None:
    for path in ("/", "/sante", "/recit", "/methode"):
        assert portal.get(path).status == 200, path
        assert "set-cookie" not in portal.get(path).headers, path
