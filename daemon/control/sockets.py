"""The sockets of the services that run on one state folder: one each, for several may run at once.

The path of a socket may have 107 bytes and a state folder's may be longer, so each is reached through the open folder:
`/proc/self/fd/N/control-....sock`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

PREFIX, SUFFIX = "control-", ".sock"
SOCKET_MODE = 0o600
LONGEST_HOST = 40
"""Characters of the host's name that are kept, so that the name fits into an address."""


def listening_socket(state_dir: Path) -> tuple[socket.socket, str]:
    """Return a socket that listens in the state folder, open to this user alone, and its name there.

    Those of services of this host that were killed are removed.

    Raises:
        OSError: the file system has no sockets, or the folder cannot be written.
    """
    own = f"{PREFIX}{_host()}-"
    with opened(state_dir) as folder:
        for name in _names(folder):
            if name.startswith(own) and not is_alive(folder, name):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
        number = 1
        while True:
            name = f"{own}{os.getpid()}{f'-{number}' if number > 1 else ''}{SUFFIX}"
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                os.fchmod(listener.fileno(), SOCKET_MODE)  # of the file too, from its first moment
                listener.bind(address_of(folder, name))
                listener.listen()
            except OSError as error:
                listener.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                number += 1  # another namespace of this host has the same process id
            else:
                return listener, name


def remove(state_dir: Path, name: str) -> None:
    """Remove a socket; one that is gone is no error."""
    with contextlib.suppress(OSError), opened(state_dir) as folder:
        os.unlink(name, dir_fd=folder)


def connections(state_dir: Path) -> Iterator[socket.socket]:
    """Yield a connection to each service that runs on a state folder on this host.

    Raises:
        PermissionError: a service runs, and this user may not speak to it.
    """
    try:
        with opened(state_dir) as folder:
            for name in _names(folder):
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                with connection:
                    try:
                        connection.connect(address_of(folder, name))
                    except (ConnectionRefusedError, FileNotFoundError):
                        continue  # it was killed, runs on another host, or has ended just now
                    yield connection
    except FileNotFoundError:
        return


def is_alive(folder: int, name: str) -> bool:
    """Return whether somebody listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(address_of(folder, name)) not in {errno.ECONNREFUSED, errno.ENOENT}


def address_of(folder: int, name: str) -> str:
    """Return the address of a socket in an open folder."""
    return f"/proc/self/fd/{folder}/{name}"


@contextlib.contextmanager
def opened(state_dir: Path) -> Iterator[int]:
    """Open a folder while the block lasts."""
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _names(folder: int) -> list[str]:
    return sorted(each for each in os.listdir(folder) if each.startswith(PREFIX) and each.endswith(SUFFIX))


def _host() -> str:
    """Return the name of this host, so that nobody removes the socket of another one on a shared folder."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:LONGEST_HOST]
