"""Gradient compensation of CTF recordings: what the references see is taken off the sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError

HIGHEST = 3


@dataclass(frozen=True, eq=False)
class Compensator:
    """A change of grade: ``compensated = field + weights @ field[columns]``.

    Only the references have weights, so a window costs a thin matrix product and no more.
    """

    columns: np.ndarray
    weights: np.ndarray

    def apply(self, field: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return rows of ``field`` (channel, time) at the new grade, in the type of ``field``."""
        made = field[rows]
        if self.columns.size:
            made += self.weights[rows].astype(field.dtype) @ field[self.columns]
        return made


def compensation_matrices(comps: Sequence[Any], names: Sequence[str]) -> dict[int, np.ndarray]:
    """Return by grade what is subtracted from grade 0: (channel, channel), in the order of names.

    Parameters
    ----------
    comps
        ``comps`` of mne's measurement, calibrated.
    names
        Channels that are kept; rows of other channels are left out.
    """
    place = {name: k for k, name in enumerate(names)}
    made = {}
    for comp in comps:
        table = comp["data"]
        columns = [place.get(name) for name in table["col_names"]]
        if None in columns:
            continue  # a reference was not recorded: the grade cannot be made
        matrix = np.zeros((len(names), len(names)))
        for name, row in zip(table["row_names"], table["data"], strict=True):
            if name in place:
                matrix[place[name], columns] = row
        made[int(comp["kind"])] = matrix
    return made


def compensator(matrices: Mapping[int, np.ndarray], present: int, wanted: int, n: int) -> Any:
    """Return the `Compensator` from the present to the wanted grade.

    ``s_to = (I - C_to) inv(I - C_from) s_from``, as `mne.io.Raw.apply_gradient_compensation`.

    Examples
    --------
    >>> found = compensator({3: np.array([[0.0, 0.5], [0.0, 0.0]])}, 0, 3, 2)
    >>> found.apply(np.array([[10.0], [4.0]]), np.array([0]))
    array([[8.]])
    """
    for grade in (present, wanted):
        if grade and grade not in matrices:
            raise InputError(
                "the recording has no such gradient compensation",
                where="grade",
                value=grade,
                remedy=f"choose one of {sorted({0, present, *_usual(matrices)})}",
            )
    if present == wanted:
        change = np.zeros((n, n))
    else:
        eye = np.eye(n)
        change = eye - matrices.get(wanted, np.zeros((n, n)))
        if present:
            change = change @ np.linalg.inv(eye - matrices[present])
        change -= eye
    columns = np.flatnonzero(change.any(axis=0))
    return Compensator(columns, np.ascontiguousarray(change[:, columns]))


def _usual(matrices: Mapping[int, np.ndarray]) -> list[int]:
    return [grade for grade in matrices if grade <= HIGHEST]
