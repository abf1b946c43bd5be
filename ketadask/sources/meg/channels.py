"""What the channels of a recording are: kind, region group, hemisphere, position, good or bad."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

GRADIOMETER, MAGNETOMETER, PLANAR, REFERENCE = "gradiometer", "magnetometer", "planar", "reference"
SENSORS = (GRADIOMETER, MAGNETOMETER, PLANAR)

REGION_LETTERS = {
    "C": "central",
    "F": "frontal",
    "O": "occipital",
    "P": "parietal",
    "T": "temporal",
}
HEMISPHERE_LETTERS = {"L": "left", "R": "right", "Z": "midline"}
UNKNOWN = ""

# Axial gradiometers of CTF are typed `mag` by mne, so the coil decides; the upper half of the
# number holds the grade of compensation.
_CTF_GRADIOMETERS = (5001, 5003, 5004)
_LOW_HALF = 0xFFFF
_CTF_NAME = re.compile(r"M(?P<side>[LRZ])(?P<region>[CFOPT])\d{2}")
_MIDLINE = 0.005


@dataclass(frozen=True, eq=False)
class Channels:
    """The sensors and references of a recording, in the order of the file.

    Attributes
    ----------
    names, kind, region, hemisphere, measure
        (channel,) text; region and hemisphere are empty where nothing is known.
    position
        (channel, 3) metres, in the coordinates of the device.
    bad
        (channel,) bool.
    """

    names: tuple[str, ...]
    kind: np.ndarray
    region: np.ndarray
    hemisphere: np.ndarray
    measure: np.ndarray
    position: np.ndarray
    bad: np.ndarray

    @property
    def sensors(self) -> np.ndarray:
        """(channel,) bool: whether it measures the head and is no reference."""
        return self.kind != REFERENCE

    def with_bads(self, names: Iterable[str]) -> Channels:
        """Return the channels with more of them bad; names that are not there are passed over."""
        worse = {bare_name(name) for name in names}
        return replace(self, bad=self.bad | np.array([name in worse for name in self.names]))


def bare_name(name: str) -> str:
    """Return the name of a channel without the number of the machine.

    Examples
    --------
    >>> bare_name("MLC11-4304"), bare_name("MEG 0113")
    ('MLC11', 'MEG 0113')
    """
    return name.strip().partition("-")[0]


def place_of(name: str, position: Sequence[float]) -> tuple[str, str]:
    """Return region group and hemisphere of a sensor; of other makers only the hemisphere.

    Examples
    --------
    >>> place_of("MLC11", (0, 0, 0)), place_of("MZO02", (0, 0, 0)), place_of("MEG 1", (0.1, 0, 0))
    (('central', 'left'), ('occipital', 'midline'), ('', 'right'))
    """
    if found := _CTF_NAME.fullmatch(name):
        return REGION_LETTERS[found["region"]], HEMISPHERE_LETTERS[found["side"]]
    if not np.isfinite(position[0]):
        return UNKNOWN, UNKNOWN
    if abs(position[0]) < _MIDLINE:
        return UNKNOWN, "midline"
    return UNKNOWN, "right" if position[0] > 0 else "left"


def kind_of_coil(type_of_mne: str, coil: int) -> str | None:
    """Return the kind of a channel from mne's type and the coil; None where it is no MEG channel.

    Examples
    --------
    >>> kind_of_coil("mag", 5001 + (3 << 16)), kind_of_coil("mag", 3024), kind_of_coil("eeg", 1)
    ('gradiometer', 'magnetometer', None)
    """
    if type_of_mne == "ref_meg":
        return REFERENCE
    if type_of_mne == "grad":
        return PLANAR
    if type_of_mne != "mag":
        return None
    return GRADIOMETER if int(coil) & _LOW_HALF in _CTF_GRADIOMETERS else MAGNETOMETER
