"""JSON is the same for equal values, whatever wrote them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketadask.store.json_values import render_json, to_json_value

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_does_not_change(value):
    assert json.loads(render_json(value)) == value


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: np.float32
    where: Path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.nan, None),
        (np.inf, "inf"),
        (np.float64(-np.inf), "-inf"),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.array([[1, np.nan]]), [[1.0, None]]),
        (np.array("a"), "a"),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        ({np.int64(1): "a"}, {"1": "a"}),
        (Path("a/b"), "a/b"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (pd.Timestamp("2024-01-02"), "2024-01-02T00:00:00"),
        (Colour.RED, "red"),
        (Point(np.float32(0.5), Path("a")), {"x": 0.5, "where": "a"}),
    ],
)
def test_other_values_become_json(value, expected):
    result = to_json_value(value)
    assert result == expected
    assert type(result) is type(expected)
    render_json(value)


def test_keys_are_sorted_and_text_is_text():
    assert render_json({"b": "ä", "a": 1}) == '{\n  "a": 1,\n  "b": "ä"\n}\n'.encode()


@pytest.mark.parametrize("value", [object(), len, 1j, b"bytes"])
def test_an_error_names_values_without_a_json_form(value):
    with pytest.raises(TypeError, match="has no JSON form"):
        render_json({"a": [value]})
