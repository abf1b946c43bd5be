"""The plain form of values that go into JSON, and the one way JSON is rendered."""

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


def to_json_value(thing: Any) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Turn a value into what JSON knows.

    Numpy scalars and arrays become numbers and lists, NaN becomes ``None``, infinities become the
    texts ``"inf"`` and ``"-inf"``, paths and dates become text, sets become sorted lists.

    Examples
    --------
    >>> plain({"q": np.float32(0.5), "p": float("nan"), "ids": np.arange(3), "low": -np.inf})
    {'q': 0.5, 'p': None, 'ids': [0, 1, 2], 'low': '-inf'}
    """
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return {f.name: to_json_value(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
    if isinstance(thing, Enum):
        return to_json_value(thing.value)
    if isinstance(thing, np.generic | np.ndarray):
        return to_json_value(thing.tolist())
    if thing is None or isinstance(thing, bool | int | str):
        return thing
    if isinstance(thing, float):
        return _plain_float(thing)
    if isinstance(thing, Mapping):
        return {str(to_json_value(key)): to_json_value(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [to_json_value(item) for item in thing]
    if isinstance(thing, set | frozenset):
        return sorted(
            (to_json_value(item) for item in thing), key=lambda item: (str(type(item)), item)
        )
    if isinstance(thing, date):
        return thing.isoformat()
    if isinstance(thing, PurePath):
        return str(thing)
    raise TypeError(f"a {type(thing).__name__} has no JSON form: {thing!r:.80}")


def _plain_float(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def render_json(thing: Any) -> bytes:
    """Render a value as JSON bytes: sorted keys, two spaces, a newline at the end.

    Examples
    --------
    >>> render_json({"b": 1, "a": None}).decode()
    '{\\n  "a": null,\\n  "b": 1\\n}\\n'
    """
    text = json.dumps(
        to_json_value(thing), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False
    )
    return f"{text}\n".encode()
