"""What `doctor` says of the file systems that the folders lie on: those that forget, and those of other hosts."""

from __future__ import annotations

from pathlib import Path

from daemon.batchctl.checks.findings import Finding, ok, warn
from daemon.intake.observe.file_systems import MOUNTS, kind_of

IN_MEMORY = frozenset({"ramfs", "tmpfs"})
OF_A_CONTAINER = frozenset({"aufs", "overlay"})
OF_OTHER_HOSTS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3"}
)
LOST = {"inbox": "files that wait", "output root": "results", "state folder": "receipts, by which no file runs twice,"}
"""What is lost with each folder."""


def mount_finding(role: str, folder: Path, mounts: Path = MOUNTS) -> Finding | None:
    """Return what is to be known of the mount of a folder (a key of `LOST`); None for nothing."""
    check, kind = f"{role} mount", kind_of(folder, mounts)
    where = f"{folder.absolute()} is on {kind}"
    if kind in IN_MEMORY:
        found = f"{where}, in memory: {LOST[role]} are lost when the host starts anew"
        return warn(check, found, "use a folder on a disk")
    if kind in OF_A_CONTAINER:
        found = f"{where}, as in a container: {LOST[role]} go with it"
        return warn(check, found, "mount a volume there, unless it is never replaced")
    if kind not in OF_OTHER_HOSTS:
        return None
    where += ", a file system of another host"
    if role == "state folder":
        found = f"{where}: the database of an embedded Temporal server may be damaged there"
        return warn(check, found, "use a folder on a disk of this host, or a Temporal server of its own")
    if role == "inbox":
        return ok(check, f"{where}: files that other hosts drop are found by rescans")
    return ok(check, f"{where}: each sync waits for the other host")
