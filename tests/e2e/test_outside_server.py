"""Which outside server is meant: what cannot be used is one line that names it, never an embedded server unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Installation, free_port

from daemon.temporal.outside_server import OF_OTHERS, PREFIX, outside_server
from workflows.errors import SettingsError

Make = Callable[..., Installation]
COMMANDS = ["run", "watch", "work"]


@pytest.fixture(autouse=True)
def no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


def ended(site: Installation, command: str) -> tuple[int, str]:
    """Run a service until it ends and return its exit code and all it said: one line, beside what it logs."""
    service = site.batchd(command, ready=False, name=command)
    code = service.wait()
    assert service.logged("server.started") == []
    return code, service.refusal()


@pytest.mark.parametrize("command", COMMANDS)
def test_an_outside_server_that_does_not_answer_is_exit_code_3(installation: Make, command: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    site = installation(TEMPORAL_ADDRESS=address, BATCH_START_TIMEOUT_S="1", BATCH_WORKERS="2")
    code, said = ended(site, command)
    assert code == 3
    assert said.startswith(f"no Temporal server answers at {address} (")
    assert "Connection refused" in said or "tcp connect error" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_namespace_that_the_server_does_not_have_is_exit_code_2(
    installation: Make, temporal_address: str, command: str
) -> None:
    site = installation(TEMPORAL_ADDRESS=temporal_address, TEMPORAL_NAMESPACE="nobody", BATCH_START_TIMEOUT_S="1")
    code, said = ended(site, command)
    assert code == 2
    assert said.startswith(f"the Temporal server {temporal_address} has no namespace nobody; make it with")
    assert said.endswith("or set TEMPORAL_NAMESPACE to one that it has")


def test_batchctl_says_that_a_namespace_is_missing(installation: Make, temporal_address: str) -> None:
    site = installation(TEMPORAL_ADDRESS=temporal_address, TEMPORAL_NAMESPACE="nobody")
    asked = site.batchctl("pause", "users-0123456789ab")
    assert (asked.returncode, "has no namespace nobody" in asked.stderr) == (2, True), asked.stderr
    assert "has no namespace nobody" in site.batchctl("doctor").stdout


WRONG = {
    "a misspelt variable": ({"TEMPORAL_ADRESS": "x:7233"}, "TEMPORAL_ADRESS is not", "did you mean TEMPORAL_ADDRESS?"),
    "a profile file that is not there": (
        {"TEMPORAL_CONFIG_FILE": "/nowhere/temporal.toml"},
        "TEMPORAL_CONFIG_FILE: there is no file /nowhere/temporal.toml",
        "unset it for the embedded server",
    ),
    "a certificate that is not there": (
        {"TEMPORAL_ADDRESS": "x:7233", "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/nowhere/ca.pem"},
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH: /nowhere/ca.pem cannot be read: No such file or directory",
        "mend the path",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_exit_code_2_and_one_line(installation: Make, case: str) -> None:
    settings, what, todo = WRONG[case]
    site = installation(**settings)
    for command in COMMANDS:
        code, said = ended(site, command)
        assert (code, what in said, todo in said) == (2, True, True), said
    asked = site.batchctl("pause", "users-0123456789ab")
    assert (asked.returncode, what in asked.stderr, asked.stderr.count("\n")) == (2, True, 1), asked.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TEMPORAL_NAMESPACE": "batch"}, "TEMPORAL_NAMESPACE is set, but nothing says which server"),
        ({"TEMPORAL_API_KEY": "hunter2"}, "TEMPORAL_API_KEY is set, but nothing says which server"),
        ({"TEMPORAL_PROFILE": "prod"}, "Profile 'prod' not found"),
        ({"TEMPORAL_ADDRESS": "temporal"}, "temporal is not HOST:PORT"),
        ({"TEMPORAL_ADDRESS": "http://temporal:7233"}, "is not HOST:PORT"),
        ({"TEMPORAL_ADDRESS": "temporal:99999"}, "is not HOST:PORT"),
        ({"TEMPORAL_ADDRESS": "x:1", "TEMPORAL_TLS_CLIENT_CERT_DATA": "x"}, "belong together"),
        (
            {"TEMPORAL_ADDRESS": "x:1", "TEMPORAL_TLS_SERVER_CA_CERT_DATA": "x"},
            "TEMPORAL_TLS_SERVER_CA_CERT: holds no PEM",
        ),
        ({"TEMPORAL_WHATEVER_ELSE": "x"}, "TEMPORAL_WHATEVER_ELSE is not a variable of Temporal's clients"),
    ],
)
def test_what_would_mean_another_server_than_the_one_that_is_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        outside_server()
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_profile_file_is_used_and_one_without_an_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "temporal.toml"
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    file.write_text("")
    assert outside_server() is None
    file.write_text('[profile.default]\nadress = "x:1"\n')
    with pytest.raises(SettingsError, match="TEMPORAL_CONFIG_FILE is set, but nothing says which server"):
        outside_server()
    file.write_text('[profile.default]\naddress = "x:1"\nnamespace = "batch"\n')
    assert outside_server() == {"target_host": "x:1", "namespace": "batch"}
    file.write_text("[profile.default\n")
    with pytest.raises(SettingsError, match=f"profile in {file} cannot be used: .*unclosed table"):
        outside_server()


def test_variables_of_other_temporal_tools_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "TEMPORAL_CLI_ADDRESS",
        "TEMPORAL_ENV",
        "TEMPORAL_DEBUG",
        "TEMPORAL_DB_PASSWORD",
        "TEMPORAL_UI_PORT",
        "TEMPORAL_SERVICE_HOST",
        "TEMPORAL_FRONTEND_PORT_7233_TCP_ADDR",
        "TEMPORAL_TLS_CERT",
    ):
        monkeypatch.setenv(name, "x")
    assert outside_server() is None
    assert not OF_OTHERS.fullmatch("ADRESS"), PREFIX
