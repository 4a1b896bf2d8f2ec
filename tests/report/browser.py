"""A headless Chromium and what tests ask of it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

AXE = "axe-core@4.14.1"
PHONE = 375
MILLIMETRE = 96 / 25.4  # CSS pixels
DRAW = """
    const done = arguments[arguments.length - 1];
    (async () => {
      for (const chart of document.querySelectorAll('.chart')) {
        while (!chart.querySelector('.plot svg')) {  // a page that is loaded again may jump once
          chart.scrollIntoView();
          await new Promise((go) => setTimeout(go, 50));
        }
      }
      scrollTo(0, 0);
    })().then(done);
"""
OPEN = "for (const folded of document.querySelectorAll('details')) folded.open = true;"


class Browser:
    """Chromium at a page, without a network; every method waits for its answer."""

    def __init__(self, webdriver: Any) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--allow-file-access-from-files",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(600)
        self.driver.set_page_load_timeout(600)

    def close(self) -> None:
        self.driver.quit()

    def open(self, path: Path, width: int = 1280, dark: bool = False, unfold: bool = True) -> None:
        """Show a page in a window of this width."""
        height = 800
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width <= PHONE,
        )  # fmt: skip
        self.media(dark=dark)
        self.driver.get(path.as_uri())
        if unfold:
            self.run(OPEN)

    def draw(self) -> None:
        """Bring every chart into view, so that it is drawn, then the top of the page."""
        self.driver.execute_async_script(DRAW)

    def media(self, kind: str = "screen", dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media=kind, features=[scheme])

    def command(self, name: str, **values: Any) -> dict[str, Any]:
        return self.driver.execute_cdp_cmd(name, values)

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def complaints(self) -> list[str]:
        """Return what the console has said since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call."""
        messages = (
            json.loads(entry["message"])["message"]
            for entry in self.driver.get_log("performance")
        )  # fmt: skip
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def pdf(self) -> bytes:
        printed = self.command("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(printed["data"])

    def picture(self, path: Path) -> None:
        shot = self.command("Page.captureScreenshot", captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(shot["data"]))

    def axe(self, source: str) -> list[str]:
        """Return what axe-core finds wrong with the page, a line for each rule and place."""
        self.run(source)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']})"
            ".then((result) => done(result.violations), (error) => done([String(error)]));"
        )
        return [
            f"{rule['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for rule in found
            for node in rule["nodes"][:3]
        ]


def fetch_axe(folder: Path) -> str | None:
    """Return the source of axe-core, fetched by npm into `folder`; None if that fails.

    A copy elsewhere can be named in AXE_CORE.
    """
    if os.environ.get("AXE_CORE"):
        return Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8")
    if not shutil.which("npm"):
        return None
    command = ["npm", "pack", AXE, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    archives = list(folder.glob("axe-core-*.tgz"))
    if done.returncode or not archives:
        return None
    shutil.unpack_archive(archives[0], folder, filter="data")
    return (folder / "package/axe.min.js").read_text(encoding="utf-8")


def browsing():
    """Give a browser to a fixture, or skip its tests where there is none."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("chromium and chromium-driver (Debian packages) are not installed")
    found = Browser(pytest.importorskip("selenium.webdriver"))
    yield found
    found.close()
