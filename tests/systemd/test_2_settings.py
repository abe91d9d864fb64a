"""Settings under a real systemd: what is wrong is said once and not tried for ever; secrets are for root alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from installation import eventually
from service_host import PATIENCE_S, ServiceHost

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(900)]
ENV = "etc/batchd/batchd.env"
TOML = "etc/batchd/batchd.toml"
DESCRIBED = """[api.mock]
url = "http://127.0.0.1:3001/enrich"
{api}
[feed.people]
inbox = "/srv/batchd/inbox"
"""


@pytest.fixture
def settings(host: ServiceHost) -> Iterator[ServiceHost]:
    before = (host.root / ENV).read_text()
    yield host
    (host.root / TOML).unlink(missing_ok=True)
    (host.root / ENV).write_text(before)
    host.sh("systemctl restart batchd")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("BATCH_INBOXX=/srv", "did you mean BATCH_INBOX"),
        ("BATCH_API_TOKEN_FILE=$CREDENTIALS_DIRECTORY/secret_none", "secret_none cannot be read: No such file"),
    ],
)
def test_a_wrong_setting_fails_once_and_says_why(settings: ServiceHost, line: str, why: str) -> None:
    with (settings.root / ENV).open("a") as file:
        file.write(f"\n{line}\n")
    assert settings.code("systemctl restart batchd") != 0
    assert settings.show("ActiveState") == "failed"
    assert settings.show("ExecMainStatus") == "2"
    assert why in settings.sh("systemctl status batchd", check=False)
    assert "batchd.service" in settings.sh("systemctl --failed --plain")
    assert settings.show("NRestarts") == "0"


def test_a_secret_that_root_alone_can_read_reaches_the_service(settings: ServiceHost) -> None:
    settings.sh("install -m 0600 /dev/stdin /etc/batchd/secrets/api-token <<END\ncanary-5up3r\nEND")
    with (settings.root / ENV).open("a") as file:
        file.write("\nBATCH_API_TOKEN_FILE=$CREDENTIALS_DIRECTORY/secret_api-token\n")
    settings.sh("systemctl restart batchd")
    settings.drop("secret.csv", 10)
    settings.proven("secret.csv", 10)
    assert settings.code("cat /run/credentials/batchd.service/*", user="ann") != 0
    assert "canary" not in settings.sh("journalctl --unit batchd; systemctl show batchd; batchctl config show")


def test_a_reload_returns_when_all_has_taken_hold_and_a_wrong_file_changes_nothing(settings: ServiceHost) -> None:
    lines = (settings.root / ENV).read_text().splitlines()
    kept = [each for each in lines if not each.startswith(("BATCH_INBOX", "BATCH_API", "BATCH_PAGE", "BATCH_SETTLE"))]
    (settings.root / ENV).write_text("\n".join([*kept, ""]))
    (settings.root / TOML).write_text(DESCRIBED.format(api="concurrency = 8"))
    settings.sh("systemctl restart batchd")
    before = settings.show("MainPID")

    (settings.root / TOML).write_text(DESCRIBED.format(api="concurrency = 4"))
    settings.sh("systemctl reload batchd")
    eventually(lambda: settings.events("reload.done"), "the reload is done", PATIENCE_S)

    (settings.root / TOML).write_text(DESCRIBED.format(api="concurrencyy = 2"))
    settings.code("systemctl reload batchd")
    eventually(lambda: "did not take hold" in settings.show("StatusText"), "the status says so", PATIENCE_S)
    assert (settings.show("ActiveState"), settings.show("MainPID")) == ("active", before)
    (settings.root / TOML).write_text(DESCRIBED.format(api="concurrency = 4"))  # batchctl reads it too
    settings.drop("described.csv", 10)
    settings.proven("described.csv", 10)
