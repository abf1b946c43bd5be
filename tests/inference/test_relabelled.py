"""Adjusted p-values of a search against a brute-force computation over all its candidates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.relabel import relabel
from ketadask.inference.evaluation import PersonaSet, admissible
from ketadask.inference.null import null_block, null_lists, null_maxima
from ketadask.inference.verdicts import adjusted_p
from ketadask.kernels.q_statistic import persona_q
from ketadask.schema.errors import InputError
from ketadask.schema.tables import NULLS
from ketadask.search.persona_search import PersonaSearch
from tests.inference.small_problems import BruteSearch, make_problem

B = 19


def all_q(problem, search, rows=None):
    """Signed Q of every candidate in both polarities, -inf where it is not admissible: (2C,)."""
    ids = search.all_candidates(problem)
    cover = problem.literals.conjunction(ids)
    cover = cover if rows is None else cover[:, rows]
    everybody = np.ones((1, cover.shape[1]), bool)
    q = persona_q(cover, everybody, problem.trial.score, search.objective)[0][:, 0]
    allowed = admissible(problem, search, cover, everybody)[:, 0]
    return np.where(np.tile(allowed, 2), np.concatenate([q, -q]), -np.inf)


def westfall_young(problem, search, seed, how):
    """Step-down p of every candidate, hypotheses with equal covers taken out together."""
    observed = all_q(problem, search)
    null = []
    for b in range(B):
        rows, trial = relabel(problem.trial, seed=seed, index=b, method=how)
        null.append(all_q(replace(problem, trial=trial), search, rows))
    null = np.array(null)
    covers = problem.literals.conjunction(search.all_candidates(problem))
    key = [(s, c.tobytes()) for s in (0, 1) for c in covers]
    order = sorted(range(len(observed)), key=lambda k: -observed[k])
    left = np.ones(len(observed), bool)
    step, floor = {}, 0.0
    for k in order:
        if key[k] in step or observed[k] == -np.inf:
            continue
        reached = (null[:, left].max(axis=1) >= observed[k] * (1 - 1e-9)).sum()
        floor = max(floor, (reached + 1) / (B + 1))
        step[key[k]] = floor
        left &= np.array([other != key[k] for other in key])
    single = {
        key[k]: ((null.max(axis=1) >= observed[k] * (1 - 1e-9)).sum() + 1) / (B + 1)
        for k in order
        if observed[k] > -np.inf
    }
    return single, step


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
@pytest.mark.parametrize("how", ["features", "arms"])
@pytest.mark.parametrize("objective", ["heterogeneity", "effect"])
@pytest.mark.parametrize("exact", [False, True])
def test_adjusted_p_equals_brute_force_exactly(design, how, objective, exact):
    everything = BruteSearch(keep=500, objective=objective)
    search = everything
    if exact:
        search = PersonaSearch(2, min_support=4, min_per_arm=1, keep=500, objective=objective)
    for seed in range(3):
        problem = make_problem(design, n=20, features=3, seed=seed, planted=2.0 * (seed == 2))
        personas, q = observed(problem, search)
        nulls = null_block(problem, search, (0, B - 1), seed=5, method=how, keep=500)
        single, step = adjusted_p(problem, search, personas, q, nulls)
        expected_single, expected_step = westfall_young(problem, everything, 5, how)
        covers = problem.literals.conjunction(personas.ids)
        keys = [
            (int(p == "unfavourable"), c.tobytes())
            for p, c in zip(personas.polarity, covers, strict=True)
        ]
        assert step.tolist() == [expected_step[key] for key in keys]
        assert single.tolist() == [expected_single[key] for key in keys]
        assert (np.round(single * (B + 1)) == single * (B + 1)).all()


def test_few_are_stored_and_the_best_of_them_first():
    problem, search = make_problem(), BruteSearch(keep=100)
    nulls = null_block(problem, search, (0, 1), seed=3)
    assert nulls.groupby(["relabelling", "polarity"])["rank"].max().tolist() == [25] * 4
    single = adjusted_p(problem, search, *observed(problem, search), nulls)[0]
    few = null_block(problem, search, (0, 1), seed=3, keep=1)
    again = adjusted_p(problem, search, *observed(problem, search), few)[0]
    assert single.tolist() == again.tolist()


def observed(problem, search):
    found = {each: search.solve(problem, polarity=each) for each in search.polarities}
    return PersonaSet.of(found), np.concatenate([found[each].q for each in search.polarities])


def test_blocks_do_not_change_a_relabelling():
    problem, search = make_problem(), BruteSearch()
    whole = null_block(problem, search, (0, 9), seed=3)
    blocks = [null_block(problem, search, each, seed=3) for each in [(4, 9), (0, 0), (1, 3)]]
    joined = pd.concat(blocks).sort_values(["relabelling", "polarity", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole, check_exact=True)
    shuffled = whole.sample(frac=1, random_state=1)
    for (_, ids, q), (_, ids_again, q_again) in zip(
        null_lists(whole, search.polarities), null_lists(shuffled, search.polarities), strict=True
    ):
        assert ids.tobytes() == ids_again.tobytes()
        assert q.tobytes() == q_again.tobytes()


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


def test_distinct_feature_sets_are_the_hypotheses():
    search = BruteSearch(keep=500, distinct="features")
    problem = make_problem(n=20, features=3, seed=1)
    personas, q = observed(problem, search)
    nulls = null_block(problem, search, (0, B - 1), seed=5, keep=500)
    _, step = adjusted_p(problem, search, personas, q, nulls)
    # written out: the statistic of a feature set is the best of its personas
    sets = [
        frozenset(problem.literals.feature[r[r >= 0]].tolist())
        for r in search.all_candidates(problem)
    ]
    keys = [(s, f) for s in (0, 1) for f in sets]
    names = sorted(set(keys), key=str)

    def best(values):
        return np.array(
            [max(v for v, k in zip(values, keys, strict=True) if k == name) for name in names]
        )

    seen = best(all_q(problem, search))
    null = np.array(
        [
            best(all_q(replace(problem, trial=trial), search, rows))
            for rows, trial in (relabel(problem.trial, seed=5, index=b) for b in range(B))
        ]
    )
    order, floor, expected = np.argsort(-seen, kind="stable"), 0.0, {}
    for j, k in enumerate(order):
        reached = (null[:, order[j:]].max(axis=1) >= seen[k] * (1 - 1e-9)).sum()
        floor = max(floor, (reached + 1) / (B + 1))
        expected[names[k]] = floor
    mine = [
        (int(p == "unfavourable"), frozenset(problem.literals.feature[r[r >= 0]].tolist()))
        for p, r in zip(personas.polarity, personas.ids, strict=True)
    ]
    assert step.tolist() == [expected[key] for key in mine]


def test_a_polarity_that_was_not_relabelled_is_named():
    problem = make_problem()
    nulls = null_block(problem, BruteSearch(polarities=("favourable",)), (0, 3), seed=1)
    with pytest.raises(InputError, match="without a search of the unfavourable polarity"):
        null_lists(nulls, ("favourable", "unfavourable"))
    with pytest.raises(InputError, match="no relabelled trials"):
        null_lists(nulls.iloc[:0], ("favourable",))


def test_a_beam_is_as_wide_on_relabelled_trials_as_on_the_study():
    """However few personas of them are stored: a narrower beam would flatter the study."""
    search = PersonaSearch(max_literals=3, keep=600, strategy="beam", min_support=8)
    for seed in range(4):
        problem = make_problem("crossover", 200, features=60, seed=seed)
        made = null_block(problem, search, (0, 0), seed=1, method="features", keep=25)
        order, _ = relabel(problem.trial, seed=1, index=0, method="features")
        for polarity, few in made.groupby("polarity"):
            whole = search.solve(problem, polarity=polarity, rows=order)
            assert few["q"].tolist() == whole.q[:25].tolist()
