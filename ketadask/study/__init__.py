"""The composition root: a study from its YAML file to its report, stage by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketadask.study.study import Ending, Study

_HOMES = {"Ending": "study", "Study": "study"}

__all__ = ["Ending", "Study"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
