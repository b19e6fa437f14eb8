"""A real browser for tests: Chromium, driven by its own chromedriver over WebDriver."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.fleet import eventually, free_port

#: Without the sandbox, which root has none of, and without a way to any other host.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1280,900",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip


class Refused(Exception):
    """The driver's answer to a command that it cannot carry out, such as a click on an element that is not there."""


class Browser:
    """One window. Elements are named by XPath."""

    def __init__(self, driver: str) -> None:
        self._address = driver

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The driver's answer to one command."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._address + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Refused(error.read().decode()[:300]) from None

    def begin(self, profile: str) -> None:
        """Open the window."""
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        said = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self._address += f"/session/{said['sessionId']}"

    def go(self, url: str) -> None:
        """Load a page."""
        self.ask("POST", "/url", {"url": url})

    @property
    def text(self) -> str:
        """All that the page shows."""
        return str(self.ask("POST", "/execute/sync", {"script": "return document.body.innerText", "args": []}))

    def element(self, xpath: str) -> str:
        """The driver's name of the first such element."""
        found = self.ask("POST", "/element", {"using": "xpath", "value": xpath})
        return str(next(iter(found.values())))

    def click(self, xpath: str) -> None:
        """Click on it."""
        self.ask("POST", f"/element/{self.element(xpath)}/click", {})

    def write(self, xpath: str, text: str) -> None:
        """Type into a field."""
        self.ask("POST", f"/element/{self.element(xpath)}/value", {"text": text})

    def has(self, xpath: str) -> bool:
        """Whether the page has such an element."""
        return bool(self.ask("POST", "/elements", {"using": "xpath", "value": xpath}))

    def press(self, xpath: str, then: str) -> None:
        """Click until the element ``then`` is there: a page that has just loaded does not heed clicks yet."""

        end = time.monotonic() + 30
        while not self.has(then):
            assert time.monotonic() < end, f"no {then} after clicks on {xpath}: {self.text}"
            if self.has(xpath):
                self.click(xpath)
            with suppress(AssertionError):  # it is clicked again
                eventually(lambda: self.has(then), 1.5)

    def picture(self, path: Path) -> None:
        """Write what it shows as a PNG file."""
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))


@contextmanager
def browser() -> Iterator[Browser]:
    """A window, closed at the end."""
    port = free_port()
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    profile = tempfile.mkdtemp(prefix="zeke-browser-")
    made = Browser(f"http://127.0.0.1:{port}")

    def listens() -> bool:
        try:
            return bool(made.ask("GET", "/status")["ready"])
        except OSError:
            return False

    try:
        eventually(listens, 20)
        made.begin(profile)
        yield made
        made.ask("DELETE", "")
    finally:
        driver.terminate()
        driver.wait(20)
        shutil.rmtree(profile, ignore_errors=True)
