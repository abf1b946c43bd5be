"""The page as a whole: complete, offline, escaped, the same every time."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.report.format import flatten, is_number
from ketadask.report.page import render, write_page
from ketadask.report.report_data import ReportData
from ketadask.schema.errors import InputError
from tests.report.example_data import make_data, page_numbers, page_section


def test_the_same_data_give_the_same_bytes(data, tmp_path, figure_cache):
    first = write_page(data, tmp_path / "one.html").read_bytes()
    figure_cache.clear()
    assert write_page(data, tmp_path / "deep" / "two.html").read_bytes() == first
    assert len(first) < 1_000_000


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert all(link.startswith(("#", "data:")) for link in re.findall(r'href="([^"]*)"', page))


def test_element_ids_are_unique_and_links_have_targets(page):
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert set(re.findall(r'(?:labelledby|for)="([^"]*)"', page)) <= set(ids)


def test_every_drawing_has_a_text_alternative(page):
    drawings = re.findall(r"<svg[^>]*>", page)
    labelled = [d for d in drawings if "aria-label=" in d or 'aria-hidden="true"' in d]
    nested = [d for d in drawings if 'overflow="visible"' in d]
    assert len(drawings) == len(labelled) + len(nested)


def test_an_unfinished_study_lists_missing_sections():
    page = render(ReportData("Only begun"))
    assert "There is no verdict yet." in page
    assert "<li>Verdicts</li>" in page
    assert "MEG recordings" not in page
    assert "brain structure" not in page
    assert ReportData("x").missing[:4] == ("cohort", "units", "literals", "verdicts")


@pytest.mark.parametrize("name", ["claims", "verdicts", "personas", "null", "stability", "benefit"])
def test_every_number_is_one_of_the_results(data, page, name):
    values = data.units["value"].values
    numbers = set(data.verdicts.select_dtypes("number").to_numpy(float).ravel())
    for values_by_key in (data.summary, data.settings):
        for _, value in flatten(values_by_key):
            numbers.update([float(value)] if is_number(value) else [])
    numbers |= set(data.literals["low"]) | set(data.literals["high"])
    numbers |= set(data.stability["frequency"]) | set(values[np.isfinite(values)])
    numbers |= {len(data.verdicts), data.units.sizes["unit"], data.cohort.sizes["case"], 0.0, 2.0}
    printed = page_numbers(page_section(page, name))
    assert printed
    assert [pair for pair in printed if pair[0] not in numbers] == []


def test_summary_and_settings_are_complete(data, page):
    exact = [value for value, _ in page_numbers(page_section(page, "numbers"))]
    assert exact == [float(v) for _, v in flatten(data.summary) if is_number(v)]
    for key, _ in flatten(data.settings):
        assert f"<code>{key}</code>" in page_section(page, "methods")


def test_missing_values_print_as_absent(data):
    table = data.verdicts.copy()
    table[["recurrence", "recurrence_low", "recurrence_high", "d_mean", "active_low"]] = np.nan
    page = render(replace(data, verdicts=table))
    assert "nan" not in page_section(page, "verdicts").replace('data-key="nan"', "")
    assert ">nan" not in page_section(page, "personas")


def test_measured_percentages_have_one_decimal(page):
    pairs = re.findall(r'<data value="([^"]+)">([^<]*?)\N{NO-BREAK SPACE}%</data>', page)
    assert len(pairs) > 50
    from_settings = {"0.05", "0.1", "0.4", "0.5"}
    for exact, text in pairs:
        has_decimal = re.fullmatch(r"(&lt;\N{NO-BREAK SPACE})?\d+\.\d", text)
        assert has_decimal or exact in from_settings, (exact, text)


def test_a_study_without_personas_has_a_page(data):
    page = render(replace(data, verdicts=data.verdicts.iloc[:0]))
    assert 'class="claim none"' in page
    assert "<tbody" not in page_section(page, "verdicts")


def test_write_report_takes_cohort_and_verdicts(data, tmp_path):
    path = kd.write_report(data.cohort, data.verdicts, tmp_path / "r.html", title="Mine")
    assert "<h1>Mine</h1>" in path.read_text("utf-8")


def test_errors_name_part_column_and_path(data, tmp_path):
    with pytest.raises(InputError, match="unknown part of a report, found 'verdict'"):
        kd.write_report(data.cohort, data.verdicts, "r.html", verdict=1)
    with pytest.raises(InputError, match=r"verdicts table of a report lacks columns.*p_adjusted"):
        replace(data, verdicts=data.verdicts.drop(columns="p_adjusted"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "file"))):
        kd.write_report(data.cohort, data.verdicts, tmp_path / "file" / "r.html")


def test_a_large_study_stays_small(tmp_path):
    data = make_data(rows=1000)
    relabelling = np.repeat(np.arange(5000), 2)
    nulls = pd.DataFrame({"relabelling": relabelling, "q": 0.0})
    nulls["t"] = np.random.default_rng(0).gumbel(3.4, 0.35, len(nulls))
    path = write_page(replace(data, nulls=nulls), tmp_path / "large.html")
    assert path.stat().st_size < 5_000_000


def test_importing_and_drawing_load_no_more_than_needed():
    code = """
import sys
import ketadask.report.page
assert "matplotlib" not in sys.modules
from ketadask.report.canvas import draw
draw("a", "alt", (90, 90), lambda surface: surface.axes(9, 9, 9, 9).plot([0, 1]))
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
