"""The settings that a command of `batchctl` works by: those that the service has, where both find the same file."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.config.file import config_path
from daemon.config.settings import Settings, load_settings


def settings_in_use(given: Path | None) -> Settings:
    """Return the settings of the feed that is served, or those of `BATCH_*` where there is no configuration file.

    Secrets are not read: who may ask for a state need not be one who may read them.

    Raises:
        SettingsError: something is wrong; of several mistakes in a file, the first.
    """
    found = config_path(given, os.environ)
    if found is None:
        return load_settings()
    from daemon.config.configuration import load_configuration  # noqa: PLC0415 - a tenth of a second without a file

    return load_configuration(found, files=False).served
