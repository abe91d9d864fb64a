"""What a service says on a terminal once it is ready: every folder and every address that people ask for next."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from activities.api.transport.replies import public_address
from daemon.config.configuration import Configuration
from daemon.config.sections.api_section import ApiSection
from daemon.config.settings import Settings
from daemon.temporal.outside_server import outside_server
from daemon.temporal.server_record import running_server
from workflows.ids import DEFAULT_FEED

MOST_NAMED = 8
LABEL = 10
DOES = {
    "run": "",
    "watch": ", watching inboxes; workers run elsewhere",
    "work": ", working; inboxes are watched elsewhere",
}


def ready_report(command: str, configuration: Configuration, *, took_s: float | None = None) -> list[str]:
    """Return the lines: a sentence, then one labelled fact each. Addresses are without what may be secret."""
    settings, feeds = configuration.service, configuration.settings_by_feed()
    after = f" after {took_s:.1f} s" if took_s is not None else ""
    facts = [
        *(_inboxes(feeds) if command != "work" else []),
        *(_results(feeds) if command != "watch" else []),
        *(_apis(configuration.apis) if command != "watch" else []),
        *_temporal(settings),
        *([("health", f"http://{settings.health_address}/readyz and /metrics")] if settings.health_address else []),
        ("settings", configuration.file.name if configuration.file else "BATCH_* variables and defaults"),
        ("state", str(settings.state_dir.absolute())),
    ]
    head = f"batchd {version('batchd')} is ready{after}{DOES[command]}; Ctrl-C stops it, and nothing is lost"
    return [head, *(f"{label:<{LABEL}}{text}" for label, text in facts)]


def _inboxes(feeds: Mapping[str, Settings]) -> list[tuple[str, str]]:
    found = [f"{each.inbox.absolute()} ({each.pattern}){_of_feed(name)}" for name, each in feeds.items()]
    return _labelled("inbox", found, "batchctl feeds")


def _results(feeds: Mapping[str, Settings]) -> list[tuple[str, str]]:
    roots = dict.fromkeys(f"{each.output_root.absolute()}/batch-<id>/" for each in feeds.values())
    return _labelled("results", list(roots), "batchctl config show")


def _apis(apis: Mapping[str, ApiSection]) -> list[tuple[str, str]]:
    found = [f"{each.method} {public_address(each.url)}{_of_feed(name, 'API')}" for name, each in apis.items()]
    return _labelled("API", found, "batchctl config show")


def _of_feed(name: str, kind: str = "feed") -> str:
    return "" if name == DEFAULT_FEED else f", {kind} {name}"


def _labelled(label: str, found: list[str], rest: str) -> list[tuple[str, str]]:
    """Return each under the label, which stands at the first alone; of many, how to see the rest."""
    lines = found[:MOST_NAMED]
    lines += [f"and {len(found) - MOST_NAMED} more: {rest}"] if len(found) > MOST_NAMED else []
    return [(label if not number else "", line) for number, line in enumerate(lines)]


def _temporal(settings: Settings) -> list[tuple[str, str]]:
    outside = outside_server()
    if outside is not None:
        return [("Temporal", f"{outside.get('target_host')}, namespace {outside.get('namespace', 'default')}")]
    server = running_server(settings.state_dir)
    if server is None:
        return [("Temporal", "not there any more")]
    page = [("web page", server.ui)] if server.ui else []
    return [("Temporal", f"{server.address}, namespace default, embedded"), *page]
