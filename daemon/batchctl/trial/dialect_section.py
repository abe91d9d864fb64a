"""The lines of a feed by which a file is read as it was most likely written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from activities.source.detection.doubt import DoubtfulDialect, FeedValue
from activities.source.detection.examination import Examination, examine
from activities.source.scanner import Window
from daemon.config.feed_settings import DIALECT_KEYS, FeedSettings
from daemon.config.sections.feed_section import FeedSection
from daemon.config.settings import Settings
from workflows.models import CsvOptions

_KEYS = ("encoding", "delimiter", *DIALECT_KEYS)
_MOST_STEPS = 6


@dataclass(frozen=True, slots=True)
class DialectSection:
    """Keys of a feed with their values; `found` is what is seen of the file by them, so that it is not refused."""

    keys: dict[str, FeedValue]
    found: Examination


def dialect_section(window: Window, settings: Settings, found: Examination) -> DialectSection:
    """Return what a feed must say for a file of which this was `found`: what it says now, and what answers each doubt.

    Doubts that no other key answers are left out as `unchecked`. Reads the file again for each key. Blocking.

    Raises:
        SourceError: it cannot be read, or changed meanwhile.
    """
    keys, options = _said(settings), settings.shape().csv
    for _ in range(_MOST_STEPS):
        answer = _answer(found, settings, keys)
        if not answer:
            break
        keys |= answer
        options = _options_with(options, answer)
        found = examine(window, options)
    doubts = dict.fromkeys(each.check for each in found.refusals if isinstance(each, DoubtfulDialect))
    if doubts:
        keys["unchecked"] = list[str](doubts)
    return DialectSection({name: keys[name] for name in (*_KEYS, "unchecked") if name in keys}, found)


def _said(settings: Settings) -> dict[str, FeedValue]:
    """Return what a feed says already."""
    names = _KEYS if isinstance(settings, FeedSettings) else _KEYS[:2]
    said = {name: getattr(settings, name) for name in names}
    usual = {name: FeedSection.model_fields[name].default for name in names}
    return {name: value for name, value in said.items() if value != usual[name]}


def _answer(found: Examination, settings: Settings, keys: dict[str, FeedValue]) -> dict[str, FeedValue]:
    """Return the keys that answer the first doubt which has such, and is not left out."""
    for each in found.refusals:
        if isinstance(each, DoubtfulDialect) and each.check not in settings.unchecked:
            if each.check == "encoding" and found.other_encodings:
                return {"encoding": found.other_encodings[0]}
            if each.keys.keys() - keys.keys() and _can_say(settings, each.keys):
                return each.keys
    return {}


def _can_say(settings: Settings, keys: dict[str, FeedValue]) -> bool:
    """Return whether there is a place for keys: most have no variable."""
    return isinstance(settings, FeedSettings) or keys.get("delimiter") in {",", ";", "|"}


def _options_with(options: CsvOptions, keys: dict[str, FeedValue]) -> CsvOptions:
    values = {name: value for name, value in keys.items() if name != "header"}
    if "header" in keys:
        values["has_header"] = keys["header"]
    return replace(options, **values)  # type: ignore[arg-type]  # keys of a feed have the types of these options
