"""Numbers as a reader sees them, each carrying the exact value it was made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from markupsafe import Markup, escape

ABSENT = "–"
_MINUS = "−"
_SPACE = "\N{NO-BREAK SPACE}"


def format_exact(value: Any) -> Any:
    """Return a numpy scalar as the Python value it stands for, anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def is_number(value: Any) -> bool:
    """Whether ``value`` is a real number (booleans are not)."""
    return isinstance(format_exact(value), int | float) and not isinstance(
        format_exact(value), bool
    )


def number(value: Any, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, and never in powers of ten above 1.

    Examples
    --------
    >>> number(4533.71, 5), number(0.0357), number(-2), number(7_800_000_000), number(None)
    ('4,533.7', '0.0357', '−2', '7,800,000,000', '–')
    """
    value = format_exact(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ABSENT
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 10**digits):
        return f"{int(value):,}".replace("-", _MINUS)
    whole = 1 + math.floor(math.log10(abs(value)))
    places = max(0, digits - whole)
    text = f"{value:.{digits - 1}e}" if whole < -4 else f"{value:,.{places}f}"
    return text.replace("-", _MINUS)


def trimmed(value: Any, digits: int = 5) -> str:
    """Return a number without the zeros that only say how many digits were asked for.

    Examples
    --------
    >>> trimmed(5.5), trimmed(6662.84), trimmed(1040000.0)
    ('5.5', '6,662.8', '1,040,000')
    """
    text = number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def fixed(value: Any, places: int = 2) -> str:
    """Return a number with a fixed number of decimals, so that a column of them lines up.

    Examples
    --------
    >>> fixed(-0.3312, 1), fixed(12.0), fixed(float("nan"))
    ('−0.3', '12.00', '–')
    """
    value = format_exact(value)
    if value is None or not math.isfinite(value):
        return number(value)
    text = f"{value:,.{places}f}"
    return text.removeprefix("-") if float(value) == 0 else text.replace("-", _MINUS)


def p_value(value: Any) -> str:
    """Return a p with three decimals, or two significant digits where it is smaller.

    Examples
    --------
    >>> p_value(0.0344), p_value(0.00021), p_value(3e-9), p_value(1.0)
    ('0.034', '0.00021', '< 0.0001', '1.000')
    """
    value = format_exact(value)
    if value is None or math.isnan(value):
        return ABSENT
    if value < 0.0001:
        return "< 0.0001"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.2g}"


def percent(value: Any) -> str:
    """Return a measured share as a percentage with one decimal, so that all of them compare.

    Little is not nothing, and nearly all is not all.

    Examples
    --------
    >>> [percent(share).split() for share in (0.4375, 0.05, 0.0, 0.9996)]
    [['43.8', '%'], ['5.0', '%'], ['0.0', '%'], ['99.9', '%']]
    >>> percent(0.0001).replace(chr(160), " ")
    '< 0.1 %'
    """
    value = format_exact(value)
    if value is None or math.isnan(value):
        return ABSENT
    shown = 100 * value
    text = f"{shown:.1f}"
    if 0 < shown < 0.1:
        text = f"<{_SPACE}0.1"
    elif 99.9 < shown < 100:
        text = "99.9"
    return f"{text}{_SPACE}%".replace("-", _MINUS)


def percent_given(value: Any) -> str:
    """Return a share that somebody chose as they would have typed it.

    Examples
    --------
    >>> [percent_given(share).split() for share in (0.05, 0.025, 0.5)]
    [['5', '%'], ['2.5', '%'], ['50', '%']]
    """
    value = format_exact(value)
    if value is None or math.isnan(value):
        return ABSENT
    return f"{100 * value:.6g}{_SPACE}%"


def as_given(value: Any) -> str:
    """Return a number as a person would have typed it.

    Examples
    --------
    >>> as_given(0.05), as_given(20260101), as_given(0.2)
    ('0.05', '20260101', '0.2')
    """
    value = format_exact(value)
    return str(value) if isinstance(value, int) else f"{value:.6g}"


_WRITERS: dict[str, Callable[..., str]] = {
    "num": number,
    "end": trimmed,
    "fix": fixed,
    "p": p_value,
    "pct": percent,
    "pctgiven": percent_given,
    "given": as_given,
}


def marked(value: Any, how: str = "num", digits: int | None = None) -> Markup:
    """Return the number as HTML that also carries its exact value for machines and for sorting.

    Examples
    --------
    >>> marked(0.03412345, "p")
    Markup('<data value="0.03412345">0.034</data>')
    """
    writer = _WRITERS[how]
    text = writer(value) if digits is None else writer(value, digits)
    exact = format_exact(value)
    if text == ABSENT:
        return Markup('<span class="absent" title="not available">–</span>')
    return Markup('<data value="{}">{}</data>').format(repr(exact), text)


def marked_value(value: Any, how: str = "num") -> Markup:
    """Return any plain value as HTML: numbers marked, the rest as escaped text."""
    value = format_exact(value)
    if is_number(value):
        return marked(value, how, 4 if how == "num" else None)
    if value is None:
        return Markup("not set")
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Markup(", ").join(marked_value(v, how) for v in value) if value else Markup("none")
    return escape(str(value))


def flattened(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Return nested dicts as (dotted key, plain value) pairs in their own order.

    Examples
    --------
    >>> flattened({"seed": 7, "search": {"cuts": [1, 2]}, "runs": [{"made": 5}]})
    [('seed', 7), ('search.cuts', [1, 2]), ('runs.1.made', 5)]
    """
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
            value = {str(k): v for k, v in enumerate(value, start=1)}  # noqa: PLW2901
        if isinstance(value, Mapping):
            pairs += flattened(value, f"{path}.")
        else:
            pairs.append((path, format_exact(value)))
    return pairs


def lookup(values: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """Return the value under a dotted path, or ``default``.

    Examples
    --------
    >>> lookup({"null": {"relabellings": 199}}, "null.relabellings")
    199
    """
    here: Any = values
    for key in path.split("."):
        if not isinstance(here, Mapping) or key not in here:
            return default
        here = here[key]
    return default if here is None else format_exact(here)
