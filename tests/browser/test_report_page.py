"""The HTML report in a real browser: sorts, filters, prints, works without script, and is accessible."""

from __future__ import annotations

import sys

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from programs import ROOT, program

from camscan.report import html as html_report
from camscan.report.model import build

sys.path.insert(0, str(ROOT / "tests" / "report"))
from invented import assessment, knowledge

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_report.write(build(assessment(), knowledge())), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program("chromium"), args=list(FLAGS))
        yield running
        running.close()


def opened(browser, path, **options):
    context = browser.new_context(viewport={"width": 1400, "height": 900}, **options)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    return page, said, asked


def column(page, number):
    return page.locator("#risk-table tbody tr").evaluate_all(
        "(rows, n) => rows.filter(r => !r.hidden).map(r => r.cells[n].innerText.split('\\n')[0].trim())",
        number,
    )


def test_sorting_and_filtering(browser, page_file):
    page, said, asked = opened(browser, page_file)
    assert column(page, 8)[0] == "ACT"
    page.get_by_role("button", name="Device").first.click()
    names = column(page, 0)
    assert names[0] == "127.0.9.1" or names == sorted(names, key=lambda n: int(n.split(".")[3]))
    page.locator("#risk-table thead button").nth(8).click()
    page.locator("#risk-table thead button").nth(8).click()
    assert column(page, 8)[0] == "NO ACTION"
    page.get_by_label("Show rows that contain").first.fill("DOCUMENT")
    shown = column(page, 8)
    assert shown
    assert set(shown) == {"DOCUMENT"}
    assert f"{len(shown)} of 12 rows" in page.locator("#risk-table-count").inner_text()
    assert said == []
    assert asked == [page_file.as_uri()]


def test_hostile_text_is_shown_and_nothing_runs(browser, page_file):
    page, said, _ = opened(browser, page_file)
    dialogs: list[str] = []
    page.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
    assert page.get_by_text("<script>alert(1)</script>").first.is_visible() or page.locator(
        "#risk-table"
    ).inner_text().count("<script>alert(1)</script>")
    assert dialogs == []
    assert said == []


def test_a_concern_link_opens_the_concern(browser, page_file):
    page, _, _ = opened(browser, page_file)
    page.locator("#risk-table a", has_text="BIRN-2").first.click()
    page.locator("details.concern[open]").wait_for(timeout=5000)
    assert page.get_by_text("Stated concern").first.is_visible()
    page.locator("details.concern[open] a", has_text="CN-NIL-7").first.click()
    assert page.locator("#law-CN-NIL-7").is_visible()


def test_without_script_everything_is_still_there(browser, page_file):
    page, _, _ = opened(browser, page_file, java_script_enabled=False)
    assert page.locator("#risk-table tbody tr").count() == 12
    assert not page.locator(".filter").first.is_visible()


def test_it_prints(browser, page_file):
    page, _, _ = opened(browser, page_file)
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    # Chromium repeats a head on every page only where it must not break, and paints no boxes of buttons there.
    style = "(e) => [getComputedStyle(e).display, getComputedStyle(e).breakInside]"
    assert page.locator("#risk-table thead").evaluate(style) == ["table-header-group", "avoid"]
    assert page.locator("#risk-table thead button").first.evaluate(style)[0] == "contents"


def test_folded_parts_open_and_fold_at_once(browser, page_file):
    page, _, _ = opened(browser, page_file)
    closed = page.locator("details:not([open])").count()
    page.get_by_role("button", name="Open all folded parts").click()
    assert closed > 0
    assert page.locator("details:not([open])").count() == 0
    page.get_by_role("button", name="Fold them again").click()
    assert page.locator("details[open]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_accessibility(browser, page_file, width, scheme):
    page, _, _ = opened(browser, page_file, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    results = Axe().run(page)
    assert [
        (v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in results.response["violations"]
    ] == []
