"""The page as a whole: honest first, complete, safe, private, the same every time."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ketadask.report.page import render, write_page, write_report
from ketadask.report.report_data import ReportData
from ketadask.schema.errors import InputError

WORD = "not distinguishable from search noise"


class Reader(HTMLParser):
    """Collects the text a reader sees, without styles, scripts and drawings."""

    def __init__(self) -> None:
        super().__init__()
        self.silent, self.words = 0, []

    def handle_starttag(self, tag, attrs):
        self.silent += tag in ("style", "script")

    def handle_endtag(self, tag):
        self.silent -= tag in ("style", "script")

    def handle_data(self, data):
        if not self.silent:
            self.words.append(data)


def seen(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    return re.sub(r"\s+", " ", " ".join(reader.words))


def test_first_row_names_the_best_persona(findings, page):
    html = page
    body = html[html.index('id="verdict-table"') :]
    first = body[body.index("<tbody") : body.index("</tr>", body.index("<tbody>"))]
    for name in findings.verdicts.sort_values("rank").features.iloc[0].split(" | "):
        assert name in first


def test_nothing_supported_is_said_before_anything_else(nothing_supported):
    text = seen(render(nothing_supported))
    assert text.index("Nothing is supported.") < text.index("What was asked")
    assert "supported." in text
    assert "persona is supported" not in text


def test_same_findings_same_bytes(findings, tmp_path, drawn):
    one = write_page(findings, tmp_path / "one.html").read_bytes()
    drawn.clear()
    two = write_page(findings, tmp_path / "deep" / "two.html").read_bytes()
    assert one == two
    assert len(one) < 1_000_000


def test_nothing_is_loaded_from_elsewhere(page):
    html = page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert all(link.startswith(("#", "data:")) for link in re.findall(r'href="([^"]*)"', html))


def test_partial_study_says_what_is_missing():
    text = seen(render(ReportData("Only begun")))
    assert "There is no verdict yet." in text
    assert "Verdicts" in text[text.index("Not in this report") :]


def test_unknown_part_is_named():
    with pytest.raises(InputError, match="report does not know a part, found 'verdict'"):
        write_report(None, None, "r.html", verdict=1)


def test_lacking_column_is_named(findings):
    with pytest.raises(InputError, match=r"verdicts table of a report lacks columns.*p_adjusted"):
        replace(findings, verdicts=findings.verdicts.drop(columns="p_adjusted"))


def test_identifiers_of_elements_are_unique_and_links_lead_somewhere(page):
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert set(re.findall(r'(?:labelledby|for)="([^"]*)"', page)) <= set(ids)


def test_every_drawing_has_a_text(page):
    drawings = re.findall(r"<svg[^>]*>", page)
    told = [d for d in drawings if "aria-label=" in d or 'aria-hidden="true"' in d]
    inner = [d for d in drawings if 'overflow="visible"' in d]
    assert len(drawings) == len(told) + len(inner)
