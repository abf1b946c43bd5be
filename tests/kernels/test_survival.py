"""Time to event and counts against statsmodels, pseudo-observations against their definition."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from ketadask.kernels.survival import (
    COMPETING,
    pseudo_observations,
    rate_contributions,
    restricted_mean,
)

RNG = np.random.default_rng(4)


def trial(n, *, competing=0.0, ties=False):
    time, censoring = RNG.exponential(10, n), RNG.uniform(2, 30, n)
    event = (time <= censoring).astype(int)
    event[(event == 1) & (RNG.random(n) < competing)] = COMPETING
    time = np.minimum(time, censoring)
    return (np.ceil(time) if ties else time), event


def area(times, height, horizon, start):
    """Area under a step function that is ``start`` before the first time."""
    inside = times < horizon
    edges = np.concatenate(([0.0], times[inside], [horizon]))
    return float(np.diff(edges) @ np.concatenate(([start], height[inside])))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("horizon", [5.0, 12.0])
def test_restricted_means_are_those_of_statsmodels(ties, horizon):
    time, event = trial(80, ties=ties)
    curve = SurvfuncRight(time, event)
    expected = area(curve.surv_times, curve.surv_prob, horizon, 1.0)
    assert restricted_mean(time, event, horizon) == pytest.approx(expected, abs=1e-10)


def test_with_competing_events_the_incidence_is_that_of_statsmodels():
    time, event = trial(80, competing=0.4)
    incidence = CumIncidenceRight(time, event)
    expected = 12.0 - area(incidence.times, incidence.cinc[0], 12.0, 0.0)
    assert restricted_mean(time, event, 12.0) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("competing", [0.0, 0.4])
@pytest.mark.parametrize("ties", [False, True])
def test_pseudo_observations_leave_each_unit_out(competing, ties):
    time, event = trial(40, competing=competing, ties=ties)
    whole, n = restricted_mean(time, event, 12.0), len(time)
    expected = [
        n * whole - (n - 1) * restricted_mean(np.delete(time, u), np.delete(event, u), 12.0)
        for u in range(n)
    ]
    assert pseudo_observations(time, event, 12.0) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 30), min_size=2, max_size=30), st.floats(1, 40))
def test_without_censoring_each_unit_has_its_own_time(times, horizon):
    time = np.array(times)
    values = pseudo_observations(time, np.ones(len(time), dtype=int), horizon)
    assert values == pytest.approx(np.minimum(time, horizon), abs=1e-8)


def test_the_difference_of_restricted_means_is_that_of_the_pseudo_observations():
    arms = [trial(150), trial(150)]
    mine = [pseudo_observations(time, event, 12.0).mean() for time, event in arms]
    curves = [SurvfuncRight(time, event) for time, event in arms]
    reference = [area(c.surv_times, c.surv_prob, 12.0, 1.0) for c in curves]
    assert mine[0] - mine[1] == pytest.approx(reference[0] - reference[1], abs=1e-6)


def test_the_rate_of_counts_and_its_standard_error_are_those_of_a_poisson_model():
    exposure = RNG.uniform(0.2, 2, 90)
    count = RNG.poisson(1.5 * exposure * RNG.gamma(2, 0.5, 90)).astype(float)
    values = rate_contributions(count, exposure)
    frame = pd.DataFrame({"one": np.ones(90)})
    model = sm.GLM(count, frame, family=sm.families.Poisson(), exposure=exposure)
    fit = model.fit(cov_type="HC0", tol=1e-12)
    rate = float(np.exp(fit.params.iloc[0]))
    assert values.mean() == pytest.approx(rate, abs=1e-10)
    assert values.std() / np.sqrt(90) == pytest.approx(rate * float(fit.bse.iloc[0]), rel=1e-6)
