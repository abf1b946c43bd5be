"""The field of the heart, taken off: by projectors, or by independent components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketadask.features.meg.quality import Quality
from ketadask.features.meg.settings import ICA, NONE, SSP
from ketadask.features.meg.stream import Decimated
from ketadask.features.meg.time_courses import bridged
from ketadask.schema.errors import InputError, nearest

# What is looked at to learn the heart's pattern: one minute holds sixty beats, and bounds what
# mne holds in float64.
FITTED = 60.0
_SHORTEST = 12.0
_SLOWEST, _FASTEST = 40.0, 120.0
# Intervals of a heart at rest hardly differ; those of crests of alpha do, and what belongs to
# alpha must not be taken off.
_MOST_SPREAD = 0.15
_FEWEST_BEATS = 8
_FEWEST_SENSORS = 3
_COMPONENTS = 20
# Components are learnt from every third value, without a low-pass: what mixes instantly is not
# harmed by aliasing, and a filter that has never seen the noise of gamma would amplify it.
_FITTED_RATE = 100.0
_LOWEST = 1.0
_SECONDS_AT_ONCE = 10.0
_FEMTO = 1e-15
_SEED = 7


@dataclass(frozen=True, eq=False)
class ArtefactRemoval:
    """What is done to the good sensors of a recording.

    Attributes
    ----------
    matrix
        (sensor, sensor) that the field is multiplied with; None where nothing is taken off.
    removed
        How many projectors or components.
    pulse
        Beats per minute, NaN where no heart was seen.
    """

    matrix: np.ndarray | None
    removed: int
    pulse: float


NOTHING = ArtefactRemoval(None, 0, float("nan"))


def remove_cardiac(
    made: Decimated, quality: Quality, names: Sequence[str], how: str
) -> ArtefactRemoval:
    """Take the field of the heart off the good sensors of a recording, in place; say what was done.

    There is no electrocardiogram: beats are looked for in the mean of all sensors (``project``) or
    in independent components (``ica``), and believed only where they are regular. The pattern is
    learnt from at most one minute, and taken off everything in windows by one matrix product.

    Parameters
    ----------
    made, quality
        The field and what is bad in it.
    names
        (sensor,) names.
    how
        ``keep``, ``project`` or ``ica``.
    """
    if how == NONE:
        return NOTHING
    learn = {SSP: projectors, ICA: components}.get(how)
    if learn is None:
        raise InputError(
            "unknown way to treat the heart", where="cardiac_artefact", value=how,
            remedy=nearest(how, (NONE, SSP, ICA)),
        )  # fmt: skip
    good = np.flatnonzero(quality.good)
    stretch = _stretch(made, quality)
    if stretch.shape[1] < _SHORTEST * made.rate or len(good) < _FEWEST_SENSORS:
        return NOTHING
    cleaning = learn(stretch, made.rate, [names[row] for row in good])
    if cleaning.matrix is not None:
        apply(made.field, good, cleaning.matrix, round(_SECONDS_AT_ONCE * made.rate))
    return cleaning


def apply(field: np.ndarray, rows: np.ndarray, matrix: np.ndarray, step: int) -> None:
    """Multiply rows of ``field`` (sensor, time) with a matrix, in place, ``step`` values at a time.

    Examples
    --------
    >>> field = np.array([[1.0, 2.0], [9.0, 9.0], [3.0, 4.0]], dtype=np.float32)
    >>> apply(field, np.array([0, 2]), np.array([[0, 1], [1, 0]]), 1)
    >>> field[:, 0].tolist()
    [3.0, 9.0, 1.0]
    """
    small = matrix.astype(field.dtype)
    for first in range(0, field.shape[1], step):
        window = slice(first, first + step)
        field[rows, window] = small @ field[rows, window]


def projectors(field: np.ndarray, rate: float, names: Sequence[str]) -> ArtefactRemoval:
    """Learn one projector from the mean beat, as ``mne.preprocessing.compute_proj_ecg`` does.

    Parameters
    ----------
    field, rate, names
        (sensor, time) fT, values per second, names of the sensors.
    """
    from mne.preprocessing import compute_proj_ecg

    found, events = compute_proj_ecg(
        _raw(field, rate, names), n_grad=0, n_mag=1, n_eeg=0, reject=None, no_proj=True,
        verbose="critical",
    )  # fmt: skip
    pulse = regular_pulse(events[:, 0] / rate)
    if not found or not np.isfinite(pulse):
        return NOTHING
    (pattern,) = found[0]["data"]["data"]
    pattern = pattern / np.linalg.norm(pattern)
    return ArtefactRemoval(np.eye(len(names)) - np.outer(pattern, pattern), 1, pulse)


def components(field: np.ndarray, rate: float, names: Sequence[str]) -> ArtefactRemoval:
    """Learn independent components and take off those that beat, by ``mne.preprocessing.ICA``.

    Parameters
    ----------
    field, rate, names
        (sensor, time) fT, values per second, names of the sensors.
    """
    from mne import preprocessing
    from mne.preprocessing.ecg import qrs_detector

    raw = _raw(field, rate, names)
    raw.filter(_LOWEST, None, verbose="critical")
    fitted = preprocessing.ICA(
        min(_COMPONENTS, len(names) - 1), method="infomax", fit_params={"extended": True},
        random_state=_SEED, verbose="critical",
    )  # fmt: skip
    fitted.fit(raw, decim=max(1, int(rate / _FITTED_RATE)), verbose="critical")
    pulses = [
        regular_pulse(qrs_detector(rate, course, thresh_value="auto", verbose="critical") / rate)
        for course in fitted.get_sources(raw).get_data()
    ]
    beating = np.flatnonzero(np.isfinite(pulses))
    if not beating.size:
        return NOTHING
    pulse = float(np.median(np.take(pulses, beating)))
    return ArtefactRemoval(without(fitted, beating), beating.size, pulse)


def without(fitted: Any, chosen: np.ndarray) -> np.ndarray:
    """Return the matrix (sensor, sensor) that takes components off, what was never fitted kept."""
    few = fitted.n_components_
    unmixing = fitted.unmixing_matrix_ @ fitted.pca_components_[:few]
    maps = fitted.pca_components_[:few].T @ fitted.mixing_matrix_
    spread = fitted.pre_whitener_.ravel()
    taken = maps[:, chosen] @ unmixing[chosen]
    made: np.ndarray = np.eye(len(spread)) - spread[:, None] * taken / spread
    return made


def regular_pulse(beats: np.ndarray) -> float:
    """Return beats per minute, NaN where they are too few or too irregular for a heart at rest.

    Examples
    --------
    >>> regular_pulse(np.arange(0.0, 30.0, 0.9))
    66.7
    >>> regular_pulse(np.cumsum(np.tile([0.5, 0.6, 1.1, 0.8], 20)))
    nan
    """
    if len(beats) < _FEWEST_BEATS:
        return float("nan")
    intervals = np.diff(np.asarray(beats, dtype=np.float64))
    middle = float(np.median(intervals))
    spread = 1.4826 * float(np.median(np.abs(intervals - middle)))
    if middle <= 0 or spread >= _MOST_SPREAD * middle:
        return float("nan")
    pulse = round(60.0 / middle, 1)
    return pulse if _SLOWEST <= pulse <= _FASTEST else float("nan")


def _stretch(made: Decimated, quality: Quality) -> np.ndarray:
    """Return the good sensors over the cleanest minute; bad segments are straight lines."""
    most = max(1, round(FITTED * made.rate / quality.length))
    clean = np.convolve(quality.clean, np.ones(min(most, quality.clean.size)), "valid")
    first = int(np.argmax(clean))
    part = Quality(quality.reasons, quality.clean[first : first + most], quality.length)
    window = slice(first * quality.length, (first + part.clean.size) * quality.length)
    return bridged(made.field[quality.good, window], part)


def _raw(field: np.ndarray, rate: float, names: Sequence[str]) -> Any:
    from mne import create_info
    from mne.io import RawArray

    about = create_info(list(names), rate, "mag", verbose="critical")
    return RawArray(field.astype(np.float64) * _FEMTO, about, verbose="critical")
