"""Every printed number is one the study wrote, and prints as it should."""

import re
from html import unescape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketadask.report.format import (
    fixed,
    flattened,
    is_number,
    marked_value,
    number,
    p_value,
    percent,
)
from ketadask.report.page import render


def section(html: str, name: str) -> str:
    start = html.index(f'<section id="{name}"')
    return html[start : html.index("</section>", start)]


def printed(html: str) -> list[tuple[float, str]]:
    found = re.findall(r'<data value="([^"]*)">([^<]*)</data>', html)
    return [(float(value), unescape(text)) for value, text in found]


def known(findings) -> set[float]:
    table = findings.verdicts.select_dtypes("number")
    values = {float(v) for v in table.to_numpy().ravel()}
    for told in (findings.summary, findings.settings, findings.enrichment):
        for _, value in flattened(told):
            values.update(map(float, np.atleast_1d(value))) if is_number(value) else None
    values |= set(findings.literals["low"]) | set(findings.literals["high"])
    values |= set(findings.stability["frequency"])
    return values


@pytest.mark.parametrize("name", ["claims", "verdicts", "null", "stability", "benefit"])
def test_numbers_are_those_of_the_study(findings, page, name):
    shown = printed(section(page, name))
    sizes = {len(findings.verdicts), findings.units.sizes["unit"], findings.cohort.sizes["case"]}
    own = known(findings) | sizes | {0.0, 1.0, 2.0}
    assert shown
    assert [pair for pair in shown if pair[0] not in own] == []


def test_cards_print_verdicts_and_ranges_of_the_data(findings, page):
    values = findings.units["value"].values
    ends = set(np.nanmin(values, axis=0)) | set(np.nanmax(values, axis=0))
    levels = set(values[np.isfinite(values)])
    own = known(findings) | ends | levels | {findings.units.sizes["unit"]}
    shown = printed(section(page, "personas"))
    assert [pair for pair in shown if pair[0] not in own] == []


def test_every_number_of_a_row_is_in_the_verdict_table(findings, page):
    body = section(page, "verdicts")
    rows = body[body.index("<tbody") :].split("<tr role")[1:]
    columns = ["rank", "p_adjusted", "recurrence", "recurrence_low", "recurrence_high"]
    columns += ["support", "share"]
    for html, row in zip(rows, findings.verdicts.to_dict("records"), strict=True):
        exact = {value for value, _ in printed(html)}
        assert {float(row[c]) for c in columns} <= exact
        assert f">{row['p_adjusted']:.3f}</data>" in html


def test_every_number_of_the_summary_is_listed(findings, page):
    exact = [value for value, _ in printed(section(page, "numbers"))]
    told = [float(v) for _, v in flattened(findings.summary) if is_number(v)]
    assert exact == told


def test_every_setting_is_listed(findings, page):
    html = section(page, "methods")
    for key, _ in flattened(findings.settings):
        assert f"<code>{key}</code>" in html


def test_a_card_shows_average_p_and_d_beside_the_adjusted_p(findings, page):
    card = section(page, "personas").split("</article>")[0]
    best = findings.verdicts.iloc[0]
    for column in ("p_adjusted", "p_mean", "d_mean", "d_full", "g_full", "confirmed"):
        assert f'value="{float(best[column])!r}"' in card


def test_missing_values_print_as_absent(findings):
    from dataclasses import replace

    table = findings.verdicts.copy()
    table[["recurrence", "recurrence_low", "recurrence_high", "d_mean", "active_low"]] = np.nan
    html = render(replace(findings, verdicts=table))
    assert "nan" not in section(html, "verdicts").replace('data-key="nan"', "")
    assert ">nan" not in section(html, "personas")


@given(st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-9))
def test_number_keeps_three_digits(x):
    text = number(x).replace("−", "-").replace(",", "")
    assert float(text) == pytest.approx(x, rel=6e-3, abs=1e-12)


@given(st.floats(0, 1))
def test_p_is_never_printed_smaller_than_it_is(x):
    text = p_value(x)
    if text.startswith("<"):
        assert x < float(text[1:])
    else:
        assert float(text) == pytest.approx(x, abs=5.1e-4)


@given(st.floats(0, 1))
def test_percent_is_the_share(x):
    text = percent(x).replace("\N{NO-BREAK SPACE}", " ").removesuffix(" %")
    if text.startswith("<"):
        assert 0 < 100 * x < float(text[1:])
    else:
        assert float(text) / 100 == pytest.approx(x, abs=1.01e-3 if x > 0.999 else 5.1e-4)
        assert text.partition(".")[2].isdigit(), "shares below each other have the same decimals"
        assert (text in ("0.0", "100.0")) == (x in (0, 1))


def test_shares_have_the_same_decimals_wherever_they_stand(page):
    """A measured 5.0 % does not become 5 % beside 4.0 %; what was chosen is told as chosen."""
    told = re.findall(r'<data value="([^"]+)">([^<]*?)\N{NO-BREAK SPACE}%</data>', page)
    assert len(told) > 50
    chosen = {"0.05", "0.1", "0.4", "0.5"}
    for exact, text in told:
        whole = re.fullmatch(r"\d+", text)
        assert whole is None or exact in chosen, (exact, text)
        if not whole:
            assert re.fullmatch(r"(&lt;\N{NO-BREAK SPACE})?\d+\.\d", text), (exact, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        (True, "yes"),
        ((), "none"),
        ([1, "a<b"], "a&lt;b"),
        (2**60, "1,152,921,504,606,846,976"),
    ],
)
def test_values_of_any_kind(value, text):
    assert text in marked_value(value)


def test_fixed_has_no_negative_zero():
    assert fixed(-0.0, 1) == "0.0"
    assert fixed(float("nan")) == "–"
