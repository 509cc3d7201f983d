"""Validate the objects of kubernetes/, and the job that a run becomes, against the schemas of Kubernetes.

    python -m chu_platform_tests.deployment.validate_manifests OBJECTS.json

It needs kubernetes-validate and dagster-k8s, which the environment of the platform does not have: test_manifests.py
installs them aside. OBJECTS.json is a list of objects. Prints the kinds that were validated, one per line; ends with an
error at the first object that is not valid.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final
from unittest import mock

import dagster as dg
import yaml

from chu_platform.graph.run_launcher import starts_runs_elsewhere
from chu_platform.settings import PROJECT

VERSIONS: Final = ("1.32", "latest")
# A kind of the Spark operator.
WITHOUT_SCHEMA: Final = {"SparkConnect"}
RUN_ID: Final = "0d9a4c5e-6f0a-4c0e-8f0b-3f6f0f4a9f11"


def validate(found: dict[str, Any]) -> None:
    import kubernetes_validate

    for version in VERSIONS:
        number = kubernetes_validate.latest_version() if version == "latest" else version
        kubernetes_validate.validate(found, number, strict=True)


def job_of_a_run() -> dict[str, Any]:
    """The job that the launcher of kubernetes/base/dagster.yaml creates for a run."""
    from dagster_k8s.job import construct_dagster_k8s_job
    from dagster_k8s.launcher import K8sRunLauncher
    from kubernetes.client import ApiClient

    declared = yaml.safe_load((PROJECT / "kubernetes" / "base" / "dagster.yaml").read_text())["run_launcher"]

    @dg.job
    def checked() -> None:
        """Its configuration is that of the launcher."""

    assert (declared["module"], declared["class"]) == (K8sRunLauncher.__module__, K8sRunLauncher.__name__)
    # Dagster validates the configuration of an operation as that of an instance.
    resource = dg.ResourceDefinition(
        lambda context: context.resource_config, config_schema=K8sRunLauncher.config_type()
    )
    with dg.build_resources({"launcher": resource.configured(declared["config"])}) as resources:
        config = resources.launcher
    with mock.patch("dagster_k8s.launcher.load_kubernetes_config"):
        launcher = K8sRunLauncher(**config)
    run = dg.DagsterRun(checked.name, run_id=RUN_ID)
    context = launcher.get_container_context_for_run(run)
    job = construct_dagster_k8s_job(
        job_config=context.get_k8s_job_config(job_image="registry.example/chu-platform:0.2.0", run_launcher=launcher),
        args=["dagster", "api", "execute_run"],
        job_name="dagster-run",
        user_defined_k8s_config=context.run_k8s_config,
        labels={"dagster/code-location": "chu_platform"},
    )
    made: dict[str, Any] = ApiClient().sanitize_for_serialization(job)
    return made


def require_key_with_runs() -> None:
    """The code location knows that runs start elsewhere, without making the launcher, which connects to the cluster."""
    declared = yaml.safe_load((PROJECT / "kubernetes" / "base" / "dagster.yaml").read_text())
    with dg.instance_for_test(overrides={"run_launcher": declared["run_launcher"]}) as instance:
        assert starts_runs_elsewhere(instance)


def main() -> None:
    require_key_with_runs()
    objects = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    job = job_of_a_run()
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == "run" and pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["limits"]["memory"] == "8Gi"
    assert "command" not in container, "the entry point of the image writes the password file"
    for found in [*objects, job]:
        if found["kind"] not in WITHOUT_SCHEMA:
            validate(found)
            print(found["kind"])


if __name__ == "__main__":
    main()
