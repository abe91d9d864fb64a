"""Everything that is wrong with a configuration file, at once. No network; files that it names are opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from activities.api.mapping.answer_plan import AnswerPlan
from activities.api.mapping.bulk_plan import BulkPlan
from activities.api.mapping.request_plan import RequestPlan
from daemon.config.api_spec import api_spec_of
from daemon.config.checks.api_checks import check_api
from daemon.config.checks.dialect_checks import check_dialect
from daemon.config.checks.feed_checks import check_feeds
from daemon.config.checks.file_checks import check_files
from daemon.config.checks.mistakes import Mistakes
from daemon.config.checks.schema_checks import check_schemas
from daemon.config.checks.variables import check_variables, new_place, service_variables
from daemon.config.file import ConfigFile
from daemon.config.findings import WrongConfiguration
from daemon.config.grammar.section import Section, kind_of
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.sections.api_section import ApiSection
from daemon.config.sections.feed_section import FeedSection
from daemon.config.sections.service_section import SERVICE_SETTINGS, ServiceSection
from daemon.config.settings import Settings
from workflows.api_spec import InvalidSpec

TABLES = ("service", "api", "defaults", "feed")
MAX_NAME_CHARS = 40
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """What a file without mistakes says."""

    service: Section
    apis: dict[str, ApiSection]
    feeds: dict[str, FeedSection]


def checked(file: ConfigFile, environ: Mapping[str, str], *, files: bool = True) -> Sections:
    """Return the sections of a file. With `files`, the files that it names must be there and fit to be read.

    Raises:
        WrongConfiguration: something is wrong; it has every mistake.
    """
    mistakes = Mistakes(file)
    check_variables(environ, mistakes)
    for key in file.document:
        if key not in TABLES:
            mistakes.add_unknown((key,), list(TABLES))
    service = _service(environ, mistakes)
    apis = _apis(mistakes)
    feeds = _feeds(list(_tables("api", mistakes)), mistakes)
    check_schemas(mistakes, files=files)
    if files:
        check_files(mistakes)
    if mistakes.findings:
        raise WrongConfiguration(mistakes.findings)
    if service is None:
        raise AssertionError("a section without mistakes is there")
    return Sections(service=service, apis=apis, feeds=feeds)


def _service(environ: Mapping[str, str], mistakes: Mistakes) -> Section | None:
    given = _table("service", mistakes)
    for key in [each for each in given if each not in SERVICE_SETTINGS]:
        todo = f"set {new_place(key, mistakes.file)}" if key in Settings.model_fields else ""
        mistakes.add_unknown(("service", key), [] if todo else list(SERVICE_SETTINGS), todo=todo)
    values = {key: value for key, value in given.items() if key in SERVICE_SETTINGS}
    variables = service_variables(environ)
    context = {"folder": mistakes.file.folder, "variables": variables.keys()}
    try:
        ServiceSection.model_validate(variables, context=context)
    except ValidationError as error:
        mistakes.add_all_variables(error)
        variables = {}
    if _section(ServiceSection, values, ("service",), mistakes) is None:
        return None
    return ServiceSection.model_validate({**values, **variables}, context=context)


def _apis(mistakes: Mistakes) -> dict[str, ApiSection]:
    sections: dict[str, ApiSection] = {}
    for name, given in _tables("api", mistakes).items():
        check_api(given, ("api", name), mistakes)
        section = _section(ApiSection, given, ("api", name), mistakes)
        if section is not None:
            sections[name] = section
            _check_plans(name, section, mistakes)
    return sections


def _check_plans(name: str, section: ApiSection, mistakes: Mistakes) -> None:
    """Add what those refuse who make requests and judge answers: they know best, and say one thing at a time."""
    spec = api_spec_of(name, section)
    secrets = dict.fromkeys(spec.secret_vars, "unread")
    for compile_plan in (
        lambda: RequestPlan.compile(spec, secrets),
        lambda: BulkPlan.compile(spec, AnswerPlan.compile(spec)),
    ):
        try:
            compile_plan()
        except InvalidSpec as error:
            path = ("api", name, *_steps(error.key))
            if not mistakes.has(path):
                mistakes.add(path, str(error).removeprefix(f"{error.key}: "))


def _steps(key: str) -> KeyPath:
    """Return the path of a key of an API as a plan names it; names of variables and headers may have dots."""
    table, _, name = key.partition(".")
    if table in {"vars", "headers"}:
        return table, name
    return tuple(int(step) if step.isdecimal() else step for step in re.findall(r"[^.\[\]]+", key))


def _feeds(apis: list[str], mistakes: Mistakes) -> dict[str, FeedSection]:
    defaults = _table("defaults", mistakes)
    _section(FeedSection, {"inbox": "inbox", **defaults}, ("defaults",), mistakes)
    sections: dict[str, FeedSection] = {}
    merged: dict[str, dict[str, Any]] = {}
    for name, own in _tables("feed", mistakes).items():
        merged[name] = {**defaults, **own}
        inherited = frozenset(defaults.keys() - own.keys())
        section = _section(FeedSection, merged[name], ("feed", name), mistakes, inherited)
        if section is not None:
            sections[name] = section
    check_feeds(merged, apis, mistakes)
    for name, feed in merged.items():
        check_dialect(name, feed, mistakes)
    return sections


def _section(
    model: type[S], given: dict[str, Any], base: KeyPath, mistakes: Mistakes, inherited: frozenset[str] = frozenset()
) -> S | None:
    """Return a section, or None where something is wrong with it; what is `inherited` is reported where it stands."""
    try:
        return model.model_validate(given, context={"folder": mistakes.file.folder})
    except ValidationError as error:
        mistakes.add_all(error, model, base, inherited=inherited)
        return None


def _table(key: str, mistakes: Mistakes) -> dict[str, Any]:
    found = mistakes.file.document.get(key, {})
    if isinstance(found, dict):
        return found
    mistakes.add((key,), f"must be a table and is {kind_of(found)}", todo=f"write [{key}]")
    return {}


def _tables(kind: str, mistakes: Mistakes) -> dict[str, dict[str, Any]]:
    """Return the named sections of a kind; there must be one at least."""
    found = _table(kind, mistakes)
    if not found:
        mistakes.add((kind,), "is missing", todo=f"add a section [{kind}.NAME]")
    sections = {}
    for name, given in found.items():
        if not isinstance(given, dict):
            todo = f"put the key into a section [{kind}.NAME]"
            mistakes.add((kind, name), f"must be a table and is {kind_of(given)}", todo=todo)
            continue
        if not NAME.fullmatch(name) or len(name) > MAX_NAME_CHARS:
            todo = f"use a-z, 0-9 and single - between them, at most {MAX_NAME_CHARS} characters"
            mistakes.add((kind, name), "is no name of a section", todo=todo)
        sections[name] = given
    return sections
