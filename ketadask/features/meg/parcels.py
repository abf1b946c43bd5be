"""Power and coupling of brain parcels: one row of weights over the sensors for each.

With a forward solution of the head they are a beamformer's, without one a minimum-norm estimate's
in a template head. The time courses of thousands of sources are never computed: a parcel's power in
a band is ``w C w'``, and only the courses of the parcels are correlated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.features.meg import registry
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.stream import DecimatedField
from ketadask.features.meg.time_courses import compute_courses
from ketadask.kernels.coupling import coupling
from ketadask.kernels.covariance import band_covariance
from ketadask.kernels.spectra import in_band
from ketadask.schema.errors import InputError
from ketadask.sources.meg.anatomy import Anatomy, read_forward, read_parcels
from ketadask.sources.meg.channels import bare_name
from ketadask.sources.meg.headers import RecordingHeader
from ketadask.sources.meg.template import template_gain, template_parcels, template_scale

if TYPE_CHECKING:
    import pandas as pd

_REGULARISATION = 0.05
_RANK_TOLERANCE = 1e-7
_WINDOW_SEGMENTS = 1
# Amplitude of the field over that of the noise which the template's estimate assumes, as usual.
_SIGNAL_TO_NOISE = 3.0
_SECONDS_AT_ONCE = 10.0
OWN_HEAD, TEMPLATE_HEAD, NO_HEAD = "own", "template", ""
_COLUMNS = ["group", "parcel", "band", "value"]


def parcel_features(
    data: DecimatedField,
    quality: Quality,
    names: Sequence[str],
    header: RecordingHeader,
    anatomy: Anatomy | None,
    mains: float,
) -> tuple[pd.DataFrame, str]:
    """Return power and envelope correlation of every parcel, and whose head they are computed in.

    Columns are group, parcel, band and value. Power is log10; it is relative to sensors with
    independent noise of 1 fT2/Hz where the head is the participant's own. Envelope correlation is
    the mean of that with all other parcels. NaN where the segments are too short for a band; no
    row where the head's position is not known.

    Parameters
    ----------
    data, quality
        The field, its bad sensors and segments.
    names
        (sensor,) names.
    header
        The recording's: the positions of sensors and fiducials.
    anatomy
        Forward solution and parcels of the head; None for the template's.
    mains
        Hz; frequencies near it and its multiples are not used.
    """
    import pandas as pd

    good = np.flatnonzero(quality.good)
    sensors = [names[row] for row in good.tolist()]
    scale = template_scale(header.measurement) if anatomy is None else None
    if anatomy is None and scale is None:
        return pd.DataFrame(columns=_COLUMNS), NO_HEAD
    broad, *covariances = _covariances(data, quality, good, mains)
    if anatomy is not None:
        weights, head = parcel_weights(anatomy, broad, sensors), OWN_HEAD
    else:
        gain = template_gain(header.measurement, data.grade, sensors, scale or 1.0)
        weights, head = template_weights(gain, broad), TEMPLATE_HEAD
    rows = []
    for parcel, weight in weights.items():
        for band, covariance in zip(registry.BANDS, covariances, strict=True):
            power = weight @ covariance @ weight
            value = float(np.log10(power)) if power > 0 else np.nan
            rows.append((registry.PARCEL, parcel, band, value))
    rows += _envelope_correlations(data, quality, good, weights)
    return pd.DataFrame(rows, columns=_COLUMNS), head


def _envelope_correlations(
    data: DecimatedField, quality: Quality, good: np.ndarray, weights: Mapping[str, np.ndarray]
) -> list[tuple[str, str, str, float]]:
    """Return a row per parcel and band: the mean correlation with all other parcels."""
    matrix = np.array(list(weights.values()), dtype=np.float32)
    field = np.empty((len(matrix), data.field.shape[1]), dtype=np.float32)
    step = max(1, round(_SECONDS_AT_ONCE * data.rate))
    for first in range(0, field.shape[1], step):
        window = slice(first, first + step)
        np.matmul(matrix, data.field[good, window], out=field[:, window])
    highest = max(high for _, high in registry.COUPLING_BANDS.values()) + 1.0
    parcels = replace(quality, reasons=("",) * len(matrix))
    courses = compute_courses(
        field, data.rate, parcels, broad=registry.BROAD, highest=highest, measures=()
    )
    rows = []
    for band, limits in registry.COUPLING_BANDS.items():
        envelopes, *_ = coupling(courses.analytic(limits, parcels))
        means = envelopes.sum(axis=1) / max(1, len(matrix) - 1)
        rows += [
            (registry.PARCEL_AEC, parcel, band, float(value))
            for parcel, value in zip(weights, means, strict=True)
        ]
    return rows


def template_weights(gain: np.ndarray, covariance: np.ndarray) -> dict[str, np.ndarray]:
    """Return by parcel of the template head the weights of the sensors.

    The standardised estimate sLORETA (Pascual-Marqui 2002, Methods Find Exp Clin Pharmacol 24D:5)
    in the direction of most power. It does not depend on the data, so that an error of the head,
    unlike with a beamformer, does not cancel the source. The direction that is silent in a sphere
    is left out.

    Parameters
    ----------
    gain
        (sensor, parcel, direction).
    covariance
        (sensor, sensor) of the broad band.

    Examples
    --------
    >>> gain = np.zeros((4, 68, 3)); gain[:, :, :2] = np.random.default_rng(0).normal(
    ...     size=(4, 68, 2))
    >>> weights = template_weights(gain, np.eye(4))
    >>> len(weights), weights["cuneus-lh"].shape
    (68, (4,))
    """
    leads = gain.reshape(len(gain), -1)
    spread = leads @ leads.T
    noise = np.trace(spread) / len(gain) / _SIGNAL_TO_NOISE**2
    inverse = np.linalg.inv(spread + noise * np.eye(len(gain)))
    weights = {}
    for index, parcel in enumerate(template_parcels()):
        lead = gain[:, index]
        estimate = lead.T @ inverse
        size, directions = np.linalg.eigh(estimate @ lead)
        estimate = (directions[:, 1:] / np.sqrt(size[1:])).T @ estimate
        _, vectors = np.linalg.eigh(estimate @ covariance @ estimate.T)
        weights[parcel] = vectors[:, -1] @ estimate
    return weights


def parcel_weights(
    anatomy: Anatomy, covariance: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return by parcel the weights of the sensors, of unit length.

    A scalar beamformer of unit noise gain in the direction of most power (Sekihara & Nagarajan
    2008), regularised by 5 %; the sources of a parcel are combined by their first principal
    component, which needs only their covariance.

    Parameters
    ----------
    anatomy
        Forward solution and parcels.
    covariance
        (sensor, sensor) of the broad band.
    names
        (sensor,) names, in the order of the covariance.
    """
    filters, rows = _filters(anatomy, covariance, names)
    covariance = covariance[np.ix_(rows, rows)]
    weights = {}
    for parcel, sources in read_parcels(anatomy, len(filters)).items():
        own = filters[sources]
        _, vectors = np.linalg.eigh(own @ covariance @ own.T)
        weight = np.zeros(len(names))
        weight[rows] = vectors[:, -1] @ own
        weights[parcel] = weight / np.linalg.norm(weight)
    return weights


def _covariances(
    data: DecimatedField, quality: Quality, good: np.ndarray, mains: float
) -> np.ndarray:
    """Return the covariance of the broad band, then of each band (1 + band, sensor, sensor)."""
    length = _WINDOW_SEGMENTS * quality.length
    frequency = np.fft.rfftfreq(length, 1 / data.rate)
    lines = [mains * k for k in range(1, 6)]
    masks = [
        in_band(frequency, *band, without=lines)
        for band in (registry.BROAD, *registry.BANDS.values())
    ]
    starts = quality.disjoint_starts(_WINDOW_SEGMENTS)
    return band_covariance(data.field[good], starts, length, data.rate, masks)


def numeric_rank(covariance: np.ndarray) -> int:
    """Return the dimensions of a field, which signal space separation and projectors reduce.

    Rounding of float32 leaves 1e-8 of the largest eigenvalue in the others, the noise of sensors
    1e-5.

    Examples
    --------
    >>> numeric_rank(np.diag([4.0, 1.0, 1e-9]))
    2
    """
    values = np.linalg.eigvalsh(covariance)
    return int((values > _RANK_TOLERANCE * values[-1]).sum())


def _filters(
    anatomy: Anatomy, covariance: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return beamformer weights (source, sensor), and which sensors the forward solution has."""
    import mne

    forward = read_forward(anatomy)
    full_names = {bare_name(name): name for name in forward["sol"]["row_names"]}
    rows = np.array([row for row, name in enumerate(names) if name in full_names], dtype=np.int64)
    if rows.size < 2:
        raise InputError(
            "the forward solution has none of the recording's sensors",
            file=anatomy.forward,
            remedy="compute it for the helmet of this recording",
        )
    sensors = [full_names[names[row]] for row in rows.tolist()]
    forward = mne.pick_channels_forward(forward, sensors, ordered=True, verbose="error")
    measurement = mne.create_info(sensors, 1.0, "mag", verbose="error")
    rank = numeric_rank(covariance[np.ix_(rows, rows)])
    # mne's beamformer works in tesla; the unit of the covariance only scales the weights.
    data: Any = mne.Covariance(
        covariance[np.ix_(rows, rows)] * 1e-30, sensors, [], [], nfree=1, verbose="error"
    )
    filters = mne.beamformer.make_lcmv(
        measurement, forward, data, reg=_REGULARISATION, pick_ori="max-power",
        weight_norm="unit-noise-gain", reduce_rank=True, rank={"mag": rank}, verbose="error",
    )  # fmt: skip
    # Since numpy 2.5 the eigenvectors that mne takes of a real matrix are of a complex type.
    return np.asarray(filters["weights"]).real, rows
