"""Several trials: tables as views, forest plots, and claims."""

import re
from dataclasses import replace

import pytest

from ketadask import names as nm
from ketadask.inference.trial_effects import summarise_left_out
from ketadask.report.context import build_context
from ketadask.report.page import render
from ketadask.report.trials import across_view
from tests.report.example_data import page_numbers, page_section
from tests.report.example_parts import make_trial_data


@pytest.fixture(scope="module")
def trial_data():
    return make_trial_data()


@pytest.fixture(scope="module")
def view(trial_data):
    return across_view(build_context(trial_data))


@pytest.fixture(scope="module")
def section(trial_data):
    return page_section(render(trial_data), "across")


def test_a_study_of_one_trial_has_no_such_section(context, page):
    assert across_view(context) is None
    assert 'id="across"' not in page


def test_every_number_is_one_of_the_tables(trial_data, section):
    numbers = {8.0, 10.0, 60.0}
    for table in trial_data.trials.values():
        numbers |= set(table.select_dtypes("number").to_numpy(float).ravel())
    for facts in trial_data.summary["trials"]["left_out"].values():
        numbers |= {float(v) for v in facts.values()}
    printed = page_numbers(section)
    assert len(printed) > 100
    assert [pair for pair in printed if pair[0] not in numbers] == []


def test_forest_plots_have_each_trial_the_mean_and_a_prediction(trial_data, view):
    figures = [forest.figure for forest in view.forests]
    assert len(figures) == 3
    for k in range(1, 9):
        assert f"trial-{k} " in figures[0].alt
    mean = trial_data.trials["summaries"]["effect"][0]
    assert f"; mean {mean:.1f}" in figures[0].alt
    assert "; prediction for a new trial " in figures[0].alt
    assert "trial-8 not estimated" in figures[2].alt
    titles = re.findall(r"<title>([^<]*)</title>", figures[0].wide + figures[1].wide)
    squares = [title for title in titles if title.startswith("trial-1: ")]
    assert [title.endswith("not found without this trial") for title in squares] == [True, False]
    assert [
        title
        for title in titles
        if title.startswith("all trials") and title.endswith("; mean of 8 trials")
    ]


def test_personas_hold_where_the_summaries_say(view):
    first, second = view.forests[0].persona, view.forests[1].persona
    assert (first.consistency, first.only_trial) == ("in a single trial only", "trial-1")
    assert second.consistency == "in all trials"
    assert [trial.is_rediscovered for trial in view.forests[1].trials] == [True] * 8


def test_noise_that_agrees_in_all_trials_makes_no_claim(trial_data):
    verdict = trial_data.verdicts["verdict"].mask(trial_data.verdicts["rank"] == 2, nm.NOISE)
    data = replace(trial_data, verdicts=trial_data.verdicts.assign(verdict=verdict))
    assert data.trials["summaries"]["consistency"][1] == "in all trials"
    assert build_context(data).personas[1].consistency == ""
    assert "in all trials" not in page_section(render(data), "across").lower()


def test_two_trials_have_no_prediction():
    for forest in across_view(build_context(make_trial_data(trials=2))).forests:
        assert "needs three trials" in forest.figure.wide
        assert "new trial −" not in forest.figure.alt


def test_texts_are_escaped_and_tables_can_be_downloaded(view, section):
    assert "&lt;i&gt;x&lt;/i&gt;" in section
    assert "<i>x</i>" not in section
    assert [d.name for d in view.downloads] == ["trials.csv", "summaries.csv", "left_out.csv"]


def test_the_same_data_give_the_same_figures(figure_cache):
    one = across_view(build_context(make_trial_data(trials=3))).forests[0].figure
    figure_cache.clear()
    assert across_view(build_context(make_trial_data(trials=3))).forests[0].figure == one


@pytest.mark.parametrize("n_estimated", [0, 1, 2])
def test_trials_without_an_estimate_are_not_averaged(n_estimated):
    data = make_trial_data(trials=3)
    table = data.trials["left_out"].copy()
    later = table.groupby("polarity").cumcount() >= n_estimated
    table.loc[later, ["effect", "se", "low", "high"]] = None
    trials = {"count": 3, "left_out": summarise_left_out(table)}
    summary = {**data.summary, "trials": trials}
    data = replace(data, trials={**data.trials, "left_out": table}, summary=summary)
    view = across_view(build_context(data))
    assert [facts.n_estimated for facts, _ in view.left_out.values()] == [n_estimated] * 2
    section = page_section(render(data), "across")
    assert section.count("not estimated") >= 2 * (3 - n_estimated)
    assert ("mean effect <data" in section) == (n_estimated > 0)
