"""Gradient compensation of CTF recordings: subtract from the sensors what the references record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import bare_name

HIGHEST = 3


@dataclass(frozen=True, eq=False)
class Compensator:
    """A change of grade: ``target = field + weights @ field[columns]``.

    Only the references have weights, so a window costs one thin matrix product.
    """

    columns: np.ndarray
    weights: np.ndarray

    def apply(self, field: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return rows of ``field`` (channel, time) at the new grade, in the type of ``field``."""
        target: np.ndarray = field[rows]
        if self.columns.size:
            target += self.weights[rows].astype(field.dtype) @ field[self.columns]
        return target


def compensation_matrices(comps: Sequence[Any], names: Sequence[str]) -> dict[int, np.ndarray]:
    """Return by grade what is subtracted from grade 0: (channel, channel), in the order of names.

    Parameters
    ----------
    comps
        ``comps`` of mne's measurement, calibrated.
    names
        Channels of the recording, with or without serial numbers; rows of others are ignored.
    """
    position = {bare_name(name): k for k, name in enumerate(names)}
    matrices = {}
    for comp in comps:
        table = comp["data"]
        references = [bare_name(name) for name in table["col_names"]]
        if not set(references) <= set(position):
            continue  # without one of its references the grade cannot be computed
        columns = [position[name] for name in references]
        matrix = np.zeros((len(names), len(names)))
        rows = [bare_name(name) for name in table["row_names"]]
        for name, row in zip(rows, table["data"], strict=True):
            if name in position:
                matrix[position[name], columns] = row
        matrices[int(comp["kind"])] = matrix
    return matrices


def missing_grade(matrices: Mapping[int, np.ndarray], grade: int, file: object) -> InputError:
    """Return the error of a recording without this grade."""
    grades = sorted({0, *(own for own in matrices if own <= HIGHEST)})
    return InputError(
        "the recording has no such gradient compensation",
        file=file,
        where="grade",
        value=grade,
        remedy=f"choose one of {grades}",
    )


def build_compensator(
    matrices: Mapping[int, np.ndarray], source: int, target: int, n_channels: int
) -> Compensator:
    """Return the `Compensator` from one grade to another.

    ``s_to = (I - C_to) inv(I - C_from) s_from``, as `mne.io.Raw.apply_gradient_compensation`.

    Examples
    --------
    >>> matrices = {3: np.array([[0.0, 0.5], [0.0, 0.0]])}
    >>> build_compensator(matrices, 0, 3, 2).apply(np.array([[10.0], [4.0]]), np.array([0]))
    array([[8.]])
    """
    if source == target:
        return Compensator(np.zeros(0, dtype=np.int64), np.zeros((n_channels, 0)))
    for grade in (source, target):
        if grade and grade not in matrices:
            raise missing_grade(matrices, grade, None)
    eye = np.eye(n_channels)
    change = eye - (matrices[target] if target else np.zeros((n_channels, n_channels)))
    if source:
        change = change @ np.linalg.inv(eye - matrices[source])
    change -= eye
    columns = np.flatnonzero(change.any(axis=0))
    return Compensator(columns, np.ascontiguousarray(change[:, columns]))
