"""Sign-in by the identity provider of the hospital: one that is right, and what is refused."""

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc.jwk import ECKey, OctKey
from starlette.testclient import TestClient

from chu_platform.errors import ChuError
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.settings import Settings
from chu_platform.signin.sign_in import SignIn
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.identity.test_provider_groups import GROUPS
from chu_platform_tests.signin.browsers import browser, settings_of
from chu_platform_tests.signin.identity_provider import CLIENT, SECRET, IdentityProvider, serving

pytestmark = pytest.mark.integration


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with serving() as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path, provider: IdentityProvider) -> Settings:
    found = settings_of(
        tmp_path, access="oidc", oidc_issuer=provider.issuer, oidc_client=CLIENT, oidc_acr="eidas2 eidas3"
    )
    found.accounts_folder.mkdir(parents=True)
    (found.accounts_folder / "oidc.secret").write_text(f"{SECRET}\n")
    (found.accounts_folder / "groups.toml").write_text(GROUPS)
    return found


def come_back(client: TestClient, back: str = "/who") -> str:
    """Go to the provider, and return the address to which it sends the browser back."""
    there = client.get("/connexion/fournisseur", params={"retour": back})
    assert there.status_code == 303, there.text
    answer = requests.get(there.headers["location"], allow_redirects=False, timeout=10)
    return answer.headers["location"]


def test_whom_the_provider_signs_in_has_a_session_with_the_profiles_of_their_groups(settings: Settings) -> None:
    client = browser(settings)
    assert client.get("/own").headers["location"] == "/connexion?retour=%2Fown"
    assert "/connexion/fournisseur?retour=%2Fown" in client.get("/connexion?retour=/own").text
    there = urlsplit(client.get("/connexion/fournisseur?retour=/own").headers["location"])
    asked = parse_qs(there.query)
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert asked["acr_values"] == ["eidas2 eidas3"]
    back = client.get(come_back(client, "/who?a=b"))
    assert (back.status_code, back.headers["location"]) == (303, "/who?a=b")
    assert client.get("/who").text == "oidc:8c1f"
    assert client.get("/own").status_code == 403
    assert "exploitant" in client.get("/moi").text
    # What this person alone holds.
    own = Held(Profile.ANALYST, Purpose.RESEARCH, date.max)
    Accounts(settings.accounts_folder).add("oidc:8c1f", own)
    assert "analyste" in client.get("/moi").text
    Accounts(settings.accounts_folder).remove("oidc:8c1f")
    assert "analyste" not in client.get("/moi").text
    # A group that holds nothing any more: at the next request.
    (settings.accounts_folder / "groups.toml").write_text(GROUPS.replace('"exploitation"', '"other"'))
    assert "aucun profil" in client.get("/moi").text


@pytest.mark.parametrize("amr", [["pwd", "mfa"], ["mfa"]])
def test_two_factors_may_be_told_by_amr(settings: Settings, provider: IdentityProvider, amr: list[str]) -> None:
    provider.claims = {"acr": "eidas1", "amr": amr}
    client = browser(settings)
    assert client.get(come_back(client)).status_code == 303


@pytest.mark.parametrize(
    ("claims", "without"),
    [
        ({"aud": "another-client"}, ()),
        ({"aud": ["another-client"], "azp": CLIENT}, ()),
        ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, ()),
        ({"nonce": "that of another sign-in"}, ()),
        ({"exp": int(time.time()) - 3600}, ()),
        ({"acr": "eidas1"}, ()),
        ({"acr": "eidas1", "amr": ["pwd"]}, ()),
        ({"iss": "https://another-issuer.example"}, ()),
        ({"sub": ""}, ()),
        ({}, ("aud",)),
        ({}, ("nonce",)),
        ({}, ("exp",)),
        ({}, ("acr",)),
        ({}, ("iss",)),
        ({}, ("sub",)),
    ],
)
def test_a_wrong_claim_is_refused(
    settings: Settings, provider: IdentityProvider, claims: dict[str, object], without: tuple[str, ...]
) -> None:
    provider.claims, provider.without = dict(claims), set(without)
    assert_refused(settings)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", ECKey.generate_key("P-256", {"kid": "one"})),
        ("HS256", OctKey.import_key(SECRET, {"kid": "one"})),
        ("none", None),
    ],
)
def test_a_wrong_signature_is_refused(
    settings: Settings, provider: IdentityProvider, algorithm: str, key: ECKey | OctKey | None
) -> None:
    provider.algorithm, provider.key = algorithm, key or provider.key
    assert_refused(settings)


def test_metadata_of_another_issuer_are_refused(settings: Settings, provider: IdentityProvider) -> None:
    provider.metadata = {"issuer": "https://another-issuer.example"}
    refused = browser(settings).get("/connexion/fournisseur")
    assert refused.status_code == 401


def assert_refused(settings: Settings) -> None:
    client = browser(settings)
    refused = client.get(come_back(client))
    assert refused.status_code == 401
    assert "n’a pas confirmé votre identité" in refused.text
    assert "chu_session" not in client.cookies
    assert client.get("/who").text == "public"


def test_the_answer_counts_once_and_in_the_browser_that_asked(settings: Settings) -> None:
    client, victim = browser(settings), browser(settings)
    back = come_back(client)
    victim.get("/connexion")
    assert victim.get(back).status_code == 401, "nobody is signed in as somebody else"
    back = come_back(client)
    assert client.get(back).status_code == 303
    assert client.get(back).status_code == 401
    assert client.get(come_back(client).replace("state=", "state=x")).status_code == 401
    assert client.get("/connexion/retour?error=access_denied").status_code == 401


def test_passwords_are_not_taken(settings: Settings) -> None:
    client = browser(settings)
    page = client.get("/connexion").text
    assert 'type="password"' not in page
    assert client.post("/moi/mot-de-passe", data={}).status_code == 404


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"oidc_issuer": None}, "CHU_OIDC_ISSUER"),
        ({"oidc_client": None}, "CHU_OIDC_CLIENT"),
        ({"oidc_issuer": "http://sso.chu.example"}, "https"),
        ({"oidc_secret_file": Path("/nowhere/secret")}, "cannot be read"),
    ],
)
def test_settings_that_are_missing_or_not_safe_are_one_sentence(
    settings: Settings, changed: dict[str, object], why: str
) -> None:
    with pytest.raises(ChuError, match=why):
        SignIn(settings.model_copy(update=changed))
