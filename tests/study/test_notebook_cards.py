"""Cards of a notebook: their numbers, names that are escaped, no identifiers, words for colours."""

import re

import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.inference.notebook import NullDistribution
from ketadask.schema.cohort import Cohort
from ketadask.schema.notebook_card import NotebookCard
from ketadask.schema.tables import EXCLUSIONS
from ketadask.study.notebook_cards import card_html
from ketadask.study.plan import TrialPlan
from tests.cohort.cohorts import crossover_cohort
from tests.search.test_persona import literal, persona

HOSTILE = "<script>alert(1)</script> & co"


def words(value):
    """Return the text of a card outside its figure, without colours and other markup."""
    html = value._repr_html_()
    assert HOSTILE not in html
    assert not re.search(r"<script|<style|var\(", html)
    assert re.match(r'<div style="[^"]*background:#\w+;color:#\w+', html)  # dark notebooks too
    html = re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("\xa0", " ").split())


def drawing(value):
    return re.search(r"<svg.*</svg>", value._repr_html_(), flags=re.DOTALL)[0]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A cohort of 40 in which the label of a feature is hostile."""
    dataset = crossover_cohort(40, features=3)
    dataset["label"] = ("feature", [HOSTILE, "the second", ""])
    search = kd.PersonaSearch(max_literals=1, cuts=3, keep=4)
    store = tmp_path_factory.mktemp("store")
    search.run(dataset, kd.HoldoutSplit(15, seed=7), store=store)  # more splits than in the card
    hits = search.run(dataset, kd.HoldoutSplit(10, seed=7), store=store)
    return hits, kd.null(search, dataset, relabellings=39, store=store)


def test_a_cohort_shows_its_numbers_and_no_participant():
    dataset = crossover_cohort(3)
    exclusions = pd.DataFrame(
        [("sub-K9", 1, "no file sub-K9_meg.ds"), ("s8", 1, HOSTILE)],
        columns=list(EXCLUSIONS.columns),
    )
    cohort = Cohort(dataset, exclusions, dropped={"sex": "constant"})
    text = words(cohort)
    for part in (
        "Participants 3 (6 cases: 3 active, 3 control)",
        "Outcome MADRS at day 1",
        "Features 4 (4 scale); 0.0 % of values missing",
        "Features dropped 1",
        "Exclusions 2 (1 no file [participant]_meg.ds, 1 &lt;script&gt;",
        "Findings in files 0",
    ):
        assert part in text
    for name in (*dataset["participant"].values, "K9"):
        assert str(name) not in cohort._repr_html_()


def test_a_search_says_that_the_best_is_no_finding(study):
    hits, _ = study
    assert "Search, not run yet" in words(kd.PersonaSearch(max_literals=2))
    text, result = words(hits.search), hits.result_by_polarity["favourable"]
    assert "up to 1 value ranges; the best 4 are kept" in text
    assert f"Q {result.q[0]:.2f}, {result.support[0]} units inside, proven best" in text
    assert "40 units" in text
    assert not re.search(r"\bx[01]\b", text)
    assert "kd.judge test it" in text


def test_hits_draw_how_often_features_are_selected(study):
    hits, _ = study
    table = hits.hits[hits.hits["heterogeneity_train"]]
    feature = hits.problem.literals.feature[table["literal_1"]]
    by_feature = table.assign(feature=feature).groupby(["polarity", "feature"])["split"].nunique()
    text = words(hits)
    assert "Splits 10 (crossover)" in text
    assert f"in {10.0 * by_feature.max():.1f} % of splits" in text
    assert "fraction of splits" in drawing(hits)
    for name in ("&lt;script&gt;", "the second", "x2"):  # labels, and the name of what has none
        assert name in drawing(hits)


def test_a_null_distribution_draws_what_a_finding_needs(study):
    _, null = study
    largest = np.sort(null.maxima["t"])
    text = words(null)
    assert "39 (seed 7)" in text
    assert "Smallest possible p 0.025" in text
    assert f"median {np.median(largest):.2f}, at most {largest[-1]:.2f}" in text
    assert f"p at most 0.05 where t is above {largest[-2]:.2f}" in text
    assert f"critical {largest[-2]:.2f}" in drawing(null)
    few = NullDistribution(null.table[null.table["relabelling"] < 5], "", 7, HOSTILE)
    assert "never, too few relabelled trials" in words(few)


def test_a_persona_shows_labels_before_columns_and_its_corrected_interval():
    text = words(persona(literal(label=HOSTILE)))
    assert "at least 1 (bdi_10)" in text
    text = words(persona())
    for part in (
        "BDI item 10: crying at least 1 (bdi_10); and left thalamus",
        "benefits more than the others: improvement in MADRS at day 7, ketamine compared with",
        "20 inside (34.5 %), 38 outside, 2 unknown",
        "9.0 inside, 2.0 outside (points)",
        "supported, p 0.010",
        "7.0 on these data, 5.5 (1.5 to 12.5) corrected",
    ):
        assert part in text
    assert "persona 1, corrected: 5.5" in drawing(persona())


def test_a_plan_shows_sizes_and_power(tmp_path):
    row = {"question": HOSTILE, "randomised": 1250.0, "screened": 2000.0}
    rows = [
        {"design": "enriched", **row, "power": 0.8, "assurance": 0.61},
        {"design": "stratified", **row, "randomised": np.nan, "power": np.nan},
    ]
    text = words(TrialPlan(pd.DataFrame(rows), pd.DataFrame(), tmp_path))
    assert "1,250 randomised, 2,000 screened; power 80.0 %" in text
    assert "effect 61.0 %" in text
    assert "no size reaches the power" in text
    assert str(tmp_path) not in text


def test_every_card_is_written():
    for kind in NotebookCard.__subclasses__():
        assert card_html.dispatch(kind) is not card_html.dispatch(object), kind


def test_there_is_no_card_of_other_objects():
    with pytest.raises(TypeError, match="no card of a int"):
        card_html(3)
