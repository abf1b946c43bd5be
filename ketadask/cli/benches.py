"""Find and start a measurement by its name."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

from ketadask.schema import InputError, nearest


def measure(what: str, words: list[str]) -> int:
    """Run ``ketadask.bench.<what>:main`` with the remaining words; return its exit code."""
    import ketadask.bench

    modules = [m.name for m in pkgutil.iter_modules(ketadask.bench.__path__)]
    main = getattr(_module(what), "main", None) if what in modules else None
    if main is None:
        known = [name for name in modules if hasattr(_module(name), "main")]
        remedy = nearest(what, known) if known else "this version measures nothing"
        raise InputError("no such measurement", where="bench", value=what, remedy=remedy)
    return int(main(words) or 0)


def _module(name: str) -> ModuleType:
    return import_module(f"ketadask.bench.{name}")
