"""A folder reached only through its descriptor, whose files appear whole or not at all.

A file is written under a hidden name, synced, and linked to its real name: the first writer wins and the others adopt
what is there. Where the file system has no hard links, a rename under a lock on the folder does the same.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from activities.disk.atomic_files import temporary_name
from activities.disk.errors import disk_errors, translated
from activities.disk.failpoints import failpoint
from activities.disk.hashing import HashedBlocks, Stored, blocks_of, write_hashed
from activities.disk.modes import file_mode_in
from workflows.errors import OutputRefused, TransientError

MAX_WHOLE_BYTES = 1_073_741_824
"""Far more than a manifest of a billion rows; a file that only says it is one must not fill the memory."""

_BLOCK_BYTES = 262_144
_CLOCK_STEP_NS = 2_000_000_000
"""No file system in use counts the time of a change in larger steps."""
_OPEN_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_LINKS_HERE = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NOT_A_PLAIN_FILE = {errno.ELOOP, errno.EISDIR, errno.ENXIO}


class Directory:
    """Files of one folder. Blocking; a context manager that closes `fd`. `path` is for messages only."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.path = path
        self._file_mode = file_mode_in(os.fstat(fd).st_mode)

    def names(self) -> list[str]:
        """Return the names in the folder, sorted."""
        with disk_errors(f"listing {self.path}"):
            return sorted(os.listdir(self.fd))  # noqa: PTH208 - pathlib takes no descriptor

    def exists(self, name: str) -> bool:
        """Return whether `name` is there, as whatever kind of file."""
        return self.mode(name) != 0

    def mode(self, name: str) -> int:
        """Return kind and permissions of `name`, which is not followed; 0 where there is nothing."""
        with disk_errors(f"looking at {self.path / name}"):
            try:
                return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mode
            except FileNotFoundError:
                return 0

    def size_bytes(self, name: str) -> int | None:
        """Return how large `name` is, which is not followed; None where there is nothing."""
        with disk_errors(f"looking at {self.path / name}"):
            try:
                return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_size
            except FileNotFoundError:
                return None

    def now_ns(self) -> int:
        """Return the time by the file system's own clock, by which it also notes when a file changes."""
        with disk_errors(f"looking at {self.path}"):
            os.utime(self.fd)
            return os.fstat(self.fd).st_ctime_ns

    def untouched(self, name: str, size_bytes: int, since_ns: int) -> bool:
        """Return whether `name` is a plain file of this size that has not changed since `since_ns`. It is not read."""
        with disk_errors(f"looking at {self.path / name}"):
            try:
                found = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            except FileNotFoundError:
                return False
        plain = stat.S_ISREG(found.st_mode) and found.st_size == size_bytes
        return plain and found.st_ctime_ns < since_ns - _CLOCK_STEP_NS

    def reading(self, name: str) -> BinaryIO | None:
        """Open a plain file for reading; None where there is none, or something else than a plain file."""
        try:
            fd = os.open(name, os.O_RDONLY | _OPEN_FILE, dir_fd=self.fd)
        except OSError as error:
            if error.errno in {errno.ENOENT, *_NOT_A_PLAIN_FILE}:
                return None
            raise translated(error, f"reading {self.path / name}") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        return os.fdopen(fd, "rb", buffering=_BLOCK_BYTES)

    def read(self, name: str) -> bytes | None:
        """Return the content of a plain file; None where there is none.

        Raises:
            OutputRefused: it is larger than any file of ours that is read whole.
        """
        file = self.reading(name)
        if file is None:
            return None
        with file, disk_errors(f"reading {self.path / name}"):
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes > MAX_WHOLE_BYTES:
                raise OutputRefused(
                    f"{self.path / name} is damaged: it has {size_bytes:,} bytes, more than any of its kind "
                    f"({MAX_WHOLE_BYTES:,})"
                )
            return file.read()

    def appending(self, name: str, *, create: bool = True) -> int | None:
        """Return a descriptor that reads anywhere and writes at the end; None where there is nothing to open.

        Raises:
            OutputRefused: `name` is not a plain file.
        """
        flags = os.O_RDWR | os.O_APPEND | _OPEN_FILE | (os.O_CREAT if create else 0)
        try:
            fd = os.open(name, flags, self._file_mode, dir_fd=self.fd)
        except FileNotFoundError as error:
            if create:
                raise TransientError(f"{self.path} was deleted while it was in use") from error
            return None
        except OSError as error:
            raise self._refused_or_translated(error, name) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise _not_plain(self.path / name)
        if create:
            os.fchmod(fd, self._file_mode)
        return fd

    def nameless(self) -> int:
        """Return a descriptor of a new file that has no name and is gone when it is closed, even by a kill."""
        name = temporary_name()
        with disk_errors(f"writing in {self.path}"):
            fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN_FILE, self._file_mode, dir_fd=self.fd)
            os.unlink(name, dir_fd=self.fd)
        return fd

    @contextlib.contextmanager
    def being_made(self, name: str) -> Iterator[int]:
        """Yield a descriptor of an empty file that reads and writes anywhere, and is called `name` after the block.

        It is durable then. Where the block fails nothing of it stays; where `name` exists by then, that one does.

        Raises:
            StorageFull: there is no room; nothing of the attempt stays.
        """
        temporary = temporary_name()
        with disk_errors(f"writing {self.path / name}"):
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN_FILE, self._file_mode, dir_fd=self.fd)
        try:
            yield fd
            with disk_errors(f"writing {self.path / name}"):
                failpoint("file.sync.before")
                os.fsync(fd)
                self._publish(temporary, name)
        finally:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self.fd)
        self.sync()

    def stored(self, name: str) -> Stored | None:
        """Return size and sha256 of what is on disk now; None where there is no plain file."""
        file = self.reading(name)
        if file is None:
            return None
        hashed = HashedBlocks(blocks_of(file, _BLOCK_BYTES))
        with file, disk_errors(f"reading {self.path / name}"):
            digest = hashed.sha256()
        return Stored(hashed.size_bytes, digest)

    def write_once(self, name: str, blocks: Iterable[bytes], *, sync_folder: bool = True) -> Stored:
        """Make `name` from `blocks`, whole or not at all. Where it exists already, that one stays and is hashed.

        With `sync_folder` false the name is not yet durable against a power cut: call `sync` later.

        Raises:
            StorageFull: there is no room; nothing of the attempt stays.
            TransientError: what existed was removed before it could be hashed.
        """
        temporary = temporary_name()
        with disk_errors(f"writing {self.path / name}"):
            try:
                offered = self._write(temporary, blocks)
                first = self._publish(temporary, name)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=self.fd)
        if sync_folder:
            self.sync()
        if first:
            return offered._replace(made=True)
        there = self.stored(name)
        if there is None and not self.exists(name):
            raise TransientError(f"{self.path / name} was removed while it was being made")
        if there is None:
            raise _not_plain(self.path / name)
        return there._replace(same=there == offered)

    def link(self, existing: str, name: str) -> bool:
        """Give a file a second name; False where that name is taken."""
        with disk_errors(f"writing {self.path / name}"):
            return self._publish(existing, name)

    def remove(self, name: str) -> None:
        """Remove a file; it is no error where there is none."""
        with disk_errors(f"removing {self.path / name}"), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def sync(self) -> None:
        """Make the names in the folder durable against a power cut."""
        with disk_errors(f"syncing {self.path}"):
            failpoint("folder.sync.before")
            os.fsync(self.fd)
        failpoint("folder.sync.after")

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, name: str, blocks: Iterable[bytes]) -> Stored:
        failpoint("file.write.before")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN_FILE, self._file_mode, dir_fd=self.fd)
        try:
            os.fchmod(fd, self._file_mode)
            stored = write_hashed(fd, blocks)
            failpoint("file.sync.before")
            os.fsync(fd)
            failpoint("file.sync.after")
        finally:
            os.close(fd)
        return stored

    def _publish(self, existing: str, name: str) -> bool:
        failpoint("link.before")
        try:
            os.link(existing, name, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS_HERE:
                raise
            return self._rename_where_free(existing, name)
        failpoint("link.after")
        return True

    def _rename_where_free(self, existing: str, name: str) -> bool:
        lock = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            if self.exists(name):
                return False
            os.rename(existing, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            return True
        finally:
            os.close(lock)

    def _refused_or_translated(self, error: OSError, name: str) -> Exception:
        if error.errno in _NOT_A_PLAIN_FILE:
            return _not_plain(self.path / name)
        return translated(error, f"opening {self.path / name}")


def _not_plain(path: Path) -> OutputRefused:
    return OutputRefused(f"{path} is not a plain file; remove it")
