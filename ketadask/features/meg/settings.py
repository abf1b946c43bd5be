"""What can change a number of the MEG features; all of it goes into the key of the parts."""

from __future__ import annotations

from dataclasses import dataclass

CORE, FULL, POWER = "core", "full", "power"
NONE, SSP, ICA = "none", "ssp", "ica"
# What makes a reader look at a recording: the power at the mains over that around it, the share
# of clean seconds, the share of bad sensors.
LINE_FLAG, CLEAN_FLAG, BAD_FLAG = 10.0, 0.5, 0.1


@dataclass(frozen=True)
class MegSettings:
    """How recordings are cleaned and measured.

    Attributes
    ----------
    features
        ``core``: few, chosen in advance; ``full``: all families, bands, regions and hemispheres;
        ``power``: band power alone.
    grade
        Gradient compensation, where the recording has it.
    rate
        Values per second that are kept; a recording must have a whole multiple of it.
    mains
        Hz, where no sidecar says it.
    segment
        Seconds of the pieces that are good or bad.
    bad_channel, bad_segment
        Robust z scores of log power from which a sensor or a piece is bad.
    cardiac_artefact
        ``keep`` leaves its field alone, ``project`` takes it off by a projector, ``ica`` by
        independent components.
    parcels
        Whether band power of brain parcels is added where a recording has anatomy.
    least_seconds
        Clean seconds below which a recording is not used; of a short one, half must be clean.
    most_bad
        Share of bad sensors above which a recording is not used.
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
