"""The cohort floor: one labelled table of cases, the designs that score it, and its splits."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_WHERE = {
    "HoldoutSplit": "splits",
    "Trial": "designs",
    "assemble": "assemble",
    "relabel": "relabel",
    "trial_of": "designs",
    "units": "designs",
}
__all__ = ["HoldoutSplit", "Trial", "assemble", "relabel", "trial_of", "units"]


class _Floor(ModuleType):
    """A package in which ``assemble`` is the function, also once its file has been imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing a submodule sets it as attribute of its package, over the function's name.
        if isinstance(value, ModuleType) and _WHERE.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


sys.modules[__name__].__class__ = _Floor
