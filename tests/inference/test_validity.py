"""Family-wise error: trials without heterogeneity are claimed at the nominal rate, no more."""

import numpy as np
import pytest
from scipy import stats

from ketadask.cohort.designs import TrialArrays, trial_scores
from ketadask.inference.evaluation import PersonaSet
from ketadask.inference.null import null_block
from ketadask.inference.verdicts import adjusted_p
from ketadask.search.encoding import encode_values
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem

B, ALPHA = 19, 0.05
SEARCH = PersonaSearch(2, cuts=1, keep=1, min_support=6)


def trial_without_heterogeneity(design, prognostic, overall, rng, n=30, features=5):
    """Features that predict the outcome in both arms alike, and an effect equal for all."""
    value = rng.normal(size=(n, features))
    course = prognostic * value[:, :2].sum(axis=1)
    outcome = course[:, None] + rng.normal(size=(n, 1)) + rng.normal(size=(n, 2))
    outcome[:, 0] += overall
    active_first = rng.permutation(n) % 2 == 0
    outcome += 0.7 * np.where(active_first[:, None], [0, 1], [1, 0])  # the second period is better
    who, arms = np.arange(n), outcome
    if design == "pooled":
        who = np.repeat(who, 2)
        arms = np.repeat(outcome, 2, axis=0)
        arms[::2, 1], arms[1::2, 0] = np.nan, np.nan
    if design == "parallel":
        arms = np.where(np.where(active_first, 0, 1)[:, None] == [0, 1], outcome, np.nan)
    first, same = active_first[who], np.zeros(len(who), dtype=np.int64)
    stratum = same if design == "parallel" else first.astype(np.int64)
    period = same + 1
    if design == "pooled":
        period = np.where(np.isfinite(arms[:, 0]) == first, 1, 2)
    score = trial_scores(design, arms, stratum=stratum, active_first=first, trial=same)
    trial = TrialArrays(design, arms, who, stratum, stratum, period, first, same, score)
    return SearchProblem(encode_values(value[who], SEARCH), trial)


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_family_wise_error_is_nominal_with_prognostic_features(design):
    assert_nominal(design, 1.5, 2.0, "features", trials=100)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize(("prognostic", "overall"), [(0.0, 0.0), (1.5, 2.0)])
@pytest.mark.parametrize("how", ["features", "arms"])
def test_family_wise_error_is_nominal(design, prognostic, overall, how):
    assert_nominal(design, prognostic, overall, how, trials=300)


def assert_nominal(design, prognostic, overall, how, *, trials):
    claimed = 0
    for number in range(trials):
        rng = np.random.default_rng([11, number])
        problem = trial_without_heterogeneity(design, prognostic, overall, rng)
        found = {p: SEARCH.solve(problem, polarity=p) for p in SEARCH.polarities}
        q = np.concatenate([each.q for each in found.values()])
        nulls = null_block(problem, SEARCH, (0, B - 1), seed=number, method=how, keep=1)
        _, step = adjusted_p(problem, SEARCH, PersonaSet.of(found), q, nulls)
        claimed += step.min() <= ALPHA
    low, high = stats.binom.interval(0.99, trials, ALPHA)
    assert claimed <= high
    if how == "features":
        assert claimed >= low
