"""Adjusted p-values of a search against a brute-force computation over all its candidates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.relabel import relabel
from ketadask.inference.evaluation import admissible_mask
from ketadask.inference.null import (
    critical_value,
    maxima_by_method,
    null_block,
    null_lists,
    null_maxima,
)
from ketadask.inference.second_stage import persona_contrast
from ketadask.inference.verdicts import adjusted_p
from ketadask.kernels.contrast import contrast
from ketadask.kernels.q_statistic import persona_q
from ketadask.schema.errors import InputError
from ketadask.schema.tables import NULLS
from ketadask.search.persona_search import PersonaSearch
from tests.inference.small_problems import BruteSearch, make_problem, persona_set, solve_all

B = 19


def all_values(problem, search, statistic, rows=None):
    """Statistic of every candidate in both polarities, -inf where it is not admissible: (2C,)."""
    ids = search.all_candidates(problem)
    cover = problem.literals.conjunction(ids)
    cover = cover if rows is None else cover[:, rows]
    trial, all_units = problem.trial, np.ones((1, cover.shape[1]), bool)
    if statistic == "q":
        value = persona_q(cover, all_units, trial.score, search.objective)[0][:, 0]
    else:
        value = contrast(
            cover, trial.score, cluster=trial.participant, objective=search.objective
        ).t
    admissible = admissible_mask(problem, search, cover, all_units)[:, 0] & ~np.isnan(value)
    return np.where(np.tile(admissible, 2), np.concatenate([value, -value]), -np.inf)


def westfall_young(problem, search, keys, statistic, method="features"):
    """Single-step and step-down p by key; candidates of equal keys are one hypothesis."""
    keys = [(sign, key) for sign in (0, 1) for key in keys]
    names = list(dict.fromkeys(keys))
    rows_of = [[k for k, key in enumerate(keys) if key == name] for name in names]

    def best(q):
        return np.array([q[rows].max() for rows in rows_of])

    observed = best(all_values(problem, search, statistic))
    relabellings = [relabel(problem.trial, seed=5, index=b, method=method) for b in range(B)]
    null = np.array(
        [
            best(all_values(replace(problem, trial=trial), search, statistic, rows))
            for rows, trial in relabellings
        ]
    )
    single, step, floor = {}, {}, 0.0
    order = np.argsort(-observed, kind="stable")
    for j, k in enumerate(order):
        if observed[k] == -np.inf:
            break
        exceeds = null >= observed[k] - 1e-9 * abs(observed[k])
        single[names[k]] = (exceeds.any(axis=1).sum() + 1) / (B + 1)
        floor = max(floor, (exceeds[:, order[j:]].any(axis=1).sum() + 1) / (B + 1))
        step[names[k]] = floor
    return single, step


def observe(problem, search, statistic):
    """Personas of the results on all data, and their statistic."""
    personas = persona_set(problem, search)
    q = np.concatenate([result.q for result in solve_all(problem, search).values()])
    t = persona_contrast(problem, search, personas.ids).t * personas.sign
    return personas, q if statistic == "q" else t


def cover_keys(problem, ids):
    return [cover.tobytes() for cover in problem.literals.conjunction(ids)]


def feature_keys(problem, ids):
    return [frozenset(problem.literals.feature[row[row >= 0]].tolist()) for row in ids]


def assert_brute_force(problem, search, brute, keys_of, statistic, method="features"):
    personas, value = observe(problem, search, statistic)
    nulls = null_block(problem, search, (0, B - 1), seed=5, method=method, candidates=1000)
    single, step = adjusted_p(problem, search, personas, value, nulls, statistic)
    candidates = brute.all_candidates(problem)
    expected_single, expected_step = westfall_young(
        problem, brute, keys_of(problem, candidates), statistic, method
    )
    sign = (personas.polarity == "unfavourable").astype(int).tolist()
    keys = list(zip(sign, keys_of(problem, personas.ids), strict=True))
    assert step.tolist() == [expected_step.get(key, 1.0) for key in keys]
    assert single.tolist() == [expected_single.get(key, 1.0) for key in keys]


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize("method", ["features", "arms"])
@pytest.mark.parametrize("objective", ["heterogeneity", "effect"])
@pytest.mark.parametrize(
    ("exact", "statistic"), [(False, "studentised"), (True, "q"), (True, "studentised")]
)
def test_adjusted_p_equals_brute_force_exactly(design, method, objective, exact, statistic):
    brute = BruteSearch(keep=500, objective=objective)
    search = brute
    if exact:
        search = PersonaSearch(2, min_support=4, min_per_arm=1, keep=500, objective=objective)
    for seed in range(3):
        problem = make_problem(design, n=20, features=3, seed=seed, planted=2.0 * (seed == 2))
        assert_brute_force(problem, search, brute, cover_keys, statistic, method)


def test_distinct_feature_sets_are_the_hypotheses():
    search = BruteSearch(keep=500, distinct="features")
    problem = make_problem(n=20, features=3, seed=1)
    assert_brute_force(problem, search, search, feature_keys, "q")


def test_the_candidates_are_stored_and_the_largest_t_first():
    problem, search = make_problem(), BruteSearch(keep=100)
    nulls = null_block(problem, search, (0, 1), seed=3)
    assert nulls.groupby("relabelling")["rank"].max().tolist() == [20] * 2
    for _, table in nulls.groupby("relabelling"):
        assert table["t"].is_monotonic_decreasing
        assert set(table["polarity"]) <= set(search.polarities)
    all_q = null_block(problem, search, (0, 1), seed=3, candidates=1000)
    best = all_q.sort_values("q", ascending=False).groupby("relabelling").head(20)
    assert sorted(best["q"]) == sorted(nulls["q"])


def test_both_is_the_larger_p_of_features_and_arms():
    problem, search = make_problem("parallel", n=40, planted=1.0), BruteSearch(keep=10)
    personas, t = observe(problem, search, "studentised")
    p = {}
    for method in ("features", "arms", "both"):
        nulls = null_block(problem, search, (0, B - 1), seed=3, method=method)
        p[method] = adjusted_p(problem, search, personas, t, nulls)
        maxima = maxima_by_method(nulls)
        assert maxima.shape == (1 + (method == "both"), B)
    for k in range(2):
        assert p["both"][k].tolist() == np.maximum(p["features"][k], p["arms"][k]).tolist()
    assert (p["features"][0] != p["arms"][0]).any()
    assert critical_value(maxima, 0.1) == np.sort(maxima, axis=1)[:, -2].max()


def test_blocks_do_not_change_a_relabelling():
    problem, search = make_problem(), BruteSearch()
    expected = null_block(problem, search, (0, 9), seed=3)
    parts = [null_block(problem, search, block, seed=3) for block in [(4, 9), (0, 0), (1, 3)]]
    joined = pd.concat(parts).sort_values(["relabelling", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, expected, check_exact=True)
    random_order = expected.sample(frac=1, random_state=1)
    (one,), (two,) = (null_lists(table, search.polarities) for table in (expected, random_order))
    for name in ("polarity", "ids", "value"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_a_relabelled_trial_without_admissible_persona_still_counts():
    problem, search = make_problem(n=12), BruteSearch(min_support=13)
    nulls = NULLS.check(null_block(problem, search, (0, 1), seed=3))
    assert nulls["q"].tolist() == nulls["t"].tolist() == [-np.inf] * 2
    assert nulls["n_literals"].tolist() == [0] * 2


def test_maxima_are_one_per_relabelling():
    problem, search = make_problem(), BruteSearch()
    nulls = null_block(problem, search, (0, 4), seed=3)
    maxima = null_maxima(nulls)
    assert maxima["t"].tolist() == nulls[nulls["rank"] == 1]["t"].tolist()
    assert maxima["q"].tolist() == nulls.groupby("relabelling")["q"].max().tolist()
    assert maxima_by_method(nulls, "q").tolist() == [maxima["q"].tolist()]


def test_the_error_names_a_method_without_relabellings():
    nulls = null_block(make_problem(), BruteSearch(), (0, 3), seed=1, method="both")
    few = nulls[(nulls["method"] == "features") | (nulls["relabelling"] < 2)]
    with pytest.raises(InputError, match="without the method arms"):
        null_lists(few, ("favourable", "unfavourable"))
    with pytest.raises(InputError, match="no relabelled trials"):
        null_lists(nulls.iloc[:0], ("favourable",))


def test_a_beam_is_as_wide_on_relabelled_trials_as_on_the_study():
    """For any number of stored personas: a narrower beam would bias p downwards."""
    search = PersonaSearch(max_literals=3, keep=600, strategy="beam", min_support=8)
    for seed in range(4):
        problem = make_problem("crossover", 200, features=60, seed=seed)
        nulls = null_block(problem, search, (0, 0), seed=1, method="features")
        order, _ = relabel(problem.trial, seed=1, index=0, method="features")
        results = [search.solve(problem, polarity=p, rows=order) for p in search.polarities]
        q = np.sort(np.concatenate([result.q for result in results]))[::-1]
        assert sorted(nulls["q"], reverse=True) == q[:20].tolist()
