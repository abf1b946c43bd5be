"""Which columns of a file hold scores, what they are called here, and what they may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources import rating_scales
from ketadask.sources.cells import Cells
from ketadask.sources.codes import levels_range, parse_number
from ketadask.sources.data_issues import DataIssues

VISIT = (nm.PARTICIPANT, "period", nm.ARM, "day")
KEYS = (nm.PARTICIPANT, "session", "period", nm.ARM, "day")


@dataclass(frozen=True)
class ScaleColumn:
    """One column of scores: where it stands, its name here, its range, label and unit."""

    header: str
    name: str
    low: float
    high: float
    label: str
    unit: str = ""


def scale_columns(
    cells: Cells, described: Mapping[str, Any], keys: frozenset[str], *, need: bool = True
) -> list[ScaleColumn]:
    """Return the columns that hold numbers, under their canonical names.

    A column of a known scale must hold numbers. Any other column is taken where more than half of
    its cells are numbers, and left aside as text where not.

    Parameters
    ----------
    cells
        The file.
    described
        Description per column, from the JSON file beside it.
    keys
        Columns that say who and when.
    need
        Whether a file without any such column is wrong.
    """
    found: dict[str, ScaleColumn] = {}
    for header, values in cells.columns.items():
        known = rating_scales.canonical(header, cells.file.stem)
        if header in keys or (known is None and not _mostly_numbers(values)):
            continue
        name = f"{cells.file.stem}_{header}" if header in KEYS else header
        column = _scale_column(header, known or name, described.get(header, {}))
        if column.name in found:
            raise InputError(
                f"two columns hold {column.name}",
                file=cells.file,
                where=f"columns {found[column.name].header} and {header}",
                remedy="rename or remove one of them",
            )
        found[column.name] = column
    if need and not found:
        raise InputError("no column holds numbers", file=cells.file, remedy="check the file")
    return list(found.values())


def _scale_column(header: str, name: str, described: Mapping[str, Any]) -> ScaleColumn:
    low, high = levels_range(described)
    if not np.isfinite(high - low) or high <= low:
        low, high = rating_scales.limits(name)
    label = rating_scales.label(name)
    text = described.get("LongName") or described.get("Description")
    if label == name and isinstance(text, str) and text.strip():
        label = f"{name}: {text.strip()}"
    unit = described.get("Units")
    return ScaleColumn(header, name, low, high, label, unit if isinstance(unit, str) else "")


def _mostly_numbers(values: list[str]) -> bool:
    numbers = [parse_number(value) for value in values]
    words = sum(number is None for number in numbers)
    spelt = sum(number is not None and not np.isnan(number) for number in numbers)
    return spelt > words


def check_totals(
    cells: Cells,
    columns: list[ScaleColumn],
    values: Mapping[str, np.ndarray],
    findings: DataIssues,
) -> None:
    """Compare the total of a known scale with the sum of its items, where all are there."""
    headers = {column.name: column.header for column in columns}
    sums_of = {
        f"{known.name}_total": [f"{known.name}_{n}" for n in range(1, len(known.items) + 1)]
        for known in rating_scales.INSTRUMENTS.values()
    }
    bech = [f"hamd_{n}" for n in rating_scales.BECH]
    for total, names in [*sums_of.items(), ("hamd6_total", bech)]:
        if total not in values or not set(names) <= set(values):
            continue
        sums = np.sum([values[name] for name in names], axis=0)
        for row in np.flatnonzero(np.abs(sums - values[total]) > 1e-6):
            findings.add(
                InputError(
                    f"the items sum to {sums[row]:g}",
                    file=cells.file,
                    where=cells.where(int(row), headers[total]),
                    value=f"{values[total][row]:g}",
                    remedy="correct the items or the total",
                )
            )
