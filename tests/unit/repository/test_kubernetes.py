"""The manifests for Kubernetes are well-formed, and say of batchd what is true."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml
from repository import ROOT

from daemon.config.settings import Settings
from workflows.contract import LONG_PAGES_SUFFIX

FOLDER = ROOT / "deploy" / "kubernetes"
APART = ("kustomization.yaml", "keda.yaml")
"""Of kinds that are not Kubernetes' own."""
VERSIONS = ("1.32", "1.37")
USER = 10001


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


OWN = [
    (path.name, each)
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name not in APART
    for each in manifests(path.name)
]
[KUSTOMIZATION] = manifests("kustomization.yaml")
[SCALED] = manifests("keda.yaml")
DEPLOYMENTS = {each["metadata"]["name"]: each for _, each in OWN if each["kind"] == "Deployment"}
SETTINGS = {key: str(value) for _, each in OWN if each["kind"] == "ConfigMap" for key, value in each["data"].items()}


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    [only] = pod(name)["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "manifest"), OWN, ids=[f"{name}-{each['metadata']['name']}" for name, each in OWN])
def test_a_manifest_is_what_kubernetes_takes(name: str, manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_every_manifest_is_applied_and_every_other_file_is_known() -> None:
    assert sorted([*KUSTOMIZATION["resources"], *APART]) == sorted(path.name for path in FOLDER.glob("*.yaml"))
    assert {each["metadata"].get("namespace", "batchd") for _, each in OWN} == {KUSTOMIZATION["namespace"]}


def test_one_watches_and_several_work() -> None:
    assert {name: (each["spec"]["replicas"], container(name)["args"]) for name, each in DEPLOYMENTS.items()} == {
        "batchd-watcher": (1, ["watch"]),
        "batchd-workers": (2, ["work"]),
    }
    assert DEPLOYMENTS["batchd-watcher"]["spec"]["strategy"]["type"] == "Recreate"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_has_no_rights_and_can_write_to_its_volumes(name: str) -> None:
    may = pod(name)["securityContext"]
    assert (may["runAsNonRoot"], may["runAsUser"], may["fsGroup"]) == (True, USER, USER)
    assert may["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(name)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_volume_is_claimed_and_mounted_where_the_image_has_it(name: str) -> None:
    claims = {each["metadata"]["name"]: each for _, each in OWN if each["kind"] == "PersistentVolumeClaim"}
    volumes = {each["name"]: each for each in pod(name)["volumes"]}
    mounts = {each["mountPath"]: each["name"] for each in container(name)["volumeMounts"]}
    assert set(mounts) == {"/inbox", "/out", "/state", "/etc/batchd"}
    assert set(mounts.values()) == set(volumes)
    shared = [
        each["persistentVolumeClaim"]["claimName"] for each in volumes.values() if "persistentVolumeClaim" in each
    ]
    assert [claims[each]["spec"]["accessModes"] for each in shared] == [["ReadWriteMany"]] * 3


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_asked_for_its_health_where_the_image_listens_and_has_time_to_stop(name: str) -> None:
    containerfile = (ROOT / "deploy" / "container" / "Containerfile").read_text()
    [port] = container(name)["ports"]
    assert f"BATCH_HEALTH_ADDRESS=0.0.0.0:{port['containerPort']}" in containerfile
    probes = {kind: container(name)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert probes == {
        "startup": {"path": "/livez", "port": "health"},
        "liveness": {"path": "/livez", "port": "health"},
        "readiness": {"path": "/readyz", "port": "health"},
    }
    assert pod(name)["terminationGracePeriodSeconds"] > Settings.model_fields["stop_timeout_s"].get_default() + 10


def test_the_workers_are_scaled_by_the_queues_that_batchd_has() -> None:
    queue = Settings.model_fields["task_queue"].get_default()
    triggers = [each["metadata"] for each in SCALED["spec"]["triggers"] if each["type"] == "temporal"]
    assert [each["taskQueue"] for each in triggers] == [queue, queue + LONG_PAGES_SUFFIX]
    assert {each["endpoint"] for each in triggers} == {SETTINGS["TEMPORAL_ADDRESS"]}
    assert {each["namespace"] for each in triggers} == {SETTINGS["TEMPORAL_NAMESPACE"]}
    assert SCALED["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS
    assert 1 <= SCALED["spec"]["minReplicaCount"] < SCALED["spec"]["maxReplicaCount"]
    assert all(isinstance(value, str) for each in triggers for value in each.values()), "KEDA takes texts alone"


def test_the_selectors_find_the_pods() -> None:
    for each in DEPLOYMENTS.values():
        assert each["spec"]["selector"]["matchLabels"] == each["spec"]["template"]["metadata"]["labels"]
    [service] = [each for _, each in OWN if each["kind"] == "Service"]
    wanted = service["spec"]["selector"].items()
    assert all(wanted <= each["spec"]["template"]["metadata"]["labels"].items() for each in DEPLOYMENTS.values())
