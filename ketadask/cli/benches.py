"""Find and start a measurement by its name."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ketadask.schema import InputError, nearest


def measure(what: str, words: list[str]) -> int:
    """Run ``ketadask.bench.<what>:main`` with the remaining words; return its exit code."""
    import ketadask.bench

    known = [m.name for m in pkgutil.iter_modules(ketadask.bench.__path__)]
    known = [name for name in known if hasattr(import_module(f"ketadask.bench.{name}"), "main")]
    if what not in known:
        remedy = nearest(what, known) if known else "this version measures nothing"
        raise InputError("no such measurement", where="bench", value=what, remedy=remedy)
    return int(import_module(f"ketadask.bench.{what}").main(words) or 0)
