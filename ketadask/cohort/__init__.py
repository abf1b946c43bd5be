"""The cohort floor: one labelled table of cases, the designs that score it, and its splits."""

from importlib import import_module
from typing import Any

_WHERE = {
    "HoldoutSplit": "ketadask.cohort.splits",
    "Trial": "ketadask.cohort.designs",
    "trial_of": "ketadask.cohort.designs",
    "units": "ketadask.cohort.designs",
}
__all__ = ["HoldoutSplit", "Trial", "trial_of", "units"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ketadask.cohort' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
