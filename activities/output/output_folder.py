"""The output folder of a batch: whose it is, and the opening of it.

`/tmp` belongs to everybody: a folder called `batch-<id>` may have been planted there as a symbolic link or by another
user (CWE-379, and `makedirs(exist_ok=True)` would take it), so no path is trusted twice. The folder is made with mode
0700, or for the group of the output root too (`activities.disk.modes`), or opened without following links; then owner,
mode and marker are checked on the descriptor, and every file is reached through that. The marker is a hidden file with
the batch id; once there is a manifest, its `id` is the marker.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Self

from activities.disk.directory import Directory
from activities.disk.errors import disk_errors, translated
from activities.disk.failpoints import failpoint
from activities.disk.modes import OTHERS, folder_mode_in
from activities.output.names import SCHEMA, generation_of_data, sums_name
from workflows.errors import OutputRefused, TransientError
from workflows.ids import workflow_id

MARKER = ".batchd"
MANIFEST = "manifest.json"

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ID_IN_MANIFEST = re.compile(rb'"id": ?"([a-z0-9-]{1,80})"')
_HEAD_BYTES = 4_096
_HIDDEN = re.compile(r"\.(?:batchd$|tmp-|part-|journal|manifest|duplicates$)")


class OutputFolder(Directory):
    """One batch's folder."""

    @classmethod
    def open(cls, root: Path, batch_id: str, *, create: bool) -> Self:
        """Open `<root>/batch-<id>`, made where it is missing and `create` says so; for whom, `root` says.

        Raises:
            OutputRefused: it is missing and not to be made, or what is there is not ours.
            TransientError: the output root is missing or the disk fails.
        """
        path = root / workflow_id(batch_id)
        root_fd = _opened_root(root)
        try:
            if create:
                _make(root_fd, path)
            folder = cls(_opened(root_fd, path, made=create), path)
            try:
                if folder._claimed(batch_id):
                    with disk_errors(f"syncing {root}"):
                        os.fsync(root_fd)
            except BaseException:
                folder.close()
                raise
            return folder
        finally:
            os.close(root_fd)

    @classmethod
    def existing(cls, directory: Path) -> Self:
        """Open a folder to read it, whoever owns it: a copy, or one that was handed over.

        Raises:
            OutputRefused: there is no such folder, or it may not be read.
        """
        try:
            return cls(os.open(directory, _OPEN_FOLDER), directory)
        except OSError as error:
            raise OutputRefused(f"{directory}: {os.strerror(error.errno or 0)}") from error

    def _claimed(self, batch_id: str) -> bool:
        """Check that the folder is ours, adopting it where only the marker is missing; True where it was.

        It may be missing from a folder that somebody is deleting: then chunks may still be there for a moment. Where
        they stay, the journal tells which of them count.
        """
        found = os.fstat(self.fd)
        if found.st_uid != os.geteuid():
            raise self._refused(f"belongs to user {found.st_uid}, not to us ({os.geteuid()})")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise self._refused(f"may be written by others (mode {stat.S_IMODE(found.st_mode):04o})")
        marked = self._marked_for()
        if marked is not None:
            if marked != batch_id:
                raise self._refused(f"is marked as the folder of {marked!r}")
            return False
        if found.st_mode & OTHERS & ~folder_mode_in(found.st_mode):
            raise self._refused(f"is open to others (mode {stat.S_IMODE(found.st_mode):04o}) and has no mark of ours")
        foreign = [name for name in self.names() if not (is_hidden_of_ours(name) or _is_of_a_first_result(name))]
        if foreign:
            raise self._refused(f"has no mark of ours and holds {foreign[0]!r}")
        self._mark(batch_id)
        return True

    def _marked_for(self) -> str | None:
        manifest = self.reading(MANIFEST)
        if manifest is not None:
            with manifest, disk_errors(f"reading {self.path / MANIFEST}"):
                found = _ID_IN_MANIFEST.search(manifest.read(_HEAD_BYTES))
            return found[1].decode() if found else "an unknown batch"
        marker = self.read(MARKER) or b""
        return marker.decode("ascii", "replace").strip() or None

    def _mark(self, batch_id: str) -> None:
        failpoint("marker.before")
        # A mark without an id is one that a power cut tore; any other one was made by another page just now.
        if self.exists(MARKER) and self._marked_for() is None:
            self.remove(MARKER)
        self.write_once(MARKER, [f"{batch_id}\n".encode()])
        failpoint("marker.after")

    def _refused(self, why: str) -> OutputRefused:
        return OutputRefused(
            f"{self.path} {why}; remove it or give BATCH_OUTPUT_ROOT (output_root of its feed) another folder"
        )


def _is_of_a_first_result(name: str) -> bool:
    return generation_of_data(name) == 1 or name in {SCHEMA, sums_name(1)}


def is_hidden_of_ours(name: str) -> bool:
    """Return whether a name is one that batchd gives to files which go when a batch is complete."""
    return _HIDDEN.match(name) is not None


def _opened_root(root: Path) -> int:
    try:
        return os.open(root, _OPEN_FOLDER)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TransientError(
            f"the output root {root} is no folder; make it or correct BATCH_OUTPUT_ROOT (output_root of its feed)"
        ) from error
    except OSError as error:
        raise translated(error, f"opening the output root {root}") from error


def _make(root_fd: int, path: Path) -> None:
    with disk_errors(f"making {path}"):
        failpoint("folder.make.before")
        try:
            os.mkdir(path.name, folder_mode_in(os.fstat(root_fd).st_mode), dir_fd=root_fd)
        except FileExistsError:
            return
    failpoint("folder.make.after")


def _opened(root_fd: int, path: Path, *, made: bool) -> int:
    try:
        return os.open(path.name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=root_fd)
    except OSError as error:
        if made and error.errno == errno.ENOENT:
            raise TransientError(f"{path} was deleted while it was in use") from error
        if error.errno == errno.ENOENT:
            raise OutputRefused(f"{path} is gone, with the result in it; batchctl rerun does the batch anew") from error
        reasons = {
            errno.ELOOP: "is a symbolic link",
            errno.ENOTDIR: "is not a folder of its own",
            errno.EACCES: "may not be read by us",
        }
        if error.errno in reasons:
            reason = reasons[error.errno]
            raise OutputRefused(
                f"{path} {reason}; remove it or give BATCH_OUTPUT_ROOT (output_root of its feed) another folder"
            ) from error
        raise translated(error, f"opening {path}") from error
