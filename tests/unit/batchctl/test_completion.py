"""Tab completion: what a shell is given, how much it has to load for it, and bash itself."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from described_feeds import DescribedFeeds

from daemon.batchctl.completion.candidates import FIXED, OPTIONS, STATE_DIR, candidates
from daemon.batchctl.main import COMMANDS
from daemon.config.settings import Settings
from workflows.models import State

BASH = shutil.which("bash") or ""
BATCHCTL = Path(sys.executable).parent / "batchctl"


def test_the_table_has_every_command_with_its_options_and_the_default_folder() -> None:
    for name, (module, _) in COMMANDS.items():
        parser = argparse.ArgumentParser(add_help=False)
        path = module if "." in module else f"commands.{module}"
        getattr(import_module(f"daemon.batchctl.{path}"), f"add_{name.replace('-', '_')}")(parser)
        declared = [each for action in parser._actions for each in action.option_strings if each.startswith("--")]
        assert sorted(each.partition("=")[0] for each in OPTIONS[name].split()) == sorted(declared), name
        takes_value = [each.option_strings[-1] for each in parser._actions if each.option_strings and each.nargs != 0]
        assert sorted(each.partition("=")[0] for each in OPTIONS[name].split() if "=" in each) == sorted(takes_value)
    assert OPTIONS.keys() == COMMANDS.keys()
    assert FIXED["STATE"] == list(State.__args__)
    assert Settings.model_fields["state_dir"].default == Path(STATE_DIR)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ex"], ["explain", "export"]),
        (["list", "--f"], ["--feed"]),
        (["list", "--feed", ""], ["contacts", "leads", "sites"]),
        (["list", "--feed", "l"], ["leads"]),
        (["list", "--feed=l"], ["--feed=leads"]),
        (["list", "--feed", "=", "l"], ["--feed=leads"]),
        (["set", "--api", ""], ["people", "places"]),
        (["list", "--state", "c"], ["cancelled", "completed"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["set", "con"], ["concurrency="]),
        (["submit", ""], []),
        (["pause", "x", "--reason", ""], []),
        (["list", "--nonsense", "zzz"], []),
    ],
)
def test_each_place_has_its_candidates(feeds: DescribedFeeds, words: list[str], found: list[str]) -> None:
    assert candidates(words) == found


def test_a_batch_is_completed_from_the_receipts(feeds: DescribedFeeds, tmp_path: Path) -> None:
    ids = sorted([feeds.completed("contacts").id, feeds.completed("sites").id])
    assert candidates(["status", "users-"]) == ids
    assert candidates(["status", "--config", str(tmp_path / "batchd.toml"), ids[0][:12]]) == [ids[0]]
    assert candidates(["list", ids[0]]) == []
    file = tmp_path / "other" / "batchd.toml"
    file.parent.mkdir()
    file.write_text('[service]\nstate_dir = "../state"\n[feed.far]\ninbox = "i"\n')
    environ = {"BATCH_CONFIG": str(file)}
    assert candidates(["status", ""], environ) == ids
    assert candidates(["list", "--feed", ""], environ) == ["far"]


def test_without_a_file_the_feed_is_default_and_without_a_state_folder_nothing_is_wrong(
    runner: BatchctlRunner, tmp_path: Path
) -> None:
    assert candidates(["list", "--feed", ""], {}) == ["default"]
    asked = [BATCHCTL, "__complete", "status", ""]
    done = subprocess.run(asked, capture_output=True, env={"BATCH_STATE_DIR": str(tmp_path / "none")}, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_shell_that_asks_loads_no_library_and_no_command(feeds: DescribedFeeds) -> None:
    asked = "import sys; import daemon.batchctl.main as m; m.put_candidates(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked, "list", "--feed", ""], capture_output=True, check=True)
    modules = set(done.stdout.decode().splitlines()[-1].split())
    heavy = {"temporalio", "pydantic", "rich", "orjson", "httpx2", "asyncio", "daemon.batchctl.settings_in_use"}
    assert not modules & heavy


@pytest.mark.skipif(not BASH, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["batchctl", "exp"], ["explain", "export"]),
        (["batchctl", "list", "--feed", ""], ["contacts", "leads", "sites"]),
        (["batchctl", "list", "--feed", "=", "s"], ["sites"]),
        (["batchctl", "try", "some"], []),
    ],
)
def test_bash_offers_them(feeds: DescribedFeeds, words: list[str], replies: list[str]) -> None:
    script = f"""
        PATH="{BATCHCTL.parent}:$PATH"
        source <(batchctl completion bash)
        complete -p batchctl || exit 1
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _batchctl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run([BASH, "-c", script, "-", *words], capture_output=True, text=True, check=True)
    registered, *offered = done.stdout.splitlines()
    assert registered == "complete -o default -F _batchctl batchctl"
    assert [each for each in offered if each] == replies
    assert done.stderr == ""
