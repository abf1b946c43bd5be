"""Natural order of names: ``bdi_2`` before ``bdi_10``, a total after its items."""

from __future__ import annotations

import re


def natural_key(name: str) -> tuple[tuple[int, int, str, str], ...]:
    """Return a sort key that compares numbers inside names as numbers.

    Examples
    --------
    >>> sorted(["bdi_10", "bdi_total", "bdi_2"], key=natural_key)
    ['bdi_2', 'bdi_10', 'bdi_total']
    """
    parts = re.split(r"([0-9]+)", name)
    return tuple(
        (0, int(part), "", part) if part[0] in "0123456789" else (1, 0, part.lower(), part)
        for part in parts
        if part
    )
