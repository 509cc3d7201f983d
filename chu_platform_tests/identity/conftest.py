"""Hashes of passwords that cost nothing, so that tests can make many."""

import pytest

from chu_platform_tests.identity.people import hash_cheaply


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_cheaply(monkeypatch)
