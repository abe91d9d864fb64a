"""A real Chromium without a window, driven over a pipe by its own protocol: no driver and no library beside it."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
DEADLINE_S = 60.0
WIDTH, HEIGHT = 1_400, 800


class Page:
    """One page of a browser, as wide as the pictures."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._numbers = itertools.count(1)
        self._unread = b""
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self.resize(HEIGHT)

    def remember(self, key: str, value: object) -> None:
        """Let each site find `value` under `key`, as if its user had set it in an earlier visit."""
        stored = f"localStorage.setItem({json.dumps(key)}, {json.dumps(json.dumps(value))})"
        source = f"try {{ {stored} }} catch (error) {{}}"
        self._call("Page.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=source)

    def resize(self, height: int) -> None:
        """Make the page this many pixels high."""
        size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def open(self, url: str, *texts: str) -> None:
        """Go to `url` and return once all `texts` can be read there.

        Raises:
            TimeoutError: they cannot within a minute; it says what stands there instead.
        """
        self._call("Page.navigate", url=url)
        deadline = time.monotonic() + DEADLINE_S
        while not all(text in self.text() for text in texts):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} does not show {texts}, but: {self.text()}")
            time.sleep(0.2)

    def text(self) -> str:
        """Return what can be read."""
        inside = "[...document.querySelectorAll('iframe')].map(f => f.contentDocument?.body?.innerText ?? '').join(' ')"
        return str(self.evaluate(f"(document.body?.innerText ?? '') + ' ' + {inside}"))

    def evaluate(self, expression: str) -> Any:
        """Return what JavaScript makes of `expression` on the page."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method: str, **params: object) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            read = os.read(self._answers, 1 << 20)
            if not read:
                raise RuntimeError("the browser has ended")
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """Run a browser with a profile of its own and yield a page of it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit(f"a browser is needed: install one of {', '.join(NAMES)}")
    (theirs_in, commands), (answers, theirs_out) = os.pipe(), os.pipe()

    def as_it_expects() -> None:  # it reads commands from 3 and writes to 4
        first, second = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(first, 3)
        os.dup2(second, 4)

    with tempfile.TemporaryDirectory(prefix="batchd-browser-", ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(  # noqa: S603
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=as_it_expects,  # noqa: PLW1509
        )
        try:
            os.close(theirs_in)
            os.close(theirs_out)
            yield Page(commands, answers)
        finally:
            os.close(commands)
            with contextlib.suppress(subprocess.TimeoutExpired):
                browser.wait(5)
            browser.kill()
            browser.wait()
            os.close(answers)
