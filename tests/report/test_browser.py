"""The report in a browser: as a reader sees it, at a desk, on a phone, in the dark, on paper."""

import re
import statistics
from pathlib import Path

import pytest

from sdssflow.command import main
from tests.report.browser import MILLIMETRE, PHONE, browsing, fetch_axe
from tests.report.small_run import Results
from tests.report.test_compare import write_run

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
PORTRAIT, LANDSCAPE = 178 * MILLIMETRE, 269 * MILLIMETRE  # A4 within the margins of the style


browser = pytest.fixture(scope="module")(browsing)


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    source = fetch_axe(tmp_path_factory.mktemp("axe"))
    return source or pytest.skip("npm can't fetch axe-core")


@pytest.fixture(scope="module", params=["small", "finished"])
def site(request, tmp_path_factory):
    """Folder of a report: one made in small, with runs compared, and that of the last run here."""
    if request.param == "small":
        results = Results(tmp_path_factory.mktemp("run"))
        results.build()
        runs = [str(write_run(results.folder / f"noise_{x}", x)) for x in (0.02, 0.03)]
        assert main(["compare", *runs, "-o", str(results.folder / "results/report/two.html")]) == 0
        return results.folder / "results"
    if not (ROOT / "results/report").is_dir():
        pytest.skip("no finished run in results/")
    return ROOT / "results"


@pytest.fixture
def paths(site):
    return [site / "report.html", *sorted((site / "report").glob("*.html"))]


@pytest.fixture
def sample(paths, browser):
    """A page with objects to point at, opened."""
    path = next(path for path in paths if '"pdf":{"' in path.read_text())
    browser.open(path)
    return browser


def test_pages_ask_nothing_of_the_network_and_the_console_is_silent(paths, browser):
    browser.requests()
    for path in paths:
        browser.open(path)
        assert browser.complaints() == []
        asked = browser.requests()
        assert path.as_uri() in asked
        assert all(address.startswith(("file:", "data:")) for address in asked)


def test_every_link_within_a_page_leads_to_something_that_is_shown(paths, browser):
    for path in paths:
        browser.open(path)
        dead = browser.run("""
            return [...document.querySelectorAll('a[href^="#"]')].filter((a) => {
              const target = document.getElementById(decodeURIComponent(a.hash.slice(1)));
              return !target || !target.checkVisibility();
            }).map((a) => a.outerHTML)""")
        assert dead == []


@pytest.mark.parametrize("width", [PHONE, 768, 1280])
def test_no_page_is_wider_than_its_window(paths, browser, width):
    for path in paths:
        browser.open(path, width)
        assert browser.run("return document.documentElement.scrollWidth") <= width, path
        # what is wider scrolls in a box of its own
        assert browser.run("return document.querySelectorAll('.scroll').length") > 0


@pytest.mark.parametrize("width", [PHONE, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_wrong(paths, browser, axe, width, dark):
    # what is folded in a finished run is made like what is folded in the small one, and looks like
    # it in the dark and on a phone: minutes saved
    small = ROOT not in paths[0].parents
    if not small and dark != (width == PHONE):
        pytest.skip("of the small report alone")
    for path in paths:
        browser.open(path, width, dark, unfold=small)
        browser.draw()
        assert browser.axe(axe) == [], path


def test_in_the_dark_paper_is_dark_and_figures_lie_on_a_light_card(paths, browser):
    for path in paths:
        shades = []
        for dark in (False, True):
            browser.open(path, dark=dark)
            shades.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
            images = browser.run(
                "return [...document.images].map((x) => getComputedStyle(x).backgroundColor)"
            )
            assert set(images) <= {"rgb(255, 255, 255)"}
            assert images or path.stem == "two"
        light, night = (
            statistics.mean(map(int, re.findall(r"\d+", shade))) for shade in shades
        )  # fmt: skip
        assert light > 250
        assert night < 50


def test_a_table_is_sorted_by_a_click_and_by_a_key(sample):
    table = sample.run("""
        return [...document.querySelectorAll('table.sortable')]
          .find((x) => x.querySelector('tbody td.number') && x.rows.length > 3)""")
    head = sample.run(
        "return [...arguments[0].tHead.rows[0].cells].find((x) => x.matches('.number'))", table
    )
    values = """
        return [...arguments[0].tBodies[0].rows].map((row) => row.cells[arguments[1].cellIndex])
          .map((cell) => cell.dataset.sort).filter((x) => x !== undefined).map(Number)"""
    assert head.get_attribute("aria-sort") == "none"
    button = head.find_element("tag name", "button")
    sample.run("arguments[0].click()", button)
    assert head.get_attribute("aria-sort") == "ascending"
    up = sample.run(values, table, head)
    assert up == sorted(up)
    sample.run("arguments[0].focus()", button)
    button.send_keys("\n")
    assert head.get_attribute("aria-sort") == "descending"
    assert sample.run(values, table, head) == sorted(up, reverse=True)
    others = sample.run(
        "return [...arguments[0].tHead.rows[0].cells].map((x) => x.getAttribute('aria-sort'))",
        table,
    )
    assert sorted(set(others)) == ["descending", "none"]


CHART = """
    const chart = document.querySelector('.chart.objects');
    const content = JSON.parse(chart.querySelector('script').textContent);
    const [model, view] = chart.querySelectorAll('select');
    const dots = () => [...chart.querySelectorAll('.objects circle')];
    const pdf = chart.querySelector('.density');
    const bars = () => [...pdf.querySelectorAll('[aria-label=rect] rect')];
"""
STATE = f"""{CHART}
    return {{
      shown: chart.checkVisibility(), objects: dots().length,
      places: dots().map((dot) => dot.getAttribute('cy')),
      text: chart.querySelector('output').textContent,
      pdf: pdf.getAttribute('aria-label'),
      bars: bars().map((bar) => bar.height.baseVal.value),
    }};
"""


def choose(browser, place, value):
    browser.run(
        f"{CHART} const list = [model, view][arguments[0]];"
        "list.value = arguments[1]; list.dispatchEvent(new Event('change'));",
        place, value,
    )  # fmt: skip


def test_objects_can_be_stepped_through_and_seen_with_another_model(sample):
    sample.draw()
    first = sample.run(STATE)
    assert first["shown"]
    assert first["objects"] >= 40
    slider = sample.driver.find_element("css selector", ".chart.objects input")
    slider.send_keys("\ue014")  # arrow right
    second = sample.run(STATE)
    assert second["text"] != first["text"]
    assert size(second["text"]) <= size(first["text"])  # from the worst on
    other = sample.run(f"{CHART} return [...model.options].at(-1).value;")
    choose(sample, 0, other)
    third = sample.run(STATE)
    assert f"({other})" in third["text"]
    assert size(third["text"]) != size(first["text"])  # the worst of another model
    choose(sample, 1, "residual")
    assert sample.run(STATE)["places"] != third["places"]
    assert sample.complaints() == []


def test_the_pointer_shows_the_p_of_z_of_the_object_below_it(sample):
    from selenium.webdriver import ActionChains

    sample.draw()
    model = sample.run(f"{CHART} return Object.keys(content.pdf)[0];")
    choose(sample, 0, model)
    sample.run(f"{CHART} chart.scrollIntoView();")
    seen = []
    for place in (5, 20):
        dot = sample.run(f"{CHART} return dots()[arguments[0]];", place)
        ActionChains(sample.driver).move_to_element(dot).perform()
        seen.append(sample.run(STATE))
    for state in seen:
        name = state["text"].partition(":")[0]
        assert state["pdf"] == f"p(z) of {name} with {model}"
        assert len(state["bars"]) == 40
        assert max(state["bars"]) > 100
    assert seen[0]["text"] != seen[1]["text"]
    assert sample.complaints() == []


def test_charts_tell_their_numbers_and_are_pictures_with_words_to_a_screen_reader(paths, browser):
    from selenium.webdriver import ActionChains

    found = 0
    for path in paths:
        browser.open(path, unfold=False)
        browser.draw()
        drawn = browser.run("""
            return [...document.querySelectorAll('.chart')].map((chart) => {
              const plot = chart.querySelector('.plot[role=img]');
              const still = chart.parentElement.querySelector('details img');
              return [plot.getAttribute('aria-label'), still.alt, still.checkVisibility()];
            })""")
        for words, alt, unfolded in drawn:
            assert words == alt
            assert not unfolded
        found += len(drawn)
        point = "return document.querySelector('.chart.curves .plot [aria-label=dot] path')"
        if dot := browser.run(point):
            ActionChains(browser.driver).scroll_to_element(dot).move_to_element(dot).perform()
            tip = "return document.querySelector('.chart.curves [aria-label=tip]').textContent"
            assert re.search("N = |training objects|zspec", browser.run(tip))
        assert browser.complaints() == []
    assert found


def test_without_script_the_figures_are_shown_and_no_chart(paths, browser):
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for path in paths:
            browser.open(path, unfold=False)
            figures = "document.querySelectorAll('figure img')"
            assert browser.run(f"return [...{figures}].every((x) => x.checkVisibility())")
            charts = "document.querySelectorAll('.chart')"
            assert not browser.run(f"return [...{charts}].some((x) => x.checkVisibility())")
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)


def test_no_page_is_larger_than_2_mb(paths):
    assert {path.name: size for path in paths if (size := path.stat().st_size) > 2e6} == {}


def size(text):
    return abs(float(re.search(r"δ (−?[\d.]+)", text)[1].replace("−", "-")))


def test_printed_pages_have_no_navigation_and_no_cut_tables(paths, browser):
    for path in paths:
        browser.open(path, width=round(LANDSCAPE))
        browser.media("print")
        shown = browser.run("""
            return [...document.querySelectorAll('nav, .chart')]
              .filter((x) => x.checkVisibility()).length""")
        assert shown == 0
        # heads repeat on each page of a table, but Chromium leaves out what stands in a button
        buttons = browser.run("""
            return [...document.querySelectorAll('th button')]
              .filter((x) => getComputedStyle(x).display !== 'contents').length""")
        assert buttons == 0
        for kind, width in ((".table.wide", LANDSCAPE), (".table:not(.wide)", PORTRAIT)):
            browser.command(
                "Emulation.setDeviceMetricsOverride",
                width=int(width), height=1000, deviceScaleFactor=1, mobile=False,
            )  # fmt: skip
            cut = browser.run(
                "return [...document.querySelectorAll(arguments[0] + ' table')]"
                ".filter((x) => x.getBoundingClientRect().right > arguments[1] + 1)"
                ".map((x) => x.caption.textContent.slice(0, 80) + x.offsetWidth)",
                kind, width,
            )  # fmt: skip
            assert cut == [], path
        pdf = browser.pdf()
        assert pdf.startswith(b"%PDF")
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 2
