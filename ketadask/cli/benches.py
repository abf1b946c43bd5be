"""Find and start a measurement by its name."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

from ketadask.schema.errors import InputError, nearest


def run_benchmark(what: str, words: list[str]) -> int:
    """Run ``ketadask.bench.<what>:main`` with the remaining words; return its exit code."""
    import ketadask.bench

    modules = [m.name for m in pkgutil.iter_modules(ketadask.bench.__path__)]
    main = getattr(_module(what), "main", None) if what in modules else None
    if main is None:
        remedy = nearest(what, list(measurements()))
        raise InputError("no such measurement", where="bench", value=what, remedy=remedy)
    return int(main(words) or 0)


def measurements() -> dict[str, str]:
    """Return what can be measured, each with the first line of what is written about it."""
    import ketadask.bench

    modules = {m.name: _module(m.name) for m in pkgutil.iter_modules(ketadask.bench.__path__)}
    return {
        name: (module.__doc__ or "").partition("\n")[0]
        for name, module in modules.items()
        if hasattr(module, "main")
    }


def _module(name: str) -> ModuleType:
    return import_module(f"ketadask.bench.{name}")
