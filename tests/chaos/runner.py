"""Runs segments in lanes side by side, each in a site of its own; notes what is done.

What failed is kept, and repeated with fewer faults until its shortest form is found, which is kept beside it.
"""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos.catalogue import KINDS
from chaos.fault import Fault, Segment
from chaos.judge import Verdict, judge
from chaos.record import Entry, entry_of
from chaos.shrink import MOST_TRIES, Shortest, shortest
from chaos.site import Overdue, Site, Stopped


@dataclass(slots=True, kw_only=True)
class Run:
    """One run over segments. `work` is a folder for the sites, `kept` one for those that failed.

    `env` is added to the environment of every program. A segment that failed is repeated up to `most_tries` times.
    """

    work: Path
    kept: Path
    temporal: str
    say: Callable[[str], None]
    note: Callable[[Entry], None]
    env: Mapping[str, str] = field(default_factory=dict)
    most_tries: int = MOST_TRIES
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def go(self, segments: list[Segment], lanes: int) -> None:
        """Take the segments through, `lanes` at once, until all are done or `stop` is set."""
        waiting = deque(segments)
        with ThreadPoolExecutor(lanes) as pool:
            for each in [pool.submit(self._lane, waiting) for _ in range(lanes)]:
                each.result()

    def _lane(self, waiting: deque[Segment]) -> None:
        while waiting and not self.stop.is_set():
            try:
                segment = waiting.popleft()
            except IndexError:
                return
            entry = self._segment(segment)
            if entry is not None:
                with self._lock:
                    self.note(entry)
                    self.say(_told(entry))

    def _segment(self, segment: Segment) -> Entry | None:
        """Take one segment through; None where the run was stopped meanwhile."""
        begun = time.monotonic()
        kept = self.kept / segment.name
        shutil.rmtree(kept, ignore_errors=True)
        try:
            site, verdict = self._once(segment, kept)
            entry = entry_of(segment, site, verdict, time.monotonic() - begun)
            if verdict.findings and self.most_tries:
                entry["shortest"] = self._shrunk(segment, _broken(verdict), kept / "shortest")
        except Stopped:
            return None
        return entry

    def _once(self, segment: Segment, kept: Path) -> tuple[Site, Verdict]:
        """Go through a segment in a new site, and keep that in `kept` where a rule was broken.

        Raises:
            Stopped: the run was stopped meanwhile.
        """
        root = self.work / segment.tag
        shutil.rmtree(root, ignore_errors=True)
        site = Site(root, segment, self.temporal, self.stop, slow=KINDS[segment.kind].slow)
        site.installation.set(**self.env)
        try:
            verdict = _went_through(site)
        finally:
            site.close()
        if verdict.findings:
            _keep(root, kept, segment, verdict)
        shutil.rmtree(root, ignore_errors=True)
        return site, verdict

    def _shrunk(self, segment: Segment, broken: set[str], kept: Path) -> list[str]:
        """Repeat a segment with fewer faults; return the lines of the fewest that break one of the rules again."""
        attempt = 0

        def fails(faults: tuple[Fault, ...]) -> bool:
            nonlocal attempt
            attempt += 1
            _, verdict = self._once(replace(segment, faults=faults, attempt=attempt), self.work / f"{segment.tag}-kept")
            fails_alike = bool(_broken(verdict) & broken)
            if fails_alike:
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(self.work / f"{segment.tag}-kept", kept, symlinks=True)
            return fails_alike

        found = shortest(segment.faults, fails, self.most_tries)
        (kept.parent / "SHORTEST.txt").write_text(_shortest_text(segment, found))
        return [each.line for each in found.faults]


def _broken(verdict: Verdict) -> set[str]:
    """Return the rules that were broken."""
    return {each.partition(":")[0] for each in verdict.findings}


def _keep(root: Path, kept: Path, segment: Segment, verdict: Verdict) -> None:
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(root, kept, symlinks=True, ignore=_sockets)
    lines = [f"{each.number} {each.line}" for each in segment.faults]
    (kept / "FINDINGS.txt").write_text("\n".join([*verdict.findings, "", *lines, ""]))


def _shortest_text(segment: Segment, found: Shortest) -> str:
    """Say which faults are enough, and how to go through them once more."""
    numbers = " ".join(str(each.number) for each in found.faults)
    if not found.again:
        said = f"It did not fail again, with all of its {len(found.faults)} faults."
    elif not found.faults:
        said = "It fails without any fault."
    else:
        said = f"{len(found.faults)} of {len(segment.faults)} faults are enough" + (
            "." if found.certain else ", or fewer."
        )
    again = f'make chaos SEED={segment.seed} ONLY={segment.name} FAULTS="{numbers or "none"}"'
    lines = [f"{each.number} {each.line}" for each in found.faults]
    return "\n".join([said, f"Repeated {found.tries} times. Once more: {again}", "", *lines, ""])


def _sockets(folder: str, names: list[str]) -> list[str]:
    """Return what of a folder cannot be copied."""
    return [name for name in names if (Path(folder) / name).is_socket()]


def _went_through(site: Site) -> Verdict:
    """Inject the faults, let everything end, and judge; what goes wrong in it is a finding."""
    kind = KINDS[site.segment.kind]
    broken = ""
    try:
        site.start_api()
        kind.inject(site)
        site.settle()
    except Overdue as error:
        broken = f"I8: {error}"
    except Stopped:
        raise
    except Exception:  # noqa: BLE001 - a fault of the runner is told with the others
        broken = f"the runner itself: {traceback.format_exc()}"
    try:
        verdict = judge(site, kind.allowed)
    except Exception:  # noqa: BLE001 - as above
        verdict = Verdict(findings=[f"cannot be judged: {traceback.format_exc()}"])
    verdict.findings = [*([broken] if broken else []), *verdict.findings]
    return verdict


def _told(entry: Entry) -> str:
    """Say what came of a segment, a fault a line."""
    verdict = "FAILED" if entry["findings"] else "held"
    repeats = f"{entry['repeats']} of {entry['bound']} repeats"
    lines = [f"{entry['segment']}: {verdict}; {entry['batches']} batches, {repeats}, {entry['took_s']} s"]
    for each in entry["faults"]:
        after = "" if each["recovered_s"] is None else f", recovered in {each['recovered_s']:.1f} s"
        lines.append(f"  {each['number']:>5} {each['line']}{after if each['injected'] else ': not passed'}")
    lines += [f"  ! {each}" for each in entry["findings"]]
    if "shortest" in entry:
        lines.append(f"  shortest: {', '.join(entry['shortest']) or 'without any fault'}")
    return "\n".join(lines)
