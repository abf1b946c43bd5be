"""The page in a real browser without a network."""

import re
import subprocess
import urllib.parse
from dataclasses import replace

import pytest

from ketadask.plot.brain import region_colour
from ketadask.report.glossary import Term, glossary
from ketadask.report.page import write_page
from ketadask.report.report_data import ReportData
from ketadask.sources.regions import REGIONS
from tests.report.accessibility import LEVELS, VIOLATIONS, axe_script
from tests.report.browser import Browser
from tests.report.example_data import make_data, rename_feature
from tests.report.example_parts import (
    make_prediction,
    make_recordings,
    make_trial_data,
    make_weights,
)
from tests.report.test_privacy import LONG, SCRIPT

pytestmark = pytest.mark.browser
WIDTHS = (1280, 390)
WEIGHTS = make_weights(list(REGIONS))
STUDIES = ("usual", "recordings", "empty", "several", "prediction")
OVERFLOW = """
const wide = document.documentElement.clientWidth;
const inside = e => e.closest('.scroll, .quiet, .skip');
return [...document.querySelectorAll('main *, header *, nav *, footer *')]
  .filter(e => !inside(e) && e.getBoundingClientRect().right > wide + 1)
  .map(e => e.tagName + '.' + (e.getAttribute('class') || '') + ': ' + e.textContent.slice(0, 40));
"""
FIGURES = """
return [...document.querySelectorAll('figure, svg.range, svg.arms')].map(e => {
  const visible = [...e.querySelectorAll('svg')].concat(e.tagName == 'svg' ? [e] : [])
    .filter(s => s.getBoundingClientRect().width > 100 && s.getBoundingClientRect().height > 20);
  return [e.id || e.getAttribute('class'), visible.length];
});
"""
CELLS = "return [...document.querySelectorAll('#verdict-table tbody tr')].map(r => r.cells[{}].{});"


@pytest.fixture(scope="module")
def browser():
    with Browser() as session:
        yield session


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    data = make_data(rows=30)
    hostile = replace(rename_feature(data, SCRIPT), title=LONG)
    long = replace(rename_feature(data, LONG), title=f"A study called {SCRIPT}")
    with_recordings = replace(data, recordings=make_recordings(20, failures=2))
    studies = {
        "usual": data,
        "recordings": with_recordings,
        "hostile": hostile,
        "long": long,
        "empty": ReportData("Only begun"),
        "several": make_trial_data(),
        "prediction": replace(data, prediction=make_prediction() | {"weights": WEIGHTS}),
    }
    return {name: write_page(s, folder / f"{name}.html") for name, s in studies.items()}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*STUDIES, "hostile", "long"])
def test_quiet_alone_and_within_the_window(browser, pages, name, width, scheme):
    browser.resize(width, scheme=scheme)
    browser.console(), browser.requests()
    browser.open(pages[name])
    assert browser.console() == []
    requests = [url for url in browser.requests() if not url.startswith("data:")]
    assert requests == [pages[name].as_uri()]
    assert browser.evaluate("return document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOW) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_is_visible_once(browser, pages, width):
    browser.resize(width)
    browser.open(pages["usual"])
    figures = browser.evaluate(FIGURES)
    names = [name for name, _ in figures]
    figures_of_the_page = ("null", "stability", "families", "benefit", "course-1", "risk")
    assert {f"figure-{name}" for name in figures_of_the_page} <= set(names)
    assert names.count("range") == 9
    assert names.count("arms") == 3
    assert {count for _, count in figures} == {1}


@pytest.mark.parametrize("width", WIDTHS)
def test_every_forest_plot_is_visible_once(browser, pages, width):
    browser.resize(width)
    browser.open(pages["several"])
    figures = dict(browser.evaluate(FIGURES))
    assert [figures[f"figure-forest-{rank}"] for rank in (1, 2, 3)] == [1, 1, 1]


def test_sorting_by_pointer_and_keyboard(browser, pages):
    browser.resize(1280)
    browser.open(pages["usual"])
    click = "document.querySelectorAll('#verdict-table th button')[{}].click();"
    support = CELLS.format(5, "dataset.key")
    browser.evaluate(click.format(5))
    rising = [float(v) for v in browser.evaluate(support)]
    assert rising == sorted(rising)
    heading = "return document.querySelectorAll('#verdict-table thead th')[5].ariaSort"
    assert browser.evaluate(heading) == "ascending"
    browser.evaluate("document.querySelectorAll('#verdict-table th button')[5].focus();")
    for kind in ("keyDown", "keyUp"):
        browser.devtools(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
            windowsVirtualKeyCode=13,
        )  # fmt: skip
    falling = [float(v) for v in browser.evaluate(support)]
    assert falling == sorted(falling, reverse=True)
    assert "descending" in browser.evaluate("return document.getElementById('status').textContent")
    browser.evaluate(click.format(1))
    names = browser.evaluate(CELLS.format(1, "textContent.trim().toLowerCase()"))
    assert names == sorted(names)


def test_long_tables_are_folded(browser, pages):
    browser.resize(1280)
    browser.open(pages["usual"])
    rows = "[...document.querySelectorAll('#verdict-table tbody tr')]"
    visible = f"return {rows}.filter(r => r.offsetHeight).length"
    assert browser.evaluate(visible) == 5
    browser.evaluate("document.querySelector('.more').click();")
    assert browser.evaluate(visible) == 30


def test_a_script_in_a_name_does_not_run(browser, pages):
    browser.resize(1280)
    browser.open(pages["long"])
    assert browser.evaluate("return document.querySelector('h1').textContent").endswith(SCRIPT)
    assert browser.evaluate("return document.scripts.length") == 1


def test_dark_and_light_differ_and_text_has_contrast(browser, pages):
    papers = {}
    for scheme in ("light", "dark"):
        browser.resize(1280, scheme=scheme)
        browser.open(pages["usual"])
        colours = browser.evaluate(
            "const s = getComputedStyle(document.documentElement);"
            "return Object.fromEntries(['paper','raised','wash','ink','muted','accent','active',"
            "'control','good','maybe','good-wash','maybe-wash']"
            ".map(n => [n, s.getPropertyValue('--' + n).trim()]));"
        )
        papers[scheme] = colours["paper"]
        for front in ("ink", "muted", "accent", "active", "control"):
            for back in ("paper", "raised", "wash"):
                assert contrast(colours[front], colours[back]) >= 4.5, (scheme, front, back)
        for name in ("good", "maybe"):
            assert contrast(colours[name], colours[f"{name}-wash"]) >= 4.5, (scheme, name)
            assert contrast(colours["ink"], colours[f"{name}-wash"]) >= 7, (scheme, name)
    assert papers["light"] != papers["dark"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", STUDIES)
def test_no_serious_accessibility_violation(browser, pages, name, width, scheme):
    browser.resize(width, scheme=scheme)
    browser.open(pages[name])
    browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; });")
    browser.run(axe_script())
    assert [row for row in browser.evaluate(VIOLATIONS) if row[0] in LEVELS] == []


def test_the_check_of_accessibility_can_fail(browser, pages):
    browser.resize(1280)
    browser.open(pages["empty"])
    browser.evaluate(
        "const p = document.createElement('p'); p.textContent = 'faint';"
        "p.style = 'color: #bbb; background: #fff'; document.querySelector('main').append(p);"
    )
    browser.run(axe_script())
    assert "color-contrast" in [row[1] for row in browser.evaluate(VIOLATIONS) if row[0] in LEVELS]


def test_prints_the_results_without_the_appendix(browser, pages, tmp_path):
    browser.resize(1280)
    browser.open(pages["usual"])
    sections = browser.evaluate(
        "return [...document.querySelectorAll('section')].map(s => "
        "[s.id, s.querySelector('h2').textContent.trim()])"
    )
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 9
    (tmp_path / "report.pdf").write_bytes(pdf)
    text = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    text = re.sub(r"\s+", " ", text)
    appendix = {"checklists", "numbers", "provenance", "columns", "glossary"}
    assert len(sections) >= 15
    assert {name for name, heading in sections if heading not in text} == appendix
    for phrase in ("0.012", "wm-lh-posteriorcingulate", "critical 4.61", "Not printed:"):
        assert phrase in text
    assert "search.max_literals" not in text


def test_one_page_has_the_first_page_only(browser, pages):
    browser.resize(1280)
    browser.open(pages["usual"])
    browser.evaluate("location.hash = 'onepage'; document.documentElement.classList.add('onepage')")
    assert len(re.findall(rb"/Type\s*/Page\b", browser.pdf())) == 1


@pytest.mark.parametrize("name", ["usual", "several"])
def test_every_word_of_the_glossary_is_marked_up(browser, pages, name):
    browser.resize(1280)
    browser.open(pages[name])
    sections = browser.evaluate(
        "const plain = 'h1,h2,h3,h4,code,pre,button,svg,summary,caption,th,label,a.get,li > a';"
        "return [...document.querySelectorAll('main section:not(#glossary)')].map(s => {"
        "const links = [...s.querySelectorAll('dfn a')].map(a => [a.hash.slice(1), a.title]);"
        "const copy = s.cloneNode(true);"
        "copy.querySelectorAll(plain).forEach(e => e.replaceWith(' | '));"
        "copy.querySelectorAll('td, dd, dt, p, li').forEach(e => e.append(' | '));"
        "return [s.id, links, copy.textContent]; });"
    )
    names = [(name, term) for term in glossary() for name in (term.name, *term.aliases)]
    names.sort(key=lambda pair: -len(pair[0]))
    count = 0
    for section, links, text in sections:
        marks, rest = dict(links), text
        assert len(marks) == len(links)
        for word, term in names:
            if Term(word, (), "").occurs_in(rest):
                assert marks[term.anchor] == term.meaning.replace("`", ""), (section, word)
                count += 1
                rest = re.sub(rf"\b{re.escape(word)}s?\b", "|", rest, flags=re.IGNORECASE)
    assert count > 40
    missing = browser.evaluate(
        "return [...document.querySelectorAll('dfn a')].filter(a => "
        "!document.querySelector(a.hash + ' dd'))"
    )
    assert missing == []


CUT_WORDS = """
const cut = [];
for (const e of document.querySelectorAll('main *')) {
  if (e.closest('.quiet, .skip, code, pre, details:not([open])')) continue;
  for (const node of e.childNodes) {
    if (node.nodeType != 3) continue;
    for (const match of node.data.matchAll(/[A-Za-zÀ-ÿ]{2,24}/g)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const boxes = [...range.getClientRects()].filter(r => r.width > 0);
      const tops = new Set(boxes.map(r => Math.round(r.top)));
      if (tops.size > 1) cut.push(match[0] + ' in ' + e.textContent.slice(0, 40));
    }
  }
}
return cut;
"""


@pytest.mark.parametrize(("width", "media"), [(1280, ""), (390, ""), (700, "print")])
@pytest.mark.parametrize("name", ["usual", "several"])
def test_no_word_is_cut(browser, pages, name, width, media):
    browser.resize(width)
    browser.open(pages[name])
    browser.devtools("Emulation.setEmulatedMedia", media=media)
    assert browser.evaluate(CUT_WORDS) == []
    browser.devtools("Emulation.setEmulatedMedia", media="")


BRAINS = """
return [...document.querySelectorAll('svg.brain')].map(svg => ({
  texts: [...svg.querySelectorAll('text')].map(t => {
    const r = t.getBoundingClientRect();
    return [t.textContent, parseFloat(getComputedStyle(t).fontSize) * svg.getScreenCTM().a,
            [r.left, r.top, r.right, r.bottom], getComputedStyle(t).fill];
  }),
  shapes: [...svg.querySelectorAll('path[data-region]')].map(p => {
    const r = p.getBoundingClientRect();
    return [p.dataset.region, getComputedStyle(p).fill, p.querySelector('title').textContent,
            [r.left, r.top, r.right, r.bottom]];
  }),
}));
"""


@pytest.mark.parametrize(
    ("width", "scheme", "media"),
    [(1280, "light", ""), (1280, "dark", ""), (390, "dark", ""), (700, "light", "print")],
)
def test_brain_maps_have_a_shape_of_its_colour_per_region_and_legible_labels(
    browser, pages, width, scheme, media
):
    weights = WEIGHTS.set_index("region")
    browser.resize(width, scheme=scheme)
    browser.open(pages["prediction"])
    browser.devtools("Emulation.setEmulatedMedia", media=media)
    maps = browser.evaluate(BRAINS)
    paper = browser.evaluate(
        "return getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()"
    )
    browser.devtools("Emulation.setEmulatedMedia", media="")
    assert [len(brain["shapes"]) for brain in maps] == [68, 68, 28] * 2
    for brain, column in zip(maps, ["pattern"] * 3 + ["weight"] * 3, strict=True):
        values = weights[column]
        drawn = [name for each in maps for name, *_ in each["shapes"]]
        largest = values[drawn].abs().max()
        for name, fill, text, (left, top, right, bottom) in brain["shapes"]:
            assert _hex(fill) == region_colour(values[name], largest)
            assert text.endswith(f"{values[name]:.3g}")
            assert right - left > 1
            assert bottom - top > 1
        for text, size, box, fill in brain["texts"]:
            assert size >= 9, text
            assert contrast(_hex(fill), paper) >= 4.5
            assert [shape[0] for shape in brain["shapes"] if _overlap(shape[3], box)] == []


def _overlap(one, other) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _hex(colour: str) -> str:
    """Return a colour of the browser, rgb(r, g, b), as #rrggbb."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", colour)[:3])


def test_filter_theme_and_figures_to_take_away(browser, pages):
    browser.resize(1280)
    browser.open(pages["usual"])
    rows = "[...document.querySelectorAll('#verdict-table tbody tr')].filter(r => r.offsetHeight)"
    browser.evaluate("document.querySelector('.filter input[type=checkbox]').click()")
    verdicts = browser.evaluate(f"return {rows}.map(r => r.cells[2].textContent.trim())")
    assert set(verdicts) == {"supported"}
    browser.evaluate("document.querySelector('.filter input[type=checkbox]').click()")
    browser.evaluate(
        "const i = document.querySelector('.filter input'); i.value = 'madrs item 5';"
        "i.dispatchEvent(new Event('input'));"
    )
    texts = browser.evaluate(f"return {rows}.map(r => r.textContent.toLowerCase())")
    assert texts
    assert all("madrs item 5" in text for text in texts)
    paper = "return getComputedStyle(document.documentElement).getPropertyValue('--paper')"
    before = browser.evaluate(paper)
    browser.evaluate("document.querySelector('#tools button').click()")
    assert browser.evaluate(paper) != before
    browser.evaluate(
        "window.links = []; HTMLAnchorElement.prototype.click = function () {"
        "links.push([this.download, this.href]); };"
        "document.querySelectorAll('#figure-null .tools button').forEach(b => b.click());"
    )
    name, link = browser.evaluate("return links[0]")
    assert name == "null.svg"
    assert link.startswith("data:image/svg+xml")
    assert "var(--" not in urllib.parse.unquote(link)
    assert "critical 4.61" in urllib.parse.unquote(link)
    browser.evaluate("return new Promise(done => setTimeout(done, 1500))")
    name, link = browser.evaluate("return links[1]")
    assert name == "null.png"
    assert len(link) > 5_000


@pytest.mark.parametrize("name", ["brain-pattern", "roc"])
def test_maps_and_figures_of_a_prediction_are_saved(browser, pages, name):
    browser.resize(1280)
    browser.open(pages["prediction"])
    browser.evaluate(
        "window.links = []; HTMLAnchorElement.prototype.click = function () {"
        "links.push([this.download, this.href]); };"
        f"document.querySelector('#figure-{name} .tools button').click();"
    )
    ((file, link),) = browser.evaluate("return links")
    assert file == f"{name}.svg"
    text = urllib.parse.unquote(link)
    assert "var(--" not in text
    assert text.count("data-region=") == (164 if name == "brain-pattern" else 0)


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
