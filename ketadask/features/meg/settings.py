"""What can change a number of the MEG features; all of it goes into the key of the parts."""

from __future__ import annotations

from dataclasses import dataclass

CORE, FULL, POWER = "core", "full", "power"
NONE, SSP, ICA = "none", "ssp", "ica"
# Limits of the flags in the quality table: power at the mains over that around it, fraction of
# clean seconds, fraction of bad sensors.
LINE_FLAG, CLEAN_FLAG, BAD_FLAG = 10.0, 0.5, 0.1


@dataclass(frozen=True)
class MegSettings:
    """How recordings are cleaned and measured.

    Attributes
    ----------
    features
        ``core``: few, selected in advance; ``full``: all groups, bands, regions and hemispheres;
        ``power``: band power alone.
    grade
        Gradient compensation, where the recording has it.
    rate
        Values per second; the rate of a recording must be a multiple of it.
    mains
        Hz, where the sidecar does not give it.
    segment
        Duration of a segment in seconds.
    bad_channel, bad_segment
        Robust z scores of log power above which a sensor or a segment is bad.
    cardiac_artefact
        ``none`` keeps it, ``ssp`` removes it by a projector, ``ica`` by independent components.
    parcels
        Whether to add band power of brain parcels where a recording has anatomy.
    least_seconds
        Clean seconds below which a recording is not used; of a short one, half must be clean.
    most_bad
        Fraction of bad sensors above which a recording is not used.
    """

    features: str = CORE
    grade: int = 3
    rate: float = 300.0
    mains: float = 60.0
    segment: float = 2.0
    bad_channel: float = 5.0
    bad_segment: float = 5.0
    cardiac_artefact: str = NONE
    parcels: bool = False
    least_seconds: float = 10.0
    most_bad: float = 0.3
