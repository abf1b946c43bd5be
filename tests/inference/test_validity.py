"""Family-wise error: trials without heterogeneity are supported at the nominal rate."""

import numpy as np
import pytest
from scipy import stats

from ketadask.cohort.designs import TrialArrays
from ketadask.inference.null import null_block
from ketadask.inference.verdicts import build_verdicts
from ketadask.search.encoding import encode_values
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem
from tests.inference.small_problems import solve_all

B, ALPHA = 19, 0.05
SEARCH = PersonaSearch(2, cuts=1, keep=20, min_support=6)


def trial_without_heterogeneity(design, prognostic, overall, rng, n=30, features=5):
    """Return features that predict the outcome in both arms alike, and an effect equal for all."""
    value = rng.normal(size=(n, features))
    course = prognostic * value[:, :2].sum(axis=1)
    outcome = course[:, None] + rng.normal(size=(n, 1)) + rng.normal(size=(n, 2))
    outcome[:, 0] += overall
    active_first = rng.permutation(n) % 2 == 0
    outcome += 0.7 * np.where(active_first[:, None], [0, 1], [1, 0])  # the second period is better
    participant, arms = np.arange(n), outcome
    if design == "pooled":
        participant = np.repeat(participant, 2)
        arms = np.repeat(outcome, 2, axis=0)
        arms[::2, 1], arms[1::2, 0] = np.nan, np.nan
    if design == "parallel":
        arms = np.where(np.where(active_first, 0, 1)[:, None] == [0, 1], outcome, np.nan)
    first, one = active_first[participant], np.zeros(len(participant), dtype=np.int64)
    stratum = one if design == "parallel" else first.astype(np.int64)
    period = one + 1
    if design == "pooled":
        period = np.where(np.isfinite(arms[:, 0]) == first, 1, 2)
    trial = TrialArrays(design, arms, participant, stratum, stratum, period, first, one)
    return SearchProblem(encode_values(value[participant], SEARCH), trial)


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_family_wise_error_is_nominal_with_prognostic_features(design):
    assert_nominal(design, 1.5, 2.0, "features", trials=100)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize(("prognostic", "overall"), [(0.0, 0.0), (1.5, 2.0)])
@pytest.mark.parametrize("method", ["features", "arms"])
def test_family_wise_error_is_nominal(design, prognostic, overall, method):
    assert_nominal(design, prognostic, overall, method, trials=300)


def assert_nominal(design, prognostic, overall, method, *, trials):
    claims = 0
    for seed in range(trials):
        rng = np.random.default_rng([11, seed])
        problem = trial_without_heterogeneity(design, prognostic, overall, rng)
        table = null_block(problem, SEARCH, (0, B - 1), seed=seed, method=method)
        verdicts = build_verdicts(problem, SEARCH, solve_all(problem, SEARCH), table)
        claims += verdicts["p_adjusted"].min() <= ALPHA
    low, high = stats.binom.interval(0.99, trials, ALPHA)
    assert claims <= high
    if method == "features":
        assert claims >= low
