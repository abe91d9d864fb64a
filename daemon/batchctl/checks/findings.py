"""What `doctor` found at one place."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Literal

Level = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing checked: how it is, and what to do where that is not well."""

    level: Level
    check: str
    found: str
    todo: str = ""

    def as_text(self) -> str:
        """Return both in one line."""
        return f"{self.found}; {self.todo}" if self.todo else self.found


def ok(check: str, found: str) -> Finding:
    """Return that a thing is well."""
    return Finding(level="OK", check=check, found=found)


def warn(check: str, found: str, todo: str) -> Finding:
    """Return that a thing works and may bite later."""
    return Finding(level="WARN", check=check, found=found, todo=todo)


def fail(check: str, found: str, todo: str) -> Finding:
    """Return that a thing keeps batches from being worked."""
    return Finding(level="FAIL", check=check, found=found, todo=todo)


def advice_on_writing(error: OSError, otherwise: str) -> str:
    """Return what to do about a folder that cannot be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room on its disk, in bytes and inodes; batches wait until there is"
    return "mount it writable" if error.errno == errno.EROFS else otherwise
