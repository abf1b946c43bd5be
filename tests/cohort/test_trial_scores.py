"""Scores of whole trials: by a slow reference, by what must not change them, and across sides."""

import pickle

import numpy as np
import pytest

from ketadask.cohort.designs import TrialArrays
from ketadask.kernels.ridge import RELATIVE_PENALTIES, feature_basis, standardise
from tests.kernels.test_ridge import left_out_error

DESIGNS = ("crossover", "pooled", "parallel")


def make_trial(design, seed=0, n=48, features=6, trials=2, sites=3, clusters=False):
    """Return features, and the arguments of a trial with prognosis and sites that differ."""
    rng = np.random.default_rng(seed)
    who = np.arange(n)
    trial, site = who % trials, (who // trials) % sites
    first = (who // (trials * sites)) % 2 == 0
    X = rng.normal(size=(n, features))
    y = rng.normal(0, 3, (n, 2)) + (5.0 * X[:, 0] + 8.0 * site + 3.0 * trial)[:, None] + [4.0, 0.0]
    period = np.ones(n, dtype=np.int64)
    if design == "pooled":
        who, X = np.repeat(who, 2), np.repeat(X, 2, axis=0) + rng.normal(0, 0.3, (2 * n, features))
        period = np.tile([1, 2], n)
        trial, site, first = trial[who], site[who], first[who]
        y = y[who] + rng.normal(0, 1, (2 * n, 2)) + 2.0 * (period == 2)[:, None]
        y[np.arange(2 * n), np.where(first == (period == 1), 1, 0)] = np.nan
        gone = rng.random(2 * n) < 0.1
        who, X, period, trial, site, first, y = (
            values[~gone] for values in (who, X, period, trial, site, first, y)
        )
    if design == "parallel":
        y[np.arange(n), np.where(first, 1, 0)] = np.nan
    cluster = who // (2 * trials * sites) * 100 + who % (trials * sites) if clusters else who
    zero = np.zeros(len(who), dtype=np.int64)
    return X, {
        "design": design, "outcome": y, "participant": who, "stratum": zero, "split_stratum": zero,
        "period": period, "active_first": first, "trial": trial, "site": site, "cluster": cluster,
        "basis": feature_basis(X),
    }  # fmt: skip


def take(arguments, index):
    return {
        name: values[index] if isinstance(values, np.ndarray) else values
        for name, values in arguments.items()
    }


def reference(trial, X):
    """Return the scores of a trial by explicit matrices and loops."""
    level = trial.levels()
    y = np.nansum(trial.outcome, axis=1)
    active = np.isfinite(trial.outcome[:, 0])
    keys = np.column_stack((level, active, trial.period if trial.design == "pooled" else 0 * level))
    cell = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    n, D = len(y), (cell[:, None] == np.unique(cell)).astype(float)
    M = D @ np.linalg.inv(D.T @ D) @ D.T
    Z = standardise(X) / np.sqrt(X.shape[1])
    Zc = Z - M @ Z
    penalties = [r * np.square(Zc).sum() / n for r in RELATIVE_PENALTIES]
    errors = [left_out_error(Z, y, cell, trial.cluster, p) for p in [*penalties, np.inf]]
    R = np.zeros((n, n))
    if np.argmin(errors) < len(penalties):
        inner = Zc.T @ Zc + penalties[int(np.argmin(errors))] * np.eye(Z.shape[1])
        R = Zc @ np.linalg.solve(inner, Zc.T)
    H = M + R
    root = np.sqrt(1 - np.diag(H))
    e = (y - H @ y) / root
    e -= M @ e
    q = np.array([active[level == one].mean() for one in level])
    w = np.where(active, 1 / q, -1 / (1 - q))
    same = trial.cluster[:, None] == trial.cluster
    gain = np.mean(w / root * (((np.eye(n) - R) * same) @ active))
    effects = []
    for one in np.unique(level):
        own, parts = level == one, []
        for period in np.unique(keys[own, 2]):
            here = own & (keys[:, 2] == period)
            a, c = here & active, here & ~active
            if a.any() and c.any():
                weight = a.sum() * c.sum() / here.sum()
                parts.append((y[a].mean() - y[c].mean(), weight))
        effects.append(_mean(parts))
    overall = np.average(effects, weights=np.bincount(level))
    return overall + w * e / gain, errors


def _mean(parts):
    return sum(value * weight for value, weight in parts) / sum(weight for _, weight in parts)


@pytest.mark.parametrize("clusters", [False, True])
@pytest.mark.parametrize("features", [4, 90])
@pytest.mark.parametrize("design", ["pooled", "parallel"])
def test_scores_are_those_of_explicit_matrices(design, features, clusters):
    for seed in range(3):
        X, arguments = make_trial(design, seed, features=features, clusters=clusters)
        trial = TrialArrays(**arguments)
        scores, errors = reference(trial, X)
        assert trial.score == pytest.approx(scores, abs=1e-7)
        assert trial.adjustment().r2 == pytest.approx(1 - min(errors) / errors[-1])
        if features == 4:
            assert trial.adjustment().r2 > 0.3


@pytest.mark.parametrize("design", DESIGNS)
def test_constants_order_and_names_change_no_score(design):
    rng = np.random.default_rng(5)
    for seed in range(3):
        _, arguments = make_trial(design, seed, clusters=True)
        trial = TrialArrays(**arguments)
        level = trial.levels()
        # A constant for each site and arm: baseline, or benefit, differs between sites.
        constant = rng.normal(0, 20, (level.max() + 1, 2))[level]
        moved = trial.with_outcome(trial.outcome + constant)
        difference = moved.score - trial.score
        assert difference == pytest.approx(np.full(level.size, difference[0]), abs=1e-6)
        order = rng.permutation(level.size)
        other = TrialArrays(**take(arguments, order))
        assert other.score == pytest.approx(trial.score[order], abs=1e-7)
        names = {name: 99 - arguments[name] for name in ("participant", "cluster")}
        names |= {name: 3 * arguments[name] + 7 for name in ("trial", "site")}  # ties go by order
        assert TrialArrays(**arguments | names).score == pytest.approx(trial.score, abs=1e-7)


@pytest.mark.parametrize("design", DESIGNS)
def test_all_trials_and_sites_have_the_mean_of_the_overall_effect(design):
    _, arguments = make_trial(design, 1)
    trial = TrialArrays(**arguments)
    level = trial.levels()
    assert np.unique(level).size == 6
    for one in np.unique(level):
        assert trial.score[level == one].mean() == pytest.approx(trial.level_effects().mean())
    assert np.ptp(trial.level_effects()) > 0.1


@pytest.mark.parametrize("design", DESIGNS)
def test_a_side_is_scored_as_a_trial_of_its_own(design):
    """Nothing of the other side enters: neither outcomes nor sizes of sites."""
    rng = np.random.default_rng(3)
    _, arguments = make_trial(design, 2)
    trial = TrialArrays(**arguments)
    for _ in range(5):
        side = (rng.random(100) < 0.5)[trial.participant]
        alone = TrialArrays(**take(arguments, side))
        assert trial.scores(side)[side] == pytest.approx(alone.score, abs=1e-9)
        assert np.isnan(trial.scores(side)[~side]).all()
        other = trial.with_outcome(np.where(side[:, None], trial.outcome, 3 * trial.outcome + 7))
        assert other.scores(side)[side] == pytest.approx(trial.scores(side)[side], abs=1e-9)
        assert other.adjustment(side) == trial.adjustment(side)


@pytest.mark.parametrize("design", ["pooled", "parallel"])
def test_a_holdout_is_adjusted_by_the_coefficients_of_its_training_set(design):
    X, arguments = make_trial(design, 4)
    trial = TrialArrays(**arguments)
    train = (np.arange(100) // 12 % 2 == 0)[trial.participant]
    scores = trial.scores(~train, fit=train)
    # Subtract any linear function with the train coefficients by hand, then score without basis.
    own, other = np.flatnonzero(train), np.flatnonzero(~train)
    fitted = TrialArrays(**take(arguments, own))
    y = np.nansum(fitted.outcome, axis=1)
    active = np.isfinite(fitted.outcome[:, 0])
    period = fitted.period if design == "pooled" else 0 * own
    keys = np.column_stack((fitted.levels(), active, period))
    cell = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    D = (cell[:, None] == np.unique(cell)).astype(float)
    Z = standardise(X) / np.sqrt(X.shape[1])
    A = np.hstack([D, Z[own]])
    P = np.diag(np.r_[np.zeros(D.shape[1]), np.full(Z.shape[1], fitted.adjustment().penalty)])
    beta = np.linalg.solve(A.T @ A + P, A.T @ y)[D.shape[1] :]
    plain = take(arguments, other) | {"basis": None}
    raw = TrialArrays(**plain)
    adjusted = TrialArrays(**plain | {"outcome": plain["outcome"] - (Z[other] @ beta)[:, None]})
    expected = adjusted.score - adjusted.score.mean() + raw.score.mean()
    assert scores[~train] == pytest.approx(expected, abs=1e-7)
    assert scores[~train].std() < 0.9 * raw.score.std()
    assert scores[~train].mean() == pytest.approx(trial.scores(~train)[~train].mean())


def test_a_crossover_of_one_site_is_scored_as_difference_without_period_effect():
    _, arguments = make_trial("crossover", 6, trials=1, sites=1)
    trial = TrialArrays(**arguments)
    d, first = trial.outcome[:, 0] - trial.outcome[:, 1], trial.active_first
    half = (d[first].mean() - d[~first].mean()) / 2
    assert trial.score == pytest.approx(d - np.where(first, half, -half))
    assert TrialArrays(**arguments | {"basis": None}).score.tobytes() == trial.score.tobytes()
    assert trial.adjustment() == (np.inf, 0.0)


def test_recent_scores_are_remembered_and_cannot_be_changed_from_outside():
    _, arguments = make_trial("parallel", 7)
    trial = TrialArrays(**arguments)
    side = np.arange(48) % 5 > 0
    once = trial.scores(side)
    once[:] = 0.0
    assert np.nanstd(trial.scores(side)) > 1
    assert trial.scores(~side, fit=side)[~side].tolist() != trial.scores(~side)[~side].tolist()


def test_recent_scores_do_not_travel():
    """A worker may pickle a trial while another of its threads computes scores."""
    _, arguments = make_trial("parallel", 7)
    trial = TrialArrays(**arguments)
    new = len(pickle.dumps(trial))
    trial.scores(np.arange(48) % 5 > 0)
    assert len(pickle.dumps(trial)) == new
    copy = pickle.loads(pickle.dumps(trial))
    assert np.array_equal(copy.scores(), trial.scores())
