"""Which connections need TLS, and where a server with sign-in may listen."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from chu_platform.care_database.encryption import require_encryption
from chu_platform.engine.spark_address import checked_address
from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.transport import require_safe_place, server_options

pytestmark = pytest.mark.unit


def settings_of(**given: Any) -> Settings:
    return Settings(**{"_env_file": None, **given})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1", "[::1]"])
def test_this_machine_needs_no_tls(host: str) -> None:
    require_safe_place(settings_of(), host)
    assert checked_address(f"sc://{'[::1]' if host == '::1' else host}:15002", settings_of())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "portail.chu.example", "127.0.0.1.evil.example"])
def test_sign_in_beyond_this_machine_needs_tls(host: str, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.touch()
    key.touch()
    tls = {"tls_certificate": certificate, "tls_key": key}
    for given in ({}, tls, {"tls_proxy": "10.0.0.1"}):
        with pytest.raises(ChuError, match="CHU_ACCESS=open serves this machine only"):
            require_safe_place(settings_of(**given), host)
    for access in ("accounts", "oidc"):
        with pytest.raises(ChuError, match="needs TLS"):
            require_safe_place(settings_of(access=access), host)
        require_safe_place(settings_of(access=access, **tls), host)
        require_safe_place(settings_of(access=access, tls_proxy="10.0.0.1"), host)


def test_half_a_certificate_and_a_missing_file_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ChuError, match="only complete together"):
        require_safe_place(settings_of(tls_certificate=tmp_path), "127.0.0.1")
    with pytest.raises(ChuError, match="does not exist"):
        require_safe_place(settings_of(tls_certificate=tmp_path / "a", tls_key=tmp_path / "b"), "127.0.0.1")


def test_only_a_declared_proxy_tells_where_a_request_comes_from() -> None:
    assert not server_options(settings_of())["proxy_headers"]
    declared = server_options(settings_of(tls_proxy="10.0.0.1"))
    assert declared["proxy_headers"] and declared["forwarded_allow_ips"] == "10.0.0.1"


@pytest.mark.parametrize(
    "address",
    [
        "sc://spark.chu.example:443/;use_ssl=true",
        "sc://spark.chu.example:443/;use_ssl=TRUE;token=hush",
        "sc://spark.chu.example/;token=hush",
        "sc://localhost:15002/;token=hush",
    ],
)
def test_an_encrypted_spark_address_stays_as_it_is(address: str) -> None:
    assert checked_address(address, settings_of()) == address


@pytest.mark.parametrize("address", ["sc://spark.chu.example:15002", "sc://192.0.2.1/;use_ssl=false"])
def test_a_remote_spark_without_tls_is_refused_unless_declared_local(address: str) -> None:
    with pytest.raises(ChuError, match="without TLS"):
        checked_address(address, settings_of())
    assert checked_address(address, settings_of(local_hosts="Spark.chu.example, 192.0.2.1")) == address


def test_the_token_of_the_settings_is_sent_over_tls_alone() -> None:
    given = settings_of(spark_token=SecretStr("a;b=c"), local_hosts="spark")
    assert checked_address("sc://spark:443/;use_ssl=true", given) == "sc://spark:443/;token=a%3Bb%3Dc;use_ssl=true"
    assert checked_address("sc://localhost:15002", given) == "sc://localhost:15002/;token=a%3Bb%3Dc"
    with pytest.raises(ChuError, match="only sent over TLS") as refused:
        checked_address("sc://spark:15002", given)
    assert "a;b" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hush@127.0.0.1/care",
        "postgresql://u:hush@localhost:5433/care",
        "postgresql:///care?host=/var/run/postgresql",
        "host=/run/x dbname=care",
        "dbname=care",
        "postgresql://u:hush@care.chu.example/care?sslmode=verify-full",
        "postgresql://u:hush@care.chu.example/care?sslmode=require",
        "postgresql://u:hush@inner/care",
        "postgresql://u:hush@127.0.0.1,inner/care",
        "host=care.chu.example dbname=care sslmode=verify-ca",
        "no address of libpq",
    ],
)
def test_an_encrypted_or_local_care_database_is_accepted(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGSSLMODE", raising=False)
    require_encryption(address, settings_of(local_hosts="inner"))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hush@care.chu.example/care",
        "postgresql://u:hush@care.chu.example/care?sslmode=prefer",
        "postgresql://u:hush@127.0.0.1,care.chu.example/care",
        "postgresql://u:hush@localhost/care?hostaddr=192.0.2.1",
        "host=192.0.2.1 dbname=care",
        "service=care",
    ],
)
def test_a_remote_care_database_without_tls_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGSSLMODE", raising=False)
    with pytest.raises(ChuError, match="without TLS") as refused:
        require_encryption(address, settings_of())
    assert "hush" not in str(refused.value)


def test_the_variables_of_libpq_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "care.chu.example")
    with pytest.raises(ChuError, match=r"leads to care\.chu\.example without TLS"):
        require_encryption("dbname=care", settings_of())
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    require_encryption("dbname=care", settings_of())
