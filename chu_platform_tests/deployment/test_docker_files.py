"""The files of docker/ are consistent with each other, with the local deployment, and with the security rules."""

import os
import subprocess
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from chu_platform.graph.dagster_instance import CONFIGURATION, ENVIRONMENT
from chu_platform.serve import WORKSPACE
from chu_platform.settings import PROJECT, load_settings

pytestmark = pytest.mark.integration

DOCKER = PROJECT / "docker"
PLATFORM_SERVICES = ("code", "webserver", "webserver-read-only", "daemon")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    return found


def test_the_instance_differs_from_the_local_one_only_in_its_storage() -> None:
    local, deployed = yaml.safe_load(CONFIGURATION), yaml.safe_load((DOCKER / "dagster.yaml").read_text())
    assert deployed.pop("storage")["custom"]["config"]["postgres_db"].keys().isdisjoint({"password"})
    assert local.pop("storage").keys() == {"custom"}
    assert deployed == local


def test_the_limits_are_the_local_ones(services: dict[str, dict[str, Any]]) -> None:
    for name in PLATFORM_SERVICES:
        assert services[name]["environment"].items() >= ENVIRONMENT.items(), name


def test_the_code_location_has_one_name() -> None:
    files = (WORKSPACE, DOCKER / "workspace.yaml")
    local, deployed = (yaml.safe_load(file.read_text())["load_from"][0] for file in files)
    assert local["python_module"]["location_name"] == deployed["grpc_server"]["location_name"]


def test_every_service_is_hardened(services: dict[str, dict[str, Any]]) -> None:
    assert services.keys() == {"postgres", "spark", "portal", "exact-figures", *PLATFORM_SERVICES}
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert all(str(p).startswith("127.0.0.1:") for p in service.get("ports", [])), name


def test_the_server_of_the_marts_is_hardened_and_reached_by_tls_only() -> None:
    found = yaml.safe_load((DOCKER / "compose.marts.yaml").read_text())["services"]
    assert found.keys() == {"marts", "code"}
    marts = found["marts"]
    assert marts["read_only"] and marts["cap_drop"] == ["ALL"] and marts["healthcheck"]["test"][0] == "CMD"
    assert "ssl=on" in marts["command"] and "log_statement=all" in marts["command"]
    lines = (DOCKER / "marts_hba.conf").read_text().splitlines()
    kinds = {line.split()[0] for line in lines if line and not line.startswith("#")}
    assert kinds == {"local", "hostssl"} and not any("trust" in line for line in lines)


def test_only_services_that_need_a_secret_or_the_data_have_it(services: dict[str, dict[str, Any]]) -> None:
    having = {
        s: {n for n, d in services.items() if s in d.get("secrets", [])}
        for s in ("postgres_password", "chu_postgres_url")
    }
    assert having == {"postgres_password": {"postgres", *PLATFORM_SERVICES}, "chu_postgres_url": {"code"}}
    volumes = {n: {v.split(":")[0] for v in d.get("volumes", [])} for n, d in services.items()}
    having = {v: {n for n, found in volumes.items() if v in found} for v in ("lake", "keys", "journal", "seals")}
    assert having == {
        "lake": {"code", "spark", "portal", "exact-figures"},
        "keys": {"code"},
        "journal": {"code", "exact-figures"},
        "seals": {"code", "exact-figures"},
    }
    assert {n for n, v in volumes.items() if "accounts" in v} == {
        "code",
        "exact-figures",
        "portal",
        "webserver",
        "webserver-read-only",
    }


def test_portal_and_exact_figures_have_empty_folders_for_other_zones(services: dict[str, dict[str, Any]]) -> None:
    hidden = {n: {p.split(":")[0] for p in services[n]["tmpfs"]} - {"/tmp"} for n in ("portal", "exact-figures")}
    assert hidden == {
        "portal": {"/var/lib/chu-lake/restricted", "/var/lib/chu-lake/pseudonymised"},
        "exact-figures": {"/var/lib/chu-lake/restricted"},
    }
    for name in hidden:
        assert "lake:/var/lib/chu-lake:ro" in services[name]["volumes"]


def test_exact_figures_are_reached_over_a_socket_alone(services: dict[str, dict[str, Any]]) -> None:
    portal, exact = services["portal"], services["exact-figures"]
    assert exact["network_mode"] == "none" and "ports" not in exact and "networks" not in exact
    assert portal["entrypoint"][-1] == exact["entrypoint"][-1] == "/run/chu-own/own"
    assert "own-figures:/run/chu-own:ro" in portal["volumes"] and "own-figures:/run/chu-own" in exact["volumes"]
    assert portal["environment"] == exact["environment"], "they recognise the same sessions"


def test_no_file_contains_a_password(services: dict[str, dict[str, Any]]) -> None:
    variables = [(n, *pair) for n, service in services.items() for pair in service.get("environment", {}).items()]
    assert len(variables) > 5
    for name, variable, value in variables:
        assert not any(w in variable for w in ("PASSWORD", "SECRET", "TOKEN")) or variable.endswith("_FILE"), name
        assert "@" not in value, name


@pytest.mark.parametrize("content", [None, ""])
def test_the_image_does_not_start_without_a_password(content: str | None, tmp_path: Path) -> None:
    done, _ = _enter(tmp_path, content)
    assert done.returncode == 1
    assert "there is no default password" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_password_is_only_in_the_password_file_of_libpq(tmp_path: Path) -> None:
    done, passwords = _enter(tmp_path, "a:b\\c d\n")
    assert done.returncode == 0, done.stderr
    # https://www.postgresql.org/docs/current/libpq-pgpass.html: `:` and `\` are escaped by `\`.
    assert passwords.read_text() == "postgres:*:dagster:dagster:a\\:b\\\\c d\n"
    assert passwords.stat().st_mode & 0o077 == 0
    assert "a:b" not in done.stdout


def test_other_users_can_read_the_files_that_the_image_writes(tmp_path: Path) -> None:
    """The user of the portal differs from the user of the code, and reads the files that the code has written."""
    done, _ = _enter(tmp_path, "secret", ["sh", "-c", "umask"])
    assert int(done.stdout, 8) == 0o022
    for image in ("platform", "spark"):
        text = (DOCKER / f"{image}.Dockerfile").read_text()
        assert "install -d -o chu -g chu -m 0755 /var/lib/chu-lake" in text, image


def test_the_rehearsal_starts_every_service_after_its_dependencies(services: dict[str, dict[str, Any]]) -> None:
    spec = spec_from_file_location("rehearse", DOCKER / "rehearse.py")
    assert spec and spec.loader
    rehearse = module_from_spec(spec)
    spec.loader.exec_module(rehearse)
    order = rehearse.started(services)
    assert sorted([*order, "postgres"]) == sorted(services)
    for name in order:
        needed = set(services[name].get("depends_on", {})) - {"postgres"}
        assert needed <= set(order[: order.index(name)]), name


def _enter(
    folder: Path, password: str | None, command: Sequence[str] = ("env",)
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the start script of the image with a test secret; by default the command prints its environment."""
    secret, passwords = folder / "postgres_password", folder / "pgpass"
    if password is not None:
        secret.write_text(password)
    script = (DOCKER / "entrypoint.sh").read_text().replace("/run/secrets/postgres_password", str(secret))
    environment = {"PATH": os.environ["PATH"], "DAGSTER_POSTGRES_HOST": "postgres", "PGPASSFILE": str(passwords)}
    started = ["sh", "-c", script, "entrypoint.sh", *command]
    done = subprocess.run(started, env=environment, capture_output=True, text=True, check=False, umask=0o022)
    return done, passwords


def test_a_setting_may_be_a_secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chu_postgres_url").write_text("postgresql://reader:hush@host/care\n")
    monkeypatch.setattr("chu_platform.settings.SECRET_FILES", tmp_path)
    monkeypatch.delenv("CHU_POSTGRES_URL", raising=False)
    url = load_settings().postgres_url
    assert url and url.get_secret_value() == "postgresql://reader:hush@host/care"
    assert "hush" not in str(load_settings())


def test_the_environment_has_priority_over_a_secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chu_engine").write_text("spark")
    monkeypatch.setattr("chu_platform.settings.SECRET_FILES", tmp_path)
    monkeypatch.setenv("CHU_ENGINE", "embedded")
    assert load_settings().engine == "embedded"
