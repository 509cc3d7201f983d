"""The manifests of kubernetes/: who has which secret, how pods are hardened, and their schemas."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from chu_platform.settings import PROJECT

BASE = PROJECT / "kubernetes" / "base"
OF_ZONES = {"lake-restricted", "lake-pseudonymised", "lake-published"}
CONTROLLERS = ("Deployment", "StatefulSet")


def manifests() -> list[dict[str, Any]]:
    files = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [found for file in files for found in yaml.safe_load_all((BASE / file).read_text())]


def launcher() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((BASE / "dagster.yaml").read_text())["run_launcher"]["config"]
    return found


def mounts() -> dict[str, dict[str, str]]:
    """The mounts of each container, by their paths, and of runs: the names of volumes."""
    found = {
        c["name"]: {m["mountPath"]: m["name"] for m in c["volumeMounts"]}
        for p in pods().values()
        for c in p["containers"]
    }
    return {**found, "run": {m["mount_path"]: m["name"] for m in launcher()["volume_mounts"]}}


def pods() -> dict[str, dict[str, Any]]:
    return {m["metadata"]["name"]: m["spec"]["template"]["spec"] for m in manifests() if m["kind"] in CONTROLLERS}


@pytest.mark.unit
def test_only_pods_that_need_a_secret_have_it() -> None:
    having = {
        name: {v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v} for name, pod in pods().items()
    }
    dagster = {"dagster-database"}
    assert having == {
        "postgres": dagster,
        "code": dagster | OF_ZONES,
        "webserver": dagster,
        "webserver-read-only": dagster,
        "daemon": dagster,
        "portal": {"lake-published-read-only", "lake-pseudonymised-read-only"},
        "commands": OF_ZONES,
    }
    both = {}
    for who, volumes in (("commands", pods()["commands"]["volumes"]), ("runs", launcher()["volumes"])):
        named = [v["secret"] for v in volumes if "secret" in v]
        both[who] = {secret.get("secret_name", secret.get("secretName")) for secret in named}
        both[who] |= {s["secret"]["name"] for v in volumes for s in v.get("projected", {}).get("sources", [])}
    assert both["runs"] == both["commands"] == dagster | OF_ZONES | {"care-database"}


@pytest.mark.unit
def test_exact_figures_are_apart_from_the_portal_and_from_the_key() -> None:
    by_name = {name: {*found.values()} for name, found in mounts().items()}
    having = {
        volume: {name for name, found in by_name.items() if volume in found}
        for volume in ("keys", "lake-restricted", "lake-pseudonymised", "journal", "seals", "own-figures", "accounts")
    }
    assert having == {
        "keys": {"run", "commands"},
        "lake-restricted": {"code", "run", "commands"},
        "lake-pseudonymised": {"code", "run", "commands", "exact-figures"},
        "journal": {"exact-figures", "run", "commands"},
        "seals": {"exact-figures", "run", "commands"},
        "own-figures": {"portal", "exact-figures"},
        "accounts": {"portal", "exact-figures", "webserver", "webserver-read-only", "commands"},
    }
    containers = {c["name"]: c for c in pods()["portal"]["containers"]}
    assert "ports" not in containers["exact-figures"], "it is reached over a socket of the pod alone"
    assert containers["exact-figures"]["envFrom"] == containers["portal"]["envFrom"], "they recognise the same sessions"
    assert containers["portal"]["command"][-1] == containers["exact-figures"]["command"][-1]


@pytest.mark.unit
def test_keys_can_be_written_by_runs_and_commands() -> None:
    """Erasure writes the opposition list, rotation writes and deletes keys: below the folder of the image's secrets."""
    image = (PROJECT / "docker" / "platform.Dockerfile").read_text()
    (secrets,) = re.findall(r"CHU_SECRETS=(\S+)", image)
    (commands,) = pods()["commands"]["containers"]
    for of_pod in (launcher()["volume_mounts"], commands["volumeMounts"]):
        (keys,) = (m for m in of_pod if m["name"] == "keys")
        assert keys in ({"name": "keys", "mount_path": secrets}, {"name": "keys", "mountPath": secrets})
    claims = {m["metadata"]["name"] for m in manifests() if m["kind"] == "PersistentVolumeClaim"}
    claimed = {
        v["persistentVolumeClaim"]["claimName"] for v in pods()["commands"]["volumes"] if "persistentVolumeClaim" in v
    }
    claimed |= {
        v["persistent_volume_claim"]["claim_name"] for v in launcher()["volumes"] if "persistent_volume_claim" in v
    }
    assert "keys" in claimed and claimed <= claims


@pytest.mark.unit
def test_no_pod_of_the_commands_exists_until_somebody_asks_for_it() -> None:
    (commands,) = (m for m in manifests() if m["metadata"]["name"] == "commands")
    assert commands["spec"]["replicas"] == 0
    (container,) = pods()["commands"]["containers"]
    assert "command" not in container, "the entry point of the image writes the password file"
    assert container["resources"] == launcher()["resources"]
    assert "ports" not in container


@pytest.mark.unit
def test_every_pod_is_hardened_and_bounded() -> None:
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"] and container["readinessProbe"], name


@pytest.mark.unit
def test_only_daemon_and_webserver_reach_the_cluster() -> None:
    tokens = {name: pod["automountServiceAccountToken"] for name, pod in pods().items()}
    assert {name for name, token in tokens.items() if token} == {"daemon", "webserver"}
    (role,) = (m for m in manifests() if m["kind"] == "Role")
    assert {r for rule in role["rules"] for r in rule["resources"]}.isdisjoint({"secrets", "*"})


@pytest.mark.unit
def test_every_volume_is_mounted_and_every_mount_has_a_volume() -> None:
    for name, pod in pods().items():
        mounted = {m["name"] for container in pod["containers"] for m in container["volumeMounts"]}
        # The stateful set has a volume of its own.
        assert mounted - {"data"} == {v["name"] for v in pod["volumes"]}, name
    assert {m["name"] for m in launcher()["volume_mounts"]} == {v["name"] for v in launcher()["volumes"]}


@pytest.mark.unit
def test_the_instance_differs_from_the_other_deployment_in_how_runs_start() -> None:
    compose, ours = (
        yaml.safe_load(file.read_text()) for file in (PROJECT / "docker" / "dagster.yaml", BASE / "dagster.yaml")
    )
    ours.pop("run_launcher")
    assert ours["concurrency"]["runs"].pop("max_concurrent_runs") == 4
    compose["concurrency"]["runs"].pop("max_concurrent_runs")
    assert ours == compose
    workspaces = (PROJECT / "docker" / "workspace.yaml", BASE / "workspace.yaml")
    assert len({file.read_text() for file in workspaces}) == 1


@pytest.mark.unit
def test_dagster_has_the_environment_of_the_other_deployment() -> None:
    compose = yaml.safe_load((PROJECT / "docker" / "compose.yaml").read_text())["x-dagster"]["environment"]
    generated = yaml.safe_load((BASE / "kustomization.yaml").read_text())["configMapGenerator"]
    (ours,) = (g["literals"] for g in generated if g["name"] == "environment")
    assert dict(literal.split("=", 1) for literal in ours) == compose
    of_pods = {
        name: {source["configMapRef"]["name"] for source in pod["containers"][0].get("envFrom", [])}
        for name, pod in pods().items()
    }
    assert {name for name, maps in of_pods.items() if "environment" in maps} == {
        "code",
        "commands",
        "daemon",
        "webserver",
        "webserver-read-only",
    }
    assert launcher()["env_config_maps"] == ["environment", "lake"]


@pytest.mark.unit
def test_the_marts_are_those_of_the_other_deployment_and_their_load_has_no_key() -> None:
    folder = BASE.parent / "marts"
    compose = yaml.safe_load((PROJECT / "docker" / "compose.marts.yaml").read_text())["services"]["marts"]
    server, _ = yaml.safe_load_all((folder / "marts.yaml").read_text())
    (container,) = server["spec"]["template"]["spec"]["containers"]
    assert (container["args"], container["image"]) == (compose["command"], compose["image"])
    assert {e["name"]: e["value"] for e in container["env"]} == compose["environment"]
    rules = [(place / "marts_hba.conf").read_text() for place in (folder, PROJECT / "docker")]
    assert rules[0] == rules[1]
    load, claim = yaml.safe_load_all((folder / "load.yaml").read_text())
    pod = load["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert {v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v} == {
        "marts-address",
        "lake-pseudonymised-read-only",
        "lake-published-read-only",
    }
    claims = {v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v}
    assert claims == {"accounts", claim["metadata"]["name"]}
    for spec in (pod, server["spec"]["template"]["spec"]):
        assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
        (container,) = spec["containers"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]


@pytest.mark.system
@pytest.mark.parametrize("folder", ["base", "spark", "marts"])
def test_the_manifests_are_valid(tmp_path: Path, folder: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run(
        [kubectl, "kustomize", str(BASE.parent / folder)], capture_output=True, text=True, check=True
    )
    objects = list(yaml.safe_load_all(built.stdout))
    (tmp_path / "objects.json").write_text(json.dumps(objects), encoding="utf-8")
    aside = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(aside)]
    subprocess.run([*pip, "-r", str(PROJECT / "docker" / "kubernetes.lock")], check=True)
    subprocess.run([*pip, "kubernetes-validate==1.37.0", "importlib-resources"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "chu_platform_tests.deployment.validate_manifests", str(tmp_path / "objects.json")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(aside), str(PROJECT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    validated = Counter(done.stdout.split())
    expected = Counter(o["kind"] for o in objects if o["kind"] != "SparkConnect") + Counter(["Job"])
    assert validated == expected
    image = {
        c["image"] for o in objects if o["kind"] == "Deployment" for c in o["spec"]["template"]["spec"]["containers"]
    }
    (code,) = (o for o in objects if o["kind"] == "Deployment" and o["metadata"]["name"] == "code")
    variables = {e["name"]: e.get("value") for e in code["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert image == {variables["DAGSTER_CURRENT_IMAGE"]}
