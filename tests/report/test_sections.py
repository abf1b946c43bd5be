"""What single sections say: flow, missing values, range bars, figures, parts given by hand."""

import re
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import escape

import ketadask as kd
from ketadask import names as nm
from ketadask.report.checklists import checklist
from ketadask.report.figures import null_figure, stability_figure
from ketadask.report.labels import Mask
from ketadask.report.marks import range_bar, shared_axis
from ketadask.report.page import render, write_page
from ketadask.report.participants import flow_view, missingness
from ketadask.report.report_data import ReportData
from ketadask.schema.errors import InputError
from tests.report.made_findings import make_findings
from tests.report.test_numbers import section


def test_flow_tells_before_the_cohort_from_before_the_search(findings):
    late = {"participant": "sub-KX0001", "period": 0, "reason": "one period only"}
    excluded = pd.concat([findings.exclusions, pd.DataFrame([late])], ignore_index=True)
    told = flow_view(replace(findings, exclusions=excluded), Mask(()), identifiers=False)
    assert told["assessed"] == 36
    assert told["before"] == [
        {"reason": "no outcome at day 7", "participants": 2},
        {"reason": "one period only", "participants": 1},
    ]
    assert told["after"] == [{"reason": "one period only", "participants": 1}]
    assert told["listed"] == []


def test_exclusions_come_from_the_datasets_where_no_table_is_given(findings):
    bare = replace(findings, exclusions=None)
    assert len(bare.excluded()) == 3
    listed = bare.units.assign_attrs(exclusions="[]")
    assert len(replace(bare, units=listed).excluded()) == 0


@pytest.mark.filterwarnings("error")
def test_of_nobody_nothing_is_missing(findings):
    nobody = findings.units.isel({nm.UNIT: []})
    assert missingness(replace(findings, units=nobody)) is None


def test_missingness_is_that_of_the_units(findings):
    view = missingness(findings)
    values = findings.units["value"].to_pandas()
    for family in view["families"]:
        mine = values.loc[:, findings.units["family"].values == family["family"]]
        assert family["share"] == pytest.approx(mine.isna().to_numpy().mean())
        assert family["worst_share"] == pytest.approx(mine.isna().mean().max())


@given(
    st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=60),
    st.floats(-60, 60) | st.just(-np.inf),
    st.floats(-60, 60) | st.just(np.inf),
)
def test_range_bar_is_whole_and_takes_what_the_persona_takes(values, one, other):
    low, high = min(one, other), max(one, other)
    data = np.array([*values, np.nan])
    bar = range_bar(data, low, high)
    if bar is None:
        assert len(set(values)) == 1
        return
    assert sum(p.width for p in bar.pieces) == pytest.approx(100, abs=0.1)
    assert (bar.low, bar.high) == (min(values), max(values))
    taken = any(low < v <= high for v in values)
    if taken and len(set(values)) <= 8:
        share = sum(p.taken for p in bar.pieces) / len(bar.pieces)
        levels = sorted(set(values))
        assert share == sum(low < v <= high for v in levels) / len(levels)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
@example([5e-324])
def test_axis_holds_every_value(values):
    axis = shared_axis(values)
    little = 1e-6 * (axis.high - axis.low)
    assert axis.low <= min(*values, 0) + little
    assert axis.high >= max(*values, 0) - little
    assert len(axis.ticks) <= 8


def test_null_is_the_largest_over_both_polarities(findings):
    _, view = null_figure(findings)
    assert view["count"] == findings.nulls["relabelling"].nunique()
    assert dict(view["observed"]) == findings.verdicts.groupby("polarity")["q"].max().to_dict()
    assert view["critical"] == findings.summary["critical_value"]


def test_empty_relabelled_trials_do_not_break_the_figure(findings):
    nulls = findings.nulls.assign(q=-np.inf)
    assert null_figure(replace(findings, nulls=nulls)) is None
    nulls.loc[3, "q"] = 4.0
    assert null_figure(replace(findings, nulls=nulls)) is not None


def test_figures_take_colours_and_fonts_from_the_page(findings):
    drawing, *_ = null_figure(findings)
    for svg in (drawing.wide, drawing.narrow):
        assert "var(--soft)" in svg
        assert "var(--ink)" in svg
        assert "<text" in svg
        assert "DejaVu" not in svg
        assert not re.search(r"#0[1-8]0[1-8]0[1-8]", svg)
        assert ">critical 4.61<" in svg


def test_stability_without_polarity_is_drawn_too(findings):
    table = findings.stability[["feature", "frequency"]].drop_duplicates("feature")
    _, rows, _ = stability_figure(replace(findings, stability=table))
    frequency = [row["found"]["selected"]["frequency"] for row in rows]
    assert frequency == sorted(table["frequency"], reverse=True)[: len(rows)]


def test_drawing_changes_nothing_global(findings):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    null_figure(findings)
    assert dict(mpl.rcParams) == before


def test_too_few_relabellings_are_named():
    made = make_findings(nm.NOISE)
    few = replace(made, nulls=made.nulls[made.nulls["relabelling"] < 9])
    assert "relabelled trials are too few for any persona" in render(few)
    assert "relabelled trials are too few for any persona" not in render(made)


def test_saturated_search_is_named(findings, page):
    assert "That the search had room" in page
    roomy = {"polarities": {nm.FAVOURABLE: {"saturation": 0.4}}}
    assert "That the search had room" not in render(replace(findings, summary=roomy))


def test_only_simulated_studies_are_called_so(findings, page):
    assert "Simulated data." in page
    real = {**findings.settings, "data": {"folder": "study", "simulate": None}}
    assert "Simulated data." not in render(replace(findings, settings=real))


def test_no_persona_at_all(findings):
    html = render(replace(findings, verdicts=findings.verdicts.iloc[:0]))
    assert "Nothing is supported." in html
    assert "The search kept no persona" in html


def test_kd_report_works_from_cohort_and_verdicts_alone(findings, tmp_path):
    for name in ("one.html", "two.html"):
        path = kd.write_report(findings.cohort, findings.verdicts, tmp_path / name, title="Mine")
    assert "<h1>Mine</h1>" in path.read_text("utf-8")


def test_unwritable_path_is_one_line(findings, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write, a file stands where a folder is needed"):
        kd.write_report(findings.cohort, findings.verdicts, tmp_path / "file" / "r.html")


def test_a_large_study_stays_small_and_fast(tmp_path):
    made = make_findings(rows=1000)
    relabelled = np.repeat(np.arange(5000), 2)
    nulls = pd.DataFrame({"relabelling": relabelled, "polarity": list(nm.POLARITIES) * 5000})
    nulls["q"] = np.random.default_rng(0).gumbel(3.4, 0.35, len(nulls))
    summary = {**made.summary, "splits": 10_000, "relabellings": 5000}
    start = time.process_time()
    path = write_page(replace(made, nulls=nulls, summary=summary), tmp_path / "large.html")
    assert time.process_time() - start < 20
    assert path.stat().st_size < 5_000_000


def test_importing_the_floor_does_not_load_matplotlib():
    code = (
        "import sys, ketadask.report as r; r.write_report; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_does_not_load_pyplot():
    code = """
import sys
from ketadask.report.canvas import draw
draw("a", "alt", (90, 90), lambda surface: surface.axes(9, 9, 9, 9).plot([0, 1]))
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parts_missing_are_named():
    assert ReportData("x").missing[:4] == ("cohort", "units", "literals", "verdicts")


@pytest.mark.parametrize("tested", [True, False])
def test_many_supported_personas_are_not_sold_as_unrelated(findings, tested):
    table = findings.verdicts.assign(verdict=nm.SUPPORTED)
    if not tested:
        table["p_beyond"] = np.nan
    text = re.sub(r"<[^>]*>|\s+", " ", render(replace(findings, verdicts=table)))
    assert ("unrelated findings. Each adds to those above it" in text) == tested
    assert ("What each adds to the others was not tested" in text) == (not tested)


def test_what_a_persona_adds_is_on_its_card_and_in_the_table(findings):
    table = findings.verdicts.assign(verdict=nm.SUPPORTED)
    html = render(replace(findings, verdicts=table))
    for name in ("claims", "verdicts", "personas"):
        part = html[html.index(f'<section id="{name}"') :]
        part = part[: part.index("</section>")]
        assert f'value="{float(table["p_beyond"][1])!r}"' in part
        assert "nan" not in part.replace('data-key="nan"', "")
    first = html[html.index('aria-labelledby="card-1"') : html.index('aria-labelledby="card-2"')]
    assert "Adds to better ones" not in first


def test_objective_effect_claims_no_difference(findings):
    search = {**findings.settings["search"], "objective": "effect"}
    html = render(replace(findings, settings={**findings.settings, "search": search}))
    assert "than the others" not in html[: html.index('id="verdicts"')]
    assert "whatever the others did" in html


def test_checklists_answer_what_is_known_and_leave_the_rest_open(findings):
    text = render(findings)
    told = checklist(findings.summary, findings.settings)
    assert text.count("open: for the authors") == sum(answer is None for *_, answer in told)
    assert all(str(escape(item)) in text for _, item, _ in told)


def test_explained_cases_stand_beside_those_of_relabelled_trials(findings):
    page = render(findings)
    section = page[page.index('id="explained-heading"') :]
    section = section[: section.index("</section>")]
    told = re.sub(r"<[^>]+>", "", section)
    assert "first 20 splits were repeated on 19 relabelled trials" in told
    assert "61.2 % relabelled trials 48.7 %, p 0.150" in " ".join(told.split())
    short = {k: v for k, v in findings.explained.items() if k != "accuracy_null"}
    assert "accuracy p" in render(replace(findings, explained=short))


def test_methods_say_carry_over_and_who_had_nobody_to_exchange_with(findings, page):
    assert "carries over" not in page
    assert "nobody to exchange with" not in page
    told = {"alpha": {"p": 0.25, "t": 1.0}, "beta": {"p": 0.5, "t": 0.1}}
    summary = {**findings.summary, "carry_over": told, "units_alone": 1}
    text = re.sub(r"<[^>]*>", "", render(replace(findings, summary=summary)))
    assert "(Welch’s test, alpha: p = 0.250, beta: p = 0.500); nobody was left out" in text
    assert "1 participant had nobody to exchange with" in text


@pytest.mark.parametrize(
    ("strategy", "why"), [("beam", "ran as a beam"), ("exact", "was stopped by its budget")]
)
def test_a_search_without_proof_is_told_on_the_first_page(strategy, why):
    made = make_findings()
    told = {
        p: {**row, "proven": False, "gap": 3.25} for p, row in made.summary["polarities"].items()
    }
    settings = {**made.settings, "search": {**made.settings["search"], "strategy": strategy}}
    page = render(replace(made, summary={**made.summary, "polarities": told}, settings=settings))
    words = f"That no better persona exists. The search {why}"
    assert words in re.sub(r"<[^>]+>", "", section(page, "claims"))
    assert "by how much at most its Q could exceed" in section(page, "saturation")
    assert ("not all of them looked at" in section(page, "methods")) == (strategy == "beam")
    assert words not in re.sub(r"<[^>]+>", "", section(render(made), "claims"))
