"""ketadask: who benefits, and what of it is noise.

Importing the package imports nothing else: each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "HoldoutSplit": "ketadask.cohort.splits",
    "InputError": "ketadask.schema",
    "PersonaSearch": "ketadask.search",
    "across_trials": "ketadask.inference",
    "assemble": "ketadask.cohort.assemble",
    "band_power": "ketadask.features.graph",
    "judge": "ketadask.inference",
    "null": "ketadask.inference",
    "open_recordings": "ketadask.sources",
    "open_volumes": "ketadask.sources",
    "power": "ketadask.inference",
    "read_participants": "ketadask.sources",
    "read_phenotype": "ketadask.sources",
    "report": "ketadask.report",
    "simulate": "ketadask.simulate",
    "top_personas": "ketadask.search",
    "units": "ketadask.cohort",
}
__all__ = ["__version__", *sorted(_WHERE)]  # noqa: PLE0604 - the names are texts


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ketadask' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
