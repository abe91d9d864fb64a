"""A wheel of this repository, virtual environments elsewhere to install it into, and whether it works there."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from installation import BIN, Installation, free_port, rows_of, users
from repository import ROOT


def built(kind: str, folder: Path) -> Path:
    """Return the `wheel` or the `sdist` that is built of this repository."""
    run(BIN / "hatchling", "build", "--target", kind, "--directory", folder, cwd=ROOT)
    [made] = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def made_venv(folder: Path) -> Path:
    """Return the folder of programs of an empty environment: without pip, which works from outside."""
    venv.create(folder, symlinks=True)
    return folder / "bin"


def site_packages(programs: Path) -> Path:
    [folder] = programs.parent.glob("lib/python3*/site-packages")
    return folder


def pip(command: str, *arguments: str | Path, into: Path | None = None) -> None:
    """Run pip, for this environment or for the one whose programs are in `into`."""
    target = ["--python", into / "python"] if into else []
    run(sys.executable, "-m", "pip", *target, command, "--quiet", *arguments, cwd=ROOT.parent)


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Return what a program printed; one that fails fails the test with its words."""
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False, env=env or None
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def check_that_it_works(site: Installation, programs: Path) -> None:
    """Hold the programs to what they are for: a service with server, worker and mock API, and a proven result."""
    port = free_port()
    site.programs = programs
    site.set(MOCK_API_PORT=str(port), MOCK_API_FAILURE_RATE="0", MOCK_API_LATENCY_MAX_MS="200")
    site.set(BATCH_API_URL=f"http://127.0.0.1:{port}/enrich")
    service = site.batchd("run", "--with-mock-api")
    site.drop("users.csv", users(30))
    done = site.batchctl_process("wait", "users.csv", "--timeout", "60")
    assert done.returncode == 0, done.stderr
    verified = site.batchctl_process("verify", "users.csv")
    assert verified.stdout.splitlines()[-1].startswith("VERIFIED: 30 records = 30 enriched"), verified
    [output] = site.outputs()
    assert all(row["enriched"] for row in rows_of(output))
    assert run(programs / "batchd-checker", "--state-dir", site.state_dir, cwd=site.root) == "every rule holds\n"
    assert service.logged("child.ended") == []
