"""The object store of a lake, such as S3: its client, and the folder for local copies of its data files.

Messages of the store may contain addresses and account names, so errors only say what kind of error it was.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from chu_platform.storage.copies_folder import copies_folder, delete_abandoned
from chu_platform.storage.lease import Lease, held
from chu_platform.storage.store_path import NO_BUCKET, store_error
from chu_platform.tables.table import Zone

ALLOW_HTTP = "AWS_ALLOW_HTTP"


class ObjectStore:
    """An object store below one URL. Each zone may have its own options, such as credentials.

    A zone without options has those of the environment. Copies of data files are in a folder below `work`, which only
    this user can enter and which is deleted with this object. Those of killed processes are deleted at the start.
    """

    def __init__(self, url: str, options: Mapping[str, Mapping[str, str]], work: Path) -> None:
        self.url = url.rstrip("/")
        self._options = options
        self._work = work
        self._stores: dict[str, S3Store] = {}
        self._leases: dict[str, Lease] = {}
        delete_abandoned(work)

    @cached_property
    def work(self) -> Path:
        """Folder for local files of this object."""
        return copies_folder(self._work, self)

    def options(self, zone: str) -> dict[str, str]:
        """The options of a zone, for delta-rs. Files at the root of the lake have those of the first zone with some."""
        if zone in set(Zone):
            return dict(self._options.get(zone, {}))
        return dict(next((self._options[z] for z in Zone if z in self._options), {}))

    def store(self, zone: str) -> S3Store:
        """The client with the options of a zone. Its paths are relative to the URL of the lake."""
        if zone not in self._stores:
            given = {name.upper(): value for name, value in self.options(zone).items()}
            # The client reads all other variables itself.
            allow_http = given.pop(ALLOW_HTTP, os.environ.get(ALLOW_HTTP))
            client: Any = {} if allow_http is None else {"allow_http": allow_http.lower() == "true"}
            with self.errors():
                self._stores[zone] = S3Store.from_url(self.url, config=given, client_options=client)  # type: ignore[arg-type]
        return self._stores[zone]

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise StoreUnavailable for an error of the store. A missing object stays a FileNotFoundError."""
        try:
            yield
        except FileNotFoundError as error:
            if NO_BUCKET.search(str(error)):
                raise store_error(self.url, str(error)) from None
            raise FileNotFoundError from None
        except BaseError as error:
            raise store_error(self.url, str(error)) from None

    def below(self, zone: str, key: str) -> Mapping[str, int]:
        """Keys and sizes of all objects below `key`."""
        with self.errors():
            return {found["path"]: found["size"] for found in obstore.list(self.store(zone), key).collect()}

    def children(self, zone: str, key: str) -> tuple[Sequence[str], Sequence[str]]:
        """Keys of the objects and of the folders directly below `key`."""
        with self.errors():
            found = obstore.list_with_delimiter(self.store(zone), key)
            return [o["path"] for o in found["objects"]], found["common_prefixes"]

    def size_and_time(self, zone: str, key: str) -> tuple[int, float]:
        """Size and time of the last change of an object. Raises FileNotFoundError if there is none."""
        with self.errors():
            found = obstore.head(self.store(zone), key)
        return found["size"], found["last_modified"].timestamp()

    def chunks(self, zone: str, key: str) -> Iterator[bytes]:
        """The content of an object, in parts. Raises FileNotFoundError if there is none."""
        with self.errors():
            for chunk in obstore.get(self.store(zone), key):
                yield bytes(chunk)

    def put(self, zone: str, key: str, content: bytes | Path) -> None:
        """Write an object, whole or not at all."""
        with self.errors():
            obstore.put(self.store(zone), key, content)

    def copy(self, zone: str, key: str, other: str) -> None:
        """Copy an object within a zone."""
        with self.errors():
            obstore.copy(self.store(zone), key, other)

    def delete(self, zone: str, key: str) -> None:
        """Delete an object, if there is one."""
        with self.errors():
            obstore.delete(self.store(zone), key)

    @contextmanager
    def lease(self, zone: str, key: str, wait_seconds: float) -> Iterator[None]:
        """Hold a lease. Raises Locked if another process holds it for `wait_seconds`."""
        with held(self.store(zone), key, wait_seconds, self.errors) as lease:
            self._leases[key] = lease
            try:
                yield
            finally:
                del self._leases[key]

    def require_lease(self, key: str) -> None:
        """Raise LeaseLost unless this process still holds the lease, which is renewed."""
        self._leases[key].require()
