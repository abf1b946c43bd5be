"""A headless Chromium through chromedriver's plain HTTP: no package needed beyond Python's own."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """One browser session; use it as a context manager."""

    def __init__(self) -> None:
        driver = shutil.which("chromedriver")
        assert driver, "chromedriver is not installed; on Debian: apt-get install chromium-driver"
        self._profile = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._root = f"http://127.0.0.1:{port}"
        self._session = ""

    def __enter__(self) -> Browser:
        try:
            self._wait()
            options = {"args": [*FLAGS, f"--user-data-dir={self._profile.name}"]}
            logs = {"browser": "ALL", "performance": "ALL"}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": logs}
            made = self._post("/session", {"capabilities": {"alwaysMatch": wanted}})
            self._session = f"/session/{made['sessionId']}"
            self._post("/url", {"url": "about:blank"})
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._send("DELETE", self._session, None)
        finally:
            self._stop()

    def _stop(self) -> None:
        self._driver.terminate()
        self._driver.wait(10)
        self._profile.cleanup()

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while True:
            try:
                self._send("GET", "/status", None)
                return
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < end, "chromedriver did not answer within 20 s"
                time.sleep(0.05)

    def _send(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self._root + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def _post(self, path: str, body: Any) -> Any:
        return self._send("POST", self._session + path, body)

    def devtools(self, command: str, **given: Any) -> Any:
        """Send one command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": given})

    def look(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """See pages from now on in a window of this width, in light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])

    def open(self, path: Path) -> None:
        """Open a file, with the network cut."""
        self.devtools("Network.enable")
        cut = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.devtools("Network.emulateNetworkConditions", **cut)
        self._post("/url", {"url": path.resolve().as_uri()})

    def ask(self, script: str) -> Any:
        """Return what a script returns inside the page."""
        return self._post("/execute/sync", {"script": script, "args": []})

    def run(self, script: str) -> None:
        """Run a script in the page as the browser's user, whom the page's own policy spares."""
        self.devtools("Runtime.evaluate", expression=script)

    def console(self) -> list[str]:
        """Return what the console said since the last call."""
        return [line["message"] for line in self._post("/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return every address asked for since the last call."""
        entries = self._post("/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [event["request"]["url"] for event in sent]

    def shot(self, path: Path) -> None:
        """Write a picture of the whole page."""
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def pdf(self) -> bytes:
        """Return the page as it prints."""
        printed = self.devtools("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(printed["data"])
