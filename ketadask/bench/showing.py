"""Tables of numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ketadask.bench.clocks import machine

_WIDE = 160


def show(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of numbers; ``columns`` names what is shown, by key."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title=title, title_justify="left")
    for name in columns.values():
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(said(row.get(key)) for key in columns))
    (console if console.is_terminal else Console(highlight=False, width=_WIDE)).print(table)


def said(value: Any) -> str:
    """Return a value as people write it.

    Examples
    --------
    >>> said(7_715_207_280), said(6.9e12), said(0.01234), said(True), said(None), said("beam")
    ('7,715,207,280', '6.9e+12', '0.0123', 'yes', '', 'beam')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and abs(value) < 1e11:
        return f"{value:,}"
    return f"{value:.3g}" if value < 1000 or value >= 1e6 else f"{value:,.0f}"


def share(value: float) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> share(0.546)
    '55 %'
    """
    return f"{100 * value:.0f} %"


def machine_line() -> str:
    """Return what the numbers depend on, in one line."""
    return "; ".join(f"{name}: {value}" for name, value in machine().items())
