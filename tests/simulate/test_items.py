"""Items add up to their total and go with what people lean to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketadask.simulate.ratings import allocate
from ketadask.simulate.scale_models import DOMAINS, SCALE_MODELS


@given(st.lists(st.integers(1, 8), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_items_add_up_within_their_range(maxima, seed):
    rng = np.random.default_rng(seed)
    maxima = np.array(maxima)
    total = rng.integers(0, maxima.sum(), endpoint=True, size=9)
    value = allocate(total, rng.normal(size=(9, len(maxima))), maxima)
    assert (value.sum(axis=1) == total).all()
    assert (value >= 0).all()
    assert (value <= maxima).all()


@given(st.integers(0, 2**32 - 1))
def test_a_larger_propensity_never_lowers_an_item(seed):
    rng = np.random.default_rng(seed)
    maxima = rng.integers(1, 7, size=6)
    propensity = rng.normal(size=(1, 6))
    total = rng.integers(0, maxima.sum(), size=1)
    before = allocate(total, propensity, maxima)[0, 2]
    propensity[0, 2] += rng.random()
    assert allocate(total, propensity, maxima)[0, 2] >= before


@pytest.mark.parametrize("scale", SCALE_MODELS, ids=lambda scale: scale.name)
def test_instruments_are_complete(scale):
    n = len(scale.items)
    assert len(scale.maxima) == len(scale.domains) == len(scale.common) == n
    assert set(scale.domains) <= set(DOMAINS)
    assert len(scale.words) > max(scale.maxima)
    assert len(set(scale.items)) == n
    assert 0 < scale.mean < scale.highest


def test_published_ranges():
    highest = {
        scale.name: scale.lowest * len(scale.items) + scale.highest for scale in SCALE_MODELS
    }
    assert highest == {
        "madrs": 60,
        "hamd": 52,
        "hama": 56,
        "bdi": 63,
        "bprs": 126,
        "ymrs": 60,
        "shaps": 56,
        "cadss": 92,
        "ssi": 38,
        "pswq": 80,
    }
    assert sum(len(scale.columns) for scale in SCALE_MODELS) + len(("age", "bmi")) == 175
