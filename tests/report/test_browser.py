"""The page in a real browser, with the network cut: what a person would meet."""

import re
import subprocess
from dataclasses import replace

import pytest

from ketadask.report.page import write_page
from ketadask.report.report_data import ReportData
from tests.report.accessibility import ASK, LEVELS, axe_script
from tests.report.browser import Browser
from tests.report.made_findings import make_findings
from tests.report.test_across import several
from tests.report.test_privacy import LONG, SCRIPT, renamed
from tests.report.test_recordings import make_recordings

pytestmark = pytest.mark.browser
WIDTHS = (1280, 390)
OVERFLOW = """
const wide = document.documentElement.clientWidth;
const inside = e => e.closest('.scroll, .quiet, .skip');
return [...document.querySelectorAll('main *, header *, nav *, footer *')]
  .filter(e => !inside(e) && e.getBoundingClientRect().right > wide + 1)
  .map(e => e.tagName + '.' + (e.getAttribute('class') || '') + ': ' + e.textContent.slice(0, 40));
"""
FIGURES = """
return [...document.querySelectorAll('figure, svg.range, svg.arms')].map(e => {
  const seen = [...e.querySelectorAll('svg')].concat(e.tagName == 'svg' ? [e] : [])
    .filter(s => s.getBoundingClientRect().width > 100 && s.getBoundingClientRect().height > 20);
  return [e.id || e.getAttribute('class'), seen.length];
});
"""
CELLS = "return [...document.querySelectorAll('#verdict-table tbody tr')].map(r => r.cells[{}].{});"


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    made = make_findings(rows=30)
    hostile = replace(renamed(made, SCRIPT), title=LONG)
    long = replace(renamed(made, LONG), title=f"A study called {SCRIPT}")
    recorded = replace(made, recordings=make_recordings(20, failures=2))
    told = {
        "usual": made,
        "recorded": recorded,
        "hostile": hostile,
        "long": long,
        "begun": ReportData("Only begun"),
    }
    told["several"] = several()
    return {name: write_page(f, folder / f"{name}.html") for name, f in told.items()}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["usual", "recorded", "hostile", "long", "begun", "several"])
def test_quiet_alone_and_within_the_window(browser, pages, name, width, scheme):
    browser.look(width, scheme=scheme)
    browser.console(), browser.requests()
    browser.open(pages[name])
    assert browser.console() == []
    asked = [url for url in browser.requests() if not url.startswith("data:")]
    assert asked == [pages[name].as_uri()]
    assert browser.ask("return document.documentElement.scrollWidth") <= width
    assert browser.ask(OVERFLOW) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_is_seen_once(browser, pages, width):
    browser.look(width)
    browser.open(pages["usual"])
    figures = browser.ask(FIGURES)
    names = [name for name, _ in figures]
    figures_of_the_page = ("null", "stability", "families", "benefit", "course-1", "risk")
    assert {f"figure-{name}" for name in figures_of_the_page} <= set(names)
    assert names.count("range") == 9
    assert names.count("arms") == 3
    assert {count for _, count in figures} == {1}


@pytest.mark.parametrize("width", WIDTHS)
def test_every_forest_plot_is_seen_once(browser, pages, width):
    browser.look(width)
    browser.open(pages["several"])
    figures = dict(browser.ask(FIGURES))
    assert [figures[f"figure-forest-{rank}"] for rank in (1, 2, 3)] == [1, 1, 1]


def test_sorting_by_pointer_and_keyboard(browser, pages):
    browser.look(1280)
    browser.open(pages["usual"])
    click = "document.querySelectorAll('#verdict-table th button')[{}].click();"
    support = CELLS.format(5, "dataset.key")
    browser.ask(click.format(5))
    rising = [float(v) for v in browser.ask(support)]
    assert rising == sorted(rising)
    heading = "return document.querySelectorAll('#verdict-table thead th')[5].ariaSort"
    assert browser.ask(heading) == "ascending"
    browser.ask("document.querySelectorAll('#verdict-table th button')[5].focus();")
    for kind in ("keyDown", "keyUp"):
        browser.devtools(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
            windowsVirtualKeyCode=13,
        )  # fmt: skip
    falling = [float(v) for v in browser.ask(support)]
    assert falling == sorted(falling, reverse=True)
    assert "descending" in browser.ask("return document.getElementById('said').textContent")
    browser.ask(click.format(1))
    names = browser.ask(CELLS.format(1, "textContent.trim().toLowerCase()"))
    assert names == sorted(names)


def test_long_tables_are_folded_until_asked(browser, pages):
    browser.look(1280)
    browser.open(pages["usual"])
    rows = "[...document.querySelectorAll('#verdict-table tbody tr')]"
    shown = f"return {rows}.filter(r => r.offsetHeight).length"
    assert browser.ask(shown) == 5
    browser.ask("document.querySelector('.more').click();")
    assert browser.ask(shown) == 30


def test_a_script_in_a_name_does_not_run(browser, pages):
    browser.look(1280)
    browser.open(pages["long"])
    assert browser.ask("return document.querySelector('h1').textContent").endswith(SCRIPT)
    assert browser.ask("return document.scripts.length") == 1


def test_dark_and_light_differ_and_text_has_contrast(browser, pages):
    papers = {}
    for scheme in ("light", "dark"):
        browser.look(1280, scheme=scheme)
        browser.open(pages["usual"])
        told = browser.ask(
            "const s = getComputedStyle(document.documentElement);"
            "return Object.fromEntries(['paper','raised','wash','ink','muted','accent','active',"
            "'control','good','maybe','good-wash','maybe-wash']"
            ".map(n => [n, s.getPropertyValue('--' + n).trim()]));"
        )
        papers[scheme] = told["paper"]
        for front in ("ink", "muted", "accent", "active", "control"):
            for back in ("paper", "raised", "wash"):
                assert contrast(told[front], told[back]) >= 4.5, (scheme, front, back)
        for name in ("good", "maybe"):
            assert contrast(told[name], told[f"{name}-wash"]) >= 4.5, (scheme, name)
            assert contrast(told["ink"], told[f"{name}-wash"]) >= 7, (scheme, name)
    assert papers["light"] != papers["dark"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["usual", "recorded", "begun", "several"])
def test_no_serious_accessibility_violation(browser, pages, name, width, scheme):
    browser.look(width, scheme=scheme)
    browser.open(pages[name])
    browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; });")
    browser.run(axe_script())
    assert [found for found in browser.ask(ASK) if found[0] in LEVELS] == []


def test_the_check_of_accessibility_can_fail(browser, pages):
    browser.look(1280)
    browser.open(pages["begun"])
    browser.ask(
        "const p = document.createElement('p'); p.textContent = 'faint';"
        "p.style = 'color: #bbb; background: #fff'; document.querySelector('main').append(p);"
    )
    browser.run(axe_script())
    assert "color-contrast" in [found[1] for found in browser.ask(ASK) if found[0] in LEVELS]


def test_prints_every_section(browser, pages, tmp_path):
    browser.look(1280)
    browser.open(pages["usual"])
    headings = browser.ask("return [...document.querySelectorAll('h2')].map(h => h.textContent)")
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 4
    (tmp_path / "report.pdf").write_bytes(pdf)
    printed = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    printed = re.sub(r"\s+", " ", printed)
    assert len(headings) >= 15
    assert [h for h in headings if h.strip() not in printed] == []
    for inside in ("0.012", "wm-lh-posteriorcingulate", "search.max_literals", "critical 4.61"):
        assert inside in printed
    browser.devtools("Emulation.setEmulatedMedia", media="print")
    hidden = browser.ask(
        "window.dispatchEvent(new Event('beforeprint'));"
        "return [...document.querySelectorAll('section')].filter(s => !s.offsetHeight).length"
        " + [...document.querySelectorAll('details')].filter(d => !d.open).length"
    )
    browser.devtools("Emulation.setEmulatedMedia", media="")
    assert hidden == 0


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
