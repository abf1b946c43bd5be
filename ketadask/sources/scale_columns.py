"""The columns of a file that hold scores: their names, ranges, labels and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.cells import Cells
from ketadask.sources.codes import is_blank, levels_range, parse_number, parse_numbers
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.rating_scales import (
    BECH,
    RATING_SCALES,
    canonical_column,
    score_label,
    score_range,
)

VISIT = (nm.PARTICIPANT, "period", nm.ARM, "day")
KEYS = (nm.PARTICIPANT, "session", "period", nm.ARM, "day")


@dataclass(frozen=True)
class ScaleColumn:
    """One column of scores: its header in the file, its name here, range, label and unit."""

    header: str
    name: str
    low: float
    high: float
    label: str
    unit: str = ""


def scale_columns(
    cells: Cells, descriptions: Mapping[str, Any], keys: frozenset[str], *, need: bool = True
) -> list[ScaleColumn]:
    """Return the columns that hold numbers, under their canonical names.

    A column of a known scale must hold numbers. Any other column is a score if more than half of
    its cells are numbers, else text to ignore.

    Parameters
    ----------
    cells
        The file.
    descriptions
        Description per column, from the JSON file beside it.
    keys
        Columns of participant and visit.
    need
        Whether a file without scores is wrong.
    """
    columns: dict[str, ScaleColumn] = {}
    for header, values in cells.columns.items():
        name = canonical_column(header, cells.file.stem)
        if header in keys or (name is None and not _mostly_numbers(values)):
            continue
        if name is None:
            name = f"{cells.file.stem}_{header}" if header in KEYS else header
        if name in columns:
            raise InputError(
                f"two columns hold {name}",
                file=cells.file,
                where=f"columns {columns[name].header} and {header}",
                remedy="rename or remove one of them",
            )
        columns[name] = _scale_column(header, name, descriptions.get(header, {}))
    if need and not columns:
        raise InputError("no column holds numbers", file=cells.file, remedy="check the file")
    return list(columns.values())


def _scale_column(header: str, name: str, description: Mapping[str, Any]) -> ScaleColumn:
    low, high = levels_range(description)
    if not np.isfinite(high - low) or high <= low:
        low, high = score_range(name)
    label = score_label(name)
    text = description.get("LongName") or description.get("Description")
    if label == name and isinstance(text, str) and text.strip():
        label = f"{name}: {text.strip()}"
    unit = description.get("Units")
    return ScaleColumn(header, name, low, high, label, unit if isinstance(unit, str) else "")


def _mostly_numbers(values: list[str]) -> bool:
    if parse_numbers(values) is not None:
        return any(not is_blank(value) for value in values)
    numbers = [parse_number(value) for value in values]
    n_words = numbers.count(None)
    return sum(n is not None and not np.isnan(n) for n in numbers) > n_words


def check_totals(
    cells: Cells,
    columns: list[ScaleColumn],
    values: Mapping[str, np.ndarray],
    issues: DataIssues,
) -> None:
    """Compare the total of a known scale with the sum of its items, where no item is missing."""
    headers = {column.name: column.header for column in columns}
    items_of = {f"{scale.name}_total": scale.columns for scale in RATING_SCALES.values()}
    bech = [f"hamd_{n}" for n in BECH]
    for total, names in [*items_of.items(), ("hamd6_total", bech)]:
        if total not in values or not set(names) <= set(values):
            continue
        sums = np.sum([values[name] for name in names], axis=0)
        for row in np.flatnonzero(np.abs(sums - values[total]) > 1e-6).tolist():
            problem, value = f"the items sum to {sums[row]:g}", f"{values[total][row]:g}"
            remedy = "correct the items or the total"
            issues.add(cells.error(row, headers[total], problem, remedy, value))
