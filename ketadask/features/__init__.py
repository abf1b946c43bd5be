"""Labelled data become numbers per participant and period, one family of features per file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketadask.features.feature_table import FeatureTable
    from ketadask.features.scales import demographic_features, scale_features
    from ketadask.features.volumes import volume_features

_HOMES = {
    "FeatureTable": "feature_table",
    "demographic_features": "scales",
    "scale_features": "scales",
    "volume_features": "volumes",
}

__all__ = ["FeatureTable", "demographic_features", "scale_features", "volume_features"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
