"""The page in headless Chromium: sorting, filtering, timelines, small screens, no errors.

Runs where `-m browser` names it; playwright and Debian's chromium must be there then.
"""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
from support import client_of

from humeai_async.report.build import build_report
from humeai_async.testing import FakeHume
from humeai_async.types.dicts import ModelsDict

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FOLDER = "https://media.example.com/recordings-whose-names-are-wider-than-a-telephone"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")

    async def run() -> str:
        async with FakeHume(frames=6) as fake, client_of(fake) as hume:
            sources = [f"{FOLDER}/{n}.mp4" for n in range(59)]
            sources += [f"{FOLDER}/My talk 😀.mp4", f"{FOLDER}/missing.mp4"]
            models: ModelsDict = {"face": {}, "prosody": {"identify_speakers": True}}
            await hume.batch.predict_into(folder, sources, models=models)
        lines = [{"at": n, "done": 6 * n, "refused": n // 3} for n in range(11)]
        text = "\n".join(map(json.dumps, lines))
        (folder / "pace.jsonl").write_text(text, "utf-8")
        return await build_report(folder)

    file = folder / "report.html"
    with ThreadPoolExecutor() as threads:  # playwright has a loop of its own in this one
        file.write_text(threads.submit(anyio.run, run).result(), "utf-8")
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright: Any = importlib.import_module("playwright.sync_api")

    assert CHROMIUM is not None, "there is no program chromium"
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def opened(browser: Any, file: Path, *, width: int = 1280, scheme: str = "light") -> Any:
    """Open the page without a network; what goes wrong in it is collected in `problems`."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    problems: list[str] = []
    page.problems = problems

    def note(message: Any) -> None:
        if getattr(message, "type", "error") in {"error", "warning"}:
            problems.append(str(message))

    page.on("pageerror", note)
    page.on("console", note)
    page.goto(file.as_uri())
    page.wait_for_selector("#timeline svg")
    return page


def column(page: Any, name: str) -> list[float]:
    titles = [title.strip(" ▾▴") for title in page.locator("#heat thead th").all_inner_texts()]
    cells = page.locator(f"#heat tbody tr > :nth-child({titles.index(name) + 1})")
    return [float(text) for text in cells.all_inner_texts()]


@pytest.mark.parametrize("ending", ["3.mp4", "My talk 😀.mp4"])
def test_a_long_name_shows_its_end_and_is_read_as_a_whole(
    browser: Any, page_file: Path, ending: str
) -> None:
    page = opened(browser, page_file, width=400)
    page.get_by_label("Sources that contain").fill(ending)
    name = page.get_by_role("button", name=f"{FOLDER}/{ending}", exact=True)
    box, text = name.bounding_box(), name.locator("bdi").bounding_box()
    assert text["x"] < box["x"]  # its beginning is cut off
    assert text["x"] + text["width"] <= box["x"] + box["width"]


def test_the_heads_of_columns_and_rows_stay_in_sight(browser: Any, page_file: Path) -> None:
    page = opened(browser, page_file, width=400)
    region = page.get_by_role("region", name="Sources and expressions")
    before = region.bounding_box()
    region.evaluate("one => one.scrollTo(300, 300)")
    corner = page.locator("#heat thead th").first.bounding_box()
    assert abs(corner["x"] - before["x"]) < 2
    assert abs(corner["y"] - before["y"]) < 2


def test_failed_sources_are_named(browser: Any, page_file: Path) -> None:
    page = opened(browser, page_file)
    row = page.get_by_role("row", name="was not found").first
    assert f"{FOLDER}/missing.mp4" in row.inner_text()


def test_turning_the_page_and_coming_back_keep_the_focus(browser: Any, page_file: Path) -> None:
    page = opened(browser, page_file)
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")  # to the last page, where this button is disabled
    assert page.evaluate("document.activeElement.id") == "before"
    page.locator("#heat tbody button").nth(2).click()
    page.get_by_role("button", name="Back to the table").click()
    assert page.evaluate("document.activeElement.closest('tr').className") == "chosen"
    assert page.locator("#heat [aria-current=true]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_of_cells_can_be_read_on_their_color(
    browser: Any, page_file: Path, scheme: str
) -> None:
    page = opened(browser, page_file, scheme=scheme)
    text = page_file.read_text("utf-8")
    begin = text.index("function ink(")  # the page's module hides it
    code = text[begin : text.index("\n}", begin) + 2]
    lowest = page.evaluate(
        f"""() => {{
        const dark = matchMedia("(prefers-color-scheme: dark)");
        {code}
        const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = (color) => {{
            const [r, g, b] = color.map((part) => part / 255)
                .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        }};
        const styles = getComputedStyle(document.body);
        const heat = numbers(styles.getPropertyValue("--heat"));
        const back = numbers(styles.backgroundColor), text = numbers(styles.color);
        const inks = {{ "": text, "#fff": [255, 255, 255], "#000": [0, 0, 0] }};
        return Math.min(...Array.from({{ length: 201 }}, (_, n) => {{
            const share = 0.95 * n / 200;
            const cell = heat.map((part, at) => part * share + back[at] * (1 - share));
            const pair = [light(cell), light(inks[ink(n / 200)])].sort((a, b) => b - a);
            return (pair[0] + 0.05) / (pair[1] + 0.05);
        }}));
        }}"""
    )
    assert lowest >= 4.5


def test_columns_are_sorted_by_a_click_and_by_a_key(browser: Any, page_file: Path) -> None:
    page = opened(browser, page_file)
    page.get_by_role("button", name="Joy").click()
    assert column(page, "Joy") == sorted(column(page, "Joy"), reverse=True)
    page.keyboard.press("Enter")  # the focus is still on it
    assert column(page, "Joy") == sorted(column(page, "Joy"))
    header = page.locator("#heat thead th", has_text="Joy")
    assert header.get_attribute("aria-sort") == "ascending"
    assert page.problems == []


def test_sources_are_filtered_by_text_and_by_expression(browser: Any, page_file: Path) -> None:
    page = opened(browser, page_file)
    page.get_by_label("Sources that contain").fill("/17.mp4")
    assert page.locator("#heat tbody tr").count() == 1
    page.get_by_label("Sources that contain").fill("")
    assert page.locator("#heat tbody tr").count() == 50
    page.get_by_role("button", name="Next").click()
    assert page.locator("#heat tbody tr").count() == 10
    page.get_by_label("Strongest expression").select_option("Joy")
    assert 0 < page.locator("#heat tbody tr").count() < 50
    assert page.problems == []


def test_a_source_shows_its_timeline_in_a_picture_and_in_words(
    browser: Any, page_file: Path
) -> None:
    page = opened(browser, page_file)
    page.get_by_role("button", name=f"{FOLDER}/3.mp4").click()
    heading = page.locator("#timeline-title")
    assert heading.inner_text() == f"Timeline of {FOLDER}/3.mp4"
    assert page.evaluate("document.activeElement.id") == "timeline-title"
    assert " to " in page.locator("#timeline-text").inner_text()
    assert page.problems == []


def test_another_model_has_a_map_of_its_own(browser: Any, page_file: Path) -> None:
    page = opened(browser, page_file)
    few = page.locator("#heat thead th").count()
    page.get_by_label("Model").select_option("prosody")
    page.get_by_label("all expressions").check()
    assert few < page.locator("#heat thead th").count() == 2 + 48
    assert page.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_fits_its_screen(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    page = opened(browser, page_file, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#pace svg").count() == 1
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == ("rgb(20, 23, 26)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert page.problems == []
