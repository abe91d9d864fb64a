"""Runs segments in lanes side by side, each in a site of its own; keeps what failed, notes what is done."""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from chaos.catalogue import KINDS
from chaos.fault import Segment
from chaos.judge import Verdict, judge
from chaos.record import Entry, entry_of
from chaos.site import Overdue, Site, Stopped


@dataclass(slots=True, kw_only=True)
class Run:
    """One run over segments. `work` is a folder for the sites, `kept` one for those that failed."""

    work: Path
    kept: Path
    temporal: str
    say: Callable[[str], None]
    note: Callable[[Entry], None]
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
        root = self.work / segment.name
        shutil.rmtree(root, ignore_errors=True)
        site = Site(root, segment, self.temporal, self.stop, slow=KINDS[segment.kind].slow)
        try:
            verdict = _went_through(site)
        except Stopped:
            return None
        finally:
            site.close()
        entry = entry_of(segment, site, verdict, time.monotonic() - begun)
        if verdict.findings:
            self._keep(root, segment, verdict)
        shutil.rmtree(root, ignore_errors=True)
        return entry

    def _keep(self, root: Path, segment: Segment, verdict: Verdict) -> None:
        kept = self.kept / segment.name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(root, kept, symlinks=True, ignore=_sockets)
        lines = [f"{each.number} {each.line}" for each in segment.faults]
        (kept / "FINDINGS.txt").write_text("\n".join([*verdict.findings, "", *lines, ""]))


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
    return "\n".join([*lines, *(f"  ! {each}" for each in entry["findings"])])
