"""What `BATCH_*` variables may say beside a file: the service's settings, and nothing of a feed or an API."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.config.arguments import CONFIG_VARIABLE
from daemon.config.checks.mistakes import Mistakes
from daemon.config.file import ConfigFile
from daemon.config.nearest_name import nearest
from daemon.config.sections.service_section import SERVICE_SETTINGS
from daemon.config.settings import PREFIX, Settings

_API_KEYS = {
    "api_bulk_url": "bulk.url",
    "api_bulk_size": "bulk.size",
    "api_token": 'auth = { bearer = { env = "NAME" } }',
    "api_token_file": 'auth = { bearer = { file = "/path" } }',
}


def service_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the service that the environment gives, by their names in the file."""
    return {key: value for name, value in environ.items() if (key := _setting(name)) in SERVICE_SETTINGS}


def check_variables(environ: Mapping[str, str], mistakes: Mistakes) -> None:
    """Add every `BATCH_*` variable that means nothing beside a file. One that the file names as a secret may be set."""
    secrets = {table.get("env") for _, table in mistakes.file.secret_references()}
    for name in sorted(environ):
        key = _setting(name)
        if not name.upper().startswith(PREFIX) or name.upper() == CONFIG_VARIABLE or name in secrets:
            continue
        if key not in Settings.model_fields:
            known = [PREFIX + each.upper() for each in Settings.model_fields]
            mistakes.add_variable(name, "is not a setting of batchd", nearest=nearest(name, known))
        elif key not in SERVICE_SETTINGS:
            todo = f"unset it, and set {new_place(key, mistakes.file)}"
            mistakes.add_variable(name, f"does not count beside {mistakes.file.name}", todo=todo)


def new_place(setting: str, file: ConfigFile) -> str:
    """Return where in the file the setting of a feed or of an API stands now."""
    kind = "api" if setting.startswith("api_") else "feed"
    key = _API_KEYS.get(setting, setting.removeprefix("api_"))
    names = file.document.get(kind)
    name = next(iter(names)) if isinstance(names, dict) and len(names) == 1 else "NAME"
    return f"{key} in [{kind}.{name}]"


def _setting(variable: str) -> str:
    return variable.lower().removeprefix(PREFIX.lower()) if variable.upper().startswith(PREFIX) else ""
