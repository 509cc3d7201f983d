"""The identity provider of the hospital: OpenID Connect, authorisation code with PKCE, state and nonce, by Authlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import BaseApp
from authlib.integrations.base_client.sync_app import OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError

from chu_platform.errors import ChuError, reason_of
from chu_platform.identity.sessions import SignInRefused
from chu_platform.settings import Settings
from chu_platform.transport import needs_tls

DISCOVERY: Final = "/.well-known/openid-configuration"
SECRET_FILE: Final = "oidc.secret"  # noqa: S105 the name of a file
SCOPE: Final = "openid"
# Signatures by a key that only the provider has. With HS256, the client secret would sign.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
# The standard makes every provider sign with it.
DEFAULT_ALGORITHM: Final = "RS256"
# Two factors in the claim `amr` (RFC 8176).
TWO_FACTORS: Final = "mfa"
TIMEOUT_SECONDS: Final = 10
# Seconds by which the clocks of provider and platform may differ.
LEEWAY_SECONDS: Final = 60


@dataclass(frozen=True)
class Started:
    """A sign-in that begins: the address to send the browser to, and what must be the same when it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Signed:
    """Somebody whom the provider has signed in: its identifier of them, and the names of their groups."""

    subject: str
    groups: Sequence[str]


class _App(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]
    """The client of Authlib, over requests, without one of its web frameworks."""

    client_cls = OAuth2Session


class Provider:
    """The identity provider of the settings. Its metadata and keys are read at each sign-in, so new ones are known."""

    def __init__(self, settings: Settings) -> None:
        """Raises ChuError if a setting is missing or not safe."""
        if not settings.oidc_issuer or not settings.oidc_client:
            raise ChuError("CHU_ACCESS=oidc needs the identity provider: set CHU_OIDC_ISSUER and CHU_OIDC_CLIENT")
        address = urlsplit(settings.oidc_issuer)
        if address.scheme != "https" and needs_tls(address.hostname or "", settings):
            raise ChuError("CHU_OIDC_ISSUER must begin with https://, because keys and tokens come from there")
        self._issuer = settings.oidc_issuer.rstrip("/")
        self._client = settings.oidc_client
        self._acr = settings.oidc_acr
        self._groups = settings.oidc_groups
        self._secret_file = settings.oidc_secret_file or settings.accounts_folder / SECRET_FILE
        self._secret()

    def start(self, redirect_uri: str) -> Started:
        """Begin a sign-in that comes back to an address. Raises SignInRefused if the provider does not answer."""
        asked = {"acr_values": self._acr} if self._acr else {}
        try:
            found = self._app().create_authorization_url(redirect_uri, **asked)
        except (AuthlibBaseError, requests.RequestException, RuntimeError, ValueError) as error:
            raise SignInRefused("the identity provider does not answer") from error
        return Started(found["url"], found["state"], found["nonce"], found["code_verifier"])

    def finish(self, redirect_uri: str, code: str, nonce: str, verifier: str) -> Signed:
        """Who signed in, from the code that came back. Raises SignInRefused if the provider's token is not valid."""
        app = self._app()
        try:
            token = app.fetch_access_token(redirect_uri, code=code, code_verifier=verifier)
            options = {
                "iss": {"essential": True, "value": self._metadata(app)["issuer"]},
                "aud": {"essential": True, "value": self._client},
                "sub": {"essential": True},
            }
            claims = app.parse_id_token(token, nonce, options, leeway=LEEWAY_SECONDS)
        except (AuthlibBaseError, JoseError, requests.RequestException, RuntimeError, ValueError, KeyError) as error:
            raise SignInRefused("the answer of the identity provider is not valid") from error
        if claims is None:
            raise SignInRefused("the identity provider gave no identity")
        self._require_two_factors(claims)
        groups = claims.get(self._groups) or []
        return Signed(str(claims["sub"]), [str(g) for g in groups] if isinstance(groups, list) else [str(groups)])

    def _require_two_factors(self, claims: Mapping[str, Any]) -> None:
        by_level = claims.get("acr") in (self._acr or "").split()
        if not by_level and TWO_FACTORS not in (claims.get("amr") or []):
            raise SignInRefused("the identity provider did not ask for two factors")

    def _app(self) -> _App:
        """A client that knows the metadata of the provider."""
        app = _App(
            None,
            client_id=self._client,
            client_secret=self._secret(),
            server_metadata_url=f"{self._issuer}{DISCOVERY}",
            client_kwargs={
                "scope": SCOPE,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT_SECONDS,
            },
        )
        self._metadata(app)
        return app

    def _metadata(self, app: _App) -> Mapping[str, Any]:
        """The metadata, with no other algorithms than ALGORITHMS. Raises ValueError if they are of another provider."""
        found: dict[str, Any] = app.load_server_metadata()
        if str(found.get("issuer", "")).rstrip("/") != self._issuer:
            raise ValueError("the metadata are of another issuer")
        offered = found.get("id_token_signing_alg_values_supported") or [DEFAULT_ALGORITHM]
        found["id_token_signing_alg_values_supported"] = sorted(ALGORITHMS & set(offered)) or [DEFAULT_ALGORITHM]
        return found

    def _secret(self) -> str:
        try:
            secret = self._secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ChuError(f"the client secret {self._secret_file} cannot be read: {reason_of(error)}") from None
        if not secret:
            raise ChuError(f"the client secret {self._secret_file} is empty: write the secret of the client into it")
        return secret
