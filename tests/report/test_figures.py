"""Relabelled trials, stability, and drawings that adapt to the page."""

import re
from dataclasses import replace

import numpy as np

from ketadask.report.context import build_context
from ketadask.report.figures import benefit_view, null_view, stability_view
from ketadask.report.format import format_fixed


def test_null_is_the_largest_over_both_polarities(data, context):
    view = null_view(context)
    assert view.n_relabellings == data.nulls["relabelling"].nunique()
    assert view.best_q == data.verdicts.groupby("polarity")["t"].max().to_dict()
    assert view.critical == data.summary["critical_value"]


def test_personas_that_are_not_compared_are_not_drawn(data):
    """By t, a persona beyond the candidates may exceed all that are compared, with p = 1."""
    beyond = data.verdicts["rank"] == 12
    verdicts = data.verdicts.assign(
        t=data.verdicts["t"].mask(beyond, 9.0),
        p_single_step=data.verdicts["p_single_step"].clip(upper=0.9).mask(beyond, 1.0),
    )
    view = null_view(build_context(replace(data, verdicts=verdicts)))
    assert max(view.best_q.values()) == data.verdicts["t"].max() < 9.0


def test_relabelled_trials_without_a_persona_are_not_drawn(data):
    nulls = data.nulls.assign(t=-np.inf)
    assert null_view(build_context(replace(data, nulls=nulls))) is None
    nulls.loc[3, "t"] = 4.0
    assert null_view(build_context(replace(data, nulls=nulls))) is not None


def test_figures_have_colours_and_fonts_of_the_page_and_change_no_defaults(context):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figure = null_view(context).figure
    assert dict(mpl.rcParams) == before
    for svg in (figure.wide, figure.narrow):
        assert "var(--soft)" in svg
        assert "var(--ink)" in svg
        assert "<text" in svg
        assert "DejaVu" not in svg
        assert not re.search(r"#0[1-8]0[1-8]0[1-8]", svg)
        assert ">critical 4.61<" in svg


def test_stability_lists_the_most_frequent_features(data, context):
    view = stability_view(context)
    highest = data.stability.groupby("feature")["frequency"].max().sort_values(ascending=False)
    assert [max(f.frequency.values()) for f in view.features] == highest.head(20).tolist()
    assert view.selection.keys() == {"favourable", "unfavourable"}
    table = data.stability[["feature", "frequency"]].drop_duplicates("feature")
    single = stability_view(build_context(replace(data, stability=table)))
    frequency = [f.frequency["selected"] for f in single.features]
    assert frequency == sorted(table["frequency"], reverse=True)[: len(frequency)]


def test_benefit_has_the_first_ten_personas(context):
    assert [row.rank for row in benefit_view(context).rows] == list(range(1, 11))
    assert benefit_view(context).has_intervals


def test_benefit_names_the_corrected_and_the_selected_difference(data, context):
    row = context.personas[0]
    alt = benefit_view(context).figure.wide
    for value in (row.difference, row.difference_low, row.difference_high, row.difference_shrunken):
        assert format_fixed(value) in alt
    without = data.verdicts.assign(difference_low=np.nan, difference_high=np.nan)
    view = benefit_view(build_context(replace(data, verdicts=without)))
    assert not view.has_intervals
    assert "corrected" not in view.figure.wide


def test_a_polarity_without_a_persona_on_all_data_has_no_line(data):
    unfavourable = data.verdicts["polarity"] == "unfavourable"
    verdicts = data.verdicts.assign(t=data.verdicts["t"].mask(unfavourable))
    view = null_view(build_context(replace(data, verdicts=verdicts)))
    assert list(view.best_q) == ["favourable"]
