"""`pytest --cpu-cost`: what each test and each fixture takes of the processors, with the programs that it starts.

A program counts where it is waited for: what a fixture started counts at the end of that fixture. A program whose
parent was killed before it is counted nowhere. For single files: what else runs in the process is counted too.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

DEAREST = 40
COST = "cpu_cost"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; without it nothing is measured."""
    parser.addoption("--cpu-cost", action="store_true", help="show the processor seconds of tests and fixtures")


def pytest_configure(config: pytest.Config) -> None:
    """Measure where it is asked for."""
    if config.getoption("--cpu-cost"):
        config.pluginmanager.register(CpuCost(), "cpu-cost")


def cpu_s() -> float:
    """Return the processor seconds of this process and of all that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


class CpuCost:
    """Notes costs among the properties of a test, which find their way from processes of xdist too."""

    def __init__(self) -> None:
        self._now: pytest.Item | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Measure the fixtures of a test together."""
        self._now = item
        return (yield from self._measured(item.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Measure the test itself."""
        return (yield from self._measured(item.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Measure what ends with a test."""
        return (yield from self._measured(item.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Measure the beginning of a fixture, and its end: what is registered first is called last."""
        name = f"fixture {fixturedef.argname} of {fixturedef.baseid or 'pytest'}"
        began: list[float] = []
        fixturedef.addfinalizer(lambda: self._note(name, cpu_s() - began.pop()))
        try:
            return (yield from self._measured(name))
        finally:
            fixturedef.addfinalizer(lambda: began.append(cpu_s()))

    def _measured(self, name: str) -> Iterator[None]:
        began = cpu_s()
        try:
            return (yield)
        finally:
            self._note(name, cpu_s() - began)

    def _note(self, name: str, cost: float) -> None:
        if self._now:
            self._now.user_properties.append((COST, (name, cost)))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the dearest first; a test includes the fixtures that began or ended with it."""
        costs: dict[str, float] = defaultdict(float)
        reports = [each for kind in terminalreporter.stats.values() for each in kind]
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                for name, value in report.user_properties:
                    if name == COST:
                        costs[value[0]] += value[1]
        tests = {name: cost for name, cost in costs.items() if not name.startswith("fixture ")}
        files: dict[str, float] = defaultdict(float)
        for name, cost in tests.items():
            files[name.partition("::")[0]] += cost
        for title, shown in (("tests and fixtures", costs), ("files", files), ("all", {"all": sum(tests.values())})):
            terminalreporter.section(f"processor seconds: {title}")
            for name, cost in sorted(shown.items(), key=lambda each: each[1], reverse=True)[:DEAREST]:
                terminalreporter.write_line(f"{cost:8.2f}  {name}")
