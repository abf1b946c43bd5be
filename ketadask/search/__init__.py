"""Personas: literals, the exact search, blocks of splits, and their graph."""

from importlib import import_module
from typing import Any

_WHERE = {
    "Found": "ketadask.kernels.exact",
    "Gates": "ketadask.search.criteria",
    "Literals": "ketadask.search.literals",
    "PersonaSearch": "ketadask.search.persona_search",
    "Problem": "ketadask.search.problem",
    "encode": "ketadask.search.encoding",
    "top_personas": "ketadask.search.arrays",
}
__all__ = [*_WHERE]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
