"""Removal of cardiac artefacts: by projectors (SSP) or by independent components (ICA)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketadask.features.meg.quality import Quality
from ketadask.features.meg.settings import ICA, NONE, SSP
from ketadask.features.meg.stream import DecimatedField
from ketadask.features.meg.time_courses import bridge_bad_segments
from ketadask.schema.errors import InputError, nearest

# The pattern is fitted to one minute: it holds sixty beats, and bounds mne's float64 copy.
FIT_SECONDS = 60.0
_MIN_SECONDS = 12.0
_SLOWEST, _FASTEST = 40.0, 120.0
# Intervals of a heart at rest hardly differ; those of peaks of alpha do, and alpha must stay.
_MAX_SPREAD = 0.15
# An electrocardiogram shows a heart also where it beats less regularly.
_MAX_SPREAD_OF_ECG = 0.4
_BEAT_BAND = (5.0, 35.0)
_MIN_BEATS = 8
_MIN_SENSORS = 3
_COMPONENTS = 20
# Components are fitted to every third value, without a low-pass: aliasing does not harm
# instantaneous mixing, and a filter fitted without the noise of gamma would amplify it.
_FIT_RATE = 100.0
_HIGH_PASS = 1.0
_SECONDS_AT_ONCE = 10.0
_FEMTO, _MILLIVOLT = 1e-15, 1e-3
_ECG = "ECG"
_SEED = 7


@dataclass(frozen=True, eq=False)
class ArtefactRemoval:
    """A linear operation on the good sensors of a recording.

    Attributes
    ----------
    matrix
        (sensor, sensor) to multiply the field by; None where nothing is removed.
    n_components
        Number of projectors or components it removes.
    pulse
        Beats per minute, NaN where no heartbeat was found.
    """

    matrix: np.ndarray | None
    n_components: int
    pulse: float


NO_REMOVAL = ArtefactRemoval(None, 0, float("nan"))


def remove_cardiac(
    data: DecimatedField, quality: Quality, names: Sequence[str], method: str
) -> ArtefactRemoval:
    """Remove cardiac artefacts from the good sensors of a recording, in place.

    Beats are detected in the electrocardiogram. Where there is none, they are detected in the mean
    of the sensors and in their principal components (``ssp``) or in independent components
    (``ica``), and accepted only if they are regular. The pattern is fitted to at most one minute
    and removed from the whole recording by one matrix product per window.

    Parameters
    ----------
    data, quality
        The field, its bad sensors and segments.
    names
        (sensor,) names.
    method
        ``none``, ``ssp`` or ``ica``.
    """
    if method == NONE:
        return NO_REMOVAL
    fit = {SSP: fit_ssp, ICA: fit_ica}.get(method)
    if fit is None:
        raise InputError(
            "unknown method to remove cardiac artefacts", where="cardiac_artefact", value=method,
            remedy=nearest(method, (NONE, SSP, ICA)),
        )  # fmt: skip
    good = np.flatnonzero(quality.good)
    segment, ecg = _cleanest_minute(data, quality)
    if segment.shape[1] < _MIN_SECONDS * data.rate or len(good) < _MIN_SENSORS:
        return NO_REMOVAL
    removal = fit(segment, data.rate, [names[row] for row in good.tolist()], ecg)
    if removal.matrix is not None:
        multiply_rows(data.field, good, removal.matrix, round(_SECONDS_AT_ONCE * data.rate))
    return removal


def multiply_rows(field: np.ndarray, rows: np.ndarray, matrix: np.ndarray, step: int) -> None:
    """Multiply rows of ``field`` (sensor, time) by a matrix, in place, ``step`` values at a time.

    Examples
    --------
    >>> field = np.array([[1.0, 2.0], [9.0, 9.0], [3.0, 4.0]], dtype=np.float32)
    >>> multiply_rows(field, np.array([0, 2]), np.array([[0, 1], [1, 0]]), 1)
    >>> field[:, 0].tolist()
    [3.0, 9.0, 1.0]
    """
    small = matrix.astype(field.dtype)
    for first in range(0, field.shape[1], step):
        window = slice(first, first + step)
        field[rows, window] = small @ field[rows, window]


def fit_ssp(
    field: np.ndarray, rate: float, names: Sequence[str], ecg: np.ndarray | None = None
) -> ArtefactRemoval:
    """Fit one projector to the mean beat, as ``mne.preprocessing.compute_proj_ecg`` does.

    Parameters
    ----------
    field, rate, names
        (sensor, time) fT, values per second, names of the sensors.
    ecg
        (time,) electrocardiogram, or None.
    """
    from mne.preprocessing import compute_proj_ecg

    course = heart_course(field, rate) if ecg is None else ecg
    if course is None:
        return NO_REMOVAL
    projectors, events = compute_proj_ecg(
        _raw(field, rate, names, course), n_grad=0, n_mag=1, n_eeg=0, ch_name=_ECG, reject=None,
        no_proj=True, verbose="critical",
    )  # fmt: skip
    pulse = regular_pulse(events[:, 0] / rate, _MAX_SPREAD if ecg is None else _MAX_SPREAD_OF_ECG)
    if not projectors or not np.isfinite(pulse):
        return NO_REMOVAL
    (pattern,) = projectors[0]["data"]["data"]
    pattern = pattern / np.linalg.norm(pattern)
    return ArtefactRemoval(np.eye(len(names)) - np.outer(pattern, pattern), 1, pulse)


def heart_course(field: np.ndarray, rate: float) -> np.ndarray | None:
    """Return the time course with the most regular beats: of the mean, or a principal component.

    The mean of the sensors shows the heart where its field has one sign everywhere. Under a helmet
    of gradiometers it has two, and a component shows it. None where nothing beats regularly.

    Parameters
    ----------
    field, rate
        (sensor, time) fT, values per second.
    """
    from mne.filter import filter_data
    from mne.preprocessing.ecg import qrs_detector

    narrow = filter_data(field.astype(np.float64), rate, *_BEAT_BAND, verbose="critical")
    _, vectors = np.linalg.eigh(narrow @ narrow.T)
    courses = np.vstack([narrow.mean(axis=0), vectors[:, : -_COMPONENTS - 1 : -1].T @ narrow])
    best: tuple[float, np.ndarray] | None = None
    for course in courses:
        beats = qrs_detector(rate, course, thresh_value="auto", verbose="critical") / rate
        spread = interval_spread(beats)
        if np.isfinite(regular_pulse(beats)) and (best is None or spread < best[0]):
            best = spread, course
    return None if best is None else best[1]


def fit_ica(
    field: np.ndarray, rate: float, names: Sequence[str], ecg: np.ndarray | None = None
) -> ArtefactRemoval:
    """Fit independent components by ``mne.preprocessing.ICA`` and remove the cardiac ones.

    Components are cardiac if mne finds them so by the electrocardiogram; without one, if they have
    a pulse.

    Parameters
    ----------
    field, rate, names, ecg
        As in `fit_ssp`.
    """
    from mne import preprocessing
    from mne.preprocessing.ecg import qrs_detector

    raw = _raw(field, rate, names, ecg)
    raw.filter(_HIGH_PASS, None, verbose="critical")
    ica = preprocessing.ICA(
        min(_COMPONENTS, len(names) - 1), method="infomax", fit_params={"extended": True},
        random_state=_SEED, verbose="critical",
    )  # fmt: skip
    ica.fit(raw, decim=max(1, int(rate / _FIT_RATE)), verbose="critical")

    def pulse_of(course: np.ndarray, limit: float) -> float:
        values = course.astype(np.float64)
        beats = qrs_detector(rate, values, thresh_value="auto", verbose="critical") / rate
        return regular_pulse(beats, limit)

    if ecg is None:
        pulses = [pulse_of(course, _MAX_SPREAD) for course in ica.get_sources(raw).get_data()]
        cardiac = np.flatnonzero(np.isfinite(pulses))
        pulse = float(np.median(np.take(pulses, cardiac))) if cardiac.size else float("nan")
    else:
        pulse = pulse_of(ecg, _MAX_SPREAD_OF_ECG)
        indices: list[int] = []
        if np.isfinite(pulse):  # mne raises where the electrocardiogram has no beats
            indices, _ = ica.find_bads_ecg(raw, ch_name=_ECG, verbose="critical")
        cardiac = np.array(indices, dtype=np.int64)
    if not cardiac.size:
        return NO_REMOVAL
    return ArtefactRemoval(removal_matrix(ica, cardiac), cardiac.size, pulse)


def removal_matrix(ica: Any, components: np.ndarray) -> np.ndarray:
    """Return the matrix (sensor, sensor) that removes components and keeps everything else."""
    n_fit = ica.n_components_
    unmixing = ica.unmixing_matrix_ @ ica.pca_components_[:n_fit]
    maps = ica.pca_components_[:n_fit].T @ ica.mixing_matrix_
    spread = ica.pre_whitener_.ravel()
    artefact = maps[:, components] @ unmixing[components]
    matrix: np.ndarray = np.eye(len(spread)) - spread[:, None] * artefact / spread
    return matrix


def interval_spread(beats: np.ndarray) -> float:
    """Return the robust spread of the intervals between beats, relative to their median."""
    intervals = np.diff(np.asarray(beats, dtype=np.float64))
    if not intervals.size or np.median(intervals) <= 0:
        return float("inf")
    middle = float(np.median(intervals))
    return 1.4826 * float(np.median(np.abs(intervals - middle))) / middle


def regular_pulse(beats: np.ndarray, limit: float = _MAX_SPREAD) -> float:
    """Return beats per minute, NaN where they are too few or too irregular for a heart at rest.

    Examples
    --------
    >>> regular_pulse(np.arange(0.0, 30.0, 0.9))
    66.7
    >>> regular_pulse(np.cumsum(np.tile([0.5, 0.6, 1.1, 0.8], 20)))
    nan
    """
    if len(beats) < _MIN_BEATS:
        return float("nan")
    if interval_spread(beats) >= limit:
        return float("nan")
    pulse = round(60.0 / float(np.median(np.diff(np.asarray(beats, dtype=np.float64)))), 1)
    return pulse if _SLOWEST <= pulse <= _FASTEST else float("nan")


def _cleanest_minute(
    data: DecimatedField, quality: Quality
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return good sensors and ECG over the cleanest minute; bad segments are straight lines."""
    if quality.windows:  # the heart beats between them, too
        bad = quality.points(~quality.clean, data.field.shape[1])
        starts = range(0, bad.size - quality.length + 1, quality.length)
        clean = np.array([not bad[start : start + quality.length].any() for start in starts])
        quality = Quality(quality.reasons, clean, quality.length)
    width = max(1, round(FIT_SECONDS * data.rate / quality.length))
    clean = np.convolve(quality.clean, np.ones(min(width, quality.clean.size)), "valid")
    first = int(np.argmax(clean))
    part = Quality(quality.reasons, quality.clean[first : first + width], quality.length)
    window = slice(first * quality.length, (first + part.clean.size) * quality.length)
    ecg = None if data.ecg is None else data.ecg[window]
    return bridge_bad_segments(data.field[quality.good, window], part), ecg


def _raw(
    field: np.ndarray, rate: float, names: Sequence[str], ecg: np.ndarray | None = None
) -> Any:
    from mne import create_info
    from mne.io import RawArray

    values = field.astype(np.float64) * _FEMTO
    channels, kinds = list(names), ["mag"] * len(names)
    if ecg is not None:
        values = np.vstack([values, ecg * (_MILLIVOLT / max(float(np.std(ecg)), 1e-30))])
        channels, kinds = [*channels, _ECG], [*kinds, "ecg"]
    sensors = create_info(channels, rate, kinds, verbose="critical")
    return RawArray(values, sensors, verbose="critical")
