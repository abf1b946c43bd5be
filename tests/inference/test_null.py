"""Adjusted p-values of a search against a brute-force computation over all its candidates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.relabel import relabel
from ketadask.inference.evaluation import admissible_mask
from ketadask.inference.null import null_arrays, null_block, null_maxima
from ketadask.inference.verdicts import adjusted_p
from ketadask.kernels.q_statistic import persona_q
from ketadask.schema.errors import InputError
from ketadask.schema.tables import NULLS
from ketadask.search.persona_search import PersonaSearch
from tests.inference.small_problems import BruteSearch, make_problem, persona_set, solve_all

B = 19


def all_q(problem, search, rows=None):
    """Signed Q of every candidate in both polarities, -inf where it is not admissible: (2C,)."""
    ids = search.all_candidates(problem)
    cover = problem.literals.conjunction(ids)
    cover = cover if rows is None else cover[:, rows]
    all_units = np.ones((1, cover.shape[1]), bool)
    q = persona_q(cover, all_units, problem.trial.score, search.objective)[0][:, 0]
    admissible = admissible_mask(problem, search, cover, all_units)[:, 0]
    return np.where(np.tile(admissible, 2), np.concatenate([q, -q]), -np.inf)


def westfall_young(problem, search, keys, method="features"):
    """Single-step and step-down p by key; candidates of equal keys are one hypothesis."""
    keys = [(sign, key) for sign in (0, 1) for key in keys]
    names = list(dict.fromkeys(keys))
    rows_of = [[k for k, key in enumerate(keys) if key == name] for name in names]

    def best(q):
        return np.array([q[rows].max() for rows in rows_of])

    observed = best(all_q(problem, search))
    relabellings = [relabel(problem.trial, seed=5, index=b, method=method) for b in range(B)]
    null = np.array(
        [best(all_q(replace(problem, trial=trial), search, rows)) for rows, trial in relabellings]
    )
    single, step, floor = {}, {}, 0.0
    order = np.argsort(-observed, kind="stable")
    for j, k in enumerate(order):
        if observed[k] == -np.inf:
            break
        exceeds = null >= observed[k] * (1 - 1e-9)
        single[names[k]] = (exceeds.any(axis=1).sum() + 1) / (B + 1)
        floor = max(floor, (exceeds[:, order[j:]].any(axis=1).sum() + 1) / (B + 1))
        step[names[k]] = floor
    return single, step


def observe(problem, search):
    q = np.concatenate([result.q for result in solve_all(problem, search).values()])
    return persona_set(problem, search), q


def cover_keys(problem, ids):
    return [cover.tobytes() for cover in problem.literals.conjunction(ids)]


def feature_keys(problem, ids):
    return [frozenset(problem.literals.feature[row[row >= 0]].tolist()) for row in ids]


def assert_brute_force(problem, search, brute, keys_of, method="features"):
    personas, q = observe(problem, search)
    nulls = null_block(problem, search, (0, B - 1), seed=5, method=method, keep=500)
    single, step = adjusted_p(problem, search, personas, q, nulls)
    candidates = brute.all_candidates(problem)
    expected_single, expected_step = westfall_young(
        problem, brute, keys_of(problem, candidates), method
    )
    sign = (personas.polarity == "unfavourable").astype(int).tolist()
    keys = list(zip(sign, keys_of(problem, personas.ids), strict=True))
    assert step.tolist() == [expected_step[key] for key in keys]
    assert single.tolist() == [expected_single[key] for key in keys]


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize("method", ["features", "arms"])
@pytest.mark.parametrize("objective", ["heterogeneity", "effect"])
@pytest.mark.parametrize("exact", [False, True])
def test_adjusted_p_equals_brute_force_exactly(design, method, objective, exact):
    brute = BruteSearch(keep=500, objective=objective)
    search = brute
    if exact:
        search = PersonaSearch(2, min_support=4, min_per_arm=1, keep=500, objective=objective)
    for seed in range(3):
        problem = make_problem(design, n=20, features=3, seed=seed, planted=2.0 * (seed == 2))
        assert_brute_force(problem, search, brute, cover_keys, method)


def test_distinct_feature_sets_are_the_hypotheses():
    search = BruteSearch(keep=500, distinct="features")
    assert_brute_force(make_problem(n=20, features=3, seed=1), search, search, feature_keys)


def test_few_personas_are_stored_and_the_best_of_them_first():
    problem, search = make_problem(), BruteSearch(keep=100)
    nulls = null_block(problem, search, (0, 1), seed=3)
    assert nulls.groupby(["relabelling", "polarity"])["rank"].max().tolist() == [25] * 4
    few = null_block(problem, search, (0, 1), seed=3, keep=1)
    one, two = (adjusted_p(problem, search, *observe(problem, search), n)[0] for n in (nulls, few))
    assert one.tolist() == two.tolist()


def test_blocks_do_not_change_a_relabelling():
    problem, search = make_problem(), BruteSearch()
    expected = null_block(problem, search, (0, 9), seed=3)
    parts = [null_block(problem, search, block, seed=3) for block in [(4, 9), (0, 0), (1, 3)]]
    joined = pd.concat(parts).sort_values(["relabelling", "polarity", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, expected, check_exact=True)
    random_order = expected.sample(frac=1, random_state=1)
    for (_, *one), (_, *two) in zip(
        null_arrays(expected, search.polarities),
        null_arrays(random_order, search.polarities),
        strict=True,
    ):
        assert [values.tobytes() for values in one] == [values.tobytes() for values in two]


def test_a_relabelled_trial_without_admissible_persona_still_counts():
    problem, search = make_problem(n=12), BruteSearch(min_support=13)
    nulls = NULLS.check(null_block(problem, search, (0, 1), seed=3))
    assert nulls["q"].tolist() == [-np.inf] * 4
    assert nulls["n_literals"].tolist() == [0] * 4


def test_maxima_are_one_per_relabelling_and_polarity():
    problem, search = make_problem(), BruteSearch()
    nulls = null_block(problem, search, (0, 4), seed=3)
    best = nulls[nulls["rank"] == 1].sort_values(["relabelling", "polarity"])
    assert null_maxima(nulls)["q"].tolist() == best["q"].tolist()


def test_the_error_names_a_polarity_without_relabellings():
    problem = make_problem()
    nulls = null_block(problem, BruteSearch(polarities=("favourable",)), (0, 3), seed=1)
    with pytest.raises(InputError, match="without a search of the unfavourable polarity"):
        null_arrays(nulls, ("favourable", "unfavourable"))
    with pytest.raises(InputError, match="no relabelled trials"):
        null_arrays(nulls.iloc[:0], ("favourable",))


def test_a_beam_is_as_wide_on_relabelled_trials_as_on_the_study():
    """For any number of stored personas: a narrower beam would bias p downwards."""
    search = PersonaSearch(max_literals=3, keep=600, strategy="beam", min_support=8)
    for seed in range(4):
        problem = make_problem("crossover", 200, features=60, seed=seed)
        nulls = null_block(problem, search, (0, 0), seed=1, method="features", keep=25)
        order, _ = relabel(problem.trial, seed=1, index=0, method="features")
        for polarity, few in nulls.groupby("polarity"):
            result = search.solve(problem, polarity=polarity, rows=order)
            assert few["q"].tolist() == result.q[:25].tolist()
