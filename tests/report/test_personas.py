"""Verdicts as views, cards with range bars, and the verdict table."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ketadask import names as nm
from ketadask.report.cards import cards_view, verdicts_view
from ketadask.report.context import build_context
from ketadask.report.marks import range_bar, shared_axis
from ketadask.report.page import render
from ketadask.report.personas import persona_views
from tests.report.example_data import page_section
from tests.report.example_tables import PLANTED


def test_a_persona_has_its_row_its_literals_and_their_labels(data, context):
    first = context.personas[0]
    row = data.verdicts.iloc[0]
    for name in ("p_adjusted", "d_mean", "g_full", "confirmed_rate", "prevalence"):
        assert getattr(first, name) == row[name]
    assert [literal.feature for literal in first.literals] == [name for name, *_ in PLANTED]
    assert first.literals[0].range_text == "≤\u00a04,533.7\u00a0mm³"
    assert first.lines[0] == "Left posterior cingulate WM ≤\u00a04,533.7\u00a0mm³"
    assert first.adds_p is None
    assert context.personas[1].adds_p == data.verdicts["p_incremental"][1]


def test_a_rounded_cut_shows_the_data_beside_it(data):
    literals = data.literals.assign(neighbours="4533.69 | 4541.02")
    first = persona_views(replace(data, literals=literals))[0]
    assert first.literals[0].neighbours == "4533.69 | 4541.02"
    assert first.literals[0].range_text == "≤\u00a04,533.7\u00a0mm³"
    assert first.texts[0] == "wm-lh-posteriorcingulate ≤ 4533.7 (4533.69 | 4541.02)"


def test_a_card_shows_the_corrected_difference_and_names_the_other(data):
    row = data.verdicts.iloc[0]
    numbers = [f'<data value="{float(row[name])!r}">' for name in (
        "difference_shrunken", "difference_low", "difference_high", "difference",
    )]  # fmt: skip
    card = page_section(render(data), "personas").split("</article>")[0]
    strong = card.split("Benefit difference, corrected</dt>")[1].split("</div>")[0]
    assert [number in strong for number in numbers] == [True] * 4
    assert strong.index("on these data, which selected it") < strong.index(numbers[3])
    assert "unknown" not in card
    few = data.verdicts.assign(difference_low=np.nan, difference_high=np.nan, unknown=3)
    card = page_section(render(replace(data, verdicts=few)), "personas").split("</article>")[0]
    assert "corrected</dt>" not in card
    strong = card.split("Benefit difference</dt>")[1].split("</div>")[0]
    assert [number in strong for number in numbers] == [False, False, False, True]
    assert "no corrected interval" in strong
    assert '<data value="3">3</data> unknown' in card


def test_the_best_training_persona_on_its_own_holdout_is_printed(data):
    html = page_section(render(data), "personas").split("<article")[0]
    for value in ("1.25", "-3.5", "6.0", "0.62", "-0.1", "1.34", "998"):
        assert f'<data value="{value}">' in html
    summary = {k: v for k, v in data.summary.items() if k != "train_choice"}
    html = page_section(render(replace(data, summary=summary)), "personas")
    assert "own holdout" not in html


def test_without_literals_a_persona_has_features_and_text(data):
    first = persona_views(replace(data, literals=None))[0]
    assert [literal.low for literal in first.literals] == [None] * 3
    assert first.lines == (data.verdicts["text"][0].replace("<=", "≤"),)
    assert first.texts == ()


def test_leading_personas_have_cards_with_bars_and_both_arms(data, context, noise_context):
    view = cards_view(context)
    assert [card.persona.rank for card in view.cards] == [1, 2, 3]
    assert view.has_supported
    assert not cards_view(noise_context).has_supported
    first = view.cards[0]
    assert [arm.mean for arm in first.arms] == [
        data.verdicts["active_mean"][0],
        data.verdicts["control_mean"][0],
    ]
    values = data.units["value"].sel(feature=PLANTED[0][0]).values
    assert first.literals[0][1].high == np.nanmax(values)
    ends = [end for card in view.cards for arm in card.arms for end in (arm.low, arm.high)]
    assert view.axis.low <= min(ends) <= max(ends) <= view.axis.high


def test_the_table_shows_claims_first_and_folds_the_rest(data, context):
    view = verdicts_view(context)
    assert [row.rank for row in view.rows] == list(range(1, 13))
    assert view.n_open == 5
    assert view.has_added_p
    claims = data.verdicts.assign(verdict=nm.SUGGESTIVE)
    assert verdicts_view(build_context(replace(data, verdicts=claims))).n_open == 12


@given(
    st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=60),
    st.floats(-60, 60) | st.just(-np.inf),
    st.floats(-60, 60) | st.just(np.inf),
)
def test_range_bar_is_complete_and_marks_the_range(values, one, other):
    low, high = min(one, other), max(one, other)
    bar = range_bar(np.array([*values, np.nan]), low, high)
    if bar is None:
        assert len(set(values)) == 1
        return
    assert sum(segment.width for segment in bar.segments) == pytest.approx(100, abs=0.1)
    assert (bar.low, bar.high) == (min(values), max(values))
    levels = sorted(set(values))
    if len(levels) <= 8:
        assert [s.inside for s in bar.segments] == [low < level <= high for level in levels]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
@example([5e-324])
def test_axis_contains_every_value(values):
    axis = shared_axis(values)
    tolerance = 1e-6 * (axis.high - axis.low)
    assert axis.low <= min(*values, 0) + tolerance
    assert axis.high >= max(*values, 0) - tolerance
    assert len(axis.ticks) <= 8
