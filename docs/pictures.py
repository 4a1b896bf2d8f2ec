"""Pictures of the report of the last run, for the documentation: `make pictures`.

They are what a headless Chromium shows, without a network: the same report and the same Chromium
give the same pixels.
"""

import base64
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from selenium import webdriver  # noqa: E402

from tests.report.browser import Browser  # noqa: E402

# name -> page of the report, and what is scrolled to
PICTURES = {
    "report": ("report.html", ""),
    "report_sample": ("report/mgs.html", "#mgs-regress-published figure"),
}


def take(browser: Browser, page: Path, place: str) -> bytes:
    """Return a picture of a page, scrolled to an element of it, as WebP."""
    browser.open(page, unfold=False)
    if place:
        browser.run(f"document.querySelector('{place}').scrollIntoView();")
    taken = browser.command("Page.captureScreenshot", format="webp", quality=60)
    return base64.b64decode(taken["data"])


def main() -> None:
    browser = Browser(webdriver)
    try:
        for name, (page, place) in PICTURES.items():
            path = ROOT / f"docs/images/{name}.webp"
            path.write_bytes(take(browser, ROOT / "results" / page, place))
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")
    finally:
        browser.close()


if __name__ == "__main__":
    main()
