"""The settings that a command of `batchctl` works by: those that the service has, where both find the same file."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.config.file import config_path
from daemon.config.settings import Settings, load_settings
from workflows.errors import SettingsError


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

    configuration = load_configuration(found, files=False)
    feeds = configuration.settings_by_feed()
    if len(feeds) > 1:
        raise SettingsError(f"{found}: has {len(feeds)} feeds ({', '.join(feeds)}); name one with --feed")
    return next(iter(feeds.values()))
