"""Sums by table look-up are never below the exact sums, and mark every cover that suffices."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from ketadask.kernels.byte_sums import (
    GROUPS,
    SMALLEST,
    SUBSETS,
    WIDE,
    byte_need,
    byte_step,
    has_byte_lookup,
    narrow_hits,
    split_words,
    subset_sums,
    units_per_group,
    wide_hits,
)
from ketadask.kernels.compiled import kernel
from ketadask.kernels.exact import search_literals
from ketadask.kernels.popcount import pack, unpack

ROWS = 300
needs_lookup = pytest.mark.skipif(not has_byte_lookup(), reason="the processor looks up no bytes")


@kernel()
def group_size():
    return units_per_group()


@kernel()
def mark_wide(parts, first, row, table, groups, initial, need, out):
    address, stride = parts.ctypes.data, parts.shape[1]
    return wide_hits(
        address, stride, first, row, table.ctypes.data, groups, initial, need, out.ctypes.data
    )


@kernel()
def mark_narrow(parts, first, row, table, groups, initial, need, out):
    address, stride = parts.ctypes.data, parts.shape[1]
    return narrow_hits(
        address, stride, first, row, table.ctypes.data, groups, initial, need, out.ctypes.data
    )


def random_covers(seed, units=61):
    """Covers, and the order of some of the units, of descending weights."""
    rng = np.random.default_rng(seed)
    holds = rng.random((ROWS, units)) < rng.uniform(0.2, 0.9, (ROWS, 1))
    some = np.sort(rng.choice(units, rng.integers(1, units + 1), replace=False))
    weights = np.sort(rng.normal(size=units) * 10.0 ** rng.integers(-3, 4))[::-1].copy()
    return holds, some.astype(np.int64), weights


def look_up(holds, some, weights, need, initial, levels, first, row, mark, count):
    """Return which covers from ``first`` on are marked."""
    parts = np.zeros((GROUPS, ROWS + WIDE), dtype=np.uint8)
    table = np.zeros((GROUPS, SUBSETS), dtype=np.int8)
    split_words(pack(holds)[0], ROWS, some, some.size, parts)
    step = byte_step(need, levels, weights)
    subset_sums(weights / step, some, some.size, table)
    out = np.zeros(count // 64, dtype=np.uint64)
    steps = byte_need(need, step) + initial
    groups = -(-some.size // group_size())
    joined = mark(parts, first, row, table, groups, initial, steps, out)
    assert joined == np.bitwise_or.reduce(out)
    return unpack(out[:, None], count)[0], step


@needs_lookup
@pytest.mark.parametrize("seed", range(40))
def test_every_sum_that_suffices_is_marked_and_few_others(seed):
    holds, some, weights = random_covers(seed)
    row = seed
    both = holds & holds[row]
    total = both[:, some] @ weights[some]
    need = float(np.quantile(total[total > 0], 0.8)) if (total > 0).any() else 1.0
    first = 7
    marked, step = look_up(holds, some, weights, need, 0, 110, first, row, mark_narrow, 64)
    here = total[first : first + 64]
    assert marked[here >= need].all()
    # The lowest bytes may saturate, but a group is rounded up by less than a step.
    allowance = (GROUPS + 2) * step
    lowest = np.minimum(weights, 0.0)[some].sum()
    if lowest > -100 * step:
        assert not marked[here < need - allowance].any()


@needs_lookup
@pytest.mark.parametrize("seed", range(40))
def test_sums_of_positive_weights_use_the_whole_byte(seed):
    holds, some, weights = random_covers(seed)
    weights = weights.clip(min=0.0)
    both = holds & holds[seed]
    total = both[:, some] @ weights[some]
    need = max(float(np.quantile(total, 0.8)), 1e-6)
    marked, step = look_up(holds, some, weights, need, SMALLEST, 250, 11, seed, mark_wide, WIDE)
    here = total[11 : 11 + WIDE]
    assert marked[here >= need].all()
    assert not marked[here < need - (GROUPS + 2) * step].any()


def test_bits_of_a_group_lie_side_by_side():
    holds = np.random.default_rng(1).random((50, 64)) < 0.5
    units = np.array([3, 60, 5, 9, 0, 63, 21, 22, 23], dtype=np.int64)
    if not has_byte_lookup():
        pytest.skip("the processor looks up no bytes")
    out, per = np.zeros((GROUPS, 50), dtype=np.uint8), group_size()
    split_words(pack(holds)[0], 50, units, units.size, out)
    for x, unit in enumerate(units):
        assert ((out[x // per] >> (x % per) & 1) == holds[:, unit]).all()


def features_present():
    from numba.core.registry import cpu_target

    return set(cpu_target.target_context.codegen().magic_tuple()[2].split(","))


def python_with(features, folder, *words):
    """Run Python with the instructions that numba's own environment variables choose."""
    if not set(features) <= features_present():
        pytest.skip(f"the processor has no {' '.join(features)}")
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": ",".join(["+popcnt", *features]),
        "NUMBA_CACHE_DIR": str(folder),
    }
    process = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=True
    )
    return process.stdout.strip()


INSTRUCTIONS = [("+avx2",), ("+avx2", "+avx512f", "+avx512bw")]


@needs_lookup
@pytest.mark.parametrize("features", INSTRUCTIONS)
def test_other_instructions_mark_the_same(features, tmp_path):
    code = "from tests.kernels.test_byte_sums import check_marks; print(check_marks())"
    assert python_with(features, tmp_path, "-c", code) == "80"


def check_marks():
    """Run the tests of marked covers; return their number."""
    for seed in range(40):
        test_every_sum_that_suffices_is_marked_and_few_others(seed)
        test_sums_of_positive_weights_use_the_whole_byte(seed)
    return 80


@pytest.mark.slow
@needs_lookup
@pytest.mark.parametrize("features", [(), *INSTRUCTIONS])
def test_every_set_of_instructions_finds_the_same_personas(features, tmp_path):
    code = "from tests.kernels.test_byte_sums import digest; print(digest())"
    assert python_with(features, tmp_path, "-c", code) == digest()


def digest():
    """Personas of small searches, to the last bit."""
    personas = hashlib.blake2b(digest_size=8)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        holds = rng.random((60, 40 + 4 * seed)) < rng.uniform(0.3, 0.9, (60, 1))
        score = rng.normal(size=holds.shape[1])
        best = search_literals(holds, score, np.arange(60) // 3, keep=20, max_literals=3)
        personas.update(best.q.tobytes() + best.ids.tobytes())
    return personas.hexdigest()
