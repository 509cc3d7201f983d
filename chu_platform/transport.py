"""Which connections need TLS: those that leave this machine, unless their server is declared local (CHU_LOCAL_HOSTS).

Sign-in beyond this machine needs TLS too: certificates of the servers, or a declared proxy.
"""

from ipaddress import ip_address
from typing import Final, TypedDict

from chu_platform.errors import ChuError
from chu_platform.settings import Settings

# Addresses that stand for all of a machine.
ALL_ADDRESSES: Final = ("0.0.0.0", "::")  # noqa: S104 to recognise them
LOOPBACK_NAMES: Final = ("localhost", "ip6-localhost", "localhost.localdomain")


def is_loopback(host: str) -> bool:
    """Whether a name or address is that of this machine, which no other one reaches."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in LOOPBACK_NAMES


def needs_tls(host: str, settings: Settings) -> bool:
    """Whether a connection to a server must be encrypted."""
    declared = {name.strip().lower() for name in settings.local_hosts.split(",")}
    return not is_loopback(host) and host.lower() not in declared


def require_safe_place(settings: Settings, host: str) -> None:
    """Raise ChuError if a server with sign-in must not listen on an address, or if its certificate is not complete."""
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise ChuError("CHU_TLS_CERTIFICATE and CHU_TLS_KEY are only complete together: set both, or none")
    for file in (settings.tls_certificate, settings.tls_key):
        if file is not None and not file.is_file():
            raise ChuError(f"the file {file} of TLS does not exist or cannot be read")
    if is_loopback(host):
        return
    if settings.access == "open":
        raise ChuError(
            f"CHU_ACCESS=open serves this machine only: set CHU_ACCESS to accounts or oidc to listen on {host}"
        )
    if not has_tls(settings):
        raise ChuError(
            f"sign-in beyond this machine needs TLS: set CHU_TLS_CERTIFICATE and CHU_TLS_KEY, or name the proxy that "
            f"provides it with CHU_TLS_PROXY, to listen on {host}"
        )


def has_tls(settings: Settings) -> bool:
    """Whether browsers reach the servers over TLS."""
    return settings.tls_certificate is not None or settings.tls_proxy is not None


class ServerOptions(TypedDict):
    """The options of uvicorn for TLS, and for the proxy that may tell the address of a client."""

    ssl_certfile: str | None
    ssl_keyfile: str | None
    proxy_headers: bool
    forwarded_allow_ips: str | None


def server_options(settings: Settings) -> ServerOptions:
    """The options of a server with sign-in. Without a declared proxy, no header tells where a request comes from."""
    certificate, key = settings.tls_certificate, settings.tls_key
    return {
        "ssl_certfile": str(certificate) if certificate else None,
        "ssl_keyfile": str(key) if key else None,
        "proxy_headers": settings.tls_proxy is not None,
        "forwarded_allow_ips": settings.tls_proxy,
    }


def own_address(listen: str) -> str:
    """The address at which this machine itself reaches a server that listens on `listen`."""
    return "127.0.0.1" if listen in ALL_ADDRESSES else listen
