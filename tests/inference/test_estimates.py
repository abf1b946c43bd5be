"""Intervals and shrunken estimates of benefit differences."""

from __future__ import annotations

import numpy as np
import pytest

from ketadask.inference.estimates import CORRECTED, SHRINKAGE_POWER, benefit_differences
from ketadask.inference.null import IDS, critical_value
from ketadask.inference.second_stage import SEARCH_Q, STUDENTISED
from tests.inference.small_problems import BruteSearch, make_problem, verdicts_of


def test_interval_and_shrunken_estimate_follow_their_formulas():
    problem, search = make_problem(n=40, features=4, seed=3, planted=3.0), BruteSearch()
    ids = verdicts_of(problem, search)[list(IDS)].to_numpy()[:1]
    maxima = np.linspace(1.0, 4.0, 39)[None]
    row = benefit_differences(problem, search, ids, {STUDENTISED: maxima}).iloc[0]
    inside = problem.literals.conjunction(ids)[0]
    score = problem.trial.score
    assert row["difference"] == pytest.approx(score[inside].mean() - score[~inside].mean())
    assert row["outside"] == (~inside).sum()
    reach = (row["difference_high"] - row["difference_low"]) / 2
    t = row["difference"] / (reach / critical_value(maxima, 0.05))
    shrinkage = max(0.0, 1.0 - (np.sqrt((maxima**2).mean()) / t) ** SHRINKAGE_POWER)
    assert row["difference_shrunken"] == pytest.approx(row["difference"] * shrinkage)


def test_the_wider_interval_of_t_and_q_counts():
    problem, search = make_problem(n=40, features=4, seed=3, planted=3.0), BruteSearch()
    ids = verdicts_of(problem, search)[list(IDS)].to_numpy()[:6]
    maxima = {STUDENTISED: np.linspace(1.0, 4.0, 39)[None]}
    maxima[SEARCH_Q] = 0.93 * maxima[STUDENTISED]
    t, q, both = (
        benefit_differences(problem, search, ids, {name: maxima[name] for name in names})
        for names in ((STUDENTISED,), (SEARCH_Q,), (STUDENTISED, SEARCH_Q))
    )
    assert 0 < (t["difference_low"] < q["difference_low"]).sum() < len(ids)
    for name, wider in (("difference_low", np.minimum), ("difference_high", np.maximum)):
        assert both[name].to_numpy() == pytest.approx(wider(t[name], q[name]).to_numpy())
    assert both["difference_shrunken"].equals(t["difference_shrunken"])


def test_too_few_relabelled_trials_give_no_interval():
    problem, search = make_problem(n=40, seed=3), BruteSearch()
    ids = verdicts_of(problem, search)[list(IDS)].to_numpy()[:2]
    table = benefit_differences(problem, search, ids, {STUDENTISED: np.ones((1, 18))})
    assert table[list(CORRECTED)].isna().all(axis=None)
    assert table["difference"].notna().all()


def test_a_persona_that_is_not_ranked_by_t_has_no_interval():
    problem = make_problem(n=40, features=4, seed=3, planted=5.0)
    table = verdicts_of(problem, BruteSearch(), jaccard=1.0, candidates=5)
    has_interval = table["difference_low"].notna()
    assert 1 <= has_interval.sum() <= 5 < len(table)
    assert (table.loc[~has_interval, "p_adjusted"] == 1).all()
    assert has_interval.iloc[0]
