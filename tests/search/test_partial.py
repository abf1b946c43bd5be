"""Literals in files, searches in pieces: the tables of a study do not change by a bit."""

from __future__ import annotations

import pickle
from dataclasses import replace

import dask
import numpy as np
import pandas as pd
import pytest
from dask.base import tokenize

from ketadask.bench import synthetic
from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.graph import null_blocks
from ketadask.schema.errors import InputError
from ketadask.search.encoding import encode_values
from ketadask.search.graph import hit_blocks
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.stored_literals import StoredRows
from ketadask.search.thresholds import GateThresholds
from ketadask.store.parts import Parts
from tests.search.small_studies import small_units

SEARCH = PersonaSearch(max_literals=3, keep=15, cuts=3)


@pytest.fixture(scope="module")
def values():
    return synthetic.synthetic_values(200, 30)


@pytest.fixture
def stored(values, tmp_path):
    return encode_values(values, memory=4000, folder=tmp_path)


def test_literals_in_a_file_are_those_in_memory(values, stored, tmp_path):
    kept = encode_values(values)
    assert isinstance(stored.rows, StoredRows)
    assert [file.name for file in tmp_path.iterdir()] == ["literals.bits"]
    assert tokenize(stored) == tokenize(kept)
    assert stored.aliases == kept.aliases
    np.testing.assert_array_equal(stored.holds, kept.holds)
    ids = np.array([[3, 1, 200, -1], [0, -1, -1, -1], [-1, -1, -1, -1]])
    np.testing.assert_array_equal(stored.conjunction(ids), kept.conjunction(ids))
    assert stored.conjunction(ids)[2].all()
    pd.testing.assert_frame_equal(stored.table(), kept.table())
    assert len(pickle.dumps(stored.rows)) < 500


def test_a_file_that_others_read_is_replaced_only_by_another(values, stored, tmp_path):
    file = tmp_path / "literals.bits"
    before = file.stat().st_ino
    again = encode_values(values, memory=4000, folder=tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    assert file.stat().st_ino == before
    np.testing.assert_array_equal(again.holds, stored.holds)
    other = encode_values(-values, memory=4000, folder=tmp_path)
    np.testing.assert_array_equal(other.holds, encode_values(-values).holds)


def test_literals_hold_what_their_text_says(values, stored):
    for i in (0, 17, len(stored) - 1):
        column = values[:, stored.feature[i]]
        held = (column > stored.low[i]) & (column <= stored.high[i])
        np.testing.assert_array_equal(stored.holds_of([i])[0], held)
        assert stored.support[i] == held.sum()


def test_rearranged_literals_move_their_units(values, stored):
    order = np.random.default_rng(1).permutation(len(values))
    moved = stored.reorder(order)
    np.testing.assert_array_equal(moved.holds, stored.holds[:, order])
    assert tokenize(moved) == tokenize(encode_values(values).reorder(order))
    assert tokenize(moved) != tokenize(stored)


def test_a_lost_file_is_named(stored, tmp_path):
    (tmp_path / "literals.bits").unlink()
    with pytest.raises(InputError, match=r"cannot read the literals.*literals\.bits"):
        stored.holds_of([0])


def test_what_cannot_be_searched_in_blocks_names_the_key():
    made = replace(synthetic.synthetic_problem(2000, 60), memory=4e5)
    with pytest.raises(InputError, match=r"execution\.memory.*0\.0004GB.*strategy to beam"):
        SEARCH.solve(made)


def tables(make, parts, names, **settings):
    with dask.config.set(scheduler="synchronous"):
        dask.compute(*make(parts=parts, **settings))
    return [parts.read_all(name) for name in names]


@pytest.mark.parametrize("pieces", [2, 3, 9])
@pytest.mark.parametrize("design", ["crossover", "pooled"])
def test_split_searches_give_the_same_tables(tmp_path, design, pieces):
    problem = SEARCH.problem(small_units(design))
    for make, names in (
        (
            lambda parts, **how: hit_blocks(
                problem,
                SEARCH,
                HoldoutSplit(4, seed=3),
                [(0, 2), (3, 3)],
                parts,
                GateThresholds(),
                **how,
            ),
            ("hits", "searches"),
        ),
        (
            lambda parts, **how: null_blocks(
                problem, SEARCH, [(0, 1), (2, 2)], parts, seed=5, method="both", **how
            ),
            ("nulls", "companions"),
        ),
    ):
        whole = tables(make, Parts(tmp_path / f"{names[0]}-whole", "k"), names)
        split = tables(make, Parts(tmp_path / f"{names[0]}-split", "k"), names, pieces=pieces)
        for one, two in zip(whole, split, strict=True):
            assert len(one)
            pd.testing.assert_frame_equal(one, two, check_exact=True)
