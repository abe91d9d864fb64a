"""JSON from the first moment on, where it is asked for: before the settings are known, and where they are wrong.

Imports next to nothing, so that what other imports warn of is a line of the log already.
"""

from __future__ import annotations

import logging
import sys
import threading
import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from daemon.config.arguments import config_path
from daemon.logs.lines import JsonLines, line_handler
from workflows.errors import SettingsError

FORMAT_VARIABLE = "BATCH_LOG_FORMAT"
OPTION = "--config"

logger = logging.getLogger(__name__)


def asks_for_json(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return whether `BATCH_LOG_FORMAT`, or the configuration file, says `json`; False where neither can be read."""
    if FORMAT_VARIABLE in environ:
        return environ[FORMAT_VARIABLE].strip().lower() == "json"
    try:
        path = config_path(_named(arguments), environ)
        service = tomllib.loads(path.read_text()).get("service") if path else None
    except (OSError, ValueError, SettingsError):
        return False
    return isinstance(service, dict) and service.get("log_format") == "json"


def begin_json_lines() -> None:
    """Send JSON lines to standard error, of warnings of Python and of errors that nobody handles too."""
    logging.basicConfig(level=logging.INFO, handlers=[line_handler(JsonLines())], force=True)
    take_what_python_says()


def take_what_python_says() -> None:
    """Let Python's own warnings, and errors that nobody handles, be lines of the log."""
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # what cannot be logged would be told on standard error, with a traceback
    sys.excepthook = _failed
    sys.unraisablehook = lambda raised: _failed(raised.exc_type, raised.exc_value, raised.exc_traceback)
    threading.excepthook = lambda raised: _failed(raised.exc_type, raised.exc_value, raised.exc_traceback)


def _failed(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    logger.error("python.failed", exc_info=(kind, error or kind(), where))


def _named(arguments: Sequence[str]) -> Path | None:
    """Return the last file that the command line names, as its parser would."""
    names = [each.partition("=")[2] for each in arguments if each.startswith(f"{OPTION}=")]
    names += [after for option, after in pairwise(arguments) if option == OPTION]
    return Path(names[-1]) if names else None
