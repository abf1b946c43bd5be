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
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
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
            capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": logs}
            session = self._post("/session", {"capabilities": {"alwaysMatch": capabilities}})
            self._session = f"/session/{session['sessionId']}"
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

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Send one command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """Set width, height and colour scheme of the window."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])

    def open(self, path: Path) -> None:
        """Open a file without a network."""
        self.devtools("Network.enable")
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.devtools("Network.emulateNetworkConditions", **offline)
        self._post("/url", {"url": path.resolve().as_uri()})

    def evaluate(self, script: str) -> Any:
        """Return the result of a script inside the page."""
        return self._post("/execute/sync", {"script": script, "args": []})

    def run(self, script: str) -> None:
        """Run a script outside the security policy of the page."""
        self.devtools("Runtime.evaluate", expression=script)

    def console(self) -> list[str]:
        """Return the messages of the console since the last call."""
        return [line["message"] for line in self._post("/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return every requested address since the last call."""
        entries = self._post("/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        requests = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [event["request"]["url"] for event in requests]

    def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page."""
        picture = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def pdf(self) -> bytes:
        """Return the page as PDF."""
        document = self.devtools("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(document["data"])
