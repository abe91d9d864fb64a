"""`batchctl` on a host with the service: as its user, with its settings, whoever calls.

Root becomes the user of the service, so that nothing in its folders comes to belong to root. Settings come from
/etc/batchd/batchd.env, read as systemd reads it; what stands in the environment of the caller goes before it.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from batchd.host.environment_file import variables

USER = "batchd"
ENV = Path("/etc/batchd/batchd.env")
CONFIG = Path("/etc/batchd/batchd.toml")
OF_THE_UNIT = {"BATCH_STATE_DIR": "/var/lib/batchd"}
CREDENTIALS = Path("/run/credentials")
"""Where systemd keeps, while a unit runs, what its `LoadCredential=` has named."""
FOR_ANYBODY = frozenset({"-h", "--help", "--version", "completion", "config", "dialect", "schema", "submit", "try"})
"""What needs nothing that belongs to the service alone; of its settings, what the caller may read."""
USAGE = 2


def main() -> None:
    """Run batchctl as the service is run."""
    try:
        if not _become_user() and FOR_ANYBODY.isdisjoint(sys.argv[1:]):
            raise PermissionError(f"this is for root and for the user {USER}")
        given = _settings()
    except (OSError, LookupError, UnicodeError) as error:
        if FOR_ANYBODY.isdisjoint(sys.argv[1:]):
            sys.stderr.write(f"batchctl: {error}; run: sudo batchctl ...\n")
            sys.exit(USAGE)
        given = {}
    os.environ.update({name: value for name, value in given.items() if name not in os.environ})
    from batchd.programs import batchctl  # noqa: PLC0415 - by the settings that hold now

    batchctl()


def _become_user() -> bool:
    """Become the user of the service where that can be; return whether this is that user now."""
    user = pwd.getpwnam(USER)
    if os.geteuid() == 0:
        os.initgroups(USER, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.environ.update(HOME=user.pw_dir, USER=USER, LOGNAME=USER)
    return os.geteuid() == user.pw_uid


def _settings() -> dict[str, str]:
    given = dict(OF_THE_UNIT)
    if CONFIG.exists():
        given["BATCH_CONFIG"] = str(CONFIG)
    units = [*CREDENTIALS.glob("batchd.service"), *sorted(CREDENTIALS.glob("batchd-worker@*.service"))]
    if units:
        given["CREDENTIALS_DIRECTORY"] = str(units[0])
    try:
        return given | variables(ENV.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return given


if __name__ == "__main__":
    main()
