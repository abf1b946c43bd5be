"""Sensors of a simulated helmet: names and positions of a CTF 275, and references."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KINDS = {"BG": "123", "BP": "123", "BR": "123"}
_KINDS |= {"G1": "123", "G2": "23", "P1": "123", "P2": "23", "Q1": "123", "Q2": "23"}
_KINDS |= {"R1": "123", "R2": "2"}
REFERENCES = tuple(kind + number for kind, numbers in _KINDS.items() for number in numbers)
MOST = 275
_RADIUS, _BEND = 0.11, 4.6
REGIONS = ("C", "F", "O", "P", "T")


@dataclass(frozen=True, eq=False)
class Helmet:
    """Sensors and references: names, sensor positions (sensor, 3) in metres, weights.

    ``weights`` (sensor, reference) is the gradient compensation: the field of the references at
    the sensors.
    """

    names: tuple[str, ...]
    position: np.ndarray
    references: tuple[str, ...]
    weights: np.ndarray

    def sources(self) -> np.ndarray:
        """Return the gain of the ten sources (sensor, source): region times hemisphere.

        Source ``2 r`` is the left and ``2 r + 1`` the right one of region r; sensors on the midline
        have half of each.
        """
        gain = np.zeros((len(self.names), 2 * len(REGIONS)))
        for row, name in enumerate(self.names):
            region = 2 * REGIONS.index(name[2])
            left = {"L": 1.0, "R": 0.0, "Z": 0.5}[name[1]]
            gain[row, region : region + 2] = left, 1.0 - left
        return gain


def helmet(sensors: int = 273, *, references: int = len(REFERENCES)) -> Helmet:
    """Return a helmet; fewer sensors are spread evenly over regions and hemispheres.

    Examples
    --------
    >>> small = helmet(30, references=6)
    >>> len(small.names), sorted({name[1:3] for name in small.names})[:4]
    (30, ['LC', 'LF', 'LO', 'LP'])
    """
    import mne

    layout = mne.channels.read_layout("CTF-275")
    names = [name.partition("-")[0] for name in layout.names]
    middle = layout.pos[:, :2] + layout.pos[:, 2:] / 2
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        groups.setdefault(name[1:3], []).append(row)
    # One sensor of each group in turn, the midline last, so that few sensors cover all regions.
    order = sorted(groups, key=lambda word: (word[0] == "Z", word))
    turns = [
        groups[word][_spread(turn, len(groups[word]))]
        for turn in range(max(map(len, groups.values())))
        for word in order
        if turn < len(groups[word])
    ]
    rows = sorted(turns[: min(sensors, MOST)])
    rng = np.random.default_rng(0)  # the weights belong to the machine, not to the participant
    weights = 0.3 * rng.standard_normal((MOST, len(REFERENCES)))[rows, :references]
    return Helmet(
        tuple(names[row] for row in rows),
        _on_sphere(middle[rows] - middle.mean(axis=0)),
        REFERENCES[:references],
        weights,
    )


def _spread(turn: int, size: int) -> int:
    """Return a row of a group so that the first turns lie apart and every row comes once."""
    stride = next(s for s in range(size * 5 // 8 or 1, 2 * size + 2) if np.gcd(s, size) == 1)
    return turn * stride % size


def _on_sphere(flat: np.ndarray) -> np.ndarray:
    """Bend the flat layout (nose up) over a head: x to the nose, y to the left, z up."""
    away = np.hypot(*flat.T)
    polar = _BEND * away
    turn = np.arctan2(-flat[:, 0], flat[:, 1])
    ring = _RADIUS * np.sin(polar)
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn), _RADIUS * np.cos(polar)])
