"""Values as JSON: one form per kind of value, one way to render."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np


def to_json_value(value: Any) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Convert a value to types of JSON.

    Numpy scalars and arrays become numbers and lists, NaN becomes ``None``, infinities become the
    texts ``"inf"`` and ``"-inf"``, paths and dates become text, sets become sorted lists.

    Examples
    --------
    >>> to_json_value({"q": np.float32(0.5), "p": float("nan"), "ids": np.arange(2), "b": -np.inf})
    {'q': 0.5, 'p': None, 'ids': [0, 1], 'b': '-inf'}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return to_json_value(value.value)
    if isinstance(value, np.generic | np.ndarray):
        return to_json_value(value.tolist())
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(to_json_value(key)): to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(to_json_value, value), key=lambda item: (str(type(item)), item))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form: {value!r:.80}")


def render_json(value: Any) -> bytes:
    """Render a value as JSON bytes: sorted keys, two spaces, a newline at the end.

    Examples
    --------
    >>> render_json({"b": 1, "a": None}).decode()
    '{\\n  "a": null,\\n  "b": 1\\n}\\n'
    """
    text = json.dumps(
        to_json_value(value), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False
    )
    return f"{text}\n".encode()
