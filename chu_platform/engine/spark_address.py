"""The address of a Spark Connect server of CHU_SPARK_REMOTE: encrypted, and with its token."""

from urllib.parse import urlsplit

from chu_platform.engine.spark_connect_server import LOCALHOST, with_token
from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.transport import needs_tls


def checked_address(address: str, settings: Settings) -> str:
    """The address with the token of the settings. Raises ChuError if the connection must be encrypted, and is not."""
    parts = urlsplit(address)
    host, options = parts.hostname or "", dict(o.split("=", 1) for o in parts.path.split(";")[1:] if "=" in o)
    is_encrypted = options.get("use_ssl", "").lower() == "true" or ("token" in options and host != LOCALHOST)
    if needs_tls(host, settings) and not is_encrypted:
        raise ChuError(
            f"CHU_SPARK_REMOTE leads to {host} without TLS: end it with /;use_ssl=true, or, if a network of its own "
            "leads there, name the host in CHU_LOCAL_HOSTS"
        )
    token = settings.spark_token.get_secret_value() if settings.spark_token else None
    if token is None or "token" in options:
        return address
    if not is_encrypted and host != LOCALHOST:
        raise ChuError("CHU_SPARK_TOKEN is only sent over TLS: end CHU_SPARK_REMOTE with /;use_ssl=true")
    return with_token(address, token)
