"""What can change a number of the MEG features; all of it goes into the key of the parts."""

from __future__ import annotations

from dataclasses import dataclass

from ketadask import names as nm

# Values per second below which the highest band, to 100 Hz, would be cut off.
MIN_RATE = 240.0
CORE, FULL, POWER = "core", "full", "power"
AUTO = "auto"
NONE, SSP, ICA = "none", "ssp", "ica"
# Limits of the flags in the quality table: power at the mains over that around it, fraction of
# clean seconds, fraction of bad sensors, clean seconds for coupling, relative distance of the rate.
LINE_FLAG, CLEAN_FLAG, BAD_FLAG, COUPLING_FLAG, RATE_FLAG = 10.0, 0.5, 0.1, 30.0, 0.01


@dataclass(frozen=True)
class MegSettings:
    """How recordings are cleaned and measured.

    Attributes
    ----------
    features
        ``core``: few, selected in advance; ``full``: all groups, bands, regions and hemispheres;
        ``power``: band power alone.
    sensors
        Kind of the sensors to use: ``gradiometer`` (axial), ``magnetometer``, ``planar``, or
        ``electrode`` of EEG; ``auto`` takes the first of these that a recording has.
    modality
        ``meg`` or ``eeg``, whose features they are.
    grade
        Gradient compensation, where the recording has it.
    rate
        Values per second to come near: of ``k`` values one is kept, k the nearest whole number.
    mains
        Hz, where the sidecar does not give it.
    segment
        Duration of a segment in seconds.
    bad_sensor, bad_segment
        Robust z scores of log power beyond which a sensor, compared with its neighbours, or a
        segment is bad.
    cardiac_artefact
        ``none`` keeps it, ``ssp`` removes it by a projector, ``ica`` by independent components.
    parcels
        Whether to add band power of brain parcels where a recording has anatomy.
    min_seconds
        Clean seconds below which a recording is not used; of a short one, half must be clean.
    max_bad_sensors
        Fraction of bad sensors above which a recording is not used.
    """

    features: str = CORE
    sensors: str = AUTO
    modality: str = nm.MEG
    grade: int = 3
    rate: float = 300.0
    mains: float = 60.0
    segment: float = 2.0
    bad_sensor: float = 5.0
    bad_segment: float = 5.0
    cardiac_artefact: str = NONE
    parcels: bool = False
    min_seconds: float = 10.0
    max_bad_sensors: float = 0.3
