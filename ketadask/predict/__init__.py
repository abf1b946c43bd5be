"""Response foretold from brain structure: nested cross-validation, locked models, other cohorts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketadask.predict.cases import Cases, cases_of, cases_of_volumes
    from ketadask.predict.folds import Frame
    from ketadask.predict.learners import Learner
    from ketadask.predict.locked import LockedModel, lock, read_locked
    from ketadask.predict.nested import Nested
    from ketadask.predict.preparation import Preparing
    from ketadask.predict.results import Prediction, predict

_HOMES = {
    "Cases": "cases",
    "Frame": "folds",
    "Learner": "learners",
    "LockedModel": "locked",
    "Nested": "nested",
    "Prediction": "results",
    "Preparing": "preparation",
    "cases_of": "cases",
    "cases_of_volumes": "cases",
    "lock": "locked",
    "predict": "results",
    "read_locked": "locked",
}

__all__ = [
    "Cases",
    "Frame",
    "Learner",
    "LockedModel",
    "Nested",
    "Prediction",
    "Preparing",
    "cases_of",
    "cases_of_volumes",
    "lock",
    "predict",
    "read_locked",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
