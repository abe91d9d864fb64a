"""compose.yaml is whole: every name in it exists, nothing is published to the world, and what is ours has no rights."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml
from repository import ROOT

FOLDER = ROOT / "deploy" / "container"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("batchd", "mock-api")
UPSTREAM = {
    "database": "docker.io/library/postgres:17",
    "temporal-schema": "docker.io/temporalio/admin-tools:1.31.0",
    "temporal": "docker.io/temporalio/server:1.31.0",
    "temporal-namespace": "docker.io/temporalio/admin-tools:1.31.0",
    "temporal-ui": "docker.io/temporalio/ui:2.49.1",
}
"""As in the compose files of Temporal's own samples; `auto-setup` is no longer made."""


def test_the_images_are_those_that_exist_upstream() -> None:
    assert {name: each["image"] for name, each in SERVICES.items() if "build" not in each} == UPSTREAM
    assert {name for name, each in SERVICES.items() if "build" in each} == set(OURS)


def test_nothing_waits_for_a_service_that_is_not_there() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert "profiles" not in SERVICES[other], f"{name} waits for {other}, which is not always there"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert SERVICES[other]["restart"].startswith("on-failure"), f"{other} has to come to an end"


def test_every_file_and_volume_that_is_mounted_exists() -> None:
    made_by_the_operator = {"./inbox", "./out"}
    for service in SERVICES.values():
        for source in (each.split(":")[0] for each in service.get("volumes", [])):
            known = source in made_by_the_operator or source in COMPOSE["volumes"] or (FOLDER / source).exists()
            assert known, source
        assert all((FOLDER / each).exists() for each in service.get("env_file", []))


def test_every_port_is_published_on_this_host_alone() -> None:
    published = [each for service in SERVICES.values() for each in service.get("ports", [])]
    assert sorted(published) == ["127.0.0.1:7233:7233", "127.0.0.1:8080:8080", "127.0.0.1:8233:8080"]


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_has_no_rights_and_a_root_that_cannot_be_written(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["build"]["args"] == {"EMBEDDED": "no"}
    assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).exists()


@pytest.mark.parametrize("name", ["temporal-schema", "temporal-namespace"])
def test_what_sets_the_server_up_is_a_script_that_a_shell_can_read(name: str) -> None:
    [script] = SERVICES[name]["command"]
    assert "$${" in script or "$" not in script, "a single dollar is for compose itself"
    subprocess.run(["/bin/sh", "-n"], input=script.replace("$$", "$"), text=True, check=True)
