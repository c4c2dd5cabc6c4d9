"""A report in a real browser: Chromium without a window. Skipped where there is none."""

import importlib.resources
import json
import shutil

import pytest
from report.made_up import EVIL, made_up

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium import webdriver
from selenium.webdriver.common.by import By

PROGRAMS = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
pytestmark = pytest.mark.skipif(
    not all(PROGRAMS.values()), reason="no chromium and chromedriver: apt-get install chromium chromium-driver"
)
RUN_AXE = "const done = arguments[0]; axe.run().then(found => done(JSON.stringify(found.violations)))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = PROGRAMS["chromium"]
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(PROGRAMS["chromedriver"]))
    path = tmp_path_factory.mktemp("report") / "report.html"
    made_up().to_html(path, title=EVIL, command=EVIL)
    driver.get(path.as_uri())
    yield driver
    driver.quit()


def test_no_error_and_no_request(browser):
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert {url for url in sent if not url.startswith("data:")} == {browser.current_url}


def test_pictures_are_there(browser):
    sizes = browser.execute_script("return [...document.images].map(image => image.naturalWidth)")
    assert sizes == [8, 8]


def test_a_click_sorts_and_another_one_turns_the_order(browser):
    table = browser.find_element(By.CSS_SELECTOR, "#figures table")

    def values():
        return [cell.get_attribute("data-value") for cell in table.find_elements(By.CSS_SELECTOR, "td:nth-child(5)")]

    before = values()
    button = table.find_element(By.CSS_SELECTOR, "th:nth-child(5) button")
    assert button.text.startswith("AUC")
    button.click()
    assert [float(value) for value in values()[:-1]] == sorted(map(float, filter(None, before)), reverse=True)
    assert values()[-1] == ""  # what is missing comes last
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"
    names = table.find_element(By.CSS_SELECTOR, "th:first-child button")
    names.click()
    shown = [cell.text for cell in table.find_elements(By.CSS_SELECTOR, "tbody th")]
    names.click()
    assert [cell.text for cell in table.find_elements(By.CSS_SELECTOR, "tbody th")] == shown[::-1]


def test_printing_opens_what_is_closed_and_closes_it_again(browser):
    states = "return [...document.querySelectorAll('details')].map(each => each.open)"
    before = browser.execute_script(states)
    assert False in before
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert all(browser.execute_script(states))
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(states) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_fault_and_the_page_fits(browser, scheme, width):
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_script("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_script((importlib.resources.files(axe) / "axe.min.js").read_text(encoding="utf-8"))
    violations = json.loads(browser.execute_async_script(RUN_AXE))
    assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []
