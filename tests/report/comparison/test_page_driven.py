"""The page in Chromium: every choice, the back button, the keyboard, and missing files."""

import os
import shutil

import pytest

from salix.report.comparison import write_comparison

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or os.environ.get("CHROMIUM")
READY = "body[data-ready=true]"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        try:
            browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except playwright.Error:
            pytest.skip("chromium is not installed")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def path(comparison, runs, tmp_path_factory):
    """Write a page on two models with a planted difference; most maps lie beside it."""
    out = tmp_path_factory.mktemp("driven") / "compare.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salix.report.comparison.maps.EMBEDDED", 2**16)
        return write_comparison(comparison, out, images=[str(runs[1])])


both_widths = pytest.mark.parametrize("width", [1280, 400])


@pytest.fixture
def width():
    return 1280


@pytest.fixture
def page(browser, path, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
    page.goto(path.as_uri())
    page.wait_for_selector(READY)
    yield page
    assert page.errors == []
    page.close()


def names(page):
    return page.locator("#concept-rows .open").all_inner_texts()


def cells(page, column):
    return page.locator(f"#concept-rows td.column-{column}").all_inner_texts()


def fragment(page):
    return page.url.partition("#")[2]


@both_widths
def test_the_answer_names_the_planted_concept_and_nothing_overflows(page):
    answer = page.locator("#answer").inner_text()
    assert "guided has more of its attribution on concept" in answer
    assert page.locator("#cards .card").count() == 4
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]


def test_sorting_turns_the_table_and_the_back_button_turns_it_back(page):
    first = names(page)
    page.evaluate("choose({ sort: 'prevalence', up: true })")
    shares = [int(text.split()[0]) for text in cells(page, "prevalence")]
    assert shares == sorted(shares)
    assert "sort=prevalence" in fragment(page)
    page.go_back()
    page.wait_for_function("!location.hash.includes('sort')")
    assert names(page) == first
    page.locator("th.column-q button").click()
    assert page.locator("th.column-q").get_attribute("aria-sort") == "descending"


def test_filters_and_names(page):
    everything = names(page)
    page.locator("#filters button", has_text="significant").click()
    found = names(page)
    assert 0 < len(found) < len(everything)
    page.locator("#filters button", has_text="no difference shown").click()
    assert sorted(found + names(page)) == sorted(everything)
    page.locator("#filters button").first.click()
    page.locator("#concept-rows .open").first.click()
    page.locator("#note").fill("magenta <b>square</b>")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_function("!document.getElementById('detail').open")
    page.keyboard.press("/")
    page.keyboard.type("magenta")
    assert names(page) == ["magenta <b>square</b>"]
    address = page.url
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(READY)
    assert names(page) == ["magenta <b>square</b>"]
    assert "magenta" in page.locator("#answer").inner_text()


def test_a_quadrant_and_a_slice_compute_everything_anew(page):
    before = cells(page, "a")
    count = int(page.locator("#matrix .cell b").nth(1).inner_text())
    page.locator("#matrix .cell").nth(1).click()
    page.wait_for_selector(READY)
    assert f"{count} images of 80" in page.locator("#slices .note").inner_text()
    assert page.locator("#answer").inner_text().startswith(f"Of the {count} images")
    assert cells(page, "a") != before
    page.locator("#slices .choice", has_text="fake").click()
    page.wait_for_selector(READY)
    assert "quadrant=a" in fragment(page)
    assert "value=fake" in fragment(page)
    page.go_back()
    page.go_back()
    page.wait_for_function("location.hash.length < 2")
    assert cells(page, "a") == before


@both_widths
def test_the_keyboard_opens_a_concept_and_steps_through_its_regions(page):
    page.locator("#concept-rows .open").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#detail[open] canvas.map")
    assert page.locator("#detail-name").inner_text() == names(page)[1]
    assert page.locator("#detail-image canvas.map").count() == 3
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.hash.includes('region=')")
    page.wait_for_selector("#detail-regions [aria-pressed=true]")
    page.keyboard.press("ArrowDown")
    assert page.locator("#detail-name").inner_text() == names(page)[2]
    page.keyboard.press("Escape")
    page.wait_for_function("!document.getElementById('detail').open")
    assert "concept" not in fragment(page)
    assert page.evaluate("document.activeElement.textContent") == names(page)[2]
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()


def test_maps_of_other_images_are_loaded_when_they_are_looked_at(page):
    image = page.evaluate("payload.maps.outside[3]")
    region = page.evaluate(
        f"payload.regionsIn[{image}].find((r) => payload.regions.concept[r] >= 0)"
    )
    page.evaluate(f"choose({{ concept: payload.regions.concept[{region}], region: {region} }})")
    page.wait_for_selector("#detail-image canvas.map")
    assert page.locator("#detail-image .over path[d^=M]").count() == 6
    drawn = page.evaluate("""() => Array.from(
        document.querySelectorAll("#detail-image canvas.map"), (c) =>
        new Set(c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size)""")
    assert min(drawn) > 20


@both_widths
def test_a_lasso_shows_the_regions_inside(page):
    page.locator("#region-map").scroll_into_view_if_needed()
    page.wait_for_selector("#region-map .drag")
    page.wait_for_timeout(500)
    box = page.locator("#region-map .drag").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 100, y - 100)
    page.mouse.down()
    for dx, dy in [(100, -100), (100, 100), (-100, 100), (-100, -100)]:
        page.mouse.move(x + dx, y + dy, steps=5)
    page.mouse.up()
    page.wait_for_selector("#lasso .pick")
    inside = page.locator("#lasso b").inner_text()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("#lasso .pick")
    assert page.locator("#lasso b").inner_text() == inside
    page.locator("#lasso .choice").click()
    assert page.locator("#lasso .pick").count() == 0


def test_a_missing_file_is_named_in_its_place(browser, path, tmp_path):
    copy = shutil.copy(path, tmp_path / "compare.html")
    page = browser.new_page()
    page.goto(f"file://{copy}")
    page.wait_for_selector(READY)
    page.wait_for_function("document.getElementById('missing').textContent")
    text = page.locator("#missing").inner_text()
    assert "compare_files/picture-" in text
    assert "keep the folder compare_files beside" in text
    image = page.evaluate("payload.maps.outside[0]")
    region = page.evaluate(
        f"payload.regionsIn[{image}].find((r) => payload.regions.concept[r] >= 0)"
    )
    page.evaluate(f"choose({{ concept: payload.regions.concept[{region}], region: {region} }})")
    page.wait_for_selector("#detail-image .warning")
    assert "compare_files/maps-0.js cannot be read" in page.locator("#detail-image").inner_text()
    page.close()


def test_a_link_of_another_page_is_read_as_far_as_it_fits(browser, path):
    page = browser.new_page()
    page.goto(
        f"{path.as_uri()}#a=7&b=0&concept=999&slice=x&value=y&sort=constructor&lasso=1,q;2&z=1"
    )
    page.wait_for_selector(READY)
    assert page.locator("#concept-rows tr").count() > 0
    assert not page.locator("#detail").is_visible()
    page.close()
