"""The documentation builds without a warning; its pages fit wide and narrow screens, offline."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.report.browser import Browser

ROOT = Path(__file__).parents[2]
OFFLINE = ("file:", "data:", "about:", "chrome:")
BAD_PICTURES = "return [...document.images].filter(i => !i.alt || !i.naturalWidth).length"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Build the documentation and return its pages."""
    folder = tmp_path_factory.mktemp("pages")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", ROOT / "docs", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(page for page in folder.rglob("*.html") if "_static" not in page.parts)


@pytest.mark.browser  # beside the test below, which needs the same pages
def test_links_lead_to_a_page_and_a_place_in_it(pages):
    texts = {page: page.read_text() for page in pages}
    places = {page: {"", *re.findall(r'\bid="([^"]+)"', text)} for page, text in texts.items()}
    wrong = []
    for page, text in texts.items():
        for link in re.findall(r'<a\b[^>]*?\bhref="(?!\w+:)([^"]*)"', text):
            file, _, anchor = unquote(link).partition("#")
            target = (page.parent / file).resolve() if file else page
            if not target.is_file() or anchor not in places.get(target, {""}):
                wrong.append((page.name, link))
    assert wrong == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_the_screen_and_need_no_network(pages, width):
    assert len(pages) > 30
    with Browser() as browser:
        browser.resize(width)
        for page in pages:
            browser.open(page)
            size = browser.evaluate("return [document.documentElement.scrollWidth, innerWidth]")
            assert size[0] <= size[1], page.name
            assert browser.evaluate("return document.querySelectorAll('h1').length") >= 1, page.name
            assert browser.evaluate(BAD_PICTURES) == 0, page.name
            addresses = browser.requests()
            assert [a for a in addresses if not a.startswith(OFFLINE)] == [], page.name
