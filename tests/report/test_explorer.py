"""The page to explore: its values are those of the study, without identifiers."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from ketadask.plot.patients import course_points, with_members
from ketadask.plot.results import member_mask
from ketadask.report import explorer
from ketadask.report.explorer import render_explorer
from tests.report.accessibility import LEVELS, VIOLATIONS, axe_script
from tests.report.browser import Browser
from tests.report.example_data import make_data, rename_feature
from tests.report.test_browser import OVERFLOW
from tests.report.test_privacy import SCRIPT

STATE = """
return [...document.querySelectorAll('.run tbody')].map(body =>
  [...body.rows].map(r => [...r.cells].map(c => c.textContent)));
"""
CUT = """
const row = document.querySelectorAll('#ranges p')[arguments_0];
row.querySelector('select').value = 'age';
row.querySelector('select').dispatchEvent(new Event('change'));
row.querySelectorAll('input')[0].value = '30';
row.querySelectorAll('input')[0].dispatchEvent(new Event('input'));
"""


def values_of(page):
    return json.loads(re.search(r'id="content">(.*?)</script>', page, re.DOTALL)[1])["runs"]


def test_the_page_has_the_values_of_the_study_in_the_order_of_the_scores(data):
    (run,) = values_of(render_explorer([data]))
    units = data.units.isel(unit=np.argsort(-data.units.score.values, kind="stable"))
    assert run["score"] == units.score.values.tolist()
    assert np.array_equal(np.array(run["outcome"]).T, units.outcome.values)
    assert len(run["features"]) > 10
    for name, column in run["features"].items():
        expected = units.value.sel(feature=name).values
        assert np.array_equal(np.array(column["values"], float), expected, equal_nan=True)
    visits = run["courses"]
    table = with_members(data.courses, data.units, np.ones(33)).dropna()
    assert sorted(visits["score"]) == sorted(table["score"])
    for row, persona in zip(run["personas"], data.verdicts.to_dict("records"), strict=True):
        inside = member_mask(units, data.literals, persona) == 1
        ranges = [(n, -np.inf if a is None else a, np.inf if b is None else b)
                  for n, a, b in row["ranges"]]  # fmt: skip
        frame = units.value.to_pandas()
        hold = [(frame[name] > low) & (frame[name] <= high) for name, low, high in ranges]
        assert np.array_equal(np.all(hold, axis=0), inside)


def test_the_page_has_no_identifier_and_no_p_value(data):
    page = render_explorer([rename_feature(data, SCRIPT)])
    assert [name for name in data.participants() if name.removeprefix("sub-") in page] == []
    assert SCRIPT not in page
    assert "Looking is not testing" in page
    assert not re.search(r"\bp [=<]", page)


def test_features_and_visits_are_limited(data, monkeypatch):
    monkeypatch.setattr(explorer, "MAX_VALUES", 5 * 33)
    (run,) = values_of(render_explorer([data]))
    first = data.verdicts.sort_values("rank")["features"].iloc[0].split(" | ")
    assert len(run["features"]) == 5
    assert set(first) <= set(run["features"])
    assert run["courses"] == {}
    assert 1 <= len(run["personas"]) < len(data.verdicts)


@pytest.mark.browser
def test_a_changed_cut_gives_the_counts_of_the_table(data, tmp_path):
    other = make_data(seed=8)
    other = replace(other, units=other.units.drop_sel(feature="bmi"))
    paths = {"one": [data], "two": [data, other]}
    for name, runs in paths.items():
        (tmp_path / f"{name}.html").write_text(render_explorer(runs))
    with Browser() as browser:
        browser.resize(390)
        browser.open(tmp_path / "two.html")
        assert browser.evaluate("return document.documentElement.scrollWidth") <= 390
        assert browser.evaluate(OVERFLOW) == []
        assert len(browser.evaluate(STATE)) == 2
        browser.resize(1280)
        browser.open(tmp_path / "one.html")
        assert browser.console() == []
        persona = data.verdicts.sort_values("rank").iloc[0]
        inside = member_mask(data.units, data.literals, persona)
        assert rows(browser) == expected(data, inside)
        ages = data.units.value.sel(feature="age").values
        holds = np.where(np.isnan(ages), np.nan, ages > 30)
        inside = np.where((inside == 0) | (holds == 0), 0.0, inside * holds)
        browser.evaluate(CUT.replace("arguments_0", "3"))
        assert rows(browser) == expected(data, inside)
        points = course_points(with_members(data.courses, data.units, inside))
        titles = browser.evaluate(
            "return [...document.querySelectorAll('.panels title')].map(t => t.textContent)"
        )
        assert sorted(titles) == sorted(
            f"{p.side}, {p.arm}, day {p.day}: {p.mean:.1f}, {p.n} cases".replace("-", "−")
            for p in points.itertuples()
        )


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_violation(data, tmp_path, scheme):
    (tmp_path / "page.html").write_text(render_explorer([data]))
    with Browser() as browser:
        browser.resize(390, scheme=scheme)
        browser.open(tmp_path / "page.html")
        browser.run(axe_script())
        assert [row for row in browser.evaluate(VIOLATIONS) if row[0] in LEVELS] == []


def rows(browser):
    (table,) = browser.evaluate(STATE)
    return [row[1:] for row in table]


def expected(data, inside):
    """Return the cells of the page, computed with numpy."""
    masks = [m for m in (inside == 1, inside == 0, np.isnan(inside)) if m.any()]
    table = []
    for mask in masks:
        outcome, score = data.units.outcome.values[mask], data.units.score.values[mask]
        counts, means = np.isfinite(outcome).sum(axis=0), np.nanmean(outcome, axis=0)
        cells = [f"{x:.1f} ({n})" for x, n in zip(means, counts, strict=True)]
        texts = [str(mask.sum()), f"{score.mean():.1f}", *cells]
        table.append([text.replace("-", "−") for text in texts])
    return table
