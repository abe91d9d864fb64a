"""A base image made on this machine, since no image registry is asked, and batchd's image built upon it for real.

Debian's `buildah` builds and Debian's `podman` with `runc` runs, in a store of its own that is deleted with the test.
Only the packages of Debian and Python come from outside, as they do for everybody who builds the image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from repository import ROOT

SUITE = os.environ.get("SUITE", "trixie")
BASE = "localhost/batchd-test-base"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs")
"""This machine's, which may know of a proxy that the base does not."""
PROGRAMS = ("buildah", "podman", "runc", "debootstrap", "ip")
ENGINE = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": os.environ.get("STORAGE_DRIVER", "overlay")}
"""RUN in a chroot works where containers may not be nested. STORAGE_DRIVER=vfs needs no overlay, and takes longer."""
COMMAND_S = 600.0


class ImageStore:
    """A store of images in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.options = ("--root", str(folder / "store"), "--runroot", str(folder / "run"))

    def make_base(self) -> None:
        """Make an image of a small Debian with Python; `TREE` names a folder where it is unpacked already."""
        tree = self._folder / "tree"
        if ready := os.environ.get("TREE"):
            run("cp", "-a", f"{ready}/.", tree)
        else:
            run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", SUITE, tree)
        for grown in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(tree / grown)
        run("tar", "--create", "--file", self._folder / "tree.tar", "--directory", tree, ".")
        shutil.rmtree(tree)
        (self._folder / "Containerfile").write_text("FROM scratch\nADD tree.tar /\n")
        self.buildah("build", "--format", "docker", "--tag", BASE, self._folder)
        (self._folder / "tree.tar").unlink()

    def build(self, tag: str, **arguments: str) -> None:
        """Build batchd's image by its Containerfile, from the files of this clone."""
        given = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
        certificates = ("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro")
        how = ("--layers", "--format", "docker", "--file", ROOT / "deploy" / "container" / "Containerfile")
        self.buildah("build", *how, *certificates, "--build-arg", f"BASE={BASE}", *given, "--tag", tag, ROOT)

    def inspected(self, tag: str) -> dict[str, Any]:
        """Return what the image says of itself."""
        [image] = json.loads(run("podman", *self.options, "image", "inspect", tag))
        assert isinstance(image, dict)
        return image

    def buildah(self, *command: str | Path) -> str:
        return run("buildah", *self.options, *command)

    def close(self) -> None:
        """Delete all containers and images."""
        run("podman", *self.options, "rm", "--all", "--force", "--time", "0")
        run("podman", *self.options, "rmi", "--all", "--force")


def missing_programs() -> str:
    """Say what this machine lacks; empty where it has everything."""
    missing = [each for each in PROGRAMS if shutil.which(each) is None]
    if missing:
        return f"{', '.join(missing)} missing; on Debian: apt-get install buildah podman runc debootstrap iproute2"
    return "" if os.geteuid() == 0 else "it takes root to make a base image and networks"


def run(*command: str | Path) -> str:
    """Run a program to its end and return what it printed; it fails loudly, with all it said."""
    done = subprocess.run(
        [str(each) for each in command],
        env={**os.environ, **ENGINE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
