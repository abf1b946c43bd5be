"""The channels of a recording: kind, region group, hemisphere, position, good or bad."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

GRADIOMETER, MAGNETOMETER, PLANAR, REFERENCE = "gradiometer", "magnetometer", "planar", "reference"
ELECTRODE = "electrode"  # of EEG
# Other channels, by mne's types; heart, eyes, events and scalp.
AUXILIARY = ("ecg", "eog", "stim", "eeg")
# Unit of a kind of sensor, and its values per tesla, tesla per metre or volt.
UNITS = {PLANAR: ("fT/cm", 1e13), ELECTRODE: ("uV", 1e6)}
FIELD_UNIT = ("fT", 1e15)

REGION_LETTERS = {
    "C": "central",
    "F": "frontal",
    "O": "occipital",
    "P": "parietal",
    "T": "temporal",
}
HEMISPHERE_LETTERS = {"L": "left", "R": "right", "Z": "midline"}
UNKNOWN = ""

# mne types axial gradiometers as `mag`, so the coil decides; the upper half of its code holds the
# grade of compensation. Axial gradiometers of other systems: 4D, KIT, BabyMEG, Artemis, KRISS,
# Compumedics.
_CTF_GRADIOMETERS = (5001, 5003, 5004)
_AXIAL_GRADIOMETERS = (*_CTF_GRADIOMETERS, 4, 2001, 4002, 6001, 7001, 7501, 9001, 9101, 9102)
_LOW_HALF = 0xFFFF
# Where names tell nothing, the region of a direction from the middle of the helmet is the one whose
# score is largest: (away from the midline, forward, up, 1). A linear discriminant of the names of
# the CTF 275; it agrees with 97 % of them and 91 % of those of the CTF 151.
_REGION_SCORES = {
    "central": (-3, 3, 15, -3),
    "frontal": (-2, 11, 0, 4),
    "occipital": (-3, -10, -9, 1),
    "parietal": (0, -7, 10, -4),
    "temporal": (7, 3, -16, 2),
}
# Metres: a helmet of whole-head MEG, and the fewest sensors that show its shape.
_RADII, _MIN_SENSORS = (0.07, 0.17), 20
_CTF_NAME = re.compile(r"M(?P<side>[LRZ])(?P<region>[CFOPT])\d{2}")
_MIDLINE = 0.005
# Electrodes of the 10-20 system and its extensions: the letters tell the region, odd numbers are on
# the left.
_ELECTRODE = re.compile(r"(?P<letters>[A-Z]+)(?P<side>\d+|Z)H?")
_LETTER_REGIONS = {
    "frontal": ("FP", "AFP", "AF", "AFF", "F", "FFC", "FFT"),
    "central": ("FC", "FCC", "C", "CCP", "CP"),
    "temporal": ("FT", "FTT", "T", "TTP", "TP", "TPP"),
    "parietal": ("CPP", "P", "PPO"),
    "occipital": ("PO", "POO", "O", "OI", "I"),
}


@dataclass(frozen=True, eq=False)
class Channels:
    """The sensors and references of a recording, in the order of the file.

    Attributes
    ----------
    names, kind, region, hemisphere, measurement_unit
        (channel,) text; region and hemisphere are empty where unknown.
    position
        (channel, 3) metres, in the coordinates of the device.
    bad
        (channel,) bool.
    """

    names: tuple[str, ...]
    kind: np.ndarray
    region: np.ndarray
    hemisphere: np.ndarray
    measurement_unit: np.ndarray
    position: np.ndarray
    bad: np.ndarray

    @property
    def sensors(self) -> np.ndarray:
        """(channel,) bool: whether the channel is a sensor, not a reference."""
        return np.asarray(self.kind != REFERENCE)

    def with_bads(self, names: Iterable[str]) -> Channels:
        """Return the channels with further ones marked as bad; unknown names are ignored."""
        bads = {bare_name(name) for name in names}
        return replace(self, bad=self.bad | np.array([name in bads for name in self.names]))


def bare_name(name: str) -> str:
    """Return the name of a channel without the serial number of the system.

    Examples
    --------
    >>> bare_name("MLC11-4304"), bare_name("MEG 0113")
    ('MLC11', 'MEG 0113')
    """
    return name.strip().partition("-")[0]


def position_regions(position: np.ndarray) -> list[str]:
    """Return the region groups of sensors (sensor, 3) by their direction from a sphere's middle.

    The sphere is fitted to the sensors. Positions are metres in mne's device coordinates: x to the
    right, y forward, z up. Regions are unknown where the sensors do not surround a head.
    """
    unknown = [UNKNOWN] * len(position)
    valid = np.isfinite(position).all(axis=1) & position.any(axis=1)
    if valid.sum() < _MIN_SENSORS:
        return unknown
    equations = np.column_stack([2 * position[valid], np.ones(valid.sum())])
    solution, *_ = np.linalg.lstsq(equations, (position[valid] ** 2).sum(axis=1), rcond=None)
    middle = solution[:3]
    radius = np.sqrt(max(float(solution[3] + middle @ middle), 0.0))
    if not _RADII[0] < radius < _RADII[1]:
        return unknown
    outward = position - middle
    outward = outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    sides, forward, up = outward.T
    scores = np.array(list(_REGION_SCORES.values())) @ [
        np.abs(sides), forward, up, np.ones(len(outward))
    ]  # fmt: skip
    names = list(_REGION_SCORES)
    return [
        names[best] if is_valid else UNKNOWN
        for best, is_valid in zip(scores.argmax(axis=0).tolist(), valid.tolist(), strict=True)
    ]


def sensor_region(name: str, position: Sequence[float]) -> tuple[str, str]:
    """Return region group and hemisphere of a sensor by its name; of others, the hemisphere only.

    Examples
    --------
    >>> sensor_region("MLC11", (0, 0, 0)), sensor_region("MEG 1", (0.1, 0, 0))
    (('central', 'left'), ('', 'right'))
    """
    if match := _CTF_NAME.fullmatch(name):
        return REGION_LETTERS[match["region"]], HEMISPHERE_LETTERS[match["side"]]
    if not np.isfinite(position[0]):
        return UNKNOWN, UNKNOWN
    if abs(position[0]) < _MIDLINE:
        return UNKNOWN, "midline"
    return UNKNOWN, "right" if position[0] > 0 else "left"


def electrode_region(name: str) -> tuple[str, str]:
    """Return region group and hemisphere of an electrode by its name in the 10-20 system.

    Examples
    --------
    >>> electrode_region("Fp1"), electrode_region("PO8"), electrode_region("Cz")
    (('frontal', 'left'), ('occipital', 'right'), ('central', 'midline'))
    """
    match = _ELECTRODE.fullmatch(name.upper())
    letters = match["letters"] if match else ""
    regions = [region for region, own in _LETTER_REGIONS.items() if letters in own]
    if match is None or not regions:
        return UNKNOWN, UNKNOWN
    if match["side"] == "Z":
        return regions[0], "midline"
    return regions[0], "left" if int(match["side"]) % 2 else "right"


def channel_kind(mne_type: str, coil: int) -> str | None:
    """Return the kind of a channel from mne's type and its coil, None where it is not MEG.

    Examples
    --------
    >>> channel_kind("mag", 5001 + (3 << 16)), channel_kind("mag", 6001), channel_kind("mag", 3024)
    ('gradiometer', 'gradiometer', 'magnetometer')
    """
    if mne_type == "mag":
        return GRADIOMETER if int(coil) & _LOW_HALF in _AXIAL_GRADIOMETERS else MAGNETOMETER
    return {"ref_meg": REFERENCE, "grad": PLANAR}.get(mne_type)


def is_ctf_gradiometer(coil: int) -> bool:
    """Return whether a coil is a sensor of CTF, which is read with gradient compensation.

    Examples
    --------
    >>> is_ctf_gradiometer(5001 + (3 << 16)), is_ctf_gradiometer(6001)
    (True, False)
    """
    return int(coil) & _LOW_HALF in _CTF_GRADIOMETERS
