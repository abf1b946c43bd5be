"""The exact search equals brute force, to the last bit of ranking."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ketadask.kernels.brute_force import brute_force
from ketadask.kernels.exact import search_literals
from ketadask.kernels.q_statistic import centre
from ketadask.kernels.settings import LiteralSettings
from ketadask.search.encoding import encode_values

MOST_CONJUNCTIONS = 20_000


@st.composite
def problems(draw):
    """A small trial with everything that makes searches go wrong, and settings for its search."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units = draw(st.one_of(st.integers(4, 30), st.integers(60, 70), st.integers(120, 200)))
    kinds = draw(st.lists(st.sampled_from("ocdkm"), min_size=1, max_size=5))
    columns = []
    for kind in kinds:
        column = rng.normal(size=units) if kind in "cm" else rng.integers(0, 4, units).astype(float)
        if kind == "d" and columns:
            column = columns[-1].copy()  # a duplicated feature
        if kind == "k":
            column = np.full(units, 2.0)  # a constant one
        if kind == "m":
            column[rng.random(units) < 0.3] = np.nan
        columns.append(column)
    families = [f"f{i}" for i in rng.integers(0, 3, len(kinds))]
    literals = encode_values(
        np.column_stack(columns),
        LiteralSettings(cuts=draw(st.integers(1, 3)), intervals=draw(st.booleans())),
        modalities=families,
    )  # fmt: skip
    score = rng.normal(size=units)
    if draw(st.booleans()):
        score = np.round(score)  # many ties
    if draw(st.booleans()):
        score = -score
    depth = draw(st.integers(1, 4))
    while depth > 1 and literals.candidates(depth) > MOST_CONJUNCTIONS:
        depth -= 1
    arm = rng.integers(0, 2, units) if draw(st.booleans()) else None
    return (
        literals,
        score,
        arm,
        {
            "max_literals": depth,
            "min_support": draw(st.integers(1, max(1, units // 2))),
            "keep": draw(st.sampled_from([1, 3, 20])),
            "objective": draw(st.sampled_from(["heterogeneity", "effect"])),
            "min_per_arm": draw(st.integers(1, 3)),
            "min_modalities": min(depth, draw(st.integers(1, 2))),
        },
        draw(st.sampled_from(["covers", "features"])),
    )


def as_list(found):
    return [
        (float(q), tuple(int(i) for i in ids if i >= 0))
        for q, ids in zip(found.q, found.ids, strict=True)
    ]


@settings(
    max_examples=250, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(problems())
def test_equals_brute_force(problem):
    literals, score, arm, limits, distinct = problem
    if np.ptp(score) == 0:
        with pytest.raises(ValueError, match="equal"):
            search_literals(literals.holds, score, literals.feature)
        return
    wanted = brute_force(
        literals.holds, score, literals.feature, modality=literals.modality, arm=arm,
        by_features=distinct == "features", **limits,
    )  # fmt: skip
    found = search_literals(
        literals.holds, score, literals.feature, modality=literals.modality, arm=arm,
        distinct=distinct, **limits,
    )  # fmt: skip
    assert as_list(found) == [(float(q), ids) for q, ids in wanted]
    assert found.proven
    assert found.gap == 0


def random_problem(units, features, seed, cuts=3):
    rng = np.random.default_rng(seed)
    literals = encode_values(rng.normal(size=(units, features)), LiteralSettings(cuts=cuts))
    return literals, rng.normal(size=units)


def test_q_is_the_permutation_z_statistic():
    """Q of a set of k units is (sum - k mean) over the standard deviation of such sums."""
    rng = np.random.default_rng(3)
    score, inside = rng.normal(size=40), np.arange(40) < 11
    scores = centre(score)
    q = scores.centred[inside].sum() / scores.denominator[11]
    sums = np.array([rng.permutation(score)[:11].sum() for _ in range(40_000)])
    assert q == pytest.approx((score[inside].sum() - sums.mean()) / sums.std(), abs=0.03)
    k, n = 11, 40
    plain = (score[inside] - score.mean()).sum() / (score.std(ddof=1) * np.sqrt(k * (1 - k / n)))
    assert q == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("units", [30, 64, 65, 150])
def test_the_order_of_units_changes_nothing(units):
    literals, score = random_problem(units, 6, seed=units)
    first = search_literals(literals.holds, score, literals.feature, keep=20)
    mixed = np.random.default_rng(1).permutation(units)
    again = search_literals(literals.holds[:, mixed], score[mixed], literals.feature, keep=20)
    assert as_list(first) == as_list(again)


def test_one_word_and_many_words_agree():
    """Units outside every literal, of average score, add words but change no ranking of sums."""
    literals, score = random_problem(60, 5, seed=4)
    padded = np.hstack([literals.holds, np.zeros((len(literals.holds), 80), dtype=bool)])
    longer = np.concatenate([score, np.tile([2.0, -2.0], 40)])
    found = search_literals(padded, longer, literals.feature, keep=30, min_support=5)
    wanted = brute_force(
        padded, longer, literals.feature,
        max_literals=3, min_support=5, keep=30, objective="heterogeneity",
    )  # fmt: skip
    assert as_list(found) == [(float(q), ids) for q, ids in wanted]


def test_a_budget_of_nodes_reports_a_true_gap():
    literals, score = random_problem(80, 40, seed=5)
    best = search_literals(literals.holds, score, literals.feature, keep=1)
    cut = search_literals(literals.holds, score, literals.feature, keep=1, max_nodes=3)
    assert not cut.proven
    assert cut.upper >= best.q[0]
    assert cut.gap == cut.upper - cut.q[0]
    assert as_list(cut) == as_list(
        search_literals(literals.holds, score, literals.feature, keep=1, max_nodes=3)
    )


def test_a_budget_of_seconds_ends_and_reports_a_true_gap():
    literals, score = random_problem(300, 60, seed=6, cuts=6)
    cut = search_literals(literals.holds, score, literals.feature, keep=5, max_seconds=0.0)
    assert not cut.proven
    whole = search_literals(literals.holds, score, literals.feature, keep=5, max_seconds=600.0)
    assert whole.proven
    assert cut.upper >= whole.q[0] >= cut.q[0]
    assert as_list(whole) == as_list(
        search_literals(literals.holds, score, literals.feature, keep=5)
    )


def test_beam_finds_personas_and_claims_no_proof():
    literals, score = random_problem(200, 30, seed=7)
    beam = search_literals(literals.holds, score, literals.feature, keep=5, strategy="beam")
    exact = search_literals(literals.holds, score, literals.feature, keep=5)
    assert not beam.proven
    assert exact.q[0] >= beam.q[0] > 0
    assert beam.upper >= exact.q[0]


def test_saturation_is_best_over_what_any_set_could_reach():
    score = np.arange(20.0)
    top = (score >= 10)[None]
    found = search_literals(top, score, np.array([0]), min_support=5)
    assert found.saturation == 1.0
    assert search_literals(~top, score, np.array([0]), min_support=5).saturation == -1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": np.ones(12)}, "equal"),
        ({"score": np.r_[np.nan, np.arange(11.0)]}, "score of unit 0 is nan"),
        ({"score": np.r_[np.arange(11.0), np.inf]}, "score of unit 11 is inf"),
        ({"score": np.arange(11.0)}, "12 units in the literals but 11 scores"),
        ({"feature": np.arange(3)}, "4 literals but 3 values of feature"),
        ({"modality": np.arange(1)}, "4 literals but 1 values of modality"),
        ({"arm": np.ones(13)}, "12 units but 13 arms"),
        ({"holds": np.ones((4, 12))}, "must be bool"),
        ({"max_literals": 5}, "max_literals out of range, found 5; give 1 to 4"),
        ({"min_support": 0}, "min_support out of range, found 0; give at least 1"),
        ({"keep": 0}, "keep out of range"),
        ({"distinct": "cover"}, "unknown distinct, found 'cover'; choose covers or features"),
        ({"strategy": "greedy"}, "unknown strategy"),
        ({"objective": "both"}, "unknown objective"),
    ],
)
def test_errors_name_the_value(change, words):
    given = {
        "holds": np.random.default_rng(0).random((4, 12)) < 0.5,
        "score": np.arange(12.0),
        "feature": np.arange(4),
    } | change
    with pytest.raises(ValueError, match=words):
        search_literals(given.pop("holds"), given.pop("score"), given.pop("feature"), **given)


def test_one_unit_is_refused():
    with pytest.raises(ValueError, match="at least two units"):
        search_literals(np.ones((1, 1), dtype=bool), np.ones(1), np.zeros(1, dtype=int))


def test_no_literals_give_an_empty_result():
    found = search_literals(np.zeros((0, 9), dtype=bool), np.arange(9.0), np.zeros(0, dtype=int))
    assert len(found.q) == 0
    assert found.proven
    assert np.isnan(found.saturation)


@pytest.mark.parametrize("size", [1e9, 1e-9, 1e300, 1e-300])
def test_scale_of_the_scores_changes_no_ranking(size):
    literals, score = random_problem(40, 5, seed=8)
    plain = search_literals(literals.holds, score, literals.feature, keep=10)
    scaled = search_literals(literals.holds, score * size, literals.feature, keep=10)
    assert [ids for _, ids in as_list(plain)] == [ids for _, ids in as_list(scaled)]
    assert scaled.q == pytest.approx(plain.q, rel=1e-9)


def test_a_hundred_thousand_literals():
    rng = np.random.default_rng(9)
    holds = rng.random((100_000, 30)) < 0.5
    score = rng.normal(size=30)
    feature = np.arange(100_000)
    found = search_literals(holds, score, feature, max_literals=1, keep=3)
    scores = centre(score)
    support = holds.sum(axis=1)
    q = np.where(support >= 8, (holds @ scores.centred) / scores.denominator[support], -np.inf)
    assert found.q[0] == q.max()
    pairs = search_literals(holds, score, feature, max_literals=2, keep=1, max_nodes=50)
    assert pairs.q[0] >= found.q[0]
    assert pairs.upper >= pairs.q[0]
