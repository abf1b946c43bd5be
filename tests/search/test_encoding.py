"""Literals: cuts, merging, missing values, selection, and that outcomes cannot move them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.kernels.settings import LiteralSettings
from ketadask.schema.errors import InputError
from ketadask.search.cut_points import neighbours_text, shortest_between
from ketadask.search.encoding import encode, encode_values
from tests.search.small_studies import small_units

INTERVALS = LiteralSettings(intervals=True)


def points(**cut_points):
    return LiteralSettings(cut_points=cut_points)


def ranges_of(literals):
    return list(zip(literals.low.tolist(), literals.high.tolist(), strict=True))


def test_few_levels_are_cut_between_all_of_them():
    literals = encode_values(np.array([[0.0], [1], [3], [3]]), names=["x"])
    assert literals.text == ("x <= 0", "x <= 1", "x >= 1", "x >= 2")
    assert literals.holds.tolist() == [
        [True, False, False, False],
        [True, True, False, False],
        [False, True, True, True],
        [False, False, True, True],
    ]


def test_many_levels_are_cut_at_inner_quantiles():
    values = np.random.default_rng(0).normal(size=(700, 1))
    literals = encode_values(values, LiteralSettings(cuts=6))
    shares = literals.holds.mean(axis=1)
    assert shares[:6] == pytest.approx(np.arange(1, 7) / 7, abs=0.01)
    assert shares[6:] == pytest.approx(1 - np.arange(1, 7) / 7, abs=0.01)


def test_whole_numbers_are_cut_at_every_level_up_to_a_limit():
    """Nine to twenty whole numbers have every level; as many other numbers have quantiles."""
    whole = np.arange(20.0)[:, None]
    literals = encode_values(whole, names=["madrs_total"])
    assert literals.text[:2] == ("madrs_total <= 0", "madrs_total <= 1")
    assert len(literals) == 2 * 19
    assert len(encode_values(whole / 8)) == 2 * 6
    assert len(encode_values(np.arange(21.0)[:, None])) == 2 * 6
    assert len(encode_values(whole, LiteralSettings(whole_levels=19))) == 2 * 6
    assert len(encode_values(np.arange(8.0)[:, None] / 8, LiteralSettings(whole_levels=1))) == 14


def test_a_rounded_cut_names_the_data_beside_it():
    """A cut equal to a value of the data, or from the settings, needs no data beside it."""
    values = np.array([[49.823004, 3.0, 0.0], [50.0, 9, 0], [60, 12, 1]])
    literals = encode_values(values, points(age=[55.5]), names=["x", "years", "age"])
    text = dict(zip(literals.text, literals.neighbours, strict=True))
    assert text["x > 49.9"] == "49.823 | 50"
    assert text["x <= 50"] == ""
    assert text["years <= 10"] == text["years >= 11"] == "9 | 12"
    assert literals.sentence([0, -1]) == "x <= 49.9 (49.823 | 50)"
    two_sided = encode_values(np.array([[1.06], [2.07], [3.08], [4]]), INTERVALS, names=["x"])
    text = dict(zip(two_sided.text, two_sided.neighbours, strict=True))
    assert text["2 < x <= 3"] == "1.06 | 2.07, 2.07 | 3.08"


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6))
def test_the_data_beside_a_cut_stay_on_their_sides(below, gap):
    above = below + gap
    cut = float(shortest_between(np.array([below]), np.array([above]))[0])
    text = neighbours_text(below, above, cut)
    assert bool(text) == (cut != below)
    if text:
        lower, upper = map(float, text.split(" | "))
        assert lower < cut < upper


def test_missing_values_are_inside_no_literal():
    values = np.array([[1.0], [np.nan], [2.0], [3.0]])
    literals = encode_values(values, INTERVALS)
    assert not literals.holds[:, 1].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_unit_is_unknown_where_no_literal_is_false_and_one_is_missing(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, (70, 4)).astype(float)
    values[rng.random(values.shape) < 0.3] = np.nan
    literals, rows = encode_values(values), []
    for _ in range(12):
        ids = rng.choice(len(literals), 3, replace=False)
        rows.append(np.where(rng.random(3) < 0.2, -1, ids))
    rows[0][:] = -1  # the persona of everybody
    order = rng.permutation(70)
    for units, known_values in ((literals, values), (literals.reorder(order), values[order])):
        unknown = units.unknown_mask(np.array(rows))
        for row, mask in zip(rows, unknown, strict=True):
            column = known_values[:, literals.feature[row[row >= 0]]]
            low, high = literals.low[row[row >= 0]], literals.high[row[row >= 0]]
            false = (column <= low) | (column > high)
            assert (mask == (~false.any(axis=1) & np.isnan(column).any(axis=1))).all()
        assert not (unknown & units.conjunction(np.array(rows))).any()


def test_intervals_are_every_pair_of_cuts():
    literals = encode_values(np.arange(5.0)[:, None], INTERVALS, names=["x"])
    two_sided = [text for text in literals.text if text.count("<") == 2]
    assert two_sided == [
        "0 < x <= 1", "0 < x <= 2", "0 < x <= 3", "1 < x <= 2", "1 < x <= 3", "2 < x <= 3",
    ]  # fmt: skip


def test_cuts_of_a_feature_with_the_same_cover_are_merged():
    literals = encode_values(np.array([[1.0], [2], [9]]), points(x=[2, 5, 7]), names=["x"])
    assert literals.text == ("x <= 2", "x >= 3")
    assert literals.aliases == ("x <= 5 | x <= 7", "x >= 6 | x >= 8")


def test_a_cut_between_whole_numbers_is_told_by_the_number_it_begins_with():
    """A given cut of 2.5 lets 3 in, so the reader must see 3."""
    literals = encode_values(np.arange(1.0, 5.0)[:, None], points(x=[2.5]), names=["x"])
    assert literals.text == ("x <= 2.5", "x >= 3")
    assert literals.holds[1].tolist() == [False, False, True, True]


def test_equal_covers_of_other_features_are_named():
    values = np.array([[0.0, 5.5], [0, 5.5], [1, 7.5]])
    literals = encode_values(values, names=["a", "b"])
    assert literals.aliases == ("b <= 6", "b > 6", "a <= 0", "a >= 1")


def test_constant_and_empty_features_give_no_literals():
    values = np.column_stack([np.full(9, 2.0), np.full(9, np.nan)])
    assert len(encode_values(values)) == 0


def test_include_exclude_and_priority():
    values = np.random.default_rng(1).normal(size=(30, 4))
    names, families = ["a", "b", "c", "d"], ["one", "one", "two", "two"]
    chosen = encode_values(values, names=names, modalities=families, include=["two", "a"])
    assert {names[f] for f in chosen.feature} == {"a", "c", "d"}
    chosen = encode_values(values, names=names, modalities=families, exclude=["two", "a"])
    assert {names[f] for f in chosen.feature} == {"b"}
    ordered = encode_values(values, names=names, modalities=families, priority=["two"])
    assert list(dict.fromkeys(names[f] for f in ordered.feature)) == ["c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"include": ["agee"]}, "did you mean 'age'"),
        ({"exclude": ["x"]}, "no such feature or modality"),
        ({"include": "age"}, "include: a list of names is needed.*found 'age'; write include="),
        ({"exclude": "age"}, "exclude: a list of names is needed"),
        ({"priority": ""}, "priority: a list of names is needed"),
        (
            {"priority": ["age"], "modalities": ["a", "b"]},
            "priority: no such modality, found 'age'",
        ),
        ({"settings": LiteralSettings(cut_points={"aeg": [1]})}, "did you mean 'age'"),
        ({"names": ["age", "age"]}, "named twice"),
        ({"names": ["age"]}, "2 features but 1 names"),
    ],
)
def test_errors_name_the_value(options, words):
    values = np.random.default_rng(1).normal(size=(10, 2))
    with pytest.raises(InputError, match=words):
        encode_values(values, **{"names": ["age", "bmi"]} | options)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_a_cut_separates_the_values_it_lies_between(below, gap):
    above = below + gap
    if below < above:
        assert below <= shortest_between(np.array([below]), np.array([above]))[0] < above


def test_candidates_are_counted_right():
    literals = encode_values(np.random.default_rng(2).normal(size=(30, 4)), LiteralSettings(cuts=2))
    sizes = np.bincount(literals.feature)
    pairs = sum(sizes[i] * sizes[j] for i in range(4) for j in range(i))
    triples = sum(
        sizes[i] * sizes[j] * sizes[k] for i in range(4) for j in range(i) for k in range(j)
    )
    assert literals.candidates(3) == sizes.sum() + pairs + triples


def test_the_order_of_units_moves_no_cut():
    values = np.random.default_rng(3).normal(size=(50, 3))
    assert ranges_of(encode_values(values)) == ranges_of(encode_values(values[::-1]))


def test_a_trial_without_features_is_refused():
    units = small_units("parallel")
    with pytest.raises(InputError, match="no feature to search"):
        encode(units.isel(feature=slice(0)), LiteralSettings())
