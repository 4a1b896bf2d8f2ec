"""The search of the site, in a browser, from files: no server and no network."""

import pytest

from tests.report.browser import browsing

pytestmark = pytest.mark.browser


browser = pytest.fixture(browsing)


def test_a_word_leads_to_pages_that_have_it(small_site, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.driver.get((small_site / "search.html").as_uri() + "?q=conformal")
    link = "#search-results li a[href*='photometric_redshifts.html']"
    WebDriverWait(browser.driver, 600).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, link)
    )
    found = browser.driver.find_elements(By.CSS_SELECTOR, link)[0]
    address = found.get_attribute("href").partition("?")[0].partition("#")[0]
    assert address == (small_site / "photometric_redshifts.html").as_uri()
