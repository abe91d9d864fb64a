"""The processes that a service runs beside itself: what starts each of them, and until when they are waited for."""

from __future__ import annotations

import asyncio
import sys

from daemon.config.configuration import Configuration
from daemon.config.settings import Settings
from daemon.logs.set_up import is_json
from daemon.processes.child import Child, own_environment, plain_environment
from daemon.processes.messages import Configure
from daemon.reloader import Reloader
from workflows.errors import TemporalUnreachable


async def until_ready(children: list[Child], settings: Settings) -> bool:
    """Return True once all children are ready.

    Raises:
        SettingsError: a child cannot use its settings.
        TemporalUnreachable: they are not ready within the start timeout.
    """
    try:
        async with asyncio.timeout(settings.start_timeout_s):
            await asyncio.gather(*(child.ready() for child in children))
    except TimeoutError as error:
        last = "; ".join(f"{child.name}: {child.last_words() or 'no word'}" for child in children if not child.is_ready)
        raise TemporalUnreachable(f"not ready within {settings.start_timeout_s:g} s: {last}") from error
    return True


def workers_of(reloader: Reloader) -> list[Child]:
    """Return the workers that the configuration asks for, each of which is given the newest accepted one."""
    count = reloader.accepted.worker_processes()
    command = _python("daemon.main", "work", "--exit-with-parent", "--process-of")
    numbers = range(1, count + 1)

    def greeting() -> Configure:
        return Configure(0, *as_given(reloader.accepted))

    return [
        Child(f"worker-{each}", [*command, str(each), str(count)], env=own_environment(), greeting=greeting)
        for each in numbers
    ]


def as_given(configuration: Configuration) -> tuple[str, str]:
    """Return path and content of the file, as they go to a worker; both empty where there is none."""
    file = configuration.file
    return (file.name, file.content.decode()) if file else ("", "")


def mock_api(settings: Settings) -> Child:
    """Return the mock API."""
    command = _python("mock_api", "--exit-with-parent")
    return Child("mock-api", command, env=plain_environment("MOCK_API_"), relayed=is_json(settings))


def _python(module: str, *arguments: str) -> list[str]:
    # Without -P the current folder would come first on the path, and a folder `workflows` in it before ours.
    return [sys.executable, "-P", "-m", module, *arguments]
