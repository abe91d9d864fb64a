"""Where the web page of the embedded server is."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.temporal.server_program import page_address, server_command


@pytest.mark.parametrize(
    ("ui_ip", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8233"),
        ("192.0.2.7", "http://192.0.2.7:8233"),
        ("::1", "http://[::1]:8233"),
        ("0.0.0.0", "http://127.0.0.1:8233"),
        ("::", "http://127.0.0.1:8233"),
    ],
)
def test_the_page_is_named_as_a_browser_on_this_host_finds_it(ui_ip: str, address: str) -> None:
    assert page_address(ui_ip, 8233) == address
    assert page_address(ui_ip, 0) == ""


def test_only_the_page_ever_listens_elsewhere_than_on_loopback(tmp_path: Path) -> None:
    command = server_command("temporal", tmp_path, port=7233, ui_ip="0.0.0.0", ui_port=8233)
    assert command[command.index("--ip") + 1] == "127.0.0.1"
    assert command[command.index("--ui-ip") + 1] == "0.0.0.0"
