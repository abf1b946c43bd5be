"""Null, adjustment and strata in words, each with its reason, and sites that differ."""

from dataclasses import replace

import pytest

from ketadask.report.comparison import ComparisonFacts
from ketadask.report.context import build_context
from ketadask.report.page import render
from tests.report.example_data import page_section

SITES = ComparisonFacts(
    "parallel",
    "features",
    "studentised",
    20,
    "ridge",
    0.31,
    40,
    n_sites=5,
    n_levels=3,
    sites_p=0.01,
)


def test_the_line_names_null_strata_adjustment_statistic_and_clusters():
    assert SITES.line() == (
        "features are exchanged between participants of the same site (5 sites, small ones "
        "merged: 3 levels; benefit and features may differ between sites); scores are adjusted"
        " by ridge regression on 40 features (R2 0.31 in participants left out), because "
        "baselines predict outcomes on both arms; the 20 best personas are compared by a "
        "studentised difference, because the spread of benefit may differ; personas are "
        "supported at p 0.05; clusters: none"
    )


@pytest.mark.parametrize(
    ("facts", "strata"),
    [
        (ComparisonFacts("crossover"), "sequence"),
        (ComparisonFacts("crossover", n_sites=3, n_levels=3), "site and sequence"),
        (ComparisonFacts("crossover", n_trials=2, n_sites=2, n_levels=2), "trial and sequence"),
        (
            ComparisonFacts("pooled", n_trials=2, n_sites=4, n_levels=4),
            "trial, site and pattern of arms",
        ),
        (ComparisonFacts("parallel"), ""),
        (ComparisonFacts("parallel", within_arm=True), "arm"),
    ],
)
def test_strata_are_those_of_the_design(facts, strata):
    assert facts.strata == strata
    expected = f"exchanged between participants{' of the same ' + strata if strata else ''}"
    assert facts.null_text.endswith(expected)


def test_every_null_adjustment_and_cluster_has_its_words():
    arms = replace(SITES, method="arms").null_text
    assert (
        arms
        == "arms are randomised again within site, assuming the same effect for all participants"
    )
    assert replace(SITES, method="no-effect").null_text.endswith("within site, assuming no effect")
    both = replace(SITES, method="both").null_text
    assert both.endswith("the larger p counts")
    assert "predicts no better than the means" in replace(SITES, r2=0.0).adjustment_text
    assert replace(SITES, adjust="none").adjustment_text.endswith("as design.adjust says")
    paired = replace(SITES, design="crossover")
    assert paired.adjustment_text.endswith("predict the change from period to period")
    assert replace(paired, r2=0.0).adjustment_text.endswith("than the means of the sequences")
    assert "by Q" in replace(SITES, statistic="q").statistic_text
    levels = replace(SITES, alpha=0.04, linear_alpha=0.01).level_text
    assert levels == "personas are supported at p 0.04, a linear modifier at 0.01"
    family = replace(SITES, cluster="family", n_clusters=31)
    assert family.cluster_text == "clusters: 31 by family, exchanged and split as one"


@pytest.mark.parametrize(("p", "differ"), [(0.01, True), (0.2, False), (None, False)])
def test_the_first_page_says_that_sites_differ(data, p, differ):
    summary = {**data.summary, "comparison": vars(replace(SITES, sites_p=p))}
    context = build_context(replace(data, summary=summary))
    assert context.comparison.sites_differ == differ
    page = render(replace(data, summary=summary))
    assert ("Sites differ." in page_section(page, "claims")) == differ
    methods = page_section(page, "methods")
    assert "adjusted by ridge regression on 40 features" in methods
    assert ('value="0.01">0.010<' in methods) == (p == 0.01)


def test_methods_name_the_adjustment_once_and_do_not_contradict_it(data):
    summary = {**data.summary, "comparison": vars(replace(SITES, design="crossover", r2=0.0))}
    methods = page_section(render(replace(data, summary=summary)), "methods")
    assert methods.count("scores are not adjusted") == 1
    assert "were adjusted" not in methods


@pytest.mark.parametrize("method", ["features", "arms", "no-effect", "both"])
def test_the_comparison_describes_each_kind_of_relabelled_trial(data, method):
    null = {**data.settings["null"], "method": method}
    summary = {**data.summary, "comparison": vars(replace(SITES, method=method))}
    changed = replace(data, summary=summary, settings={**data.settings, "null": null})
    section = page_section(render(changed), "null")
    assert ("has the features of the real trial, but arms" in section) == (
        method in ("arms", "no-effect")
    )
    assert ("two kinds of relabelled trials" in section) == (method == "both")
