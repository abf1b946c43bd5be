"""All triples by bins give what the general branch and bound gives, to the last bit."""

import numpy as np
import pytest

from ketadask.kernels.brute_force import brute_force
from ketadask.kernels.byte_sums import has_byte_lookup
from ketadask.kernels.exact import search_literals
from ketadask.kernels.feature_bins import bin_features
from ketadask.kernels.popcount import pack
from ketadask.kernels.settings import LiteralSettings
from ketadask.kernels.triples import round_weights
from ketadask.search.encoding import encode_values
from tests.kernels.random_trials import random_trial, searches_by
from tests.kernels.test_byte_sums import INSTRUCTIONS, python_with

needs_lookup = pytest.mark.skipif(not has_byte_lookup(), reason="the processor looks up no bytes")


def compare(seeds):
    """Compare plans in trials of 65 to 330 units; return how many searches were done by bins."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    sizes = [(int(rng.integers(65, 331)), rng.integers(2, 16)) for rng in rngs]
    trials = (
        random_trial(seed, units, "ccodmbg", features, cuts=6)
        for seed, (units, features) in zip(seeds, sizes, strict=True)
    )
    return searches_by("bins", trials)


@needs_lookup
@pytest.mark.parametrize("first", range(0, 120, 20))
def test_equals_the_general_search(first):
    assert compare(range(first, first + 20)) > 10


@pytest.mark.slow
@needs_lookup
@pytest.mark.parametrize("features", INSTRUCTIONS)
def test_other_instructions_find_the_same(features, tmp_path):
    code = "from tests.kernels.test_triples import compare; print(compare(range(200, 220)) > 10)"
    assert python_with(features, tmp_path, "-c", code) == "True"


@needs_lookup
def test_equals_brute_force():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(90, 6))
    values[rng.random(values.shape) < 0.1] = np.nan
    literals, score = encode_values(values, LiteralSettings(cuts=2)), rng.normal(size=90)
    limits = {"max_literals": 3, "min_support": 9, "keep": 30, "objective": "heterogeneity"}
    best = search_literals(literals.holds, score, literals.feature, plan="bins", **limits)
    reference = brute_force(literals.holds, score, literals.feature, **limits)
    assert best.plan == "bins"
    personas = [(float(q), tuple(ids[ids >= 0])) for q, ids in zip(best.q, best.ids, strict=True)]
    assert personas == [(float(q), ids) for q, ids in reference]


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_literals_are_runs_of_bins(gaps):
    rng = np.random.default_rng(4)
    values = rng.integers(0, 5, (80, 3)).astype(float)
    values[rng.random(values.shape) < gaps] = np.nan
    literals = encode_values(values, LiteralSettings(intervals=True))
    runs = bin_features(pack(literals.holds), 80, literals.feature)
    column_of = np.repeat(np.arange(3), np.diff(runs.first))
    for column, feature in enumerate(column_of):
        own = runs.bins[feature]
        inside = (own >= runs.low[column]) & (own < runs.high[column])
        assert (inside == literals.holds[runs.literal[column]]).all()
        if runs.complement[column] >= 0:
            assert gaps == 0.0
            assert (~inside == literals.holds[runs.complement[column]]).all()
    ids = np.concatenate([runs.literal, runs.complement])
    assert sorted(ids[ids >= 0]) == list(range(len(literals)))


def test_categories_without_an_order_are_no_runs():
    holds = np.zeros((3, 70), dtype=bool)
    holds[0, :40], holds[1, 20:60], holds[2, [*range(20), *range(50, 70)]] = True, True, True
    assert bin_features(pack(holds), 70, np.zeros(3, dtype=int)) is None


@pytest.mark.parametrize("seed", range(20))
def test_rounded_sums_are_never_too_small(seed):
    rng = np.random.default_rng(seed)
    units = int(rng.integers(66, 400))
    score = np.sort(rng.normal(size=units) ** rng.integers(1, 4))[::-1]
    centred = score - score.mean()
    support = np.arange(units + 1)
    denominator = score.std() * np.sqrt(support * (1 - support / units))
    inside = rng.random((2000, units)) < rng.uniform(0.2, 0.8, (2000, 1))
    k = inside.sum(axis=1)
    q = (inside @ centred) / denominator[k]
    least, largest = int(k.min()), int(k.max())
    level = float(np.quantile(q[q > 0], 0.9))
    whole = round_weights(level, centred, denominator, (least, largest))
    assert (inside[q >= level] @ whole.weights >= whole.need).all()
    assert np.abs(whole.weights).max() <= 31
