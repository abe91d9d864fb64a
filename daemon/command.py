"""`batchd`: the service command. Exit codes: 0 stopped on request, 1 crash, 2 bad settings, 3 no Temporal at start."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import uvloop

from activities.disk.failpoint_places import PLACES
from activities.registry.receipts import Receipts
from daemon.config.arguments import CONFIG_VARIABLE, Parser, add_config_file
from daemon.config.configuration import Configuration, load_configuration
from daemon.configured_worker import ConfiguredWorker, configuration_given
from daemon.halves import watch, work_all
from daemon.health import Answers, health_endpoint
from daemon.logs.set_up import set_up_core_lines, set_up_logging
from daemon.metrics.service_metrics import ServiceMetrics
from daemon.notify import notify, starting, stopping
from daemon.processes.messages import Configure, read_message
from daemon.processes.parent import Parent
from daemon.processes.signs_of_life import give_signs_of_life
from daemon.ready_report import ready_report
from daemon.service import Service
from daemon.shares.other_processes import OtherProcesses
from daemon.signals import Signals
from daemon.watchdog import Signs, signs_for_systemd
from daemon.worker import work
from workflows.errors import SettingsError, TemporalUnreachable, shortened

logger = logging.getLogger(__name__)

EXIT_CRASH = 1
EXIT_SETTINGS = 2
EXIT_UNREACHABLE = 3
LONGEST_STATUS = 300
"""Characters of the reason that `systemctl status` shows beside the log."""


def run(arguments: Sequence[str], *, as_json: bool = False) -> int:
    """Do what the command line asks for and return the exit code; `as_json`: with nothing said that is not JSON."""
    parsed = _parsed(arguments, as_json=as_json)
    if parsed.command == "failpoints":
        return _list_failpoints()
    try:
        if parsed.config is not None:
            os.environ[CONFIG_VARIABLE] = str(parsed.config.absolute())  # our workers read it too
        parent = Parent()
        configuration = _given(parent) if parsed.command == "work" and parsed.process_of else load_configuration()
        set_up_logging(configuration.service)
        set_up_core_lines()
        uvloop.run(_until_stopped(parsed, configuration, parent))
    except SettingsError as error:
        return _report_failure(parsed, error, EXIT_SETTINGS, as_json=as_json)
    except TemporalUnreachable as error:
        return _report_failure(parsed, error, EXIT_UNREACHABLE, as_json=as_json)
    except Exception:
        logger.exception("daemon.crashed")
        return EXIT_CRASH
    return 0


def _parsed(arguments: Sequence[str], *, as_json: bool) -> argparse.Namespace:
    """Return what the command line says; what is wrong with it ends the process, and is one line where that is JSON."""
    if not as_json:
        return build_parser().parse_args(arguments)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return build_parser().parse_args(arguments)
    except SystemExit as ended:
        if ended.code:
            _log_failure(said.getvalue().strip().rpartition("\n")[2].removeprefix("batchd: error: "))
        raise


def _list_failpoints() -> int:
    longest = max(map(len, PLACES))
    sys.stdout.writelines(f"{name:<{longest}}    {about}\n" for name, about in PLACES.items())
    return 0


def _report_failure(parsed: argparse.Namespace, error: Exception, code: int, *, as_json: bool) -> int:
    """Say why this ends: to people, or where this is a child, to the parent, which says it on."""
    if parsed.command == "work" and parsed.process_of:
        sys.stdout.write(f"{error}\n")
        return code
    if as_json:
        _log_failure(str(error))
    else:
        sys.stderr.write(f"batchd: {error}\n")
    notify(f"STATUS={shortened(' '.join(str(error).split()), LONGEST_STATUS)}")
    return code


def _log_failure(why: str) -> None:
    logger.error("daemon.not_started", extra={"fields": {"why": why}})


def _given(parent: Parent) -> Configuration:
    """Return the configuration that the parent has accepted, whatever stands in the file by now."""
    given = read_message(Configure, parent.first_line())
    return configuration_given(given.path, given.content) if given else load_configuration(files=False)


async def _until_stopped(parsed: argparse.Namespace, configuration: Configuration, parent: Parent) -> None:
    signals = Signals()
    worker = ConfiguredWorker(parent)
    serve = _service(parsed, configuration, parent, worker)
    if parsed.exit_with_parent:
        parent.listen(signals.stop.set)
    signs = asyncio.create_task(give_signs_of_life(parent)) if parsed.command == "work" and parsed.process_of else None
    try:
        await serve(signals)
    finally:
        if signs is not None:
            signs.cancel()


def _service(
    parsed: argparse.Namespace, configuration: Configuration, parent: Parent, worker: ConfiguredWorker
) -> Callable[[Signals], Awaitable[None]]:
    if parsed.command == "run":
        return Service(configuration, with_mock_api=parsed.with_mock_api).serve
    if parsed.command == "watch":
        return lambda signals: _half("watch", configuration, signals, partial(watch, configuration, signals))
    if parsed.process_of:
        number, processes = parsed.process_of
        beside = OtherProcesses(parent, processes) if processes > 1 else None
        return lambda signals: work(
            configuration,
            signals.stop,
            number=number,
            beside=beside,
            on_ready=worker.ready,
            on_measured=parent.send,
        )
    return lambda signals: _half("work", configuration, signals, partial(work_all, configuration, signals))


async def _half(
    command: str, configuration: Configuration, signals: Signals, serve: Callable[..., Coroutine[Any, Any, None]]
) -> None:
    """Serve one of the two halves, which say how they are at the same pages as the whole."""
    settings, feeds = configuration.service, configuration.settings_by_feed()
    metrics = ServiceMetrics(Receipts(settings.state_dir.absolute()), lambda: feeds)
    signs = Signs()

    def ready() -> None:
        signs.is_ready = True
        logger.info("daemon.ready", extra={"on_terminal": ready_report(command, configuration)})
        notify(f"READY=1\nSTATUS={signs.status()}")

    def is_ready() -> bool:
        return signs.is_ready and metrics.workers_are_ready

    starting(settings)
    answers = Answers(standing_still=signs.standing_still, is_ready=is_ready, metrics=metrics.page)
    async with health_endpoint(settings.health_address, answers), signs_for_systemd(signs):
        serving = asyncio.create_task(serve(metrics, signs, on_ready=ready))
        stopped = asyncio.create_task(signals.stop.wait())
        await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        signs.is_ready = False
        stopping(settings)
        await serving


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="batchd",
        description="Watch an inbox folder and turn each CSV file into one durable batch job.",
        epilog="Settings are in batchd.toml or are BATCH_* environment variables; docs/configuration.md lists them. "
        "Exit codes: 0 stopped on request, 1 crash, 2 bad settings, 3 Temporal unreachable at start.",
    )
    parser.add_argument("--version", action="version", version=f"batchd {version('batchd')}")
    add_config_file(parser)
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="command")
    run = commands.add_parser(
        "run",
        help="everything: the inboxes, the workers, and a Temporal server where none is set",
        epilog="examples:\n"
        "  batchd run --with-mock-api          # to try it: an API that answers is there\n"
        "  BATCH_API_URL=https://api.example.com/enrich batchd run\n"
        "  batchd run --config batchd.toml     # many inboxes, any API",
    )
    run.add_argument("--with-mock-api", action="store_true", help="run the mock enrichment API too, on port 3001")
    elsewhere = "examples:\n  TEMPORAL_ADDRESS=temporal.example.com:7233 batchd {} --config batchd.toml"
    commands.add_parser("watch", help="watch the inboxes only; workers run elsewhere", epilog=elsewhere.format("watch"))
    worker = commands.add_parser(
        "work", help="work the task queue only; the inboxes are watched elsewhere", epilog=elsewhere.format("work")
    )
    worker.add_argument("--process-of", type=int, nargs=2, help=argparse.SUPPRESS)
    for each in commands.choices.values():  # all that serve
        each.add_argument("--exit-with-parent", action="store_true", help=argparse.SUPPRESS)
        add_config_file(each, behind_command=True)
    commands.add_parser(
        "failpoints",
        help="list the places where BATCHD_FAILPOINTS=name:n:kill|stop|hang|short|error:ERRNO acts",
        epilog="examples:\n  BATCHD_FAILPOINTS=manifest.link.before:1:kill batchd run  # for tests alone",
    )
    return parser
