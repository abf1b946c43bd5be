"""A study folder with planted truth, in the formats real studies come in."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_WHERE = {"simulate": "ketadask.simulate.study"}
__all__ = [*_WHERE]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


class _Floor(ModuleType):
    """This module, callable: importing it puts it where `ketadask.simulate(...)` is looked up."""

    def __call__(self, *given: Any, **options: Any) -> Any:
        return self.simulate(*given, **options)


sys.modules[__name__].__class__ = _Floor
