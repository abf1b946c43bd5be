"""Numbers as text: rounding, signs, and the exact value beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketadask.report.format import (
    format_fixed,
    format_number,
    format_p,
    format_percentage,
    value_element,
)


@given(st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-9))
def test_number_keeps_three_digits(x):
    text = format_number(x).replace("−", "-").replace(",", "")
    assert float(text) == pytest.approx(x, rel=6e-3, abs=1e-12)


@given(st.floats(0, 1))
def test_p_is_never_printed_smaller_than_it_is(x):
    text = format_p(x)
    if text.startswith("<"):
        assert x < float(text[1:])
    else:
        assert float(text) == pytest.approx(x, abs=5.1e-4)


@given(st.floats(0, 1))
def test_percent_has_one_decimal_and_reaches_its_ends_only_there(x):
    text = format_percentage(x).replace("\N{NO-BREAK SPACE}", " ").removesuffix(" %")
    if text.startswith("<"):
        assert 0 < 100 * x < float(text[1:])
    else:
        assert float(text) / 100 == pytest.approx(x, abs=1.01e-3 if x > 0.999 else 5.1e-4)
        assert text.partition(".")[2].isdigit()
        assert (text in ("0.0", "100.0")) == (x in (0, 1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        (True, "yes"),
        ((), "none"),
        ([1, "a<b"], "a&lt;b"),
        (2**60, "1,152,921,504,606,846,976"),
    ],
)
def test_values_of_any_kind(value, text):
    assert text in value_element(value)


def test_fixed_has_no_negative_zero():
    assert format_fixed(-0.0, 1) == format_fixed(-0.04, 1) == "0.0"
    assert format_fixed(float("nan")) == "–"
