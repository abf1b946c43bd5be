"""Baseline values by arm, inside and outside the personas, and what each column was used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ketadask import names as nm
from ketadask.report.context import ReportContext
from ketadask.report.labels import format_measurement_unit
from ketadask.report.members import member_masks
from ketadask.report.personas import FeatureLabels

MAX_ROWS, MAX_PERSONAS = 12, 3
DEMOGRAPHIC = "demographic"


@dataclass(frozen=True)
class BaselineCell:
    """Mean and standard deviation, or the fraction of a 0/1 feature; and the number of values."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class BaselineRow:
    """One feature in all groups; ``is_rate`` says whether its values are 0 and 1."""

    label: str
    unit: str
    is_rate: bool
    cells: tuple[BaselineCell, ...]


@dataclass(frozen=True)
class BaselineView:
    """Baseline by group: all units, the arms where they differ, and sides of the personas."""

    groups: tuple[tuple[str, int], ...]
    rows: tuple[BaselineRow, ...]
    n_features: int


@dataclass(frozen=True)
class ColumnUse:
    """What one column of the data is used for, and why it is not used."""

    file: str
    column: str
    use: str
    reason: str


def baseline_view(context: ReportContext) -> BaselineView | None:
    """Return the demographic features and those of the first personas, by group."""
    units = context.data.units
    if units is None or not units.sizes[nm.UNIT]:
        return None
    groups = _groups(context)
    names, labels = _features(context), FeatureLabels(units)
    rows = tuple(
        _row(labels.label(name), labels.text("measurement_unit", name), labels.values(name), groups)
        for name in names
    )
    sizes = tuple((title, int(mask.sum())) for title, mask in groups.items())
    return BaselineView(sizes, rows, units.sizes[nm.FEATURE]) if rows else None


def _groups(context: ReportContext) -> dict[str, np.ndarray]:
    units = context.data.units
    assert units is not None
    has_outcome = np.isfinite(units["outcome"].to_numpy().astype(float))
    groups = {"all": np.ones(len(has_outcome), bool)}
    if context.design != "crossover":  # there each participant is in both arms
        groups |= {arm: has_outcome[:, k] for k, arm in enumerate((nm.ACTIVE, nm.CONTROL))}
    personas = tuple(row for row in context.personas if row.is_claim)[:MAX_PERSONAS]
    for row, mask in zip(personas, member_masks(context, personas), strict=False):
        groups |= {f"inside #{row.rank}": mask, f"outside #{row.rank}": ~mask}
    return groups


def _features(context: ReportContext) -> list[str]:
    """Return the features of the personas in the table, and the demographic ones."""
    units = context.data.units
    assert units is not None
    of_personas = [
        literal.feature
        for row in context.personas[:MAX_PERSONAS]
        if row.is_claim
        for literal in row.literals
    ]
    present = [str(name) for name in units[nm.FEATURE].values]
    modality = np.asarray(units["modality"].values).astype(str)
    demographic = [n for n, m in zip(present, modality, strict=True) if m == DEMOGRAPHIC]
    names = dict.fromkeys([*demographic, *(n for n in of_personas if n in present)])
    return list(names)[:MAX_ROWS] or present[:MAX_ROWS]


def _row(
    label: str, unit: str, values: np.ndarray, groups: Mapping[str, np.ndarray]
) -> BaselineRow:
    present = np.isfinite(values)
    is_rate = set(np.unique(values[present])) <= {0.0, 1.0}
    cells = []
    for mask in groups.values():
        own = values[mask & present]
        sd = float(own.std(ddof=1)) if own.size > 1 else np.nan
        cells.append(BaselineCell(float(own.mean()) if own.size else np.nan, sd, own.size))
    return BaselineRow(label, format_measurement_unit(unit), is_rate, tuple(cells))


def columns_view(context: ReportContext) -> Sequence[ColumnUse] | None:
    """Return what each column of the data is used for, those that are not used first."""
    rows = [
        ColumnUse(**{k: context.mask(v) for k, v in row.items()}) for row in context.data.columns
    ]
    return sorted(rows, key=lambda row: row.use != "not used") or None
