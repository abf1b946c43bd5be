"""Site levels: the sites of a trial, small ones merged by a fixed rule."""

from __future__ import annotations

import numpy as np

from ketadask.cohort.case_arrays import codes

MIN_CELL = 2
"""Fewest units in each cell of a site level."""


def site_levels(
    trial: np.ndarray,
    site: np.ndarray,
    cell: np.ndarray,
    comparison: np.ndarray,
    participant: np.ndarray,
) -> np.ndarray:
    """Return (unit,) codes of the site levels, within which scores are centred and relabelled.

    A site is small if one of its cells has fewer than two units, or if it lacks an arm (crossover:
    a sequence) of its trial. The small sites of a trial become one level, `other`. If that is
    still small, it joins the site of the trial with the fewest participants.

    Parameters
    ----------
    trial, site
        (unit,) trial, and site within the trial.
    cell
        (unit,) kind of cell: arm; pooled: arm and period; crossover: sequence.
    comparison
        (unit,) what a level needs all kinds of: arm, or sequence.
    participant
        (unit,) equal values are the same participant.

    Examples
    --------
    >>> arm = np.array([0, 1, 0, 1, 0, 1, 0, 0, 1])
    >>> site = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    >>> site_levels(np.zeros(9), site, arm, arm, np.arange(9))
    array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    """
    level = codes(trial, site)
    joint = level.copy()
    for own in (np.flatnonzero(trial == name) for name in np.unique(trial)):
        names, position = np.unique(level[own], return_inverse=True)
        small = _is_small(position, cell[own], comparison[own])
        if names.size == 1 or not small.any():
            continue
        other = small[position]
        target = names[small][0]
        if not small.all() and _is_small(np.where(other, 0, 1), cell[own], comparison[own])[0]:
            people = [
                np.unique(participant[own][position == k]).size for k in np.flatnonzero(~small)
            ]
            target = names[~small][int(np.argmin(people))]
        joint[own[other]] = target
    return codes(joint)


def _is_small(level: np.ndarray, cell: np.ndarray, comparison: np.ndarray) -> np.ndarray:
    """Return bool (level,) of the levels 0, 1, ... of one trial."""
    per_cell, per_kind = (_counts(level, kind) for kind in (cell, comparison))
    has_small_cell = ((per_cell > 0) & (per_cell < MIN_CELL)).any(axis=1)
    return np.asarray(has_small_cell | (per_kind == 0).any(axis=1))


def _counts(level: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Return (level, kind) numbers of units."""
    column = codes(kind)
    table = np.zeros((int(level.max()) + 1, int(column.max()) + 1), dtype=np.int64)
    np.add.at(table, (level, column), 1)
    return table
