"""Where OpenLineage events go: the setting CHU_OPENLINEAGE, read by the transports of OpenLineage's client."""

from pathlib import Path
from typing import Any, Final

import yaml
from openlineage.client.event_v2 import JobEvent, RunEvent
from openlineage.client.transport import Transport, get_default_factory
from openlineage.client.transport.file import FileConfig, FileTransport
from requests import ConnectionError, HTTPError, Timeout

from chu_platform.errors import ChuError, reason_of

# One attempt of a few seconds: a catalogue that is down must not hold up a run.
_TIMEOUT_SECONDS: Final = 5
_NO_RETRY: Final[dict[str, Any]] = {"total": 0, "status_forcelist": []}


def send(transport: Transport, event: JobEvent | RunEvent) -> None:
    """Send an event. Raises ChuError, without the address, which may contain credentials."""
    try:
        transport.emit(event)
    except Exception as error:
        raise ChuError(f"OpenLineage events cannot be sent: {_cause(error)}; check CHU_OPENLINEAGE") from None


def to_file(file: Path) -> Transport:
    """The transport that appends each event to a file, one per line."""
    return FileTransport(FileConfig(log_file_path=str(file), append=True))


def transport_of(setting: str) -> Transport:
    """The transport that the value of CHU_OPENLINEAGE names.

    An http:// or https:// URL; the file (.yml or .yaml) of the client's own configuration, with a section `transport`;
    or another file, to which the events are appended. Raises ChuError if the configuration cannot be used.
    """
    if setting.startswith(("http://", "https://")):
        config: dict[str, Any] = {"type": "http", "url": setting, "timeout": _TIMEOUT_SECONDS, "retry": _NO_RETRY}
        return get_default_factory().create(config)
    file = Path(setting)
    if file.suffix not in (".yml", ".yaml"):
        return to_file(file)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChuError(f"CHU_OPENLINEAGE: {file} cannot be read: {reason_of(error)}") from None
    except yaml.YAMLError:
        raise ChuError(f"CHU_OPENLINEAGE: {file} is not a YAML file") from None
    transport = content.get("transport") if isinstance(content, dict) else None
    if not isinstance(transport, dict) or "type" not in transport:
        raise ChuError(f"CHU_OPENLINEAGE: {file} needs a section `transport` with a `type`, such as http or file")
    try:
        return get_default_factory().create(transport)
    except Exception as error:
        # The message of the library may contain the credentials of the file.
        name = type(error).__name__
        raise ChuError(f"CHU_OPENLINEAGE: the section `transport` of {file} cannot be used ({name})") from None


def _cause(error: Exception) -> str:
    if isinstance(error, HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, Timeout):
        return f"no answer within {_TIMEOUT_SECONDS} s"
    if isinstance(error, ConnectionError):
        return "the server does not answer"
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
