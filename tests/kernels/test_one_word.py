"""The search of one-word covers finds what the general branch and bound finds, to the last bit."""

import numpy as np
import pytest

from ketadask.kernels import exact
from ketadask.kernels.exact import search_literals
from ketadask.kernels.one_word import fits_one_word, support_spans
from ketadask.kernels.result import merge
from ketadask.kernels.settings import LiteralSettings
from ketadask.kernels.state import SearchLimits
from ketadask.search.encoding import encode_values


def random_search(seed):
    """A trial of up to 64 units with ties, gaps, doubled features and intervals, and options."""
    rng = np.random.default_rng(seed)
    units = int(rng.choice([rng.integers(10, 64), 31, 63, 64]))
    columns = []
    for kind in rng.choice(list("codmb"), rng.integers(3, 25)):
        column = rng.normal(size=units)
        if kind in "ob":
            column = rng.integers(0, 5 if kind == "o" else 2, units).astype(float)
        if kind == "d" and columns:
            column = columns[-1].copy()
        if kind == "m":
            column[rng.random(units) < 0.2] = np.nan
        columns.append(column)
    literals = encode_values(
        np.column_stack(columns),
        LiteralSettings(cuts=int(rng.integers(1, 6)), intervals=bool(rng.random() < 0.3)),
        modalities=[f"m{i}" for i in rng.integers(0, 3, len(columns))],
    )
    score = rng.normal(size=units) + 1.5 * rng.integers(0, 2) * (np.nan_to_num(columns[0]) > 0)
    score = (score, np.round(score), np.round(3 * score), np.exp(3 * score))[rng.integers(0, 4)]
    options = {
        "max_literals": 4 if len(literals) < 50 and rng.random() < 0.5 else 3,
        "keep": int(rng.choice([1, 3, 20, 100])),
        "objective": str(rng.choice(["heterogeneity", "effect"])),
        "min_support": int(rng.integers(1, units // 2)),
        "min_per_arm": int(rng.integers(1, 4)),
        "min_modalities": int(rng.choice([1, 1, 2])),
        "distinct": str(rng.choice(["covers", "covers", "features"])),
        "modality": literals.modality,
        "arm": rng.integers(0, 2, units) if rng.random() < 0.4 else None,
    }
    return literals, score, options, int(rng.choice([1, 1, 3]))


def search_in_parts(literals, score, options, parts):
    """The list of the best of a search in parts, as arrays by name."""
    results = [
        search_literals(
            literals.holds, score, literals.feature, part=(i, parts), plan="words", **options
        )
        for i in range(parts)
    ]
    whole = merge(
        results, literals.rows, literals.feature,
        keep=options["keep"], distinct=options["distinct"],
    )  # fmt: skip
    return {name: getattr(whole, name) for name in ("q", "ids", "support", "proven", "root")}


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_equals_the_general_search(first, monkeypatch):
    for seed in range(first, first + 20):
        search = random_search(seed)
        if np.ptp(search[1]) == 0.0:
            continue
        fast = search_in_parts(*search)
        with monkeypatch.context() as patch:
            patch.setattr(exact, "fits_one_word", lambda limits: False)
            general = search_in_parts(*search)
        for name, values in fast.items():
            assert np.array_equal(values, general[name], equal_nan=name == "root"), (seed, name)


@pytest.mark.parametrize("seed", [2, 3])
def test_the_q_to_reach_may_be_barely_above_zero(seed, monkeypatch):
    """Whole-number scores: rounding of the mean leaves sums of 1e-14 where they should be 0."""
    rng = np.random.default_rng(seed)
    units = int(rng.integers(20, 64))
    values = rng.integers(0, 3, (9, units))
    holds = np.concatenate([np.stack([x <= 0, x <= 1, x >= 1, x >= 2]) for x in values])
    score = rng.integers(0, 4, units).astype(float)

    def search(**options):
        return search_literals(holds, score, np.arange(36) // 4, min_support=3, **options)

    start = search(keep=9000, strategy="beam", beam_width=32).q
    keep = int(np.flatnonzero((start > 0) & (start < 1e-9))[0]) + 1
    fast = search(keep=keep)
    monkeypatch.setattr(exact, "fits_one_word", lambda limits: False)
    general = search(keep=keep)
    assert fast.q[-1] > start[keep - 1]
    assert np.array_equal(fast.q, general.q)
    assert np.array_equal(fast.ids, general.ids)


def test_which_searches_it_takes():
    def limits(units, max_literals=3, min_support=8):
        return SearchLimits(max_literals, min_support, 0, 1, False, units)

    assert not fits_one_word(limits(65))
    assert not fits_one_word(limits(64, max_literals=2))
    assert not fits_one_word(limits(9))  # personas of one support only


@pytest.mark.parametrize(("units", "min_support"), [(3, 1), (20, 18), (63, 13), (64, 2)])
def test_spans_cover_every_support_of_a_persona(units, min_support):
    edges = support_spans(units, min_support)
    assert edges[0] == min_support
    assert edges[-1] == units - 1
    assert (np.diff(edges) > 0).all()
