"""ketadask: finds and tests who benefits from a drug.

Importing the package imports nothing else: each public name is loaded on first use. The stub
``__init__.pyi`` tells editors and type checkers where each name is defined.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "HoldoutSplit": "ketadask.cohort.splits",
    "InputError": "ketadask.schema.errors",
    "Outcome": "ketadask.cohort.endpoints",
    "Persona": "ketadask.search.persona",
    "PersonaSearch": "ketadask.search.persona_search",
    "assemble": "ketadask.cohort.assemble",
    "band_power": "ketadask.features.meg.graph",
    "compare_trials": "ketadask.inference.trial_effects",
    "discover": "ketadask.study.discover",
    "judge": "ketadask.inference.notebook",
    "lazy_null": "ketadask.inference.notebook",
    "meg_features": "ketadask.features.meg.graph",
    "null": "ketadask.inference.notebook",
    "open_recordings": "ketadask.sources.meg.collection",
    "open_regions": "ketadask.sources.regional",
    "open_volumes": "ketadask.sources.freesurfer",
    "plot": "ketadask.plot",
    "power": "ketadask.inference.notebook",
    "read_participants": "ketadask.sources.participants",
    "read_phenotype": "ketadask.sources.phenotype",
    "score_units": "ketadask.cohort.units",
    "simulate_study": "ketadask.simulate.study",
    "top_personas": "ketadask.search.top_personas",
    "write_report": "ketadask.report.page",
}
_NEW_NAMES = {
    "across_trials": "compare_trials",
    "report": "write_report",
    "simulate": "simulate_study",
    "units": "score_units",
}
__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 - the names are texts


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        remedy = f"; it is now {_NEW_NAMES[name]!r}" if name in _NEW_NAMES else ""
        raise AttributeError(f"module 'ketadask' has no attribute {name!r}{remedy}")
    home = import_module(_HOMES[name])
    return home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
