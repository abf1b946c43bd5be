"""What a figure takes: tables, the folder of a run, or an object with results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.store.datasets import from_dataset
from ketadask.store.parts import Parts
from ketadask.store.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.schema.cohort import Cohort


_NEIGHBOURS = re.compile(r" \([^()|]+ \| [^()|]+\)")


@dataclass(frozen=True)
class RunTables:
    """The tables of a run folder, each read when a figure needs it."""

    folder: RunFolder

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """One row per finding."""
        return self.folder.read_table("verdicts.parquet")

    @cached_property
    def stability(self) -> pd.DataFrame:
        """How often each feature was selected."""
        return self.folder.read_table("stability.parquet")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """All headline numbers."""
        return dict(self.folder.read_json("summary.json"))

    @cached_property
    def cohort(self) -> Cohort:
        """The cohort."""
        return from_dataset(self.folder.read_dataset("cohort.zarr"))

    @cached_property
    def nulls(self) -> pd.DataFrame:
        """Personas of the relabelled trials; of the key with most of them."""
        folder = self.folder.path / "nulls"
        keys = [json.loads(file.read_bytes())["key"] for file in sorted(folder.glob("*.json"))]
        if not keys:
            raise InputError("the run has no relabelled trials yet", file=self.folder.path)
        parts = Parts(folder, max(sorted(set(keys)), key=keys.count))
        return parts.read_below("nulls", int(self.summary["relabellings"]), "relabelling")

    @property
    def features(self) -> xr.Dataset:
        """The features with their labels."""
        return self.cohort.dataset

    @property
    def courses(self) -> pd.DataFrame:
        """The outcome scale of every case at every visit."""
        return self.cohort.courses

    @cached_property
    def curve(self) -> pd.DataFrame:
        """The risk-coverage curve, beside relabelled trials where it was calibrated."""
        has_null = self.folder.has("risk_null.parquet")
        return self.folder.read_table("risk_null.parquet" if has_null else "risk_coverage.parquet")

    @cached_property
    def spectra(self) -> pd.DataFrame:
        """Spectra of the recordings."""
        return self.folder.read_table("spectra.parquet")


def results_of(source: Any) -> Any:
    """Return an object with tables as attributes: those of a run folder, or of `discover`."""
    if isinstance(source, str | Path):
        return RunTables(RunFolder.open(source))
    folder = getattr(source, "folder", None)
    if isinstance(folder, Path):
        return RunTables(RunFolder.open(folder))
    return getattr(source, "data", source)


def table_of(source: Any, name: str) -> pd.DataFrame:
    """Return a table, or the one of this name of what `results_of` returns."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    table = getattr(results_of(source), name, None)
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"a figure needs the {name} of a study",
            value=type(source).__name__,
            remedy="give the table, the folder of a run, or the result of kd.discover",
        )
    return table


def feature_labels(source: Any) -> dict[str, str]:
    """Return the label of each feature of a study, a cohort, a phenotype or a dictionary.

    Empty where ``source`` is a table.
    """
    labels = source if isinstance(source, Mapping) else getattr(source, "labels", None)
    if isinstance(labels, Mapping) and not hasattr(source, "coords"):
        return {str(name): str(text) for name, text in labels.items() if text}
    features = getattr(source, "dataset", source if hasattr(source, "coords") else None)
    if features is None and not hasattr(source, "columns"):
        features = getattr(results_of(source), "features", None)
    if features is None or "label" not in features.coords:
        return {}
    names, labels = features[nm.FEATURE].values, features["label"].values
    return {str(n): str(text) for n, text in zip(names, labels, strict=True) if str(text)}


def persona_labels(verdicts: pd.DataFrame, source: Any) -> list[str]:
    """Return the texts of personas with the labels of their features, where these are known."""
    labels, rows = feature_labels(source), []
    for text, features in zip(verdicts["text"], verdicts["features"], strict=True):
        rows.append(label_text(text, str(features).split(" | "), labels))
    return rows


def label_text(text: str, features: Iterable[str], labels: Mapping[str, str]) -> str:
    """Return the text of a persona with the labels of its features, where these are known.

    The values on both sides of a rounded cut are left out.

    Examples
    --------
    >>> label_text("bdi_10 >= 1", ["bdi_10"], {"bdi_10": "BDI item 10: crying"})
    'BDI item 10: crying ≥ 1'
    """
    text = _NEIGHBOURS.sub("", text)
    for feature in sorted(features, key=len, reverse=True):
        text = text.replace(feature, labels.get(feature, feature))
    return text.replace("<=", "≤").replace(">=", "≥")


def member_mask(units: xr.Dataset, literals: pd.DataFrame, persona: Any) -> np.ndarray:
    """Return (unit,) 1.0 inside a persona, 0.0 outside, NaN where a missing value leaves it open.

    ``persona`` is a row of the verdicts; ``literals`` the table with their value ranges.
    """
    ranges = literals.set_index("literal")
    features = [str(name) for name in units[nm.FEATURE].values]
    inside = np.ones(units.sizes[nm.UNIT])
    for k in range(1, nm.MAX_LITERALS + 1):
        if persona[f"literal_{k}"] >= 0:
            literal = ranges.loc[persona[f"literal_{k}"]]
            value = units["value"].values[:, features.index(str(literal["feature"]))]
            holds = ((value > literal["low"]) & (value <= literal["high"])).astype(float)
            holds[np.isnan(value)] = np.nan
            inside = np.where((inside == 0) | (holds == 0), 0.0, inside * holds)
    return inside
