"""Inference: what may be claimed. Relabelled trials, adjusted p, families, stability, verdicts."""

from importlib import import_module
from typing import Any

_WHERE = {
    "Digest": "digest",
    "Null": "notebook",
    "Personas": "evaluation",
    "across_trials": "across",
    "digest_block": "digest",
    "enrichment": "enrolment",
    "evaluate_block": "evaluation",
    "explained_units": "explained",
    "judge": "notebook",
    "null": "notebook",
    "null_block": "relabelled",
    "null_maxima": "relabelled",
    "persona_stability": "stability",
    "power": "detection",
    "risk_coverage": "explained",
    "stability_frame": "digest",
}
__all__ = [
    "Digest",
    "Null",
    "Personas",
    "across_trials",
    "digest_block",
    "enrichment",
    "evaluate_block",
    "explained_units",
    "judge",
    "null",
    "null_block",
    "null_maxima",
    "persona_stability",
    "power",
    "risk_coverage",
    "stability_frame",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
