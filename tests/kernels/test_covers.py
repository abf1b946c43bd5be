"""Bounds and sums of packed covers of many words."""

import numpy as np
import pytest

from ketadask.kernels.bit_planes import score_screen
from ketadask.kernels.covers import FEW, cover_bound, cover_sum, single_bounds, sum_table
from ketadask.kernels.popcount import gather, pack, pack_rows
from ketadask.kernels.q_statistic import centre

UNITS = 1500
SCORES = {
    "normal": lambda rng: rng.normal(size=UNITS),
    "equal within words": lambda rng: np.repeat(rng.normal(size=24), 64)[:UNITS],
    "one far above": lambda rng: np.exp(5.0 * rng.normal(size=UNITS)),
    "mostly zero": lambda rng: np.where(rng.random(UNITS) < 0.97, 0.0, rng.normal(size=UNITS)),
    "a cliff within a word": lambda rng: np.where(np.arange(UNITS) < 600, 1.0, -9.0),
    "far from zero": lambda rng: rng.normal(size=UNITS) - 1e6,
}


@pytest.fixture(params=SCORES)
def score(request):
    return SCORES[request.param](np.random.default_rng(11))


def literals():
    """Return bool (literal, unit): nobody, everybody, all but one, spans, and any share."""
    rng = np.random.default_rng(12)
    holds = rng.random((60, UNITS)) < np.linspace(0.01, 0.99, 60)[:, None]
    holds[0], holds[1], holds[2] = False, True, np.arange(UNITS) != 70
    for row, (first, last) in enumerate(np.sort(rng.integers(0, UNITS, (20, 2))), start=10):
        holds[row] = (np.arange(UNITS) >= first) & (np.arange(UNITS) < last)
        holds[row + 20] = ~holds[row]
    return holds


@pytest.mark.parametrize("objective", ["heterogeneity", "effect"])
@pytest.mark.parametrize("least", [1, 300, FEW, 700, UNITS - 1])
def test_bounds_by_words_are_not_below_those_by_units(score, objective, least):
    scores = centre(score, objective)
    centred, words = np.sort(scores.centred)[::-1].copy(), pack(literals())
    with np.errstate(divide="ignore"):
        inverse = 1.0 / scores.denominator
    sums, count = sum_table(centred, len(words)), words.shape[1]
    bounds, useful = single_bounds(words, count, centred, inverse, least, sums)
    for t, held in enumerate(literals()):
        limit, total, support = cover_bound(words[:, t].copy(), centred, inverse, least)
        assert (total, support) == cover_sum(words[:, t].copy(), sums) == (
            centred[held].sum(), held.sum()
        )  # fmt: skip
        assert useful[t] == (support >= least)
        assert bounds[t] >= limit - 1e-13 * abs(limit), t
        if support <= FEW:
            assert bounds[t] == limit, t


@pytest.mark.parametrize("objective", ["heterogeneity", "effect"])
def test_rounding_errors_of_a_screen_are_bounded_for_every_cover(score, objective):
    scores = centre(score, objective)
    centred = np.sort(scores.centred)[::-1].copy()
    planes, (base, more, _, _, _), (fine, step, lift) = score_screen(scores, centred)
    bits = np.arange(UNITS)
    for held, finer in ((planes, False), (fine, True)):
        levels = (held[:, bits // 64] >> (bits % 64).astype(np.uint64)) & np.uint64(1)
        weights = levels.astype(float).T @ 2.0 ** np.arange(len(held))
        span = (centred[0] - centred[-1]) / (2 ** len(held) - 1)
        errors = centred / span - weights
        worst = np.argsort(-errors)
        for k in (1, 2, 60, UNITS // 2, UNITS):
            inside = worst[:k]
            total = weights[inside].sum()
            largest = step * total + lift * k if finer else (total + more + base * k) * span
            assert largest >= centred[inside].sum(), (k, finer)


@pytest.mark.parametrize("rows", [1, 63, 64, 150])
@pytest.mark.parametrize("units", [0, 1, 63, 64, 67, 200])
def test_gather_puts_units_in_any_order(rows, units):
    rng = np.random.default_rng(rows + units)
    holds, chosen = rng.random((rows, 150)) < 0.5, rng.integers(0, 150, units)
    wanted = pack(holds[:, chosen])
    out = np.full((len(wanted), rows + 5), 7, dtype=np.uint64)
    gather(pack_rows(holds), chosen, out, 3)
    np.testing.assert_array_equal(out[:, 3:-2], wanted)
    assert (out[:, [0, 1, 2, -2, -1]] == 7).all()
