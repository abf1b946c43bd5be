"""Numbers as text and as HTML that carries the exact value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from markupsafe import Markup, escape

ABSENT = "–"
_MINUS = "−"
_SPACE = "\N{NO-BREAK SPACE}"


def python_scalar(value: Any) -> Any:
    """Return a numpy scalar as a Python value, anything else unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def is_number(value: Any) -> bool:
    """Whether ``value`` is a real number (booleans are not)."""
    value = python_scalar(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def format_number(value: Any, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, and never in powers of ten above 1.

    Examples
    --------
    >>> format_number(4533.71, 5), format_number(0.0357), format_number(7_800_000_000)
    ('4,533.7', '0.0357', '7,800,000,000')
    >>> format_number(-2), format_number(None)
    ('−2', '–')
    """
    value = python_scalar(value)
    if _is_absent(value):
        return ABSENT
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 10**digits):
        return f"{int(value):,}".replace("-", _MINUS)
    magnitude = 1 + math.floor(math.log10(abs(value)))
    places = max(0, digits - magnitude)
    text = f"{value:.{digits - 1}e}" if magnitude < -4 else f"{value:,.{places}f}"
    return text.replace("-", _MINUS)


def format_bound(value: Any, digits: int = 5) -> str:
    """Return a number without trailing zeros, as the end of an axis.

    Examples
    --------
    >>> format_bound(5.5), format_bound(6662.84), format_bound(1040000.0)
    ('5.5', '6,662.8', '1,040,000')
    """
    text = format_number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def format_fixed(value: Any, places: int = 2) -> str:
    """Return a number with a fixed number of decimals, so that columns align.

    Examples
    --------
    >>> format_fixed(-0.3312, 1), format_fixed(12.0), format_fixed(float("nan"))
    ('−0.3', '12.00', '–')
    """
    value = python_scalar(value)
    if value is None or not math.isfinite(value):
        return format_number(value)
    text = f"{value:,.{places}f}"
    return (
        text.removeprefix("-") if float(text.replace(",", "")) == 0 else text.replace("-", _MINUS)
    )


def format_p(value: Any) -> str:
    """Return a p-value with three decimals, or two significant digits below 0.001.

    Examples
    --------
    >>> format_p(0.0344), format_p(0.00021), format_p(3e-9), format_p(1.0)
    ('0.034', '0.00021', '< 0.0001', '1.000')
    """
    value = python_scalar(value)
    if _is_absent(value):
        return ABSENT
    if value < 0.0001:
        return "< 0.0001"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.2g}"


def format_percentage(value: Any) -> str:
    """Return a fraction as a percentage with one decimal; only 0 and 1 become 0.0 and 100.0.

    Examples
    --------
    >>> [format_percentage(rate).split() for rate in (0.4375, 0.05, 0.0, 0.9996)]
    [['43.8', '%'], ['5.0', '%'], ['0.0', '%'], ['99.9', '%']]
    >>> format_percentage(0.0001).replace(chr(160), " ")
    '< 0.1 %'
    """
    value = python_scalar(value)
    if _is_absent(value):
        return ABSENT
    percentage = 100 * value
    text = f"{percentage:.1f}"
    if 0 < percentage < 0.1:
        text = f"<{_SPACE}0.1"
    elif 99.9 < percentage < 100:
        text = "99.9"
    return f"{text}{_SPACE}%".replace("-", _MINUS)


def format_setting_percent(value: Any) -> str:
    """Return a fraction from the settings as a percentage, with the digits of the settings.

    Examples
    --------
    >>> [format_setting_percent(level).split() for level in (0.05, 0.025, 0.5)]
    [['5', '%'], ['2.5', '%'], ['50', '%']]
    """
    value = python_scalar(value)
    return ABSENT if _is_absent(value) else f"{100 * value:.6g}{_SPACE}%"


def format_setting(value: Any) -> str:
    """Return a number from the settings with the digits of the settings.

    Examples
    --------
    >>> format_setting(0.05), format_setting(20260101), format_setting(0.2)
    ('0.05', '20260101', '0.2')
    """
    value = python_scalar(value)
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


FORMATS: dict[str, Callable[..., str]] = {
    "num": format_number,
    "end": format_bound,
    "fix": format_fixed,
    "p": format_p,
    "pct": format_percentage,
    "setting_pct": format_setting_percent,
    "setting": format_setting,
}


def number_element(value: Any, style: str = "num", digits: int | None = None) -> Markup:
    """Return a number as HTML that carries its exact value for machines and for sorting.

    Examples
    --------
    >>> number_element(0.03412345, "p")
    Markup('<data value="0.03412345">0.034</data>')
    """
    text = FORMATS[style](value) if digits is None else FORMATS[style](value, digits)
    if text == ABSENT:
        return Markup('<span class="absent" title="not available">–</span>')
    return Markup('<data value="{}">{}</data>').format(repr(python_scalar(value)), text)


def p_statement(value: Any) -> Markup:
    """Return "p = ..." as HTML, or "p < 0.0001".

    Examples
    --------
    >>> [str(p_statement(p).striptags()) for p in (0.034, 3e-9)]
    ['p = 0.034', 'p < 0.0001']
    """
    sign = "" if format_p(value).startswith("<") else "= "
    return Markup("p {}{}").format(sign, number_element(value, "p"))


def value_element(value: Any, style: str = "num") -> Markup:
    """Return any plain value as HTML: a number with its exact value, the rest as escaped text."""
    value = python_scalar(value)
    if is_number(value):
        return number_element(value, style, 4 if style == "num" else None)
    if value is None:
        return Markup("not set")
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, list | tuple):
        return (
            Markup(", ").join(value_element(v, style) for v in value) if value else Markup("none")
        )
    return escape(str(value))


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested dicts as (dotted key, plain value) pairs in their own order.

    Examples
    --------
    >>> flatten({"seed": 7, "search": {"cuts": [1, 2]}, "runs": [{"parts": 5}]})
    [('seed', 7), ('search.cuts', [1, 2]), ('runs.1.parts', 5)]
    """
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
            value = {str(k): v for k, v in enumerate(value, start=1)}  # noqa: PLW2901
        if isinstance(value, Mapping):
            pairs += flatten(value, f"{path}.")
        else:
            pairs.append((path, python_scalar(value)))
    return pairs
